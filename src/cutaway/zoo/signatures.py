"""Names and shapes of weights -> which known networks have just these. The table is signatures.tsv.

A network's line holds a hash of its weights' names, one of their shapes without those that change with the number of
classes or input channels (the last layer, the first convolution), where these two are, and a sketch: for each of 16
hash functions the least value over all (name, shape), by which the nearest network is guessed without building any.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

TABLE = "signatures.tsv"
Shapes = Mapping[str, tuple[int, ...]]
_SKETCH = 16
_PRIME = (1 << 61) - 1
_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\.)")
_AUXILIARY = ("aux1.", "aux2.", "AuxLogits.")
_COUNTER = "num_batches_tracked"


@dataclass(frozen=True, slots=True)
class Signature:
    """One network. `heads` and `stems`: the layers whose shape follows the classes and the input channels."""

    name: str
    keys: str
    shapes: str
    heads: tuple[str, ...]
    stems: tuple[str, ...]
    sketch: tuple[int, ...]


def plain_key(key: str) -> str | None:
    """A weight's name -> as today's torchvision spells it; None for counters and auxiliary heads."""
    if key.endswith(_COUNTER) or key.startswith(_AUXILIARY):
        return None
    return _OLD_DENSENET.sub(r"\1\2", key)


def shapes_by_key(tensors: Mapping[str, object]) -> dict[str, tuple[int, ...]]:
    """Tensors by name -> shapes by plain name."""
    found: dict[str, tuple[int, ...]] = {}
    for name, tensor in tensors.items():
        key = plain_key(name)
        if key is not None:
            found[key] = tuple(tensor.shape)  # type: ignore[attr-defined]
    return found


def signature(name: str, shapes: Shapes, heads: Iterable[str], stems: Iterable[str]) -> Signature:
    """Network's name, its shapes, its last and first layers -> its line of the table."""
    heads, stems = tuple(heads), tuple(stems)
    return Signature(name, keys_hash(shapes), shapes_hash(shapes, heads, stems), heads, stems, sketch_of(shapes))


def keys_hash(shapes: Shapes) -> str:
    return _hash("\n".join(sorted(shapes)))


def shapes_hash(shapes: Shapes, heads: tuple[str, ...], stems: tuple[str, ...]) -> str:
    free = {f"{layer}.{part}" for layer in (*heads, *stems) for part in ("weight", "bias")}
    return _hash("\n".join(f"{k}{shapes[k]}" for k in sorted(shapes) if k not in free))


def sketch_of(shapes: Shapes) -> tuple[int, ...]:
    items = [int(_hash(f"{key}{shape}"), 16) for key, shape in shapes.items()]
    numbers = [_multipliers(n) for n in range(_SKETCH)]
    return tuple(min(((a * item + b) % _PRIME for item in items), default=0) & 0xFFFF for a, b in numbers)


def line_of(row: Signature) -> str:
    sketch = "".join(f"{value:04x}" for value in row.sketch)
    return "\t".join([row.name, row.keys, row.shapes, ",".join(row.heads), ",".join(row.stems), sketch])


@functools.cache
def table() -> tuple[Signature, ...]:
    """Every line of the table, best known network first as far as the order of the library's list says."""
    text = files("cutaway.zoo").joinpath(TABLE).read_text(encoding="utf-8")
    return tuple(map(_row, text.splitlines()[1:]))


def fitting(shapes: Shapes) -> list[Signature]:
    """Shapes by plain name -> the lines of the networks that have just these, other classes and channels included."""
    keys = keys_hash(shapes)
    return [row for row in table() if row.keys == keys and row.shapes == shapes_hash(shapes, row.heads, row.stems)]


def nearest(shapes: Shapes, count: int) -> list[str]:
    """Shapes by plain name -> names of the networks whose sketches have most values in common with theirs, best first.

    The share in common is about the share of (name, shape) that both networks have.
    """
    common = (_sketches() == np.array(sketch_of(shapes))).sum(axis=1)
    order = np.argsort(-common, kind="stable")[:count]  # of equals the table's first
    return [table()[n].name for n in order if common[n]]


@functools.cache
def _sketches() -> NDArray[np.int64]:
    return np.array([row.sketch for row in table()])  # (networks, 16)


def _row(line: str) -> Signature:
    name, keys, shapes, heads, stems, sketch = line.split("\t")
    values = tuple(int(sketch[n : n + 4], 16) for n in range(0, len(sketch), 4))
    return Signature(name, keys, shapes, _split(heads), _split(stems), values)


def _split(text: str) -> tuple[str, ...]:
    return tuple(text.split(",")) if text else ()


def _hash(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def _multipliers(n: int) -> tuple[int, int]:
    return int(_hash(f"a{n}"), 16) | 1, int(_hash(f"b{n}"), 16)
