"""One layer: its settings, shapes and weights; what its maps amount to; why some of them are black."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter

from cutaway.studio.desk import Desk, Ran
from cutaway.studio.given import TheDesk
from cutaway.studio.schemas.about import About
from cutaway.studio.schemas.layer import (
    LayerRequest,
    LayerSheet,
    MapsTold,
    Setting,
    Sight,
    SightAxis,
    ValueRange,
    WeightArray,
    WhyChannel,
    WhyRequest,
)

if TYPE_CHECKING:
    from cutaway.graph.axis import Axis
    from cutaway.graph.describe import LayerDetails, WeightStats
    from cutaway.graph.receptive import ReceptiveField
    from cutaway.model import Model

router = APIRouter(prefix="/api")


@router.post("/layer")
async def layer(desk: TheDesk, asked: LayerRequest) -> LayerSheet:
    """About, a step's name -> all that can be said of it without a picture."""
    return await desk.compute(_layer, desk, asked)


@router.post("/layer/maps")
async def layer_maps(desk: TheDesk, asked: LayerRequest) -> MapsTold:
    """About, a step's name -> range, mean and silent channels of its values on the picture."""
    return await desk.compute(_maps, desk, asked)


@router.post("/layer/why")
async def layer_why(desk: TheDesk, asked: WhyRequest) -> list[WhyChannel]:
    """About, a step's name, channels -> why each of them is black on the picture."""
    return await desk.compute(_why, desk, asked)


@router.post("/range")
async def value_range(desk: TheDesk, about: About) -> ValueRange:
    """About -> the range that one scale of colours for the whole network spans."""
    return await desk.compute(_range, desk, about)


def _layer(desk: Desk, asked: LayerRequest) -> LayerSheet:
    from cutaway.draw.families import family_of
    from cutaway.graph.describe import layer_details

    model = desk.model(asked)
    details = layer_details(model.graph, desk.table(asked), asked.layer)
    if details is None:
        return _without_row(model, asked.layer)
    row = details.row
    return LayerSheet(
        name=row.name, kind=row.kind, family=family_of(row.kind), shape=row.shape, input_shapes=row.input_shapes,
        parameters=row.parameters, multiply_adds=row.multiply_adds, block=row.block,
        sight=None if row.receptive is None else _sight(row.receptive), settings=_settings(details),
        fed_by=details.fed_by, feeds=details.feeds, weights=tuple(map(_weights, details.weights)),
    )  # fmt: skip


def _without_row(model: Model, name: str) -> LayerSheet:
    """The network's input, or a step whose value is a size or a number: what the graph alone says of it."""
    from cutaway.graph.names import names_of, step_named

    node = step_named(model.graph, name)
    names = {n: shown for shown, n in names_of(model.graph).items()}
    is_input = node.op == "placeholder"
    size = (model.contract.in_channels, *model.contract.size)
    return LayerSheet(
        name=name, kind="Input" if is_input else str(getattr(node.target, "__name__", node.target)), family="other",
        shape=size if is_input else (), input_shapes=(), parameters=0, multiply_adds=0, block="",
        sight=_own_pixels() if is_input else None, settings=(),
        fed_by=tuple(names[n] for n in node.all_input_nodes if n in names),
        feeds=tuple(names.get(user, "output") for user in node.users), weights=(),
    )  # fmt: skip


def _own_pixels() -> Sight:
    each = SightAxis(lows=(0,), highs=(0,), step=1)
    return Sight(rows=each, columns=each, size=(1, 1), stride=(1, 1), offset=(0, 0), whole=False, gated=False)


def _sight(field: ReceptiveField) -> Sight:
    return Sight(
        rows=_axis(field.rows), columns=_axis(field.columns), size=field.size, stride=field.stride, offset=field.offset,
        whole=field.whole, gated=field.gated,
    )  # fmt: skip


def _axis(axis: Axis) -> SightAxis:
    return SightAxis(lows=axis.lows, highs=axis.highs, step=axis.step)


def _settings(details: LayerDetails) -> tuple[Setting, ...]:
    return tuple(Setting(name=name, value=_said(value)) for name, value in details.settings.items())


def _said(value: Any) -> str:
    if isinstance(value, tuple | list):
        return " × ".join(map(_said, value)) if value else "none"
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "none"}[value]
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _weights(of: WeightStats) -> WeightArray:
    return WeightArray(
        name=of.name, shape=of.shape, low=_finite(of.low), high=_finite(of.high), mean=_finite(of.mean),
        std=_finite(of.std), zeros=_finite(of.zeros), non_finite=of.non_finite, counts=of.counts, edges=of.edges,
    )  # fmt: skip


def _maps(desk: Desk, asked: LayerRequest) -> MapsTold:
    from cutaway.draw.maps import faint_channels, summary_of
    from cutaway.errors import BadInput
    from cutaway.studio.live import value_of

    ran = desk.run(asked)
    values = value_of(ran.model, ran.after, asked.layer)
    if values is None:
        raise BadInput(f"{asked.layer} gives no maps: its value is a size or a number, or the edits took it out.")
    told = summary_of(values)
    faint = faint_channels(values).nonzero()[0].tolist() if values.ndim == 3 else ()
    return MapsTold(
        channels=len(values) if values.ndim == 3 else 1, low=_finite(told.min), high=_finite(told.max),
        mean=_finite(told.mean), silent=told.silent, faint=tuple(faint), not_finite=told.not_finite,
    )  # fmt: skip


def _why(desk: Desk, asked: WhyRequest) -> list[WhyChannel]:
    from cutaway.explanation.why_black import why_black

    ran = desk.run(asked)
    found = why_black(ran.model, asked.layer, asked.channels, ran.after.x)
    return [WhyChannel(channel=one.channel, words=one.words, sentence=one.sentence) for one in found]


def _range(desk: Desk, about: About) -> ValueRange:
    ran: Ran = desk.run(about)
    low, high = 0.0, 0.0
    for name in ran.after.trace:
        value = ran.after.trace[name].detach().float()
        least, most = float(value.min()), float(value.max())
        if not (math.isfinite(least) and math.isfinite(most)):
            value = value[value.isfinite()]
            if not value.numel():
                continue
            least, most = float(value.min()), float(value.max())
        low, high = min(low, least), max(high, most)
    return ValueRange(low=low, high=high)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
