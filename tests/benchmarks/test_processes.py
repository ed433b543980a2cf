"""A side of a comparison: measured, ended with its last words when it fails, taken along when the run is stopped."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.bench import ROOT
from benchmarks.processes import Failed, flags, program, ran


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_a_process_is_measured_and_its_result_read() -> None:
    run = ran(python("import time; b = bytearray(64 * 2**20); time.sleep(0.2); print('words'); print('{\"a\": 1}')"))
    assert run.result == {"a": 1}
    assert run.wall_s >= 0.2
    assert 0 < run.cpu_s < run.wall_s + 1
    assert run.peak_mb > 64


def test_what_the_measuring_process_holds_is_not_counted() -> None:
    held = bytearray(b"1") * 300 * 2**20
    assert 5 < ran(python("pass")).peak_mb < 100
    del held
    assert 5 < ran(python("pass")).peak_mb < 100


def test_a_result_may_have_many_lines() -> None:
    assert ran(python("print('{\"a\":\\n 1}')")).result == {"a": 1}


def test_the_environment_is_added_to() -> None:
    assert ran(python("import os; print(os.environ['CUTAWAY_CACHE'])"), {"CUTAWAY_CACHE": "here"}).out == "here\n"


def test_a_failure_has_its_code_and_last_words() -> None:
    with pytest.raises(Failed, match=r"(?s)ended with 3:.*no room"):
        ran(python("import sys; print('no room', file=sys.stderr); sys.exit(3)"))


def test_a_process_that_hangs_is_ended() -> None:
    with pytest.raises(Failed, match="ended with -9"):
        ran(python("import time; time.sleep(60)"), limit_s=0.3)


def test_a_stopped_run_takes_its_process_with_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    child = f"import os, pathlib, time; pathlib.Path({str(note)!r}).write_text(str(os.getpid())); time.sleep(60)"
    code = f"from benchmarks.processes import ran; ran([{sys.executable!r}, '-c', {child!r}])"
    parent = subprocess.Popen(python(code), cwd=ROOT, stderr=subprocess.DEVNULL)
    begun = time.monotonic()
    while not (note.exists() and note.read_text()):
        assert time.monotonic() - begun < 30
        time.sleep(0.02)
    parent.send_signal(signal.SIGINT)
    assert parent.wait(30) != 0
    begun = time.monotonic()
    while lives(int(note.read_text())):
        assert time.monotonic() - begun < 30
        time.sleep(0.02)


def lives(pid: int) -> bool:
    """A killed process stays listed as a zombie until the first process of the machine asks how it ended."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    with contextlib.suppress(OSError):
        return stat.read_text().rpartition(")")[2].split()[0] not in "ZX"
    return not stat.parents[1].joinpath("self").exists()  # no /proc here: it is listed, more is not known


def test_options_become_flags() -> None:
    assert flags(epochs=1.5, limit=None, data=Path("x")) == ["--epochs", "1.5", "--data", "x"]
    assert program("cifar", seed=0) == [sys.executable, "-m", "benchmarks.programs.cifar", "--seed", "0"]
