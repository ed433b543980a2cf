"""A finished run's report -> docs/assets/first-screen.png: the page's head beside what the network takes for what.

    python scripts/readme_picture.py runs/demo

Made of the digits that scikit-learn embeds; photos of people or of data sets stay out of the repository.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "docs" / "assets" / "first-screen.png"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
PAPER = (252, 252, 250)


def parts(page: Page) -> tuple[Image.Image, Image.Image]:
    """Open report -> pictures of its head with the rivals, and of the confusion matrix."""
    page.add_style_tag(content="nav,.theme{display:none!important}.page{display:block!important}")
    shots = []
    for selector in ("header", "#baselines", "#confusion"):
        shots.append(Image.open(io.BytesIO(page.locator(selector).first.screenshot())))
    head, rivals, confusion = shots
    return stacked([head, rivals]), confusion


def stacked(pictures: list[Image.Image], gap: int = 24) -> Image.Image:
    width = max(p.width for p in pictures)
    sheet = Image.new("RGB", (width, sum(p.height + gap for p in pictures) - gap), PAPER)
    top = 0
    for picture in pictures:
        sheet.paste(picture, (0, top))
        top += picture.height + gap
    return sheet


def beside(left: Image.Image, right: Image.Image, gap: int = 48, edge: int = 36) -> Image.Image:
    height = max(left.height, right.height)
    sheet = Image.new("RGB", (left.width + right.width + gap + 2 * edge, height + 2 * edge), PAPER)
    sheet.paste(left, (edge, edge))
    sheet.paste(right, (left.width + gap + edge, edge))
    return sheet


def main() -> None:
    report = Path(sys.argv[1]) / "report.html"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 800, "height": 1000}, color_scheme="light")
        page.goto(report.resolve().as_uri())
        left, confusion = parts(page)
        browser.close()
    sheet = beside(left, confusion)
    sheet.quantize(96).save(TARGET, optimize=True)


if __name__ == "__main__":
    main()
