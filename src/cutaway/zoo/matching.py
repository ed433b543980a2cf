"""Weights without a network -> the known network whose names and shapes are these, filled with them.

Candidates come from a table of hashes (signatures.tsv); the one that is taken is built without memory and compared name
by name before a single weight is copied. Another number of classes and gray input are no obstacle.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from cutaway.errors import BadModel
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.zoo import heads, plain_fit
from cutaway.zoo.named import Named
from cutaway.zoo.names import meaning, rows
from cutaway.zoo.signatures import Shapes, fitting, nearest, plain_key, shapes_by_key
from cutaway.zoo.sources import Source, source_of
from cutaway.zoo.weightless import weightless

State = Mapping[str, torch.Tensor]
_LIBRARY_RANK = {"cutaway": 0, "torchvision": 1, "timm": 2}
_LESS_KNOWN = ("tf_", "gluon_", "legacy_", "test_", "gernet", "xception41p", "cspresnet50d", "cspresnet50w")
_TRIED_FOR_NEAREST = 8
_MOST_PREFIXES = 12


@dataclass(frozen=True, slots=True)
class Fit:
    """A network that takes these weights: its name, knobs, picture size, and what was taken off the weights' names."""

    name: str
    prefix: str
    classes: int
    size: tuple[int, int]
    in_channels: int
    knobs: dict[str, Any] = dataclasses.field(default_factory=dict)
    others: tuple[str, ...] = ()
    left: int = 0


@dataclass(frozen=True, slots=True)
class Near:
    """A network that has some of these weights. `share`: of its names and shapes that the file has, 0..1."""

    name: str
    share: float


def match(tensors: State, file: str, hint: str = "", network: str = "") -> Fit | None:
    """Weights by name, the file's name, what the file says of its network -> the network that fits, None where none.

    Where several have the same names and shapes, the hint decides, then the file's name, then how well known each is;
    `network` asks for one by name. Raises BadInput for a network that does not exist.
    """
    if network:
        wanted = meaning(network).listed
        return next(
            (fit for prefix, view in _views(tensors) if (fit := _confirmed(wanted, prefix, view, tensors))), None
        )
    for prefix, view in _views(tensors):
        plain = plain_fit.fitting(view)
        if plain is not None:
            return _of_plain(plain, prefix)
        names = sorted((row.name for row in fitting(view)), key=lambda n: _rank(n, file, hint))
        for name in names:
            fit = _confirmed(name, prefix, view, tensors)
            if fit is not None:
                return dataclasses.replace(fit, others=tuple(n for n in names if n != name))
    return None


def near(tensors: State, count: int = 5) -> tuple[Near, ...]:
    """Weights that no known network has -> those that share most names and shapes, best first, none below 1 %."""
    found: dict[str, float] = {}
    views = list(_views(tensors))
    for _, view in [views[0], *views[-1:]]:
        for name in nearest(view, _TRIED_FOR_NEAREST):
            wanted = _shapes_of_network(name)
            if wanted:
                share = sum(view.get(key) == shape for key, shape in wanted.items()) / len(wanted)
                found[name] = max(share, found.get(name, 0.0))
    best = sorted(found.items(), key=lambda item: -item[1])[:count]
    return tuple(Near(name, share) for name, share in best if share >= 0.01)


def filled(
    fit: Fit,
    tensors: State,
    file: str,
    *,
    classes: Sequence[str] = (),
    contract: InputContract | None = None,
) -> Named:
    """A fit and the weights -> the network with them as a graph. `classes` and `contract` where the file says them.

    Class names are the published ones where the number is the same. Raises BadModel where it cannot be taken apart.
    """
    source = source_of(meaning(fit.name))
    contract = contract or _for_channels(dataclasses.replace(source.contract, size=fit.size), fit.in_channels)
    state = {key: tensor for name, tensor in tensors.items() if (key := _key_below(name, fit.prefix)) is not None}
    network = heads.with_weights(
        fit.name,
        file,
        lambda count: source.make(count, fit.size, fit.in_channels, fit.knobs),
        state,
        fit.classes,
    ).eval()
    graph = trace(network, torch.zeros(1, contract.in_channels, *contract.size))
    names = tuple(classes) if len(classes) == fit.classes else _published(source, fit.classes)
    card = {"network": fit.name, "library": source.library, "weights": file, **source.card(False)}
    notes = [f"Weights matched to {_whose(fit.name)}, {fit.classes} classes: every name and shape fits."]
    if not classes and names and not names[0].startswith("class "):
        notes.append("The file does not name its classes; those that the network was published with were assumed.")
    if fit.prefix:
        notes.append(f"The names begin with {fit.prefix!r}, which was taken off.")
    if fit.left:
        notes.append(f"{fit.left} other arrays in the file belong to no layer of it and were left out.")
    if fit.others:
        shown = ", ".join(fit.others[:4]) + (f" and {len(fit.others) - 4} more" if len(fit.others) > 4 else "")
        notes.append(
            f"The same names and shapes fit {shown} too, which may pad or activate otherwise; "
            f"with any verb as:{fit.others[0]}:{file} in place of {file} opens it as that one "
            f'(open_model(..., network="{fit.others[0]}")).'
        )
        card["also fits"] = ", ".join(fit.others)
    return Named(graph, contract, names, {**card, "notes": " ".join(notes)})


