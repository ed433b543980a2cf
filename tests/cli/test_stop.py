"""Ctrl-C: once keeps what is done and ends well, twice ends at once; both without a traceback."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from shapes import Cli, started

import cutaway as ca
from cutaway.events import Progress

LONG = ["--network", "small-cnn", "--epochs", "3000", "--patience", "3000", "--batch-size", "8", "--threads", "1"]


def ctrl_c(process: subprocess.Popen[str]) -> None:
    """As a terminal does it: the signal goes to the whole group."""
    os.killpg(process.pid, signal.SIGINT)


def until(process: subprocess.Popen[str], word: str) -> list[str]:
    """Reads standard error up to the line that holds the word."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if word in line:
            return lines
    raise AssertionError(f"ended without {word!r}: {lines}")


def test_once_keeps_the_best_and_writes_the_report(shapes: Path, cli: Cli) -> None:
    with started("train", shapes, *LONG, "--out", "run") as process:
        until(process, "   2/3000")
        ctrl_c(process)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Stopped: the best weights so far are kept." in err
    assert "Traceback" not in err
    assert "pictures right" in out
    assert "ended: stopped." in out
    report = json.loads(Path("run/report.json").read_text())
    assert 1 <= len(report["epochs"]) < 3000
    assert cli("predict", "run", "sample:cat", "--json").code == 0
    assert Path("run/report.html").exists()


def test_twice_ends_at_once(here: Path) -> None:
    """The second one comes while the test fold is measured and the rivals are trained: seconds of work on digits."""
    with started("train", "digits", *LONG, "--out", "run") as process:
        until(process, "   2/3000")
        ctrl_c(process)
        until(process, "Stopped: the best weights")
        time.sleep(0.3)
        began = time.monotonic()
        ctrl_c(process)
        out, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 10
    assert process.returncode == 130, err
    assert err.splitlines()[-1] == "Stopped."
    assert "Traceback" not in err
    assert out == ""
    assert not (here / "run/report.json").exists()
    assert (here / "run/checkpoints/train.pt").exists(), "resume can go on"


@pytest.mark.slow
def test_json_stays_json(shapes: Path) -> None:
    with started("train", shapes, *LONG, "--out", "run", "--json") as process:
        deadline = time.monotonic() + 60
        while not Path("run/checkpoints/train.pt").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        ctrl_c(process)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["ended"] == "stopped"


@pytest.mark.parametrize("line", ["train shapes", "check shapes", "sweep shapes --vary depth=2,3"])
def test_before_anything_began_nothing_is_left(line: str, shapes: Path) -> None:
    del shapes
    name, data, *flags = line.split()
    more: dict[str, Any] = {"vary": (flags[1],)} if flags else {}
    stream = getattr(ca, name).stream(data, **more)
    assert any(isinstance(event, Progress) for event in stream)
    with pytest.raises(KeyboardInterrupt):
        stream.throw(KeyboardInterrupt())
    assert sorted(p.name for p in Path().iterdir()) == ["shapes"]


@pytest.mark.slow
def test_a_sweep_stopped_shows_what_it_has(shapes: Path) -> None:
    with started("sweep", shapes, "--vary", "depth=2..6", "--epochs", "150", "--threads", "1") as process:
        until(process, "of validation pictures")
        ctrl_c(process)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "Stopped; finished settings are kept." in err
    assert "Traceback" not in err
    assert "val accuracy" in out
    assert Path("sweeps/shapes/results.csv").read_text().count("\n") in (2, 3, 4, 5)


@pytest.mark.slow
@pytest.mark.parametrize("after", [0.3 * 1.17**k for k in range(20)])
def test_at_any_moment_it_ends_with_0_or_130_and_no_traceback(after: float, shapes: Path) -> None:
    """From the libraries' imports, which turn an interrupt into any error or into nothing, to the epochs.

    An interrupt inside a library's exec() makes `python -m` end by the signal whatever exit code is asked for; a shell
    calls that 130 too.
    """
    with started("train", shapes, *LONG, "--out", "run") as process:
        time.sleep(0.3 + after)
        ctrl_c(process)
        out, err = process.communicate(timeout=60)
    assert process.returncode in (0, 130, -signal.SIGINT), err
    assert "Traceback" not in err
    assert (process.returncode == 0) == ("pictures right" in out)
