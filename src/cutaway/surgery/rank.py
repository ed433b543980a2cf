"""What each channel, layer or block of a network is worth: left out one by one, over a data set, exactly.

Pictures are taken some at a time: for these the network runs once, and every part that is left out starts from the
values of that run, so that only what lies behind it is computed again. What has been counted can be put aside after
every part and taken up later.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from cutaway.engine.fast import BATCH, fast_twin
from cutaway.engine.node_cache import NodeCache
from cutaway.engine.prepare import prepare
from cutaway.engine.run import input_of, run
from cutaway.errors import BadInput, BadModel
from cutaway.events import Progress
from cutaway.graph.names import names_of, step_named
from cutaway.graph.shapes import layer_table, shapes_of
from cutaway.model import Model
from cutaway.surgery.ablation import Ablation, Point, downstream, points_of
from cutaway.surgery.bypass import Way, ways_around_blocks, ways_around_layers, without
from cutaway.surgery.tally import Ints, Marks, Tally, marked

By = Literal["channel", "layer", "block"]
Rows = Callable[[NDArray[np.int64]], NDArray[np.uint8]]
_CHUNK = 32
_CHUNK_BYTES = 512 * 2**20
_FEW_LOGITS = 2**20
_TINY = 1e-12
_MOST_STEPS = 10**9


@dataclass(frozen=True, slots=True)
class Part:
    """A channel (`at`: the step where it is set to zero), or a layer or block (`at` is replaced by `instead`)."""

    name: str
    at: str
    channel: int | None = None
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Parts:
    """What is left out one by one, in running order; `refused`: (name, why) of what cannot be."""

    by: By
    parts: tuple[Part, ...]
    refused: tuple[tuple[str, str], ...]
    points: tuple[Point, ...] = ()
    """The layers whose channels they are."""
    ways: tuple[Way, ...] = ()


@dataclass(slots=True, eq=False)
class Standing:
    """What has been counted: `done` pictures for every part; of the next ones, the first `ahead` stages in `pending`.

    `plain` is the network as it is, over the same pictures. Whoever keeps it must copy it.
    """

    done: int
    plain: Tally
    tally: Tally
    ahead: int
    pending: Tally

    @classmethod
    def fresh(cls, parts: int) -> Standing:
        return cls(0, Tally.empty(1), Tally.empty(parts), 0, Tally.empty(parts))


def parts_of(model: Model, by: By, layers: Sequence[str] = ()) -> Parts:
    """Model, what to leave out, names of steps or blocks (none: all) -> Parts.

    For channels a name means the layer with weights, or the normalisation or activation that follows it. Raises
    BadInput for a name that is not there, and where nothing can be left out.
    """
    size = (model.contract.in_channels, *model.contract.size)
    shapes = shapes_of(model.graph, size)
    if by == "channel":
        points = _asked_points(model, layers)
        parts = tuple(Part(p.layer, p.at, channel) for p in points for channel in range(p.channels))
        return Parts(by, _some(parts, by, layers), (), points)
    ways, refused = (ways_around_layers if by == "layer" else ways_around_blocks)(model.graph, shapes)
    if layers:
        known = {w.name for w in ways} | {name for name, _ in refused}
        for name in layers:
            if name not in known:
                if by == "layer":
                    step_named(model.graph, name)  # raises with the nearest names
                raise BadInput(f"{name} is no {by} that could be left out; there are {_few(sorted(known))}.")
        ways = tuple(w for w in ways if w.name in layers)
        refused = tuple(r for r in refused if r[0] in layers)
    parts = tuple(Part(w.name, w.at, None, w.instead) for w in ways)
    if not parts and refused:
        raise BadInput(
            f"No {by} can be left out with the shapes staying as they are: {refused[0][0]}, {refused[0][1]}."
        )
    return Parts(by, _some(parts, by, layers), refused, (), ways)


def _asked_points(model: Model, layers: Sequence[str]) -> tuple[Point, ...]:
    points = points_of(model.graph)
    if not layers:
        return points
    names = {node: name for name, node in names_of(model.graph).items()}
    meant: dict[str, Point] = {}
    for point in points:
        node = step_named(model.graph, point.at)
        while names[node] != point.layer:
            meant[names[node]] = point
            node = node.all_input_nodes[0]
        meant[point.layer] = point
    chosen = set()
    for name in layers:
        if name not in meant:
            step_named(model.graph, name)
            raise BadInput(
                f"{name} has no channels to rank: name a convolution or a dense layer (not the last), or the "
                f"activation behind one; there are {_few([p.layer for p in points])}."
            )
        chosen.add(meant[name])
    return tuple(p for p in points if p in chosen)


def _some(parts: tuple[Part, ...], by: By, layers: Sequence[str]) -> tuple[Part, ...]:
    if not parts:
        raise BadInput(f"There is no {by} to leave out{' among ' + _few(layers) if layers else ' in this network'}.")
    return parts


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") if names else "none"


def order_of(count: int) -> NDArray[np.int64]:
    """Number of pictures -> the order they are taken in: always the same, mixed, so that a part of them is fair."""
    return np.random.default_rng(0).permutation(count)


def ranking(
    model: Model,
    parts: Parts,
    rows: Rows,
    labels: NDArray[np.int64] | None,
    count: int,
    start: Standing | None = None,
    keep: Callable[[Standing], None] = lambda _: None,
) -> Generator[Progress, None, Standing]:
    """Model, parts, reader of fitted pictures, labels (N,) (None: the model's own answers), N -> what was counted.

    `keep` is handed what stands after every stage (a layer's channels, one bypass) of every few pictures. Ctrl-C (a
    KeyboardInterrupt where Progress is yielded) ends it early: what stands then is returned. Raises BadModel where the
    network's answers are not finite, or not as many as its classes.
    """
    standing = start or Standing.fresh(len(parts.parts))
    work = _Channels(model, parts) if parts.by == "channel" else _Bypasses(model, parts)
    order = order_of(count)
    shares = np.cumsum([0.0, *work.weights]) / sum(work.weights)
    steps = min(_MOST_STEPS, count * len(parts.parts))

    def progress(chunk: int, share: float) -> Progress:
        return Progress("rank", int(steps * (standing.done + chunk * share) / count), steps, "answers")

    try:
        while standing.done < count:
            at = order[standing.done : standing.done + work.chunk]
            yield progress(len(at), float(shares[standing.ahead]))
            plain = work.begin(prepare(rows(at), model.contract))
            given = None if labels is None else labels[at]
            before = marked(_checked(plain, model), given, model.temperature)
            given = before.answer if given is None else given
            for stage in range(standing.ahead, len(work.weights)):
                part = Tally.empty(len(parts.parts))
                for share in _counted(work, stage, part, given, before, model):
                    yield progress(len(at), float(shares[stage] + share * (shares[stage + 1] - shares[stage])))
                standing.pending, standing.ahead = standing.pending.plus(part), stage + 1
                keep(standing)
            standing.plain.start(before)
            standing.pending.start(before)
            standing.tally = standing.tally.plus(standing.pending)
            standing.pending, standing.ahead = Tally.empty(len(parts.parts)), 0
            standing.done += len(at)
            keep(standing)
        yield progress(0, 0.0)
    except KeyboardInterrupt:
        keep(standing)
    return standing


def _counted(
    work: _Channels | _Bypasses, stage: int, tally: Tally, labels: Ints, before: Marks, model: Model
) -> Iterator[float]:
    """Runs a stage and adds what its answers differ to the tally -> the share of it that is done, as it goes."""
    waiting: list[tuple[Ints, Ints, NDArray[np.float32]]] = []
    for share, parts, pictures, outputs in work.stage(stage):
        waiting.append((parts, pictures, logits_of(outputs, model).numpy()))
        if sum(w[2].size for w in waiting) >= _FEW_LOGITS:
            _add(waiting, tally, labels, before, model)
            waiting = []
        yield share
    if waiting:
        _add(waiting, tally, labels, before, model)


def _add(
    waiting: list[tuple[Ints, Ints, NDArray[np.float32]]], tally: Tally, labels: Ints, before: Marks, model: Model
) -> None:
    parts, pictures, logits = (np.concatenate(column) for column in zip(*waiting, strict=True))
    tally.add(parts, marked(logits, labels[pictures], model.temperature), before.at(pictures))


def logits_of(outputs: torch.Tensor, model: Model) -> torch.Tensor:
    """What the graph gave -> float32 logits, log-probabilities after a softmax."""
    found = outputs.float()
    return torch.log(found.clamp_min(_TINY)) if model.probabilities else found


def _checked(outputs: torch.Tensor, model: Model) -> NDArray[np.float32]:
    if outputs.ndim != 2 or (model.classes and outputs.shape[1] != len(model.classes)):
        raise BadModel(
            f"The network gives {' x '.join(map(str, outputs.shape[1:]))} numbers for a picture and has "
            f"{len(model.classes)} class names; it needs one number for each name."
        )
    if not bool(outputs.isfinite().all()):
        raise BadModel("The network's own answers are not finite numbers, so nothing can be compared with them.")
    found: NDArray[np.float32] = logits_of(outputs, model).numpy()
    return found


Answers = tuple[float, Ints, Ints, torch.Tensor]
"""Share of a stage that is done; numbers of parts (B,), of pictures of the chunk (B,), the network's outputs (B, K)."""


class _Channels:
    """Every stage is one layer with its channels."""

    def __init__(self, model: Model, parts: Parts) -> None:
        graph, size = model.graph, (model.contract.in_channels, *model.contract.size)
        shapes = shapes_of(graph, size)
        self._twin = fast_twin(graph)
        there = {node.name: node for node in self._twin.graph.nodes}
        self._ablations: list[Ablation] = []
        for point in parts.points:
            node = step_named(graph, point.at)
            while node.name not in there:  # a normalisation that was folded into what it follows
                node = node.all_input_nodes[0]
            self._ablations.append(Ablation(self._twin, point, there[node.name], shapes))
        self._first = np.cumsum([0, *(p.channels for p in parts.points)])
        work = {row.name: row.multiply_adds for row in layer_table(graph, size)}
        self.weights = [
            p.channels * (1e5 + sum(work.get(_name(n), 0) for n in downstream(graph, step_named(graph, p.at))))
            for p in parts.points
        ]
        self._kept = list(dict.fromkeys(node for a in self._ablations for node in a.kept))
        held = sum(4 * np.prod(shapes.get(node.name, ())) for node in self._kept)
        self.chunk = int(np.clip(_CHUNK_BYTES // max(1, held), 1, _CHUNK))
        self._values: dict[object, torch.Tensor] = {}

    def begin(self, x: torch.Tensor) -> torch.Tensor:
        """Prepared pictures -> the network's outputs; what the stages need is kept."""
        runs = [run(self._twin, {input_of(self._twin): part}, self._kept) for part in torch.split(x, BATCH)]
        self._values = {node: torch.cat([values[node] for values, _ in runs]) for node in self._kept}
        return torch.cat([output for _, output in runs])

    def stage(self, number: int) -> Iterator[Answers]:
        ablation, first = self._ablations[number], self._first[number]
        count = int(self._first[number + 1] - first)
        for pairs in ablation(self._values):  # type: ignore[arg-type]
            share = float(pairs.channels[-1] + 1) / count
            yield share, first + pairs.channels.numpy(), pairs.pictures.numpy(), pairs.outputs


class _Bypasses:
    """Every stage is one layer or block; the network without it, bit for bit as an edit gives it."""

    def __init__(self, model: Model, parts: Parts) -> None:
        self._graph = model.graph
        self._without = [without(model, way) for way in parts.ways]
        shapes = shapes_of(model.graph, (model.contract.in_channels, *model.contract.size))
        held = sum(4 * np.prod(shape) for shape in shapes.values())
        self.chunk = int(np.clip(_CHUNK_BYTES // max(1, 2 * held), 1, BATCH))
        work = {row.name: row.multiply_adds for row in layer_table(model.graph, _size(model))}
        self.weights = [
            1e6 + sum(work.get(_name(n), 0) for n in downstream(model.graph, step_named(model.graph, w.at)))
            for w in parts.ways
        ]
        self._cache: NodeCache | None = None

    def begin(self, x: torch.Tensor) -> torch.Tensor:
        self._cache = NodeCache.of(self._graph, x)
        return self._cache.trace.output

    def stage(self, number: int) -> Iterator[Answers]:
        assert self._cache is not None
        outputs = self._cache.after(self._without[number], pure=True, keep=()).trace.output
        pictures = np.arange(len(outputs))
        yield 1.0, np.full(len(outputs), number), pictures, outputs


def _name(node: object) -> str:
    target = str(getattr(node, "target", ""))
    return target if getattr(node, "op", "") == "call_module" else str(getattr(node, "name", ""))


def _size(model: Model) -> tuple[int, int, int]:
    return (model.contract.in_channels, *model.contract.size)
