"""Coloured shapes on disk and the command line called inside this process: for the tests of the verbs and the cli."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

CLASSES = ("circle", "cross", "square")
COLOURS = {"circle": (210, 60, 50), "cross": (60, 170, 70), "square": (60, 80, 200)}
EACH = 14
QUICK: dict[str, Any] = {"network": "small-cnn", "epochs": 2, "batch_size": 8, "threads": 1}
SRC = Path(__file__).resolve().parents[2] / "src"


def drawn(kind: str, seed: int, side: int = 24) -> Image.Image:
    """Class and number -> a picture of it that no other number gives: place, size and background vary."""
    rng = np.random.default_rng([seed, CLASSES.index(kind)])
    picture = Image.fromarray(rng.integers(0, 90, (side, side, 3), dtype=np.uint8))
    pen = ImageDraw.Draw(picture)
    x, y, r = (int(v) for v in rng.integers([7, 7, 4], [side - 7, side - 7, 8]))
    colour = tuple(int(c + d) for c, d in zip(COLOURS[kind], rng.integers(-40, 40, 3), strict=True))
    if kind == "circle":
        pen.ellipse((x - r, y - r, x + r, y + r), fill=colour)
    elif kind == "square":
        pen.rectangle((x - r, y - r, x + r, y + r), fill=colour)
    else:
        pen.line((x - r, y, x + r, y), fill=colour, width=3)
        pen.line((x, y - r, x, y + r), fill=colour, width=3)
    return picture


def plant(root: Path, each: int = EACH, first: int = 0, classes: tuple[str, ...] = CLASSES) -> Path:
    """Folder -> the same with `each` pictures in one folder per class, numbered from `first`."""
    for kind in classes:
        (root / kind).mkdir(parents=True, exist_ok=True)
        for number in range(first, first + each):
            drawn(kind, number).save(root / kind / f"{kind}{number}.png")
    return root


@dataclasses.dataclass(frozen=True)
class Said:
    """What one call of the command line left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Said]


def called(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, words: tuple[Any, ...]) -> Said:
    """`cutaway word ...` inside this process -> what it printed and ended with."""
    from cutaway.cli import main

    monkeypatch.setattr(sys, "argv", ["cutaway", *map(str, words)])
    capsys.readouterr()
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    return Said(int(ended.value.code or 0), out, err)


def started(*words: Any, **more: Any) -> subprocess.Popen[str]:
    """`python -m cutaway word ...` in a process and session of its own."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    return subprocess.Popen([sys.executable, "-m", "cutaway", *map(str, words)], **{**pipes, **more})
