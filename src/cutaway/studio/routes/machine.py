"""The network's head, its layers and where they lie on the page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter

from cutaway.studio.desk import Desk
from cutaway.studio.given import TheDesk
from cutaway.studio.schemas.about import About
from cutaway.studio.schemas.machine import Box, Diagram, DiagramRequest, Edge, Layer, Machine, Viewed

if TYPE_CHECKING:
    from cutaway.draw.blocks import DiagramRow
    from cutaway.formats.parts import FileView
    from cutaway.graph.shapes import LayerRow

router = APIRouter(prefix="/api")


@router.post("/machine")
async def machine(desk: TheDesk, about: About) -> Machine:
    """About -> the edited network's head and its steps."""
    return await desk.compute(_machine, desk, about)


@router.post("/diagram")
async def diagram(desk: TheDesk, asked: DiagramRequest) -> Diagram:
    """About, blocks to open -> boxes with their places, edges with their ways."""
    return await desk.compute(_diagram, desk, asked)


def _machine(desk: Desk, about: About) -> Machine:
    from cutaway.formats.parts import OnlyView

    try:
        base, model, rows = desk.base(about), desk.model(about), desk.table(about)
    except OnlyView as only:
        return _viewed(desk.title(about.model), only.view)
    drawn = {row.name: row for row in _rows(desk, about)}
    title = desk.title(about.model)
    return Machine(
        title=title,
        format=model.card.get("format", ""),
        recognised=desk.recognised(base),
        classes=model.classes,
        contract=model.contract.describe(),
        size=model.contract.size,
        channels=model.contract.in_channels,
        parameters=sum(row.parameters for row in rows),
        multiply_adds=sum(row.multiply_adds for row in rows),
        layers=tuple(_layer(row, drawn.get(row.name)) for row in rows),
        random=base.card.get("weights") == "random",
        also=tuple(filter(None, base.card.get("also fits", "").split(", "))),
    )


def _viewed(title: str, view: FileView) -> Machine:
    rows = tuple(
        Viewed(name=row.name, kind=row.kind, shape=row.shape, parameters=row.parameters, note=row.note)
        for row in view.rows
    )
    return Machine(
        title=title, format=view.format, recognised="", classes=(), contract="", size=(0, 0), channels=0,
        parameters=sum(row.parameters for row in rows), multiply_adds=0, layers=(), answer=view.answer,
        reason=view.reason, nearest=view.nearest, viewed=rows,
    )  # fmt: skip


def _layer(row: LayerRow, drawn: DiagramRow | None) -> Layer:
    from cutaway.draw.families import family_of

    seen = row.receptive
    return Layer(
        name=row.name, kind=row.kind, family=family_of(row.kind), shape=row.shape, input_shapes=row.input_shapes,
        inputs=drawn.inputs if drawn else (), parameters=row.parameters, multiply_adds=row.multiply_adds,
        field=None if seen is None else seen.size, block=row.block, group=drawn.block if drawn else "",
    )  # fmt: skip


def _rows(desk: Desk, about: About) -> tuple[DiagramRow, ...]:
    from cutaway.graph.names import names_of
    from cutaway.verbs.diagram_rows import diagram_rows

    model = desk.model(about)
    known = {row.name: (1, *row.shape) for row in desk.table(about)}
    size = (model.contract.in_channels, *model.contract.size)
    shapes = {node.name: known[name] for name, node in names_of(model.graph).items() if name in known}
    shapes |= {node.name: (1, *size) for node in model.graph.graph.nodes if node.op == "placeholder"}
    return diagram_rows(model.graph, shapes)


def _diagram(desk: Desk, asked: DiagramRequest) -> Diagram:
    from cutaway.draw.blocks import boxes_of
    from cutaway.draw.lanes import layout

    rows = _rows(desk, asked)
    boxes = boxes_of(rows, asked.most, asked.expanded)
    placed = layout(boxes)
    names = {row.name for row in rows}
    inside: dict[str, str] = {}  # block -> its last step, whose maps stand for it
    for row in rows:
        parts = row.block.split(".") if row.block else []
        for i in range(len(parts)):
            inside[".".join(parts[: i + 1])] = row.name
    shown = [
        Box(
            name=box.name, kind=box.kind, family=box.family, shape=box.shape, steps=box.steps,
            rank=placed.rank[box.name], lane=placed.lane[box.name],
            shows=box.name if box.name in names and not box.collapsed else inside.get(box.name, box.name),
        )
        for box in boxes
    ]  # fmt: skip
    edges = [Edge(source=e.source, target=e.target, way=e.way, channel=e.channel) for e in placed.edges]
    closed = {box.name for box in boxes if box.collapsed}
    opened = tuple(
        block for block in inside if not any(block == c or block.startswith(f"{c}.") for c in closed)
    )  # fmt: skip
    return Diagram(boxes=tuple(shown), edges=tuple(edges), lanes=placed.lanes, channels=placed.channels, open=opened)
