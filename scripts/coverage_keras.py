"""How many Keras files open, run and give the numbers of the program that wrote them -> docs/coverage/keras.json.

    .venv/bin/python scripts/coverage_keras.py --keras VENV/bin/python [--only MobileNetV2] [--shared ../shared/data]

VENV has TensorFlow, Keras 3 and tf_keras; scripts/golden_keras.py runs there and writes one network's four files into a
temporary folder, which is deleted before the next. Rows of networks that are not run again stay as they were.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as Pillow

from cutaway.engine.prepare import prepare
from cutaway.errors import BadModel
from cutaway.formats import read_model_file
from cutaway.formats.parts import Parts

HERE = Path(__file__).resolve().parent
RESULT = HERE.parent / "docs" / "coverage" / "keras.json"
NETWORKS = (
    *("MobileNet", "MobileNetV2", "MobileNetV3Small", "ResNet50", "ResNet50V2", "VGG16", "DenseNet121"),
    *("EfficientNetB0", "InceptionV3", "Xception", "NASNetMobile", "EfficientNetV2B0", "ConvNeXtTiny"),
)
TEACHABLE = {
    "animals-h5": "keras_model.h5",
    "cat-dog-h5": "keras_model.h5",
    "multi4-2020-h5": "keras_model.h5",
    "waste4-h5": "keras_model.h5",
    "waste12-tfjs": "model.json",
    "broken-tfjs": "",
}
FORMATS = {
    "keras-2.h5": "Keras 2 h5",
    "keras-2.keras": "Keras 2 .keras",
    "keras-3.h5": "Keras 3 h5",
    "keras-3.keras": "Keras 3 .keras",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--keras", required=True, help="python of a venv with TensorFlow, Keras 3 and tf_keras")
    parser.add_argument("--only", nargs="*", default=list(NETWORKS), help="networks to run; none: no Keras application")
    parser.add_argument("--shared", default="", help="folder that holds teachable-machine/")
    given = parser.parse_args()
    for name in given.only:
        with tempfile.TemporaryDirectory() as folder:
            command = [given.keras, str(HERE / "golden_keras.py"), "network", folder, name]
            subprocess.run(command, check=True, stderr=subprocess.DEVNULL, env={**os.environ, "OMP_NUM_THREADS": "1"})
            kept([row(Path(folder), name, ending) for ending in FORMATS])
    if given.shared:
        kept([teachable(Path(given.shared) / "teachable-machine", name) for name in TEACHABLE])


def row(folder: Path, name: str, ending: str) -> dict[str, Any]:
    """One file of one network -> whether it opens and runs, and the largest difference to its author's output."""
    file = folder / f"{name}-{ending}"
    golden = np.load(file.with_name(f"{name}-{ending.replace('.', '-')}.npz"))
    found = {"format": FORMATS[ending], "network": name, "versions": str(golden["program"])}
    given = torch.from_numpy(golden["x"]).movedim(-1, 1)
    return {**found, **measured(file, lambda _: given, golden["y"])}


def teachable(folder: Path, name: str) -> dict[str, Any]:
    """One Teachable Machine export on the pictures its reference.json names -> the same."""
    reference = json.loads((folder / name / "reference.json").read_text())
    pictures = [folder / "images" / (Path(p).stem.removesuffix(".224") + ".224.png") for p in reference["images"]]
    pixels = np.stack([np.array(Pillow.open(p).convert("RGB")) for p in pictures])
    rows = reference["images"].values()
    wanted = [r.get("probabilities", r.get("probabilities_div_127_5")) for r in rows]
    kind = "TensorFlow.js" if name.endswith("tfjs") else "Keras 2 h5"
    found = {"format": kind, "network": f"Teachable Machine {name}", "versions": reference["framework"]}
    file = folder / name / TEACHABLE[name]
    return {**found, **measured(file, lambda parts: prepare(pixels, parts.contract), np.array(wanted))}


def measured(file: Path, given: Any, wanted: np.ndarray) -> dict[str, Any]:
    """File, input made for its Parts, wanted output -> opens, runs, difference, spread (of wanted), note."""
    empty = {"opens": False, "runs": False, "difference": None, "spread": float(np.ptp(wanted)), "note": ""}
    try:
        parts: Parts = read_model_file(file)
    except BadModel as error:
        return {**empty, "note": str(error)}
    with torch.inference_mode():
        made = parts.graph(given(parts)).numpy()
    return {**empty, "opens": True, "runs": True, "difference": float(np.abs(made - wanted).max())}


def kept(rows: list[dict[str, Any]]) -> None:
    """Puts the rows into the result file in place of those of the same format and network."""
    held = json.loads(RESULT.read_text())["rows"] if RESULT.is_file() else []
    new = {(r["format"], r["network"]): r for r in [*held, *rows]}
    order = [*NETWORKS, *(f"Teachable Machine {name}" for name in TEACHABLE)]
    ordered = sorted(new.values(), key=lambda r: (order.index(r["network"]), r["format"]))
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    command = "python scripts/coverage_keras.py --keras VENV/bin/python --shared ../shared/data"
    RESULT.write_text(json.dumps({"command": command, "rows": ordered}, indent=1) + "\n")
    for r in rows:
        print(f"{r['format']:16} {r['network']:30} {r['difference']} {r['note']}", flush=True)


if __name__ == "__main__":
    main()
