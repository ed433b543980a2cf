"""The studio's main page with a real model at work -> docs/assets/studio.png, for README.

    python scripts/readme_studio.py MODEL [LAYER]

The picture is one that scikit-image embeds; photos of data sets stay out of the repository.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path
from urllib.parse import quote

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from scripts.studio_shots import located, settle  # noqa: E402  (the project's folder is not on the path of a script)
from tests.studio import kit  # noqa: E402

TARGET = ROOT / "docs" / "assets" / "studio.png"


def main() -> None:
    model, layer = located(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ""
    about = f"#/machine?model={quote(model, safe='/:')}&picture=sample:cat" + (f"&layer={layer}" if layer else "")
    with (
        tempfile.TemporaryDirectory() as folder,
        kit.studio(Path(folder), model, "--picture", "sample:cat") as server,
        kit.playwright() as playwright,
        kit.chromium(playwright) as browser,
        kit.visit(browser, server, about, color_scheme="light") as page,
    ):
        settle(page)
        shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    shot.save(TARGET, optimize=True)
    print(f"{TARGET.relative_to(ROOT)}: {TARGET.stat().st_size / 2**10:.0f} KiB")


if __name__ == "__main__":
    main()
