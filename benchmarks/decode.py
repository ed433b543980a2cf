"""File -> 224 x 224 pixels: Cutaway's loading path beside the same work written plainly with Pillow, on one core.

The peer is the fastest Pillow way of our study of photo decoding: JPEG draft to twice the target, EXIF transpose, RGB,
bicubic. It reads the file and returns pixels, nothing else. Ours also checks the file's kind, size and header, keeps
the SHA-256, flattens transparency and scales deep gray. All ways decode every file in turn, so that a busy machine
slows each; the fastest of the rounds counts. The bar: at least 0.90 of the peer's images per CPU-second.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, features
from skimage import data

from benchmarks.bench import Outcome, Row, Settings, say, versions
from cutaway.image import InputContract, fit_picture, read_fitted, read_image, target_px

Pixels = NDArray[np.uint8]
SIDE = 224
BAR = 0.90
RATIO_TWO = "ratio of read_image + fit_picture"
CONTRACT = InputContract((SIDE, SIDE))
ROUNDS = 3
QUICK_PHOTOS = 8


def measure(settings: Settings) -> Outcome:
    """Settings -> a row for real photos where they are, one for generated ones of a phone's size."""
    rounds = 1 if settings.quick else max(ROUNDS, settings.repeats)
    below = settings.data / "cats-vs-dogs" / "test"
    photos = sorted(p for p in below.rglob("*") if p.suffix.lower() in (".jpg", ".jpeg"))
    photos = photos[:QUICK_PHOTOS] if settings.quick else photos
    if not photos:
        say(f"no JPEG photos below {below}: that row is left out")
    rows = [compared("small photos (cats-vs-dogs test)", photos, rounds)] if photos else []
    with tempfile.TemporaryDirectory() as folder:
        phone = phone_photos(Path(folder), 1 if settings.quick else 6)
        rows.append(compared("12-megapixel phone photos, generated", phone, rounds))
    jpeg = {"libjpeg-turbo": features.version("libjpeg_turbo") or "none: plain libjpeg"}
    return Outcome(rows, {**versions("pillow", "numpy"), **jpeg}, verdict(rows))


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


def compared(name: str, paths: list[Path], rounds: int) -> Row:
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


def verdict(rows: list[Row]) -> str:
    """Rows -> whether the bar is met by both of our ways."""
    ways = {"read_fitted": "ratio", "read_image, then fit_picture": RATIO_TWO}
    met = [f"{way}: {'met' if all(row[c] >= BAR for row in rows) else 'MISSED'}" for way, c in ways.items()]
    return f"One core. Bar {BAR:.2f} of the peer's rate, {'; '.join(met)}."
