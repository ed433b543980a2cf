"""An ONNX file that cannot be run -> the list of its nodes, with shapes and parameters as far as they are known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cutaway.formats.onnx_errors import BATCH
from cutaway.formats.onnx_graph import listed
from cutaway.formats.parts import FileView, OnlyView, ViewRow

_MOST_ROWS = 20_000


def only_view(
    graph: Any, shapes: Mapping[str, tuple[int, ...]], functions: Mapping[Any, Any], word: str, reason: str
) -> OnlyView:
    """Graph, known shapes by output name, own functions, format, what stops it -> the error with the list."""
    declared = dict(shapes)
    for info in [*graph.value_info[:_MOST_ROWS], *graph.output[:_MOST_ROWS]]:
        found = _declared(info)
        if found is not None:
            declared.setdefault(info.name, found)
    arrays = {t.name: (_count(t.dims), t.name) for t in graph.initializer}
    rows, others = [], set()
    for node in graph.node[:_MOST_ROWS]:
        known = listed(node) or (node.domain, node.op_type) in functions
        if not known:
            others.add(node.op_type[:60])
        name = node.name or (node.output[0] if node.output else "")
        shape = declared.get(node.output[0]) if node.output else None
        parameters = sum(arrays[i][0] for i in dict.fromkeys(node.input) if i in arrays)
        note = "" if known else "not on the list"
        rows.append(ViewRow(name[:200], node.op_type[:60], _plain(shape), parameters, note))
    if len(others) > 1:
        reason = f"{reason} Also not on the list or the same: {', '.join(sorted(others)[:10])}."
    return OnlyView(FileView("view-only", word, reason, tuple(rows)))


def _declared(info: Any) -> tuple[int, ...] | None:
    tensor = info.type.tensor_type
    if not tensor.HasField("shape") or len(tensor.shape.dim) > 32:
        return None
    sizes = [d.dim_value if d.HasField("dim_value") else 1 for d in tensor.shape.dim]
    return tuple(sizes) if all(n >= 0 for n in sizes) else None


def _plain(shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """For one picture."""
    return None if shape is None else tuple(n // BATCH if n and n % BATCH == 0 else n for n in shape)


def _count(dims: Any) -> int:
    return math.prod(dims) if len(dims) <= 32 and all(n >= 0 for n in dims) else 0
