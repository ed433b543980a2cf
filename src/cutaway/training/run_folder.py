"""RunFolder: where everything of one training run lies, readable without Cutaway.

config.json        what was asked: every option, the command line, versions
data.json          fingerprint of the pictures, and the fold of each by its sha256
metrics.jsonl      one line per epoch          tensorboard/   the same for TensorBoard
checkpoints/       where an unfinished run stands
model.safetensors  the classifier: network, input contract, class names, weights
report.json        what was measured           report.html    the same to read
quarantine.csv     pictures with something wrong, and why
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cutaway.errors import BadInput, BadModel
from cutaway.training.checkpoint import write_whole

RUNS = "runs"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The files of one run."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.json"

    @property
    def data(self) -> Path:
        return self.path / "data.json"

    @property
    def model(self) -> Path:
        return self.path / "model.safetensors"

    @property
    def report(self) -> Path:
        return self.path / "report.html"

    @property
    def numbers(self) -> Path:
        return self.path / "report.json"

    @property
    def quarantine(self) -> Path:
        return self.path / "quarantine.csv"

    @property
    def ledger(self) -> Path:
        """Looks at test folds, shared by all runs beside this one: a second run on the same photos looks again."""
        return self.path.parent / "test-looks.jsonl"

    def checkpoint(self, phase: str) -> Path:
        return self.path / "checkpoints" / f"{phase}.pt"

    def make(self) -> None:
        """Makes the folder and its checkpoints/. Raises BadInput where that is not possible."""
        self.make_plain("checkpoints")

    def make_plain(self, below: str = "") -> None:
        try:
            (self.path / below).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"The folder {self.path} cannot be made ({error.strerror}); choose another --out.") from None

    def write_json(self, path: Path, document: Any) -> None:
        text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
        self.write_text(path, text)

    def write_text(self, path: Path, text: str) -> None:
        write_whole(path, lambda partial: partial.write_text(text, encoding="utf-8", errors="surrogateescape"))

    def read_json(self, path: Path) -> dict[str, Any]:
        """A JSON file of this run -> its content. Raises BadModel where it is missing or damaged."""
        try:
            document = json.loads(path.read_text(encoding="utf-8", errors="surrogateescape"))
        except FileNotFoundError:
            raise BadModel(f"{self.path} is no run of Cutaway: it has no {path.name}.") from None
        except (OSError, ValueError) as error:
            raise BadModel(f"{path} is damaged ({error}).") from None
        if not isinstance(document, dict):
            raise BadModel(f"{path} is damaged: it holds no table of values.")
        return document


def new_run(data: str, out: str | None, runs: Path | None = None) -> RunFolder:
    """What was trained on, the folder asked for -> a fresh run folder, runs/NAME-1, -2, ... when none was asked for.

    Raises BadInput where `out` already holds a run.
    """
    if out is not None:
        folder = RunFolder(Path(out))
        if folder.config.exists():
            raise BadInput(f"{out} already holds a run; choose another --out, or continue it: cutaway resume {out}.")
        return folder
    stem = re.sub(r"[^\w.-]+", "-", Path(data.rstrip("/")).name.removesuffix(".zip").removesuffix(".csv")).strip("-.")
    parent, number = runs or Path(RUNS), 1
    while (parent / f"{stem or 'photos'}-{number}").exists():
        number += 1
    return RunFolder(parent / f"{stem or 'photos'}-{number}")


def find_run(typed: str) -> RunFolder:
    """Path of a run folder, its name under runs/, or "last" -> the run.

    Raises BadInput naming the runs there are.
    """
    known = sorted(Path(RUNS).glob("*/config.json"), key=lambda p: p.stat().st_mtime)
    if typed == "last" and known:
        return RunFolder(known[-1].parent)
    for candidate in (Path(typed), Path(RUNS) / typed):
        if (candidate / "config.json").exists():
            return RunFolder(candidate)
    names = ", ".join(p.parent.name for p in known[-5:]) or "none yet"
    raise BadInput(f"There is no run {typed!r}; runs here: {names}.")
