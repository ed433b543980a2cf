"""The peer of tutorial_cifar: TensorFlow's CNN tutorial in Keras 3, as it is written there, three epochs.

    python keras_cifar.py --train train.parquet --test test.parquet [--epochs 3] [--seed 0] [--limit N]

Run by the Python that has TensorFlow; nothing of Cutaway is imported. Pixels are decoded to arrays in memory and
divided by 255, `fit` gets the test pictures as validation_data, the optimizer is "adam" and the batch 32, Keras'
defaults: the tutorial's own lines. One departure, in the peer's favour: the arrays are float32, where its `/ 255.0`
gives float64. The last line printed is one JSON object.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import resource
import sys
import time
from typing import Any

BEGUN = time.perf_counter()
os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras  # noqa: E402
import numpy as np  # noqa: E402
import pyarrow.parquet  # noqa: E402
import tensorflow as tf  # noqa: E402
from keras import layers  # noqa: E402
from PIL import Image  # noqa: E402

IMPORTED = time.perf_counter()


def read(path: str, limit: int | None) -> tuple[Any, Any]:
    """Parquet file -> float32 (N, 32, 32, 3) in 0..1 and labels (N,)."""
    table = pyarrow.parquet.read_table(path)
    table = table.slice(0, limit) if limit else table
    files = table.column("image").combine_chunks().field("bytes").to_pylist()
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files])
    return pixels / np.float32(255), np.asarray(table.column("label"))


def tutorial() -> Any:
    return keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(10),
        ]
    )


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--train", required=True)
    options.add_argument("--test", required=True)
    options.add_argument("--epochs", type=int, default=3)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--limit", type=int)
    asked = options.parse_args()
    keras.utils.set_random_seed(asked.seed)
    train, test = read(asked.train, asked.limit), read(asked.test, asked.limit)
    decoded = time.perf_counter()
    network = tutorial()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    network.compile(optimizer="adam", loss=loss, metrics=["accuracy"])
    begun = time.perf_counter()
    history = network.fit(*train, epochs=asked.epochs, validation_data=test, verbose=2)
    fitted = time.perf_counter()
    result = {
        "import_s": IMPORTED - BEGUN,
        "decode_s": decoded - IMPORTED,
        "fit_s": fitted - begun,
        "accuracy": float(history.history["val_accuracy"][-1]),
        "epochs": [float(a) for a in history.history["val_accuracy"]],
        "parameters": int(network.count_params()),
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024),
        "versions": {"keras": keras.__version__, "tensorflow": tf.__version__},
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
