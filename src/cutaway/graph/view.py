"""View: what every cell of one value sees of the picture, and which of its dimensions run along the picture's."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from cutaway.graph.axis import Axis, Slide

Shape = tuple[int, ...]
Runs = tuple[str, ...]  # the axes that run along one dimension: (), ("h",), or ("h", "w") where they were merged


@dataclass(frozen=True, slots=True)
class View:
    """`runs[d]`: which axes dimension d runs along; `axes`: "h" and "w" -> Axis (step 0 where no dimension runs along
    it); `cells`: how many cells there are along each; `whole`: axes along which every cell also sees all.
    """

    runs: tuple[Runs, ...]
    axes: dict[str, Axis]
    cells: dict[str, int]
    whole: frozenset[str]
    picture: dict[str, int]

    @classmethod
    def of_picture(cls, shape: Shape) -> View:
        """Shape (N, C, H, W) of the input -> each cell sees its own pixel."""
        sides = {"h": shape[-2], "w": shape[-1]}
        return cls(((), (), ("h",), ("w",)), {"h": Axis(), "w": Axis()}, sides, frozenset(), sides)

    def collapsed(self, names: Collection[str]) -> View:
        """All cells along these axes taken together: each cell sees what any of them saw."""
        axes, whole = dict(self.axes), set(self.whole)
        for name in names:
            low, high = axes[name].hull(0, self.cells[name] - 1).window(0)
            last = self.picture[name] - 1
            axes[name] = Axis((max(low, 0),), (min(high, last),), 0)
            if low <= 0 and high >= last:
                whole.add(name)
        runs = tuple(tuple(n for n in run if n not in names) for run in self.runs)
        return dataclasses.replace(self, runs=runs, axes=axes, whole=frozenset(whole))

    def mixed(self, dims: Iterable[int]) -> View:
        """Cells along these dimensions taken together; the dimensions stay."""
        return self.collapsed([name for d in dims if -len(self.runs) <= d < len(self.runs) for name in self.runs[d]])

    def windowed(self, dim: int, slide: Slide, cells: int) -> View:
        """A window that slides along a dimension; `cells` come out."""
        run = self.runs[dim]
        if len(run) != 1:
            return self.collapsed(run)
        axes = {**self.axes, run[0]: self.axes[run[0]].through(slide)}
        return dataclasses.replace(self, axes=axes, cells={**self.cells, run[0]: cells})

    def seen_by_all(self) -> View:
        """Every cell sees the whole picture besides its own window (statistics over all places)."""
        return dataclasses.replace(self, whole=self.whole | {n for run in self.runs for n in run})

    def with_runs(self, runs: Iterable[Runs]) -> View:
        """The same with its dimensions in another order; axes that no dimension carries any more are collapsed."""
        runs = tuple(runs)
        gone = [n for run in self.runs for n in run if not any(n in other for other in runs)]
        return dataclasses.replace(self.collapsed(gone), runs=runs)

    def reshaped(self, before: Shape, after: Shape) -> View:
        """view, reshape, flatten, squeeze: axes keep running along dimensions that keep them whole."""
        runs: list[Runs] = []
        for old, new in _groups(before, after):
            carried = [n for d in old for n in self.runs[d]]
            rest = math.prod(before[d] for d in old) // math.prod([self.cells[n] for n in carried] or [1])
            places = [d for d in new if after[d] != 1]
            if carried and rest == 1 and len(places) <= 1:
                at = places[0] if places else new[-1] if new else None
                runs += [tuple(carried) if d == at else () for d in new]
            elif carried and rest == 1 and [after[d] for d in places] == [self.cells[n] for n in carried]:
                names = iter(carried)
                runs += [(next(names),) if d in places else () for d in new]
            else:
                runs += [() for _ in new]
        return self.with_runs(runs)


def joined(views: Iterable[tuple[View, Shape]], shape: Shape) -> View:
    """Values that are added, multiplied, concatenated (with broadcasting) to `shape` -> what each cell sees of all."""
    lined_up = [_broadcast(view, given, shape) for view, given in views]
    first = lined_up[0]
    runs: list[Runs] = [()] * len(shape)
    for d in range(len(shape)):
        found = {view.runs[d] for view in lined_up if view.runs[d]}
        if len(found) > 1:
            return joined_flat(lined_up, len(shape))
        runs[d] = found.pop() if found else ()
    if len(names := [n for run in runs for n in run]) != len(set(names)):
        return joined_flat(lined_up, len(shape))
    axes, cells, whole = {}, {}, frozenset[str]().union(*(view.whole for view in lined_up))
    for name in first.axes:
        moving = [view for view in lined_up if any(name in run for run in view.runs)] or lined_up
        axes[name], cells[name] = moving[0].axes[name], moving[0].cells[name]
        for view in lined_up:
            if view is moving[0] or (view not in moving and name in view.whole):
                continue
            both = axes[name].joined(view.axes[name])
            if both is None:  # windows that move at different speeds: together they pass over the whole picture
                whole |= {name}
            else:
                axes[name] = both
    return View(tuple(runs), axes, cells, whole, first.picture)


def joined_flat(views: Iterable[View], dims: int) -> View:
    """Values taken together with every place mixed (attention, matrix products)."""
    flat = [view.collapsed([n for run in view.runs for n in run]) for view in views]
    axes = {}
    for name in flat[0].axes:
        lows, highs = zip(*(view.axes[name].window(0) for view in flat), strict=True)
        axes[name] = Axis((min(lows),), (max(highs),), 0)
    whole = frozenset[str]().union(*(view.whole for view in flat))
    return View(((),) * dims, axes, flat[0].cells, whole, flat[0].picture)


def _broadcast(view: View, given: Shape, shape: Shape) -> View:
    lacking = len(shape) - len(given)
    stretched = [d for d, size in enumerate(given) if lacking >= 0 and size == 1 and shape[d + lacking] != 1]
    view = view.mixed(stretched)
    if lacking < 0:
        return joined_flat([view], len(shape))
    return dataclasses.replace(view, runs=((),) * lacking + view.runs)


def _groups(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]]:
    """Two shapes of equal size -> runs of dimensions with equal products, the shortest."""
    groups: list[tuple[list[int], list[int]]] = []
    i = j = 0
    while i < len(before) or j < len(after):
        old, new = ([i] if i < len(before) else []), ([j] if j < len(after) else [])
        i, j = i + len(old), j + len(new)
        a, b = math.prod(before[d] for d in old), math.prod(after[d] for d in new)
        while a != b:
            if a < b and i < len(before):
                old, a, i = [*old, i], a * before[i], i + 1
            elif j < len(after):
                new, b, j = [*new, j], b * after[j], j + 1
            else:
                old, a, i = [*old, i], a * before[i], i + 1
        groups.append((old, new))
    return groups
