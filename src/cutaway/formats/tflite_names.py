"""What TFLite calls its tensors -> layer names a person can read.

A converter joins the names of everything it merged: "net/stem_relu/Relu6;net/stem_bn/batchnorm/add_1;net/stem/Conv2D".
A convolution is named after the part that made it ("stem"), its fused activation after its own part ("stem_relu").
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from cutaway.formats.keras_emit import layer_name
from cutaway.formats.tflite_tables import Operator, Tables

_WORDS = {
    "CONV_2D": ("conv2d", "convolution", "kernel"),
    "DEPTHWISE_CONV_2D": ("depthwise", "depthwise_kernel", "conv2d", "convolution", "kernel"),
    "TRANSPOSE_CONV": ("conv2d_transpose", "conv_transpose", "convolution", "kernel"),
    "FULLY_CONNECTED": ("matmul", "tensordot", "kernel"),
}
_INNER = re.compile(r"batchnorm|tensordot|batch_normalization_op|readvariableop", re.I)
_NO_NAME = re.compile(r"(stateful)?partitionedcall.*|identity.*|arith\.constant.*|std\.constant.*|\d*", re.I)
_KIND_NAMES = {"LOGISTIC": "sigmoid", "RESIZE_NEAREST_NEIGHBOR": "resize_nearest", "PADV2": "pad", "SPLIT_V": "split"}
_FUSED = re.compile(r"relu|tanh", re.I)


@dataclass(frozen=True, slots=True)
class Names:
    """Of one operator: the step itself, and the activation that is fused into it ("" where it has no own name)."""

    step: str
    activation: str


def operator_names(tables: Tables) -> list[Names]:
    """File -> names in the operators' order."""
    paths = [_paths(tables, operator) for operator in tables.operators]
    end = _common_end([p[-1] for p, _ in paths if len(p) > 1])
    paths = [(_without(end, p), _without(end, a)) for p, a in paths]
    owners: dict[str, set[tuple[str, ...]]] = {}
    for path, _ in paths:
        owners.setdefault(path[-1], set()).add(path)
    found: dict[int, Names] = {}
    used: Counter[str] = Counter()
    for at in sorted(range(len(paths)), key=lambda at: _claim(tables, tables.operators[at])):
        path, activation = paths[at]
        name = path[-1] if len(owners[path[-1]]) == 1 else "_".join(path[-3:])
        if name in used:
            name = f"{name}_{kind_name(tables.operators[at].kind)}"
        used[name] += 1
        if used[name] > 1:  # counted here: the graph would try every number
            name = f"{name}_{used[name]}"
            used[name] += 1
        found[at] = Names(layer_name(name), layer_name(activation[-1]) if activation else "")
    return [found[at] for at in range(len(paths))]


def _claim(tables: Tables, operator: Operator) -> int:
    """Who gets a name that several operators share: layers with weights first, work on sizes last."""
    if operator.kind in _WORDS:
        return 0
    whole = operator.outputs and tables.tensor(operator.outputs[0]).type in ("int32", "int64")
    return 2 if whole or operator.kind in ("QUANTIZE", "DEQUANTIZE") else 1


def kind_name(kind: str) -> str:
    """ "MAX_POOL_2D" -> "max_pool_2d"; a few get the name people use ("LOGISTIC" -> "sigmoid")."""
    return _KIND_NAMES.get(kind, kind.lower())


def _paths(tables: Tables, operator: Operator) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Operator -> (path of its layer, path of its fused activation's layer or ())."""
    outputs = _texts(tables, operator.outputs[:1])
    parts = [p for p in (part.split("/") for part in ";".join(outputs).split(";")) if p[-1]]
    own, words = None, _WORDS.get(operator.kind)
    if words:
        theirs = [part.split("/") for text in _texts(tables, operator.inputs[1:][::-1]) for part in text.split(";")]
        own = next((p for word in words for p in (*parts, *theirs) if len(p) > 1 and _word(p) == word), None)
    plain = next((p for p in parts if not _FUSED.match(p[-1])), None)
    step = own or plain or (parts[0] if parts else [""])
    activation = next((p for p in parts if len(p) > 1 and _FUSED.match(p[-1])), None)
    path = _layer(step)
    if _NO_NAME.fullmatch(path[-1]):
        path = (kind_name(operator.kind),)
    fused = _layer(activation) if activation else ()
    return path, fused if fused != path else ()


def _layer(part: Sequence[str]) -> tuple[str, ...]:
    """ "net/stem/Conv2D" -> ("net", "stem"); a name without scope is its own."""
    scope = list(part[:-1]) if len(part) > 1 else [re.sub(r"^tfl\.|:\d+$", "", part[0])]
    while len(scope) > 1 and _INNER.match(scope[-1]):
        scope.pop()
    return tuple(scope)


def _word(part: Sequence[str]) -> str:
    """Last piece without number and role: "Conv2D_bias", "convolution1", "MatMul2" -> conv2d, convolution, matmul."""
    last = re.sub(r"(_bias)?[_\d]*$", "", part[-1]).lower()
    return "conv2d" if part[-1].lower().startswith("conv2d") and "transpose" not in part[-1].lower() else last


def _texts(tables: Tables, indices: Sequence[int]) -> list[str]:
    return [tables.tensor(i).name for i in indices if i >= 0]


def _common_end(names: Sequence[str]) -> str:
    """Keras 3 numbers its export: "stem_1", "pool_1" are the layers stem and pool -> "_1" where most names end so."""
    ends = Counter(found[0] for found in (re.search(r"_\d+$", name) for name in names) if found)
    end, count = ends.most_common(1)[0] if ends else ("", 0)
    return end if count > 0.8 * len(names) else ""


def _without(end: str, path: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.removesuffix(end) or name for name in path) if len(path) > 1 else path
