"""What was typed for a model -> what files and titles call it."""

from __future__ import annotations

from pathlib import Path


def stem_of(typed: str) -> str:
    """ "../keras_model.h5" -> "keras_model"; a folder, "." too -> its own name."""
    path = Path(typed)
    return path.resolve().name if path.is_dir() else path.stem


def title_of(typed: str) -> str:
    """As `stem_of`, for what is not looked for on the disk: a run's name keeps its dots only without an ending."""
    path = Path(typed)
    return path.stem if path.suffix else path.name
