"""Boxes of a network -> places: one spine from input to answer, side branches in lanes, long skips in channels.

Rank (row) is the longest path from the input; the spine is the longest chain; every other chain takes the nearest lane
that is free from where it leaves to where it returns. Nothing is optimised, so the cost is O(boxes + edges) and what
changes in one place leaves all above it where it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cutaway.draw.blocks import DiagramBox

Way = Literal["near", "source-lane", "target-lane", "channel"]


@dataclass(frozen=True, slots=True)
class Edge:
    """A value going from one box to another. `way`: between neighbouring ranks ("near"), down the lane of its source or
    its target, or through the side channel number `channel`."""

    source: str
    target: str
    way: Way
    channel: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """Box name -> rank (0 is the top) and lane (0 is the spine); edges; how many lanes and channels there are."""

    rank: Mapping[str, int]
    lane: Mapping[str, int]
    edges: tuple[Edge, ...]
    lanes: int
    channels: int


def layout(boxes: Sequence[DiagramBox]) -> Layout:
    """Boxes in running order -> their layout."""
    rank = _ranks(boxes)
    after: dict[str, list[str]] = {box.name: [] for box in boxes}
    for box in boxes:
        for source in box.inputs:
            after[source].append(box.name)
    chains = _chains(boxes, rank, after)
    lane = _lanes(chains, boxes, rank, after)
    last = {chain[-1] for chain in chains}
    first = {chain[0] for chain in chains}
    edges = [
        Edge(source, box.name, _way(source, box.name, rank, lane, first, last))
        for box in boxes
        for source in box.inputs
    ]
    edges, channels = _channelled(edges, rank)
    return Layout(rank, lane, tuple(edges), max(lane.values(), default=0) + 1, channels)


def _ranks(boxes: Sequence[DiagramBox]) -> dict[str, int]:
    rank: dict[str, int] = {}
    for box in boxes:
        rank[box.name] = 1 + max((rank[source] for source in box.inputs), default=-1)
    return rank


def _chains(boxes: Sequence[DiagramBox], rank: Mapping[str, int], after: Mapping[str, list[str]]) -> list[list[str]]:
    """The spine (back from the deepest box, each time to the deepest of those that feed it), then every other chain
    in running order."""
    if not boxes:
        return []
    feeds = {box.name: box.inputs for box in boxes}
    at: str = max(feeds, key=lambda name: rank[name])
    spine = [at]
    while feeds[at]:
        at = max(feeds[at], key=lambda name: rank[name])
        spine.append(at)
    chains, taken = [spine[::-1]], set(spine)
    for box in boxes:
        if box.name in taken:
            continue
        chain, at = [box.name], box.name
        taken.add(at)
        while following := [name for name in after[at] if name not in taken and rank[name] == rank[at] + 1]:
            at = following[0]
            taken.add(at)
            chain.append(at)
        chains.append(chain)
    return chains


def _lanes(
    chains: Sequence[Sequence[str]], boxes: Sequence[DiagramBox], rank: Mapping[str, int],
    after: Mapping[str, list[str]],
) -> dict[str, int]:  # fmt: skip
    """Each chain in the nearest lane that is free over the ranks its boxes and its edges need."""
    feeds = {box.name: box.inputs for box in boxes}
    lane = dict.fromkeys(chains[0], 0) if chains else {}
    busy: list[list[tuple[int, int]]] = []
    for chain in sorted(chains[1:], key=lambda c: rank[c[0]]):
        start = min((rank[source] + 1 for source in feeds[chain[0]]), default=rank[chain[0]])
        end = max((rank[name] - 1 for name in after[chain[-1]]), default=rank[chain[-1]])
        span = (min(start, rank[chain[0]]), max(end, rank[chain[-1]]))
        # Chains come by their first rank, so only the latest few of a lane can still be in the way.
        free = next((i for i, taken in enumerate(busy) if all(not _meet(span, t) for t in taken[-4:])), len(busy))
        if free == len(busy):
            busy.append([])
        busy[free].append(span)
        lane.update(dict.fromkeys(chain, free + 1))
    return lane


def _meet(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return a[0] <= b[1] and b[0] <= a[1]


def _way(
    source: str, target: str, rank: Mapping[str, int], lane: Mapping[str, int], first: set[str], last: set[str]
) -> Way:
    if rank[target] - rank[source] == 1:
        return "near"
    if lane[source] and source in last:
        return "source-lane"
    if lane[target] and target in first:
        return "target-lane"
    return "channel"


def _channelled(edges: Sequence[Edge], rank: Mapping[str, int]) -> tuple[list[Edge], int]:
    """Edges that need a channel -> the nearest one that is free between their ranks (interval colouring, by start)."""
    ends: list[int] = []
    numbers: dict[int, int] = {}
    long = [i for i, edge in enumerate(edges) if edge.way == "channel"]
    for i in sorted(long, key=lambda i: (rank[edges[i].source], rank[edges[i].target])):
        start, end = rank[edges[i].source], rank[edges[i].target]
        free = next((c for c, until in enumerate(ends) if until <= start), len(ends))
        if free == len(ends):
            ends.append(end)
        ends[free] = end
        numbers[i] = free
    placed = [
        Edge(e.source, e.target, e.way, numbers[i]) if i in numbers else e for i, e in enumerate(edges)
    ]  # fmt: skip
    return placed, len(ends)
