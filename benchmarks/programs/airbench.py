"""The peer of gpu_airbench: a person's airbench94_muon.py run as it is, on the Parquet's pixels, fewer times.

    python -m benchmarks.programs.airbench --script FILE --data FOLDER --folder SCRATCH --runs 3

Its loader opens cifar10/train.pt and cifar10/test.pt where they exist: they are written here. Its `range(200)` runs are
cut to `runs` while its text is read; nothing else of it is changed.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
from pathlib import Path

import torch

from cutaway.dataset.cache import filled
from cutaway.dataset.scan import open_dataset
from cutaway.image import InputContract


def write_tensors(data: Path, folder: Path, limit: int | None = None) -> None:
    """Parquet folder -> FOLDER/train.pt and test.pt with uint8 images (N, 32, 32, 3), labels (N,), class names."""
    dataset = open_dataset(str(data))
    folder.mkdir(parents=True, exist_ok=True)
    for fold in ("train", "test"):
        part = dataset.take([i for i, s in enumerate(dataset.samples) if s.fold == fold][:limit])
        pixels = filled(part, InputContract((32, 32)))
        document = {
            "images": torch.from_numpy(pixels.rows(slice(None))),
            "labels": torch.tensor(part.labels),
            "classes": list(part.classes),
        }
        torch.save(document, folder / f"{fold}.pt")


def shortened(script: Path, folder: Path, runs: int) -> Path:
    """The peer's file -> a copy in `folder` that repeats its run `runs` times."""
    text = script.read_text(encoding="utf-8")
    if "range(200)" not in text:
        raise SystemExit(f"{script} does not repeat its run range(200) times; is it airbench94_muon.py?")
    copy = folder / script.name
    copy.write_text(text.replace("range(200)", f"range({runs})"), encoding="utf-8")
    return copy


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--script", type=Path, required=True)
    options.add_argument("--data", type=Path, required=True)
    options.add_argument("--folder", type=Path, required=True)
    options.add_argument("--runs", type=int, required=True)
    asked = options.parse_args()
    write_tensors(asked.data.resolve(), asked.folder / "cifar10")
    copy = shortened(asked.script, asked.folder, asked.runs)
    os.chdir(asked.folder)
    sys.argv = [str(copy)]
    runpy.run_path(str(copy), run_name="__main__")
    print(f"gpu_peak_mb {torch.cuda.max_memory_allocated() / 2**20:.0f}")


if __name__ == "__main__":
    main()
