"""What a person typed for a model -> the Model, and the run that made it."""

from __future__ import annotations

from pathlib import Path

from cutaway.model import Model, open_model
from cutaway.training.run_folder import RunFolder, find_run


def find_model(typed: str) -> Model:
    """Model file, run folder, run name or "last" -> Model. Raises BadInput, BadModel."""
    path = Path(typed)
    if path.is_file() or (path / "model.safetensors").exists():
        return open_model(path)
    if path.suffix:
        return open_model(path)  # a file that is not there: its own sentence
    return open_model(find_run(typed).path)


def run_of(typed: str) -> RunFolder | None:
    """What `find_model` takes -> the run folder it lies in, None where it is a file of its own."""
    path = Path(typed)
    beside = RunFolder(path.parent if path.is_file() else path)
    if beside.config.exists():
        return beside
    return None if path.is_file() or path.suffix else find_run(typed)
