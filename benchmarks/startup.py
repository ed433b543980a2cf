"""`cutaway --help` and `import cutaway`: processor seconds until they are there, beside a Python that does nothing.

User and system seconds of a process of its own, modules compiled and files in memory (two runs before do not count).
The bars: 0.30 s and 0.15 s of processor time.
"""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.bench import Outcome, Row, Settings, middle, versions
from benchmarks.processes import ran

RUNS = 10
HELP_BAR, IMPORT_BAR = 0.30, 0.15


def measure(settings: Settings) -> Outcome:
    """Settings -> one row for each command."""
    runs = 2 if settings.quick else RUNS
    python, script = sys.executable, Path(sys.executable).with_name("cutaway")
    help_ = [script, "--help"] if script.exists() else [python, "-m", "cutaway", "--help"]
    commands = {
        "python -c pass": [python, "-c", "pass"],
        "import cutaway": [python, "-c", "import cutaway"],
        "cutaway --help": help_,
    }
    bars = {"import cutaway": IMPORT_BAR, "cutaway --help": HELP_BAR}
    rows = [row(what, [str(w) for w in command], bars.get(what), runs) for what, command in commands.items()]
    return Outcome(rows, versions("typer"), f"Medians of {runs} runs.")


def row(what: str, command: list[str], bar: float | None, runs: int) -> Row:
    """Command -> its row: processor and wall seconds, memory, whether the bar is met."""
    done = [ran(command) for _ in range(runs + 2)][2:]
    cpu = middle((r.cpu_s for r in done), 3)
    return {
        "what": what,
        "processor seconds": cpu,
        "bar": bar,
        "met": None if bar is None else cpu <= bar,
        "wall seconds": middle((r.wall_s for r in done), 3),
        "peak memory, MiB": round(max(r.peak_mb for r in done)),
    }
