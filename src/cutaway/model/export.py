"""Model -> a file for other programs: ONNX, torch.export's .pt2, or one safetensors file; each opens here again."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

from cutaway.errors import BadInput, must_be
from cutaway.formats.about import About
from cutaway.model.file import save_model
from cutaway.model.golden import golden_answers
from cutaway.model.model import Model

ENDINGS = {"onnx": ".onnx", "pt2": ".pt2", "safetensors": ".safetensors"}


def export_model(model: Model, path: Path | str, to: str = "") -> Path:
    """Model, path, "onnx", "pt2" or "safetensors" (default: by the path's ending) -> the path, written whole or not.

    The file keeps the input contract, class names, and the model's answers to a known picture (golden.py), which are
    asked again when it is opened. Raises BadInput: kind unknown, disk; BadModel: a layer that the kind has no word for.
    """
    path = Path(path)
    to = to or path.suffix.removeprefix(".").lower()
    if to not in ENDINGS:
        raise must_be("to", "onnx, pt2 or safetensors", to)
    if to == "safetensors":
        return save_model(model, path, golden_answers(model))
    about = About(
        model.contract, model.classes, model.probabilities, model.temperature, dict(model.card), golden_answers(model)
    )
    return _written(path, _onnx(model, about) if to == "onnx" else _pt2(model, about))


def _onnx(model: Model, about: About) -> bytes:
    from cutaway.formats.onnx_write import onnx_bytes

    return onnx_bytes(model.graph, about)


def _pt2(model: Model, about: About) -> bytes:
    import torch

    from cutaway.formats.onnx_write import exported

    file = io.BytesIO()
    torch.export.save(exported(model.graph, about), file, extra_files={"cutaway.json": about.to_text()})
    return file.getvalue()


def _written(path: Path, data: bytes) -> Path:
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise BadInput(f"{path} could not be written ({error.strerror}); choose another --out.") from None
    return path
