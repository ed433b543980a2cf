"""Opens one Keras file with tf_keras, as its documentation does it, and prints the seconds it took after the import."""

from __future__ import annotations

import argparse
import json
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tf_keras  # type: ignore[import-not-found]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--file", required=True)
    asked = options.parse_args()
    wall, cpu = time.perf_counter(), time.process_time()
    tf_keras.models.load_model(asked.file, compile=False)
    print(json.dumps({"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}))


if __name__ == "__main__":
    main()
