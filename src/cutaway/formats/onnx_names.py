"""Readable names for the layers of an ONNX file: "layer1.0.conv1" from what its exporter left behind.

Sources, best first: the name of the weights ("layer1.0.conv1.weight"), the module path that torch's exporter of today
keeps as metadata, the node's name ("/layer1/layer1.0/conv1/Conv", "model/conv1/Conv2D"), the operator.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from torch import fx, nn

from cutaway.formats.onnx_values import Step
from cutaway.graph.build import safe_name

_LONGEST = 120
_WEIGHT = re.compile(r"([^:]+?)[._/](weight|weights|kernel|W|w|gamma|scale|in_proj_weight|running_mean)")
_GENERIC = re.compile(r"(node_)?n\d+(_\d+)?|\d*|node_?\d*")
_QUOTED = re.compile(r"'([^']*)'")
_COMMON = frozenset({"StatefulPartitionedCall", "module", "model", "PartitionedCall"})
_TAKEN = frozenset(dir(nn.Module())) | frozenset(dir(fx.GraphModule)) | frozenset(("graph", "code"))
_SCOPES = "pkg.torch.onnx.name_scopes"


@dataclass(frozen=True, slots=True)
class Place:
    """Module path ("layer1.0.conv1", "" where none is known) and the word for what is done there ("conv")."""

    path: str
    word: str


def names_for(steps: Sequence[Step]) -> list[str]:
    """Steps in order -> a safe name each: layers may be nested by dots, no name lies inside another layer's name."""
    places = _without_common([_place(step) for step in steps])
    containers = {prefix for place in places for prefix in _prefixes(place.path)}
    first_word: dict[str, str] = {}
    names = []
    for step, place in zip(steps, places):
        word = f"{place.word}_{step.suffix}" if step.suffix and not place.path else step.suffix or place.word
        if not place.path or place.path in containers:
            name = f"{place.path}.{word}" if place.path else word
        elif step.suffix or first_word.setdefault(place.path, place.word) != place.word:
            name = f"{place.path}_{word}"
        else:
            name = place.path
        while name in containers:
            name += "_"
        names.append(name)
    return names


def _place(step: Step) -> Place:
    node = step.node
    if node is None:
        return Place("", "layer")
    word = _snake(node.op_type)
    weight = next((v.origin for k, v in step.weights.items() if k == "weight"), "")
    found = _WEIGHT.fullmatch(weight[:_LONGEST])
    if found and not step.suffix:
        return Place(_path(found[1]), word)
    scopes = _scopes(node)
    if scopes:
        return Place(_path(scopes[-2]) if len(scopes) > 1 else "", _segment(scopes[-1]) or word)
    return _from_node_name(node.name[:_LONGEST], word)


def _scopes(node: object) -> list[str]:
    for entry in getattr(node, "metadata_props", ()):
        if entry.key == _SCOPES and len(entry.value) < 4_000:
            return _QUOTED.findall(entry.value)
    return []


def _from_node_name(name: str, word: str) -> Place:
    name = re.sub(r"(__\d+)?(:\d+)?$", "", name).removeprefix("node_")
    if "/" not in name:
        return Place("", word) if _GENERIC.fullmatch(name) else Place(_path(name.replace(".", "_")), word)
    parts: list[str] = []
    for part in (p for p in name.split("/") if p):
        if parts and part.startswith(parts[-1] + "."):  # "/layer1/layer1.0": the second holds the first
            parts[-1] = part
        else:
            parts.append(part)
    if parts and parts[-1][:1].isupper():  # the operator
        return Place(_path(".".join(parts[:-1])), _snake(parts[-1]))
    return Place(_path(".".join(parts)), word)


def _without_common(places: list[Place]) -> list[Place]:
    """Drops what a wrapper put before every path ("model.", "module.")."""
    while True:
        heads = {place.path.split(".")[0] for place in places if place.path}
        if len(heads) != 1 or not heads <= _COMMON:
            return places
        places = [Place(".".join(p.path.split(".")[1:]), p.word) for p in places]


def _path(text: str) -> str:
    return ".".join(s for s in (_segment(part) for part in re.split(r"[./]", text)[:20]) if s)


def _segment(text: str) -> str:
    """One step of a path as an attribute that neither Python nor torch has a meaning for already."""
    plain = unicodedata.normalize("NFKC", text)
    if not re.search(r"\w", plain):
        return ""
    safe = safe_name(plain).replace(".", "_").replace("-", "_")
    return f"{safe}_layer" if safe in _TAKEN or keyword.iskeyword(safe) else safe


def _snake(text: str) -> str:
    """ "GlobalAveragePool" -> "global_average_pool"."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text[:60]).lower()
    return _segment(spaced) or "step"


def _prefixes(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:n]) for n in range(1, len(parts))]
