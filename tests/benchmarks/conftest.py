"""Small stand-ins for the benchmarks' inputs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

from benchmarks.processes import Ran


@pytest.fixture
def small_cifar(tmp_path: Path) -> Path:
    """A folder like cifar10's: train.parquet (60) and test.parquet (20), ten classes, each of its own gray."""
    folder = tmp_path / "cifar10"
    folder.mkdir()
    names = {"label": {"names": [f"class {i}" for i in range(10)], "_type": "ClassLabel"}, "image": {"_type": "Image"}}
    about = {"huggingface": json.dumps({"info": {"features": names}})}
    rng = np.random.default_rng(0)
    for fold, count in (("train", 60), ("test", 20)):
        labels = [i % 10 for i in range(count)]
        files = [png(np.clip(rng.normal(25 * label, 8, (32, 32, 3)), 0, 255)) for label in labels]
        images = [{"bytes": file, "path": None} for file in files]
        table = pyarrow.table({"image": images, "label": labels}).replace_schema_metadata(about)
        pyarrow.parquet.write_table(table, folder / f"{fold}.parquet")
    return folder


def png(pixels: Any) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(file, "png")
    return file.getvalue()


def canned(result: dict[str, Any], wall_s: float = 10.0, peak_mb: float = 500.0) -> Ran:
    """What a process would have given."""
    return Ran(wall_s, wall_s, peak_mb, json.dumps(result))
