"""Network diagrams: what collapses, where boxes lie, that edges go past boxes, not through them."""

from __future__ import annotations

import gc
import time
import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.draw.blocks import DiagramRow, boxes_of, size_of
from cutaway.draw.diagram import diagram, places_of
from cutaway.draw.families import FAMILIES, WORDS, family_of
from cutaway.draw.lanes import layout
from cutaway.errors import BadInput


def rows(*lines: str) -> list[DiagramRow]:
    """ "name < input input @ block" -> rows."""
    made = []
    for line in lines:
        rest, _, block = line.partition("@")
        name, _, inputs = rest.partition("<")
        made.append(DiagramRow(name.strip(), "Conv2d", (8, 4, 4), tuple(inputs.split()), block.strip()))
    return made


RESIDUAL = rows(
    "x", "a < x @ b0", "b < a @ b0", "add < b x @ b0", "c < add @ b1", "d < c @ b1", "add1 < d add @ b1", "fc < add1"
)
INCEPTION = rows("x", "p < x", "q1 < p", "r1 < p", "r2 < r1", "s1 < p", "cat < q1 r2 s1", "end < cat")


def test_blocks_open_level_by_level_while_they_fit() -> None:
    assert [b.name for b in boxes_of(RESIDUAL, most=4)] == ["x", "b0", "b1", "fc"]
    assert [b.steps for b in boxes_of(RESIDUAL, most=4)] == [1, 3, 3, 1]
    assert len(boxes_of(RESIDUAL, most=8)) == 8
    assert [b.name for b in boxes_of(RESIDUAL, most=4, expanded={"b1"})] == ["x", "b0", "c", "d", "add1", "fc"]


def test_a_block_has_the_inputs_and_the_shape_of_its_ends() -> None:
    _, first, second, _ = boxes_of(RESIDUAL, most=4)
    assert (first.inputs, second.inputs, first.shape) == (("x",), ("b0",), (8, 4, 4))
    assert first.family == "block"


def test_a_block_that_would_feed_itself_is_opened_and_no_other() -> None:
    odd = rows("x", "a < x @ odd", "b < a", "c < b @ odd", "d < c @ fine", "e < d @ fine")
    assert [b.name for b in boxes_of(odd, most=1)] == ["x", "a", "b", "c", "fine"]


def test_rows_out_of_order_and_twice_are_refused() -> None:
    with pytest.raises(BadInput, match="b takes 'a', which is not a step before it"):
        boxes_of(rows("b < a", "a"))
    with pytest.raises(BadInput, match="Two steps of the diagram are called 'a'"):
        boxes_of(rows("a", "a"))


def test_the_longest_chain_is_the_spine_and_skips_take_channels() -> None:
    plan = layout(boxes_of(RESIDUAL))
    assert set(plan.lane.values()) == {0}
    assert [(e.source, e.target) for e in plan.edges if e.way == "channel"] == [("x", "add"), ("add", "add1")]
    assert plan.channels == 1, "two skips one after the other share a channel"


def test_branches_lie_in_lanes_of_their_own() -> None:
    plan = layout(boxes_of(INCEPTION))
    assert [plan.lane[n] for n in ("x", "p", "r1", "r2", "cat", "end")] == [0] * 6
    assert sorted((plan.lane["q1"], plan.lane["s1"])) == [1, 2]
    assert {e.way for e in plan.edges if e.target == "cat"} == {"near", "source-lane"}
    assert plan.channels == 0


def test_positions_above_a_change_stay() -> None:
    before = boxes_of(INCEPTION)
    after = boxes_of([*INCEPTION, *rows("more < end")[:0], DiagramRow("more", "Linear", (8, 4, 4), ("end",))])
    old, _ = places_of(before, layout(before))
    new, _ = places_of(after, layout(after))
    assert all(new[name] == place for name, place in old.items())


@st.composite
def networks(draw: st.DrawFn) -> list[DiagramRow]:
    n = draw(st.integers(1, 24))
    made: list[DiagramRow] = []
    for i in range(n):
        inputs = draw(st.lists(st.integers(max(0, i - 6), i - 1), max_size=3, unique=True)) if i else []
        block = draw(st.sampled_from(["", "a", "b", "a.c", "a.d"]))
        made.append(DiagramRow(f"n{i}", "ReLU", (2 ** (i % 9), 4, 4), tuple(f"n{j}" for j in inputs), block))
    return made


