"""A network's steps -> its diagram as SVG: spine and lanes, blocks collapsed, colours by family, sizes by shape."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from cutaway.draw.blocks import DiagramBox, DiagramRow, boxes_of, size_of
from cutaway.draw.families import FAMILIES, WORDS
from cutaway.draw.lanes import Edge, Layout, layout
from cutaway.draw.svg import Content, hover, picture, shortened, tag, text

# Middle tones that hold against light and dark paper; boxes are filled with a fifth of them.
COLOURS = {
    "block": "#5b7083", "conv": "#1f78b4", "dense": "#7b52ab", "norm": "#8a8f98", "activation": "#d1790a",
    "pool": "#1b8a6b", "merge": "#c2426b", "softmax": "#7b52ab", "attention": "#a0522d", "shape": "#8a8f98",
    "dropout": "#8a8f98", "other": "#8a8f98",
}  # fmt: skip
GAP_DOWN, GAP_LANES, CHANNEL = 22.0, 34.0, 9.0
EDGE_PAD = 24.0
HEAD = 66.0
ROUND = 6.0


@dataclass(frozen=True, slots=True)
class Place:
    """A box on the page."""

    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.x + self.width / 2

    @property
    def bottom(self) -> float:
        return self.y + self.height


def diagram(rows: Sequence[DiagramRow], title: str, *, most: int = 40, expanded: Collection[str] = ()) -> Content:
    """Steps in running order -> SVG with at most about `most` boxes; blocks named in `expanded` are open.

    Names, kinds and shapes stand in the boxes; a collapsed block says how many steps it holds. Raises BadInput for rows
    that are not in running order.
    """
    boxes = boxes_of(rows, most, expanded)
    plan = layout(boxes)
    places, tops = places_of(boxes, plan)
    needed = max((p.x + p.width for p in places.values()), default=0.0) + EDGE_PAD
    width = max(504.0, needed)
    legend, legend_rows = _legend(boxes, width)
    down = HEAD + 20 * (legend_rows - 1)
    height = down + max((p.bottom for p in places.values()), default=0.0) + EDGE_PAD
    drawn = [
        *(_edge(edge, places, plan, tops) for edge in plan.edges if edge.way != "channel"),
        *(_edge(edge, places, plan, tops) for edge in plan.edges if edge.way == "channel"),
        *(_box(box, places[box.name]) for box in boxes),
    ]
    steps = sum(box.steps for box in boxes)
    heading = text(shortened(title, int(width / 9)), EDGE_PAD, 28, class_="strong", font_size="17")
    body = tag("g", *drawn, transform=f"translate({(width - needed) / 2:g} {down:g})")
    says = f"{steps} steps in {len(boxes)} boxes, from {boxes[0].name} to {boxes[-1].name}." if boxes else "No steps."
    return picture(width, height, title, says, heading, *legend, body)


def places_of(boxes: Sequence[DiagramBox], plan: Layout) -> tuple[dict[str, Place], list[float]]:
    """Boxes, layout -> box name: where it lies, and the top of each rank."""
    sizes = {box.name: size_of(box.shape) for box in boxes}
    tall = [0.0] * (1 + max(plan.rank.values(), default=0))
    broad = [0.0] * plan.lanes
    for name, (width, height) in sizes.items():
        tall[plan.rank[name]] = max(tall[plan.rank[name]], height)
        broad[plan.lane[name]] = max(broad[plan.lane[name]], width)
    tops = [0.0]
    for height in tall:
        tops.append(tops[-1] + height + GAP_DOWN)
    middles, left = [], EDGE_PAD + CHANNEL * plan.channels + (12 if plan.channels else 0)
    for width in broad:
        middles.append(left + width / 2)
        left += width + GAP_LANES
    return {
        name: Place(
            middles[plan.lane[name]] - w / 2, tops[plan.rank[name]] + (tall[plan.rank[name]] - h) / 2, w, h
        )
        for name, (w, h) in sizes.items()
    }, tops  # fmt: skip


def _edge(edge: Edge, places: Mapping[str, Place], plan: Layout, tops: Sequence[float]) -> Content:
    a, b = places[edge.source], places[edge.target]
    leave, enter = tops[plan.rank[edge.source] + 1] - GAP_DOWN, tops[plan.rank[edge.target]]
    low, high = leave + GAP_DOWN / 2, enter - GAP_DOWN / 2
    if edge.way == "near" or edge.way == "target-lane":
        corners = [(a.middle, a.bottom), (a.middle, low), (b.middle, low), (b.middle, b.y)]
    elif edge.way == "source-lane":
        corners = [(a.middle, a.bottom), (a.middle, high), (b.middle, high), (b.middle, b.y)]
    else:
        x = EDGE_PAD + CHANNEL * (plan.channels - 1 - edge.channel) + CHANNEL / 2
        corners = [(a.middle, a.bottom), (a.middle, low), (x, low), (x, high), (b.middle, high), (b.middle, b.y)]
    skip = edge.way == "channel"
    return tag(
        "g", hover(f"{edge.source} to {edge.target}"),
        tag("path", d=_rounded(corners), fill="none", stroke=COLOURS["merge"] if skip else "var(--muted)",
            stroke_width=1.4),
        tag("path", d=f"M{b.middle - 3.5:g} {b.y - 5:g}L{b.middle:g} {b.y:g}L{b.middle + 3.5:g} {b.y - 5:g}",
            fill="none", stroke=COLOURS["merge"] if skip else "var(--muted)", stroke_width=1.4),
    )  # fmt: skip


def _rounded(corners: Sequence[tuple[float, float]]) -> str:
    """Corner points of a path with right angles -> its d, corners rounded; points in a line fall away."""
    points = [p for i, p in enumerate(corners) if i == 0 or p != corners[i - 1]]
    bends = [
        p for i, p in enumerate(points)
        if i in (0, len(points) - 1) or not (points[i - 1][0] == p[0] == points[i + 1][0])
    ]  # fmt: skip
    d = f"M{bends[0][0]:g} {bends[0][1]:g}"
    for before, at, after in zip(bends, bends[1:], bends[2:], strict=False):
        start, end = _towards(at, before), _towards(at, after)
        d += f"L{start[0]:g} {start[1]:g}Q{at[0]:g} {at[1]:g} {end[0]:g} {end[1]:g}"
    return d + f"L{bends[-1][0]:g} {bends[-1][1]:g}"


def _towards(corner: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    across, down = other[0] - corner[0], other[1] - corner[1]
    far = abs(across) + abs(down)
    step = min(ROUND, far / 2) / far if far else 0.0
    return round(corner[0] + across * step, 2), round(corner[1] + down * step, 2)


def _box(box: DiagramBox, place: Place) -> Content:
    colour = COLOURS[box.family]
    shape = " × ".join(map(str, box.shape))
    kind = f"{box.steps} steps" if box.collapsed else box.kind
    letters = int((place.width - 10) / 7.7)
    name = box.name if len(box.name) <= letters else "…" + box.name[-(letters - 1) :]
    below = f"{kind} · {shape}" if len(f"{kind} · {shape}") * 5.6 < place.width - 8 else shape
    frame = {"x": place.x, "width": place.width, "height": place.height, "rx": 5.0}
    behind = [tag("rect", **{**frame, "x": place.x + 3}, y=place.y + 3, fill=colour, fill_opacity=0.12, stroke=colour,
                  stroke_width=1.0)] if box.collapsed else []  # fmt: skip
    middle = place.y + place.height / 2
    return tag(
        "g", hover(f"{box.name}: {kind}, output {shape}"), *behind,
        tag("rect", **frame, y=place.y, fill="var(--bg)"),
        tag("rect", **frame, y=place.y, fill=colour, fill_opacity=0.16, stroke=colour, stroke_width=1.3),
        text(name, place.middle, middle - 2, anchor="middle", class_="strong", font_size="12"),
        text(below, place.middle, middle + 12, anchor="middle", class_="ink", font_size="10.5"),
    )  # fmt: skip


def _legend(boxes: Sequence[DiagramBox], width: float) -> tuple[list[Content], int]:
    """Families that are there -> swatches with words, in as many lines as they need."""
    there = {box.family for box in boxes}
    words = {"block": "collapsed block", **WORDS}
    same = {"softmax": "dense", "norm": "shape", "dropout": "shape", "other": "shape"}
    shown: dict[str, list[str]] = {}
    for family in ("block", *FAMILIES):
        if family in there:
            shown.setdefault(same.get(family, family), []).append(words[family])
    drawn, x, row = [], EDGE_PAD, 0
    for family, names in shown.items():
        name = ", ".join(names)
        wide = 22 + 6.4 * len(name) + 16
        if x + wide > width and x > EDGE_PAD:
            x, row = EDGE_PAD, row + 1
        y = 46 + 20 * row
        drawn += [
            tag("rect", x=x, y=y - 10.0, width=14.0, height=12.0, rx=3.0, fill=COLOURS[family], fill_opacity=0.25,
                stroke=COLOURS[family]),
            text(name, x + 20, float(y), class_="ink"),
        ]  # fmt: skip
        x += wide
    return drawn, row + 1
