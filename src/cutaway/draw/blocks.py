"""Rows of a network -> the boxes of its first view: blocks collapsed until at most `most` boxes are left."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from cutaway.draw.families import family_of
from cutaway.errors import BadInput

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class DiagramRow:
    """One step: its name, kind, output shape without the batch axis, the names of the steps it takes values from.

    `block`: the dotted path of the block it belongs to ("layer1.0"), "" for none.
    """

    name: str
    kind: str
    shape: Shape
    inputs: tuple[str, ...] = ()
    block: str = ""


@dataclass(frozen=True, slots=True)
class DiagramBox:
    """One box of the diagram: a step, or a collapsed block of `steps` steps, with the boxes that feed it."""

    name: str
    kind: str
    shape: Shape
    inputs: tuple[str, ...]
    steps: int = 1

    @property
    def collapsed(self) -> bool:
        return self.steps > 1

    @property
    def family(self) -> str:
        return "block" if self.collapsed else family_of(self.kind)


def boxes_of(rows: Sequence[DiagramRow], most: int = 40, expanded: Collection[str] = ()) -> tuple[DiagramBox, ...]:
    """Rows in running order -> boxes in running order. Blocks open level by level while at most `most` boxes are seen;
    those named in `expanded` are open in any case. O(rows + inputs) for each level.

    Raises BadInput for two rows of one name, and an input that no earlier row has.
    """
    _checked(rows)
    paths = {row.name: _path(row) for row in rows}
    deepest = max((len(path) for path in paths.values()), default=0)
    opened = frozenset(expanded)
    best = _collapsed(rows, paths, 0, opened)
    for level in range(1, deepest + 1):
        wider = _collapsed(rows, paths, level, opened)
        if len(wider) > most:
            break
        best = wider
    return best


def _checked(rows: Sequence[DiagramRow]) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.name in seen:
            raise BadInput(f"Two steps of the diagram are called {row.name!r}; each needs a name of its own.")
        if missing := [name for name in row.inputs if name not in seen]:
            raise BadInput(
                f"{row.name} takes {missing[0]!r}, which is not a step before it; give rows in running order."
            )
        seen.add(row.name)


def _path(row: DiagramRow) -> tuple[str, ...]:
    """Row -> its blocks from the outside in: "layer1.0" -> ("layer1", "layer1.0")."""
    parts = row.block.split(".") if row.block else []
    return tuple(".".join(parts[: i + 1]) for i in range(len(parts)))


def _collapsed(
    rows: Sequence[DiagramRow], paths: dict[str, tuple[str, ...]], level: int, opened: frozenset[str]
) -> tuple[DiagramBox, ...]:
    """Rows with the blocks of the first `level` levels open -> boxes. A block that would feed itself is opened too."""
    while True:
        group = {row.name: _group(paths[row.name], row.name, level, opened) for row in rows}
        sizes: dict[str, int] = {}
        for name in group.values():
            sizes[name] = sizes.get(name, 0) + 1
        label = {row.name: group[row.name] if sizes[group[row.name]] > 1 else row.name for row in rows}
        feeds: dict[str, dict[str, None]] = {}
        for row in rows:
            into = feeds.setdefault(label[row.name], {})
            into.update(dict.fromkeys(label[i] for i in row.inputs if label[i] != label[row.name]))
        order = _running_order(feeds)
        circle = _in_circles({name: into for name, into in feeds.items() if name not in order})
        stuck = {name for name in circle if sizes.get(name, 1) > 1}
        if not stuck:
            break
        opened = opened | stuck
    last = {label[row.name]: row for row in rows}
    return tuple(
        DiagramBox(name, "block" if sizes.get(name, 1) > 1 else last[name].kind, last[name].shape, tuple(feeds[name]),
                   sizes.get(name, 1))
        for name in order
    )  # fmt: skip


def _group(path: tuple[str, ...], name: str, level: int, opened: frozenset[str]) -> str:
    """The outermost block that is closed, the step itself where all are open."""
    return next((block for block in path[level:] if block not in opened), name)


def _running_order(feeds: dict[str, dict[str, None]]) -> dict[str, None]:
    """Box: boxes that feed it -> boxes such that each comes after what feeds it; those in a circle are left out."""
    waits = {name: len(into) for name, into in feeds.items()}
    after: dict[str, list[str]] = {name: [] for name in feeds}
    for name, into in feeds.items():
        for source in into:
            after[source].append(name)
    ready = deque(name for name, n in waits.items() if n == 0)
    order: dict[str, None] = {}
    while ready:
        name = ready.popleft()
        order[name] = None
        for following in after[name]:
            waits[following] -= 1
            if waits[following] == 0:
                ready.append(following)
    return order


def _in_circles(feeds: dict[str, dict[str, None]]) -> dict[str, None]:
    """Boxes that the running order left out -> those that feed such a box in turn, not what only follows."""
    backwards: dict[str, dict[str, None]] = {name: {} for name in feeds}
    for name, into in feeds.items():
        for source in into:
            if source in backwards:
                backwards[source][name] = None
    after = _running_order(backwards)
    return {name: None for name in feeds if name not in after}


def size_of(shape: Shape) -> tuple[float, float]:
    """Output shape (C, H, W) or (F,) -> width and height of its box in points: both grow with the logarithm, of the
    channels and of the longer side."""
    channels = shape[0] if shape else 1
    side = max(shape[1:]) if len(shape) == 3 else 1
    return 128 + 11 * math.log2(max(1, channels)), 34 + 3.4 * math.log2(max(1, side))
