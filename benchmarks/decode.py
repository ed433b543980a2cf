"""File -> 224 x 224 pixels: Cutaway's loading path beside the same work written plainly with Pillow, on one core.

    python benchmarks/decode.py [--photos DIR] [--json FILE]

The peer is the fastest Pillow way of our study of photo decoding: JPEG draft to twice the target, EXIF transpose, RGB,
bicubic. It reads the file and returns pixels, nothing else. Ours also checks the file's kind, size and header, keeps
the SHA-256, flattens transparency and scales deep gray. All ways decode every file in turn, so that a busy machine
slows each; the fastest of the rounds counts. The bar: at least 0.90 of the peer's images per CPU-second.
"""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageOps, features
from skimage import data

import cutaway
from cutaway.image import InputContract, fit_picture, read_fitted, read_image, target_px

Pixels = NDArray[np.uint8]
SIDE = 224
BAR = 0.90
RATIO_TWO = "ratio of read_image + fit_picture"
CONTRACT = InputContract((SIDE, SIDE))
PHOTOS = Path(__file__).resolve().parents[1] / ".." / "shared" / "data" / "cats-vs-dogs" / "test"


def ours(path: Path) -> Pixels:
    return read_fitted(path, CONTRACT).pixels


def two_steps(path: Path) -> Pixels:
    return fit_picture(read_image(path, target_px(CONTRACT)), CONTRACT)


def peer(path: Path) -> Pixels:
    with Image.open(path) as picture:
        picture.draft("RGB", (2 * SIDE, 2 * SIDE))
        upright = ImageOps.exif_transpose(picture).convert("RGB")
    return np.asarray(ImageOps.fit(upright, (SIDE, SIDE), Image.Resampling.BICUBIC))


def phone_photos(folder: Path, count: int = 6) -> list[Path]:
    """Folder -> 12-megapixel JPEGs as a phone writes them: 4032 x 3024, 4:2:0, sensor noise, held upright (EXIF 6)."""
    rng = np.random.default_rng(0)
    paths = []
    for number, scene in zip(range(count), (data.astronaut, data.coffee, data.chelsea, data.rocket) * 2, strict=False):
        large = Image.fromarray(scene()).resize((4032, 3024), Image.Resampling.BICUBIC)
        noise = Image.effect_noise(large.size, float(rng.uniform(8, 16))).convert("RGB")
        held = Image.Exif()
        held[0x0112] = 6
        paths.append(folder / f"phone_{number}.jpg")
        Image.blend(large, noise, 0.15).save(paths[-1], quality=88, subsampling="4:2:0", exif=held.tobytes())
    return paths


def measure(name: str, paths: list[Path], rounds: int) -> dict[str, Any]:
    """Files -> one row: images per CPU-second of each way, ratios, the largest difference to the peer in levels."""
    ways = (ours, two_steps, peer)
    worst = max(int(np.abs(way(p).astype(int) - peer(p)).max()) for p in paths[:20] for way in ways)  # warms up, too
    best = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        spent = dict.fromkeys(ways, 0.0)
        for number, path in enumerate(paths):
            for turn in range(len(ways)):
                way = ways[(number + turn) % len(ways)]
                spent[way] += _seconds(way, path)
        best = {way: min(best[way], spent[way]) for way in ways}
    return {
        "file → 224 × 224": name,
        "files": len(paths),
        "median KB": round(float(np.median([p.stat().st_size for p in paths])) / 1000, 1),
        "read_fitted, images per CPU-s": round(len(paths) / best[ours], 1),
        "plain Pillow, images per CPU-s": round(len(paths) / best[peer], 1),
        "ratio": round(best[peer] / best[ours], 3),
        RATIO_TWO: round(best[peer] / best[two_steps], 3),
        "bar": BAR,
        "largest difference, levels": worst,
    }


def _seconds(way: Callable[[Path], Pixels], path: Path) -> float:
    begun = time.process_time()
    way(path)
    return time.process_time() - begun


def versions() -> dict[str, str]:
    return {
        "cutaway": cutaway.__version__,
        "python": platform.python_version(),
        "pillow": PIL.__version__,
        "libjpeg-turbo": features.version("libjpeg_turbo") or "none: plain libjpeg",
        "numpy": np.__version__,
    }


def processor() -> str:
    """Name of the processor as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((x.split(":")[1].strip() for x in lines if x.startswith("model name")), platform.machine())


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    options.add_argument("--photos", type=Path, default=PHOTOS, help="folder of JPEG photos, searched through")
    options.add_argument("--json", type=Path, help="file to write the rows to")
    options.add_argument("--rounds", type=int, default=3, help="times every file is decoded; the fastest round counts")
    asked = options.parse_args()
    photos = sorted(p for p in asked.photos.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    rows = [measure("small photos (cats-vs-dogs test)", photos, asked.rounds)] if photos else []
    with tempfile.TemporaryDirectory() as folder:
        rows.append(measure("12-megapixel phone photos, generated", phone_photos(Path(folder)), asked.rounds))
    show(rows, photos=asked.photos.name)
    if asked.json:
        when = datetime.now(UTC).isoformat(timespec="seconds")
        about = {"name": "decode", "when": when, "machine": processor(), "versions": versions()}
        asked.json.write_text(json.dumps({**about, "rows": rows}, indent=2) + "\n", encoding="utf-8")


def show(rows: list[dict[str, Any]], photos: str) -> None:
    print(f"File -> {SIDE} x {SIDE} pixels, images per CPU-second on one core of {processor()}")
    print(", ".join(f"{name} {version}" for name, version in versions().items()), end="\n\n")
    print(f"{'':<38}{'files':>6}{'KB':>7}{'ours':>8}{'Pillow':>8}{'ratio':>7}{'in two steps':>14}{'differ':>8}")
    for what, files, size, ours_rate, peer_rate, ratio, ratio_two, _, worst in (row.values() for row in rows):
        rates = f"{ours_rate:>8.1f}{peer_rate:>8.1f}{ratio:>7.3f}{ratio_two:>14.3f}"
        print(f"{what:<38}{files:>6}{size:>7.0f}{rates}{worst:>8}")
    if len(rows) == 1:
        print(f"\nNo JPEG photos below '{photos}': that row is left out (--photos DIR).")
    for what, column in (("read_fitted", "ratio"), ("read_image, then fit_picture (in two steps)", RATIO_TWO)):
        met = all(row[column] >= BAR for row in rows)
        print(f"\nBar {BAR:.2f} of the peer's rate, {what}: {'met' if met else 'MISSED'}.", end="")
    print("\ndiffer: largest difference to the peer's pixels, in levels of 255.")


if __name__ == "__main__":
    main()
