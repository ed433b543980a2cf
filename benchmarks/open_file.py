"""Model files opened: Teachable Machine's keras_model.h5 beside tf_keras, 100 MB of our own beside reading the bytes.

Each side in a process of its own whose libraries are imported before the clock starts; processor seconds and wall
seconds of the first opening, files in the system's memory. The bars: 0.3 s for each h5 and no more than tf_keras; for
the large file 0.3 s more than twice the time it takes to read its bytes.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.bench import Missing, Outcome, Row, Settings, middle, say, versions
from benchmarks.peer_python import peer_python
from benchmarks.processes import flags, program, ran

BAR = 0.3


def measure(settings: Settings) -> Outcome:
    """Settings -> a row for each h5 that is there, one for the large file. Raises Missing without any h5."""
    files = sorted((settings.data / "teachable-machine").glob("*/keras_model.h5"))
    if not files:
        raise Missing(
            f"There is no teachable-machine/*/keras_model.h5 below {settings.data}; name its place with --data."
        )
    python = None if settings.quick else _keras()
    rows = [h5_row(file, python, settings) for file in (files[:1] if settings.quick else files)]
    with tempfile.TemporaryDirectory() as folder:
        rows.append(large_row(Path(folder) / "large.safetensors", settings))
    met = all(row["met"] for row in rows)
    return Outcome(rows, versions("torch", "h5py", "safetensors"), f"Bars: {'met' if met else 'MISSED'}.")


def h5_row(file: Path, python: Path | None, settings: Settings) -> Row:
    """Keras file -> its row."""
    ours = [ran(program("open_file", file=file)).result for _ in range(settings.repeats)]
    seconds = middle((r["cpu"] for r in ours), 3)
    row: Row = {
        "file": f"{file.parent.name}/{file.name}",
        "MB": round(file.stat().st_size / 1e6, 1),
        "ours, CPU s": seconds,
        "ours, wall s": middle((r["wall"] for r in ours), 3),
        "bar": BAR,
        "met": seconds <= BAR,
    }
    if python is not None:
        script = Path(__file__).parent / "programs" / "keras_open.py"
        theirs = [ran([python, script, *flags(file=file)]).result for _ in range(settings.repeats)]
        row["tf_keras, CPU s"] = middle((r["cpu"] for r in theirs), 3)
        row["tf_keras, wall s"] = middle((r["wall"] for r in theirs), 3)
        row["met"] = row["met"] and seconds <= row["tf_keras, CPU s"]
    say(f"{row['file']}: {seconds} s" + (f", tf_keras {row['tf_keras, CPU s']} s" if python else ""))
    return row


def large_row(file: Path, settings: Settings) -> Row:
    """Where to write it -> the row of a resnet50 of our own, 102 MB (quick: a resnet18)."""
    ran(program("open_file", file=file, write="resnet18" if settings.quick else "resnet50"))
    runs = [ran(program("open_file", file=file)).result for _ in range(settings.repeats)]
    seconds, read = middle((r["cpu"] for r in runs), 3), middle((r["read"] for r in runs), 3)
    return {
        "file": "our own, large",
        "MB": round(file.stat().st_size / 1e6, 1),
        "ours, CPU s": seconds,
        "ours, wall s": middle((r["wall"] for r in runs), 3),
        "bar": round(2 * read + BAR, 3),
        "met": seconds <= 2 * read + BAR,
        "reading its bytes, CPU s": read,
    }


def _keras() -> Path | None:
    try:
        python = peer_python()
    except Missing as lack:
        say(f"without tf_keras: {lack}")
        return None
    return python
