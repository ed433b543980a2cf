"""export: a model as a file for other programs."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cutaway.events import Event, Note
from cutaway.verbs.verb import Verb


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Write a model for other programs: ONNX, torch.export's .pt2, or one safetensors file; read back and compared."""

    model: str
    """Run, its name under runs/, last, or any model file."""
    to: str = "onnx"
    """onnx, pt2 or safetensors."""
    out: str = ""
    """File to write; default: the model's name with the new ending, in this folder."""

    def __post_init__(self) -> None:
        from cutaway.errors import must_be

        if self.to not in ("onnx", "pt2", "safetensors"):
            raise must_be("to", "onnx, pt2 or safetensors", self.to)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written. `difference`: the largest between the model's answers and those of the file read back."""

    path: Path
    to: str
    size_bytes: int
    difference: float
    input: str
    classes: tuple[str, ...]
    probabilities: bool

    def to_dict(self) -> dict[str, Any]:
        names = ("to", "size_bytes", "difference", "input", "probabilities")
        return {"path": str(self.path), **{n: getattr(self, n) for n in names}, "classes": list(self.classes)}


def _run(options: ExportOptions) -> Generator[Event, None, Exported]:
    from cutaway.model import open_model
    from cutaway.model.export import ENDINGS, export_model
    from cutaway.model.golden import golden_answers
    from cutaway.verbs.find import find_model
    from cutaway.verbs.picture_file import picture_file

    model = find_model(options.model)
    path = picture_file(options.out, "export", options.model, (ENDINGS[options.to],))
    yield Note(f"Writing {path.name}.")
    export_model(model, path, options.to)
    wanted, found = golden_answers(model), golden_answers(open_model(path))
    difference = max(abs(a - b) for a, b in zip(wanted, found, strict=True))
    size = path.stat().st_size
    return Exported(path, options.to, size, difference, model.contract.describe(), model.classes, model.probabilities)


export = Verb("export", ExportOptions, _run)
