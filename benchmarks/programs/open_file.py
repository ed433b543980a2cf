"""Opens one model file with Cutaway and prints the seconds it took; --write NAME makes the file first."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import h5py  # noqa: F401 - imported before the clock starts, as torch is
import torch

from cutaway.model import Model, open_model, save_model


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--file", type=Path, required=True)
    options.add_argument("--write", help="a network's name: write it to --file and stop")
    asked = options.parse_args()
    torch.set_num_threads(1)
    if asked.write:
        from cutaway.zoo import build

        made = build(asked.write, classes=("cat", "dog"))
        save_model(Model(made.graph, made.contract, ("cat", "dog")), asked.file)
        print(json.dumps({}))
        return
    begun = time.process_time()
    asked.file.read_bytes()
    read = time.process_time() - begun
    wall, cpu = time.perf_counter(), time.process_time()
    open_model(asked.file)
    print(json.dumps({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall, "read": read}))


if __name__ == "__main__":
    main()
