"""Every page of the studio -> runs/shots/PAGE-light.png and PAGE-dark.png at 1280x720, to be looked at.

    python scripts/studio_shots.py [MODEL] [PICTURE]

Without a model it takes the run of `make demo` where there is one, on a digit, else a network with random weights.
"""

from __future__ import annotations

import contextlib
import re
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import quote

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.studio import kit  # noqa: E402  (the project's folder is not on the path of a script)

REGISTERED = re.compile(r"\{ name: '(\w+)'")
QUIET = "document.querySelectorAll('progress, [aria-busy=true]').length === 0"
MOST_SECONDS = 20


def main() -> None:
    demo = ROOT / "runs" / "demo"
    model = sys.argv[1] if len(sys.argv) > 1 else str(demo) if (demo / "model.safetensors").exists() else "zoo:resnet18"
    picture = sys.argv[2] if len(sys.argv) > 2 else "digits:17" if model == str(demo) else "sample:cat"
    about = f"?model={quote(located(model), safe='/:')}&picture={quote(located(picture), safe='/:')}"
    with (
        tempfile.TemporaryDirectory() as folder,
        kit.studio(beside_runs(Path(folder)), located(model), "--picture", located(picture)) as server,
        kit.playwright() as playwright,
        kit.chromium(playwright) as browser,
    ):
        for name in names():
            for scheme in ("light", "dark"):
                with kit.visit(browser, server, f"#/{name}{about}", color_scheme=scheme) as page:
                    settle(page)
                    print(kit.shot(page, f"{name}-{scheme}").relative_to(ROOT))


def beside_runs(folder: Path) -> Path:
    """Empty folder -> the same, where the studio finds the runs that are here."""
    if (ROOT / "runs").is_dir():
        (folder / "runs").symlink_to(ROOT / "runs")
    return folder


def names() -> list[str]:
    """() -> the pages that the studio has, in the order of its navigation."""
    return REGISTERED.findall((ROOT / "web" / "src" / "lib" / "pages.ts").read_text(encoding="utf-8"))


def located(typed: str) -> str:
    """A path from here -> one that holds in the server's folder too; names stay as they are."""
    return str(Path(typed).resolve()) if Path(typed).exists() else typed


def settle(page: Any) -> None:
    """Waits until nothing on the page is under way and its maps are drawn, or for as long as a person would."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1500)
    with contextlib.suppress(AssertionError):
        kit.until(page, QUIET, MOST_SECONDS)


if __name__ == "__main__":
    main()
