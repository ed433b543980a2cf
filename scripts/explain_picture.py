"""A model that knows cats -> docs/assets/explain.png: why it calls the sample picture a cat, by three methods.

    python scripts/explain_picture.py keras_model.h5

The cat is scikit-image's (public domain); models and photos of other people stay out of the repository.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image

import cutaway as ca

TARGET = Path(__file__).resolve().parents[1] / "docs" / "assets" / "explain.png"
METHODS = ("gradcam", "occlusion", "guided-backprop")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        page = str(Path(folder) / "explain.png")
        ca.explain(sys.argv[1], "sample:cat", method=METHODS, out=page)
        with Image.open(page) as sheet:
            small = sheet.reduce(2)
    small.quantize(256, kmeans=2).save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
