"""Two networks -> which step of one answers to which of the other: by name, then by structure, in running order."""

from __future__ import annotations

import bisect
import re
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from cutaway.graph.functions import name_of
from cutaway.graph.kinds import kind_of, settings_of
from cutaway.graph.names import steps_of

_NUMBERED = re.compile(r"[^.]*_\d+")  # names that a program counted out: relu_3, conv2d_17


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One step as it is compared: name, kind, settings, output shape without the batch axis, weights by name."""

    name: str
    kind: str
    settings: dict[str, Any]
    shape: tuple[int, ...]
    weights: dict[str, torch.Tensor]

    @property
    def structure(self) -> Hashable:
        return self.kind, repr(sorted(self.settings.items())), self.shape

    @property
    def likeness(self) -> Hashable:
        return self.kind, self.shape


def steps(graph: fx.GraphModule, shapes: dict[str, tuple[int, ...]]) -> list[Step]:
    """Graph and its shapes -> its steps that have a shape, in running order."""
    found = []
    for name, node in steps_of(graph).items():
        if node.name not in shapes:
            continue
        stored = [n for n in node.all_input_nodes if n.op == "get_attr"]
        weights = {str(n.target).rpartition(".")[2]: _stored(graph, str(n.target)) for n in stored}
        kind, settings = _called(node)
        if node.op == "call_module":
            module = graph.get_submodule(str(node.target))
            kind = kind_of(module) or type(module).__name__
            settings = settings_of(module) if kind_of(module) else {}
            arrays = [*module.named_parameters(), *module.named_buffers()]
            weights |= {n: v.detach() for n, v in arrays if v.is_floating_point()}
        found.append(Step(name, kind, settings, shapes[node.name][1:], weights))
    return found


def _called(node: fx.Node) -> tuple[str, dict[str, Any]]:
    """A call -> its function's or method's name and its plain arguments."""
    target: Any = node.target
    kind = target if isinstance(target, str) else name_of(target) or target.__name__
    plain = {f"argument {i}": a for i, a in enumerate(node.args) if isinstance(a, int | float | str | tuple)}
    held = {k: v for k, v in {**plain, **node.kwargs}.items() if not any(isinstance(n, fx.Node) for n in _inside(v))}
    return kind, held


def _inside(value: Any) -> list[Any]:
    return [part for v in value for part in _inside(v)] if isinstance(value, tuple | list) else [value]


def _stored(graph: nn.Module, path: str) -> torch.Tensor:
    value: Any = graph
    for part in path.split("."):
        value = getattr(value, part)
    assert isinstance(value, torch.Tensor)
    return value.detach()


def align(a: Sequence[Step], b: Sequence[Step]) -> list[tuple[Step | None, Step | None]]:
    """Steps of two networks -> pairs in running order; None where the other has nothing that answers to it.

    Layers of one name and kind are held together first, what lies between by the longest common subsequence: of equal
    structure, then of equal kind and shape, then of equal kind.
    """
    keys: list[Callable[[Step], Hashable]] = [lambda s: s.structure, lambda s: s.likeness, lambda s: s.kind]
    pairs: list[tuple[Step | None, Step | None]] = []
    i = j = 0
    for at_a, at_b in [*_by_name(a, b), (len(a), len(b))]:
        pairs += _between(a[i:at_a], b[j:at_b], keys)
        if at_a < len(a):
            pairs.append((a[at_a], b[at_b]))
        i, j = at_a + 1, at_b + 1
    return pairs


def _by_name(a: Sequence[Step], b: Sequence[Step]) -> list[tuple[int, int]]:
    """Places of layers with the same name and kind in both, as many as keep their order."""
    where = {(s.name, s.kind): j for j, s in enumerate(b) if not _NUMBERED.fullmatch(s.name)}
    met = [(i, where[s.name, s.kind]) for i, s in enumerate(a) if (s.name, s.kind) in where]
    tails: list[int] = []  # the smallest end of a rising sequence of each length
    held: list[int] = []
    before: dict[int, int] = {}
    for n, (_, j) in enumerate(met):
        at = bisect.bisect_left(tails, j)
        tails[at:] = [j, *tails[at + 1 :]]
        held[at:] = [n, *held[at + 1 :]]
        before[n] = held[at - 1] if at else -1
    chain: list[tuple[int, int]] = []
    n = held[-1] if held else -1
    while n >= 0:
        chain.append(met[n])
        n = before[n]
    return chain[::-1]


def _between(
    a: Sequence[Step], b: Sequence[Step], keys: Sequence[Callable[[Step], Hashable]]
) -> list[tuple[Step | None, Step | None]]:
    if not a or not b or not keys:
        return [*((s, None) for s in a), *((None, s) for s in b)]
    pairs: list[tuple[Step | None, Step | None]] = []
    i = j = 0
    for at_a, at_b in [*_longest_common([keys[0](s) for s in a], [keys[0](s) for s in b]), (len(a), len(b))]:
        pairs += _between(a[i:at_a], b[j:at_b], keys[1:])
        if at_a < len(a):
            pairs.append((a[at_a], b[at_b]))
        i, j = at_a + 1, at_b + 1
    return pairs


def _longest_common(a: Sequence[Hashable], b: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Places of the longest common subsequence; equal beginnings and ends are taken first."""
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    inner_a, inner_b = a[start : len(a) - end], b[start : len(b) - end]
    longest = [[0] * (len(inner_b) + 1) for _ in range(len(inner_a) + 1)]
    for i in reversed(range(len(inner_a))):
        for j in reversed(range(len(inner_b))):
            same = inner_a[i] == inner_b[j]
            longest[i][j] = longest[i + 1][j + 1] + 1 if same else max(longest[i + 1][j], longest[i][j + 1])
    places = [(n, n) for n in range(start)]
    i = j = 0
    while i < len(inner_a) and j < len(inner_b):
        if inner_a[i] == inner_b[j]:
            places.append((start + i, start + j))
            i, j = i + 1, j + 1
        elif longest[i + 1][j] >= longest[i][j + 1]:
            i += 1
        else:
            j += 1
    return [*places, *((len(a) - n, len(b) - n) for n in range(end, 0, -1))]
