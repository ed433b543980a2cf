"""Whatever a person points at -> Model: a run folder, a file Cutaway wrote, or another program's file."""

from __future__ import annotations

import os
from pathlib import Path

from cutaway.errors import BadModel
from cutaway.formats.table import read_model_file
from cutaway.model.file import is_ours, read_own
from cutaway.model.model import Model

IN_RUN = "model.safetensors"


def open_model(path: str | os.PathLike[str]) -> Model:
    """Run folder or model file -> Model. Nothing in the file is executed.

    Raises BadModel in one sentence where it is missing, damaged or not a model.
    """
    path = Path(path)
    if path.is_dir():
        if not (path / IN_RUN).exists():
            raise BadModel(f"The folder {path} holds no {IN_RUN}; a run has one after its first training epoch ended.")
        path = path / IN_RUN
    if path.is_file() and is_ours(path):
        return read_own(path)
    return Model.of(read_model_file(path))