@settings(deadline=None, max_examples=60)
@given(networks(), st.integers(1, 30))
def test_any_network_is_drawn_without_overlaps(network: list[DiagramRow], most: int) -> None:
    boxes = boxes_of(network, most)
    assert sum(b.steps for b in boxes) == len(network)
    seen: set[str] = set()
    for box in boxes:
        assert set(box.inputs) <= seen, "running order"
        seen.add(box.name)
    plan = layout(boxes)
    places, _ = places_of(boxes, plan)
    assert all(plan.rank[e.source] < plan.rank[e.target] for e in plan.edges)
    assert len({(plan.rank[b.name], plan.lane[b.name]) for b in boxes}) == len(boxes), "one box to a place"
    # An edge down a lane meets no box on its way.
    at = {(plan.lane[b.name], plan.rank[b.name]): b.name for b in boxes}
    for e in plan.edges:
        lane = plan.lane[e.source] if e.way == "source-lane" else plan.lane[e.target]
        if e.way in ("source-lane", "target-lane"):
            assert not [r for r in range(plan.rank[e.source] + 1, plan.rank[e.target]) if (lane, r) in at]
    for a, b in pairwise(sorted(places.values(), key=lambda p: (p.x, p.y))):
        assert a.x + a.width <= b.x or b.y >= a.bottom or a.y >= b.bottom or b.x + b.width <= a.x
    ET.fromstring(diagram(network, "a <network>", most=most))


def test_svg_has_a_box_per_step_with_words_and_a_legend() -> None:
    network = [DiagramRow("x", "Input", (3, 8, 8)), DiagramRow("a&b", "Conv2d", (16, 8, 8), ("x",))]
    svg = diagram(network, "Small")
    told = [e.text for e in ET.fromstring(svg).iter() if e.tag.endswith("text")]
    assert told == ["Small", "convolution", "input, other", "x", "Input · 3 × 8 × 8", "a&b", "Conv2d · 16 × 8 × 8"]
    assert "2 steps in 2 boxes, from x to a&amp;b." in svg
    assert "No steps." in diagram([], "None")


def test_cost_grows_with_the_steps_not_with_their_square() -> None:
    def seconds(n: int) -> float:
        chain = [
            DiagramRow(f"n{i}", "ReLU", (8, 4, 4), tuple(f"n{j}" for j in range(max(0, i - 3), i))) for i in range(n)
        ]
        taken = []
        for _ in range(3):
            start = time.process_time()
            layout(boxes_of(chain, most=n))
            taken.append(time.process_time() - start)
        return min(taken)

    seconds(500)
    gc.disable()  # a full heap, as after a thousand other tests, is collected ever slower
    try:
        assert seconds(8000) < 40 * max(seconds(1000), 1e-3)
    finally:
        gc.enable()


def test_boxes_grow_with_channels_and_size() -> None:
    (w1, h1), (w2, h2) = size_of((3, 224, 224)), size_of((512, 7, 7))
    assert w1 < w2
    assert h1 > h2
    assert size_of(()) == size_of((1,))


@pytest.mark.parametrize(
    ("kind", "family"),
    [
        ("Conv2d", "conv"), ("ScaledStdConv2d", "conv"), ("Linear", "dense"), ("BatchNorm2d", "norm"),
        ("relu", "activation"),
        ("ReLU6", "activation"), ("LeakyReLU", "activation"), ("AdaptiveAvgPool2d", "pool"), ("max_pool2d", "pool"),
        ("mean", "pool"), ("add", "merge"), ("cat", "merge"), ("Softmax", "softmax"), ("flatten", "shape"),
        ("ZeroPad2d", "shape"), ("Dropout", "dropout"), ("MultiheadAttention", "attention"), ("Input", "other"),
    ],
)  # fmt: skip
def test_family(kind: str, family: str) -> None:
    assert family_of(kind) == family
    assert set(WORDS) == set(FAMILIES)
