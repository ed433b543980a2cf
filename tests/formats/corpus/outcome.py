"""Opens a file as `cutaway open` does and says how it ended; whatever is not a model or a sentence is an error."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from cutaway.errors import BadModel
from cutaway.formats.parts import OnlyView
from cutaway.graph.names import names_of
from cutaway.graph.shapes import LayerRow, layer_table
from cutaway.model import Model, open_model

_LONGEST = 3_000
_LARGEST_RUN = 128
"""Side in px up to which an opened model's layer table is made, which runs the network once."""


def outcome(path: Path) -> tuple[Literal["opened", "looked at only", "refused"], str]:
    """Path -> "opened" (a Model), "looked at only" (what OnlyView lists) or "refused" (BadModel), and its sentence.

    Raises whatever else comes out, warnings included, and AssertionError for a sentence or a name that is none.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            model = open_model(path)
            height, width = model.contract.size
            if max(height, width) <= _LARGEST_RUN:
                _must_name_its_outputs(model, layer_table(model.graph, (model.contract.in_channels, height, width)))
        except BadModel as error:
            _must_be_sentence(str(error))
            if isinstance(error, OnlyView):
                for row in error.view.rows:
                    _must_be_printable(row.name, row.kind, row.note)
                _must_be_printable(*error.view.nearest)
                return "looked at only", str(error)
            return "refused", str(error)
    _must_be_printable(*model.classes, *model.card, *model.card.values())
    return "opened", ""


def _must_name_its_outputs(model: Model, rows: Sequence[LayerRow]) -> None:
    """As many names of classes as the network gives numbers."""
    (end,) = (node for node in model.graph.graph.nodes if node.op == "output")
    last = next(name for name, node in names_of(model.graph).items() if node is end.args[0])
    shape = next((row.shape for row in rows if row.name == last), (0,))
    assert not model.classes or shape == (len(model.classes),), f"{len(model.classes)} classes, {shape} outputs"


def _must_be_sentence(text: str) -> None:
    assert 10 <= len(text) <= _LONGEST, f"a sentence of {len(text)} characters: {text[:200]!r}"
    _must_be_printable(text)


def _must_be_printable(*texts: str) -> None:
    for text in texts:
        bad = next((c for c in text if ord(c) < 32 or 0x7F <= ord(c) < 0xA0 or 0x202A <= ord(c) <= 0x202E), "")
        assert not bad, f"{bad!r} in {text[:300]!r}"
        text.encode("utf-8", "surrogateescape")