def _views(tensors: State) -> Iterator[tuple[str, dict[str, tuple[int, ...]]]]:
    """Weights -> (prefix, shapes below it): as they are, then below each branch that holds most of them."""
    shapes = shapes_by_key(tensors)
    yield "", shapes
    prefix = ""
    for _ in range(_MOST_PREFIXES):
        firsts: dict[str, int] = {}
        for key in shapes:
            head, dot, _rest = key.partition(".")
            firsts[head + dot] = firsts.get(head + dot, 0) + 1
        largest = max(firsts, key=lambda f: firsts[f], default="")
        if not largest.endswith(".") or firsts[largest] < len(shapes) / 2:
            return
        prefix += largest
        shapes = {k: v for name, v in shapes.items() if (k := plain_key(name.removeprefix(largest))) and k != name}
        yield prefix, shapes


def _key_below(name: str, prefix: str) -> str | None:
    if not name.startswith(prefix):
        return None
    bare = name.removeprefix(prefix)
    return bare if bare.endswith("num_batches_tracked") else plain_key(bare)


def _confirmed(name: str, prefix: str, view: Shapes, tensors: State) -> Fit | None:
    """Builds the candidate without memory and compares every name and shape."""
    source = source_of(meaning(name))
    if source.library == "cutaway":
        plain = plain_fit.fitting(view)
        return _of_plain(plain, prefix) if plain and plain.name == name else None
    classes, in_channels = _counts(source, view)
    try:
        wanted = _shapes(source, classes, in_channels)
    except BadModel:
        return None
    if wanted != dict(view):
        return None
    left = sum(1 for n in shapes_by_key(tensors)) - len(view)
    return Fit(name, prefix, classes, source.contract.size, in_channels, left=max(left, 0))


def _of_plain(plain: plain_fit.PlainFit, prefix: str) -> Fit:
    return Fit(plain.name, prefix, plain.classes, plain.size, plain.in_channels, plain.knobs)


def _counts(source: Source, view: Shapes) -> tuple[int, int]:
    """How many classes and input channels these weights of this network are for."""
    with weightless():
        network = source.make(997, source.contract.size, 3, {})
    modules = dict(network.named_modules())
    classes = next(
        (view[f"{p}.weight"][0] for p, m in modules.items() if _is_head(m) and view.get(f"{p}.weight")), 1000
    )
    stems = [p for p, m in modules.items() if isinstance(m, nn.Conv2d) and m.in_channels == 3]
    channels = next((view[f"{p}.weight"][1] for p in stems if len(view.get(f"{p}.weight", ())) == 4), 3)
    return classes, channels


def _is_head(module: nn.Module) -> bool:
    return heads.outputs(module) == 997


def _shapes(source: Source, classes: int, in_channels: int) -> dict[str, tuple[int, ...]]:
    with weightless():
        try:
            network = source.make(classes, source.contract.size, in_channels, {})
        except (RuntimeError, ValueError, TypeError, AssertionError) as error:
            raise BadModel(f"{source.network} cannot be made for {in_channels} channels ({error}).") from None
    return shapes_by_key(network.state_dict())


def _shapes_of_network(name: str) -> dict[str, tuple[int, ...]]:
    source = source_of(meaning(name))
    try:
        return _shapes(source, 1000, 3)
    except BadModel:
        return {}


def _rank(name: str, file: str, hint: str) -> tuple[Any, ...]:
    bare = name.rpartition("/")[2]
    row = _row(name)
    told = hint.partition(".")[0].rpartition("/")[2]
    in_file = bare.replace("_", "").replace("-", "") in file.lower().replace("_", "").replace("-", "")
    return (
        bare != told,
        -len(bare) if in_file else 0,
        _LIBRARY_RANK[row.library],
        bare.startswith(_LESS_KNOWN),
        not row.weights,
        len(bare),
        bare,
    )


def _row(name: str) -> Any:
    return next(row for row in rows() if row.name == name)


def _whose(name: str) -> str:
    library = _row(name).library
    bare = name.rpartition("/")[2]
    return f"{library} {bare}" if library != "cutaway" else f"Cutaway's {bare}"


def _published(source: Source, count: int) -> tuple[str, ...]:
    names = source.published_classes()
    if len(names) == count:
        return names
    if count == 1000 and source.library != "cutaway":
        names = source_of(meaning("resnet18")).published_classes()
    return names if len(names) == count else tuple(f"class {n}" for n in range(count))


def _for_channels(contract: InputContract, in_channels: int) -> InputContract:
    if in_channels == contract.in_channels:
        return contract
    if in_channels == 3:
        return dataclasses.replace(contract, channels="RGB", mean=contract.mean[:1] * 3, std=contract.std[:1] * 3)
    if in_channels != 1:
        raise BadModel(f"The weights are for pictures of {in_channels} channels; Cutaway feeds 1 (gray) or 3 (colour).")
    mean, std = (sum(v) / len(v) for v in (contract.mean, contract.std))
    return dataclasses.replace(contract, channels="gray", mean=(mean,), std=(std,))
