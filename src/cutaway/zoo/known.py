"""The table of known skeletons (skeletons.tsv, written by scripts/skeletons.py): which network has which."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from importlib.resources import files

from cutaway.zoo.names import rows
from cutaway.zoo.skeleton import Skeleton

TABLE = "skeletons.tsv"
_LIBRARIES = {"cutaway": 0, "torchvision": 1, "timm": 2}


@dataclass(frozen=True, slots=True)
class Known:
    """One line: what of a skeleton is enough to find it again; the rest is made from the name when it is needed."""

    name: str
    key: str
    form: str
    bones: int
    weights: int
    norms: int
    activations: tuple[tuple[str, int], ...]


def line_of(name: str, skeleton: Skeleton) -> str:
    """Network's name, its skeleton -> its line of the table."""
    kinds = " ".join(f"{kind}:{count}" for kind, count in skeleton.activations)
    numbers = (len(skeleton.body), skeleton.weights, skeleton.norms)
    return "\t".join([name, skeleton.key, skeleton.form, *map(str, numbers), kinds])


@functools.cache
def known() -> tuple[Known, ...]:
    """Every line of the table whose network the installed libraries still name."""
    here = {row.name for row in rows()}
    _, *lines = files("cutaway.zoo").joinpath(TABLE).read_text(encoding="utf-8").splitlines()
    return tuple(found for found in map(_read, lines) if found.name in here)


def same_body(skeleton: Skeleton) -> list[Known]:
    """Skeleton -> networks with the very same body, the likeliest and best known first."""
    return sorted((k for k in known() if k.key == skeleton.key), key=lambda k: _unlike(k, skeleton))


def same_form(skeleton: Skeleton) -> list[Known]:
    """Skeleton -> networks that differ from it in width only, the nearest width first."""
    return sorted(
        (k for k in known() if k.form == skeleton.form),
        key=lambda k: (round(_far(k, skeleton), 6), *_unlike(k, skeleton)),
    )


def nearest(skeleton: Skeleton, count: int) -> list[Known]:
    """Skeleton -> the `count` networks nearest to it in number of layers and of weights."""
    return sorted(known(), key=lambda k: _far(k, skeleton) + 4 * abs(math.log(k.bones / max(1, len(skeleton.body)))))[
        :count
    ]


def _far(known_: Known, skeleton: Skeleton) -> float:
    return abs(math.log(max(1, known_.weights) / max(1, skeleton.weights)))


def _unlike(known_: Known, skeleton: Skeleton) -> tuple[object, ...]:
    """Sorts equal bodies: other activations last, then those that lack norms we have, then the less known libraries."""
    ours, theirs = dict(skeleton.activations), dict(known_.activations)
    other = sum(abs(ours.get(k, 0) - theirs.get(k, 0)) for k in ours.keys() | theirs.keys())
    normed = bool(known_.norms) != bool(skeleton.norms)
    library = next(_LIBRARIES[row.library] for row in rows() if row.name == known_.name)
    return normed and bool(skeleton.norms), library, other, normed, len(known_.name), known_.name


def _read(line: str) -> Known:
    name, key, form, bones, weights, norms, kinds = line.split("\t")
    counted = tuple((kind, int(n)) for kind, _, n in (word.partition(":") for word in kinds.split()))
    return Known(name, key, form, int(bones), int(weights), int(norms), counted)
