"""`cutaway train` as Python runs it, with its events counted: how many pictures were decoded, how many embedded.

python -m benchmarks.programs.train --data DATA --out RUN [--backbone FILE] [--epochs N]
"""

from __future__ import annotations

import argparse
import json
import time

BEGUN = time.perf_counter()

import cutaway  # noqa: E402
from cutaway.events import Done, Progress  # noqa: E402


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--data", required=True)
    options.add_argument("--out", required=True)
    options.add_argument("--backbone")
    options.add_argument("--epochs", type=int)
    asked = options.parse_args()
    first: dict[str, Progress] = {}
    report = None
    for event in cutaway.train.stream(asked.data, backbone=asked.backbone, epochs=asked.epochs, out=asked.out):
        if isinstance(event, Progress):
            first.setdefault(event.task, event)
        elif isinstance(event, Done):
            report = event.result.report
    assert report is not None
    assert report.test is not None
    # The cache tells at once what it has: what is missing then had to be made.
    made = {task: (first[task].total or 0) - first[task].done for task in ("read pictures", "embed") if task in first}
    result = {
        "seconds": time.perf_counter() - BEGUN,
        "made": made,
        "pictures": first["read pictures"].total,
        "accuracy": report.test.accuracy,
        "timings": report.timings,
        "peak_mb": report.peak_memory_mb,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
