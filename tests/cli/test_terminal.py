"""What a person sees: in a terminal of 60, 80 and 120 columns, and in a file."""

from __future__ import annotations

import itertools
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from fcntl import ioctl
from pathlib import Path

import pytest
from shapes import Cli, drawn

Screen = Callable[..., list[str]]


@pytest.fixture
def screen() -> Screen:
    """(columns, word, ...) -> the lines that `cutaway word ...` writes to a terminal of that width, codes included."""

    def shown(columns: int, *words: object) -> list[str]:
        ours, theirs = pty.openpty()
        ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        env = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES", "NO_COLOR")}
        process = subprocess.Popen(
            [sys.executable, "-m", "cutaway", *map(str, words)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**env, "TERM": "xterm-256color"},
        )
        os.close(theirs)
        written, deadline = b"", time.monotonic() + 120
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                got = os.read(ours, 65536)
            except OSError:  # Linux says so when the other end is closed
                break
            if not got:
                break
            written += got
        os.close(ours)
        assert process.wait(timeout=10) == 0, written.decode()
        return written.decode().replace("\r\n", "\n").split("\n")

    return shown


def plain(line: str) -> str:
    """A line as written -> as it stands in the end: no colours, and what was written over is gone."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).rstrip("\r").rpartition("\r")[2]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_a_table_of_networks_fits_and_keeps_every_name_whole(columns: int, screen: Screen) -> None:
    from cutaway.verbs.networks import networks

    lines = [plain(line).rstrip() for line in screen(columns, "networks", "--search", "vit tiny patch")]
    assert max(map(len, lines)) <= columns
    for row in networks("vit tiny patch"):
        assert any(line.startswith(row.name) for line in lines), row.name
    assert ("note" in lines[0]) == (columns == 120)


def test_one_is_not_many(screen: Screen) -> None:
    lines = [plain(line) for line in screen(80, "networks", "--search", "tutorial-cats-dogs")]
    assert "1 network." in lines
    lines = [plain(line) for line in screen(80, "networks", "--search", "no such name")]
    assert "No network has that in its name." in lines


@pytest.mark.parametrize(
    "columns", [pytest.param(60, marks=pytest.mark.slow), 80, pytest.param(120, marks=pytest.mark.slow)]
)
def test_answers_stand_in_columns_whatever_the_names(columns: int, model: Path, screen: Screen) -> None:
    long = "a photo with a very long name that does not fit into a line of eighty columns.png"
    drawn("cross", 1).save(long)
    drawn("cross", 2).save("b.png")
    Path("torn.png").write_bytes(b"no picture at all")
    lines = [plain(line).rstrip() for line in screen(columns, "predict", model, long, "b.png", "torn.png")]
    assert max(map(len, lines)) <= columns
    text = " ".join(lines)
    assert "%" in text
    assert "not-an-image" in text
    joined = re.sub(r"\s+", "", "".join(line[: columns // 2] for line in lines))
    assert re.sub(r"\s+", "", long)[:20] in joined
    assert all(line.count("%") <= 3 for line in lines)


def test_training_in_a_terminal_shows_bars_that_go_and_lines_that_stay(shapes: Path, screen: Screen) -> None:
    written = screen(80, "train", shapes, "--epochs", 2, "--threads", 1)
    assert any("\x1b[" in line for line in written), "colours and bars"
    assert any("read pictures" in line for line in written)
    lines = [plain(line) for line in written]
    (epochs,) = [i for i, line in enumerate(lines) if "train loss" in line]
    assert any("1/2" in line for line in lines[epochs:])
    assert any(line.strip().startswith("Open runs/shapes-1/report.html") for line in lines)
    prose = [line for line in lines if line.startswith(("warn", "info", "      ")) and "next:" not in line]
    assert prose
    assert all(len(line.rstrip()) <= 80 for line in prose)
    for line, following in itertools.pairwise(lines):
        if line.startswith(("warn", "info")) and following.startswith("      ") and "next:" not in following:
            assert not following[6].isspace(), "sentences hang beside their weight"


def test_in_a_file_lines_are_whole_and_without_escape_codes(shapes: Path, cli: Cli) -> None:
    said = cli("train", shapes, "--epochs", 2, "--threads", 1)
    assert said.code == 0
    assert "\x1b" not in said.out + said.err
    assert "━" not in said.err, "no bars"
    told = [line for line in said.out.splitlines() if line.startswith(("warn", "info"))]
    assert told
    assert all(line.rstrip().endswith((".", ")")) for line in told), "a sentence is one line"


def test_a_narrow_file_is_no_narrow_table(model: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that reads the table gets every name whole, whatever COLUMNS says."""
    long = "b" * 150 + ".png"
    drawn("cross", 1).save(long)
    monkeypatch.setenv("COLUMNS", "40")
    assert cli("predict", model, long).out.splitlines()[1].startswith(long + "  ")
