"""Covering: one picture, what covers it, and the network's answers with parts covered, each as exact as a full run.

Incremental inference after Nakandala, Kumar and Papakonstantinou 2019, "Incremental and approximate inference for
faster occlusion-based deep CNN explanations" (SIGMOD): maps of the uncovered picture are kept, and for each window only
the cells are computed that its pixels can reach. Exact within float rounding; their approximations are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import fx

from cutaway.engine.threads import side_by_side
from cutaway.explanation.covering.cutting import cut_out
from cutaway.explanation.covering.plan import Crop, Network, Plan, PlanStep, plan_of
from cutaway.explanation.covering.rules import Rule, padded
from cutaway.explanation.covering.span import Cut, Span

Box = tuple[int, int, int, int]
"""Top, left, bottom, right in pixels of the network's input; bottom and right are not covered any more."""
_Patches = dict[fx.Node, torch.Tensor]


class Covering:
    """`logits_of_grid`, `logits_of_boxes`: the network's answers with these parts of the picture replaced.

    Keeps the maps of the uncovered picture that were cut from, so asking again for other boxes is quick.
    """

    def __init__(self, network: Network, x: torch.Tensor, cover: torch.Tensor) -> None:
        """`x`: one picture (1, C, H, W); `cover`: what covered pixels become, of a shape that extends to it."""
        self._network = network
        dtype = network.dtype
        self._x = x.to(dtype).contiguous(memory_format=torch.channels_last)
        self._cover = cover.to(dtype).expand_as(x).contiguous(memory_format=torch.channels_last)
        self._bases: dict[fx.Node, torch.Tensor] = {network.x: self._x}
        self._padded: dict[tuple[object, ...], torch.Tensor] = {}
        self._logits: torch.Tensor | None = None

    def logits(self) -> torch.Tensor:
        """The uncovered picture's (1, K)."""
        return self._run(frozenset()) if self._logits is None else self._logits

    def keep(self, plans: Iterable[Plan]) -> None:
        """Plans -> the maps that any of them cuts from are kept, padded where a step slides over them, after one run
        instead of one each. Made before all that comes and goes, they leave no holes in memory."""
        plans = list(plans)
        self._keep(frozenset().union(*(plan.bases for plan in plans)))
        with torch.inference_mode():
            for step in (step for plan in plans for step in plan.steps):
                for crop in step.crops:
                    if not crop.trivial:
                        self._base(crop, step.rule)

    def logits_of_grid(self, plan: Plan) -> torch.Tensor:
        """Plan for n spans of rows and m of columns -> logits (n * m, K), row by row."""
        self._keep(plan.bases)
        with torch.inference_mode():
            patches: _Patches = {self._network.x: self._covered(plan)}
            for step in plan.steps:
                patch = self._patch(step, patches)
                for node in step.done:
                    del patches[node]
                patches[step.node] = patch
            ends = [self._crop(crop, patches, None) for crop in plan.ends]
            patches.clear()
            return plan.tail.logits(ends)

    def side_by_side(self, plans: Iterable[Plan]) -> Iterator[torch.Tensor]:
        """Plans -> the logits of each, in order; a group of windows for each of torch's threads."""

        def ready() -> Iterator[Plan]:
            for plan in plans:
                self._keep(plan.bases)  # here, where nobody else writes what the threads read
                yield plan

        return side_by_side(self.logits_of_grid, ready())

    def logits_of_boxes(self, boxes: Iterable[Box]) -> torch.Tensor:
        """Boxes -> logits (M, K)."""
        found = []
        for top, left, bottom, right in boxes:
            rows, columns = (np.array([top]), np.array([bottom - 1])), (np.array([left]), np.array([right - 1]))
            found.append(self.logits_of_grid(plan_of(self._network, rows, columns)))
        return torch.cat(found)

    def _keep(self, wanted: frozenset[fx.Node]) -> None:
        lacking = wanted - self._bases.keys()
        if lacking:
            self._run(lacking)

    def _run(self, wanted: frozenset[fx.Node]) -> torch.Tensor:
        values, self._logits = self._network.run(self._x, wanted)
        self._bases |= values
        return self._logits

    def _covered(self, plan: Plan) -> torch.Tensor:
        """The pixels around each window, with the window replaced."""
        rows, columns = (_own(span) for span in (plan.rows, plan.columns))
        cover = cut_out(self._cover, None, rows, columns)
        rows, columns = (
            Cut(span.start, span.size, span.first, span.last, span.start, span.size)
            for span in (plan.rows, plan.columns)
        )
        return cut_out(self._x, cover, rows, columns)

    def _patch(self, step: PlanStep, patches: _Patches) -> torch.Tensor:
        rule = step.rule
        found: torch.Tensor = rule.run(*(self._crop(crop, patches, rule) for crop in step.crops))
        if rule.share is None:
            return found
        return found * cut_out(rule.share.to(found.dtype), None, _own(step.rows), _own(step.columns))

    def _crop(self, crop: Crop, patches: _Patches, rule: Rule | None) -> torch.Tensor:
        """One input of a step, as large as it needs it; `rule` None: the whole map."""
        patch = patches[crop.source]
        if crop.trivial:
            return patch
        return cut_out(self._base(crop, rule), patch, crop.rows, crop.columns, crop.places)

    def _base(self, crop: Crop, rule: Rule | None) -> torch.Tensor:
        base = self._bases[crop.base]
        if rule is None or rule.slides is None:
            return base
        key = (crop.base, rule.slides, rule.map.cells, rule.fill)
        if key not in self._padded:
            self._padded[key] = padded(base, rule.slides, rule.map.cells, rule.fill)
        return self._padded[key]


def _own(span: Span) -> Cut:
    return Cut.between(span, span.start, span.size)
