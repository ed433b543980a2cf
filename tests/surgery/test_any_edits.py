"""Any edits in any order on any small network: it works with the shapes it says, or is refused with what does work."""

from __future__ import annotations

import operator
from collections.abc import Callable

import pytest
import torch
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from torch import fx, nn

from cutaway.errors import BadInput, BadModel
from cutaway.graph.build import GraphBuilder
from cutaway.graph.digest import digest
from cutaway.graph.names import names_of, steps_of
from cutaway.graph.shapes import layer_table, shapes_of
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.apply import apply
from cutaway.surgery.dry import dry_run
from cutaway.surgery.edit import Edit
from cutaway.surgery.edits import (
    FitInput,
    Insert,
    Remove,
    Replace,
    Rewire,
    ScaleWeights,
    SetActivation,
    SetClassCount,
    SetDilation,
    SetFilters,
    SetGroups,
    SetInputSize,
    SetKernelSize,
    SetPadding,
    SetPooling,
    SetStride,
    Silence,
    Together,
)
from cutaway.surgery.refusal import Refusal

SIZE = 12


@st.composite
def networks(draw: st.DrawFn) -> Model:
    """Two to four pieces - plain, residual, concatenated, pooled - on few channels, then a mean or a flatten."""
    torch.manual_seed(0)
    b = GraphBuilder()
    x, channels = b.input(), 3
    for n in range(draw(st.integers(2, 4))):
        x, channels = _piece(draw, b, x, channels, f"p{n}")
    if draw(st.booleans()):
        x = b.layer("mean", nn.AdaptiveAvgPool2d(1), x)
    graph = b.finish(b.layer("flat", nn.Flatten(), x)).eval()
    try:
        wide = shapes_of(graph, (3, SIZE, SIZE))["flat"][1]
    except BadModel:  # more pools than the picture has places for
        reject()
    b2 = GraphBuilder()
    copies: dict[fx.Node, fx.Node] = {}
    for node in graph.graph.nodes:
        if node.op == "placeholder":
            copies[node] = b2.input()
        elif node.op == "call_module":
            copies[node] = b2.layer(str(node.target), graph.get_submodule(str(node.target)), copies[node.args[0]])
        elif node.op == "call_function":
            copies[node] = b2.call(node.name, node.target, *fx.map_arg(node.args, copies.__getitem__))
        else:
            ends = b2.layer("fc", nn.Linear(wide, 3), copies[node.args[0]])
    return Model(b2.finish(ends).eval(), InputContract((SIZE, SIZE)), ("a", "b", "c"))


def _piece(draw: st.DrawFn, b: GraphBuilder, x: fx.Node, channels: int, name: str) -> tuple[fx.Node, int]:
    kind = draw(st.sampled_from(["plain", "residual", "cat", "pool", "depthwise"]))
    out = draw(st.sampled_from([2, 4, 6]))
    if kind == "plain":
        x = b.layer(f"{name}_conv", nn.Conv2d(channels, out, 3, draw(st.sampled_from([1, 2])), 1), x)
        return b.layer(f"{name}_relu", nn.ReLU(), b.layer(f"{name}_bn", nn.BatchNorm2d(out), x)), out
    if kind == "residual":
        y = b.layer(f"{name}_relu", nn.ReLU(), b.layer(f"{name}_conv", nn.Conv2d(channels, out, 3, padding=1), x))
        y = b.layer(f"{name}_back", nn.Conv2d(out, channels, 1), y)
        return b.call(f"{name}_add", operator.add, x, y), channels
    if kind == "cat":
        p = b.layer(f"{name}_left", nn.Conv2d(channels, out, 1), x)
        q = b.layer(f"{name}_right", nn.MaxPool2d(3, 1, 1), x)
        return b.call(f"{name}_cat", torch.cat, [p, q], 1), out + channels
    if kind == "pool":
        pool: nn.Module = draw(st.sampled_from([nn.MaxPool2d(2), nn.AvgPool2d(2)]))
        return b.layer(f"{name}_pool", pool, x), channels
    x = b.layer(f"{name}_dw", nn.Conv2d(channels, channels, 3, padding=1, groups=channels), x)
    return b.layer(f"{name}_conv", nn.Conv2d(channels, out, 1), x), out


def edit_for(model: Model) -> st.SearchStrategy[Edit]:
    steps, every = list(steps_of(model.graph)), list(names_of(model.graph))
    layers = [n for n, node in steps_of(model.graph).items() if node.op == "call_module"]
    name, any_step, layer = st.sampled_from(steps), st.sampled_from(every), st.sampled_from(layers)
    few, size = st.integers(0, 5), st.integers(0, 7)
    makers: list[st.SearchStrategy[Edit]] = [
        st.builds(SetStride, layer, st.integers(1, 4)),
        st.builds(SetPadding, layer, st.sampled_from(["same", "valid", 1, 2])),
        st.builds(SetDilation, layer, st.integers(1, 3)),
        st.builds(SetGroups, layer, st.sampled_from([1, 2, 3, 4])),
        st.builds(SetKernelSize, layer, size),
        st.builds(SetFilters, layer, size),
        st.builds(SetPooling, layer, st.sampled_from(["max", "avg"])),
        st.builds(SetClassCount, count=st.integers(1, 5)),
        st.builds(SetInputSize, st.integers(3, 20)),
        st.builds(Remove, name, st.booleans()),
        st.builds(Insert, any_step, st.sampled_from(["conv", "norm", "max_pool", "sigmoid", "dense", "flatten"])),
        st.builds(Insert, name, st.just("conv"), st.fixed_dictionaries({"out_channels": st.integers(1, 6)})),
        st.builds(Replace, layer, st.sampled_from(["conv", "relu", "avg_pool", "norm"])),
        st.builds(Rewire, name, any_step, st.integers(0, 1)),
        st.builds(FitInput, layer),
        st.builds(ScaleWeights, layer, st.just(2.0)),
        st.builds(SetActivation, layer, st.just("tanh")),
        st.builds(Silence, layer, st.tuples(few)),
    ]
    return st.one_of(makers)


def works(model: Model) -> None:
    """It runs on pictures, gives a number per class, and its table says the shapes that it has."""
    size = (3, *model.contract.size)
    with torch.inference_mode():
        out = model.graph(torch.rand(2, *size))
    assert out.shape == (2, len(model.classes))
    dry = dry_run(model.graph, size)
    assert dry.broken is None
    rows = {row.name: row.shape for row in layer_table(model.graph, size)}
    assert rows == {name: shape[1:] for name, shape in dry.shapes.items() if name in rows}
    assert model.graph.training is False


def check(model: Model, edits: list[Edit]) -> None:
    try:
        works(apply(model, edits))
    except BadInput as error:
        told = error
    else:
        return
    assert "\n" not in str(told)
    if isinstance(told, Refusal):
        assert told.layer in str(told)
        for sentence, instead in told.remedies[:-1]:
            assert sentence in str(told)
            works(apply(model, [*edits[: told.at], *instead, *told.after]))
        works(apply(model, edits[: told.at]))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(networks(), st.data())
def test_any_edits(model: Model, data: st.DataObject) -> None:
    was, x = digest(model.graph), torch.rand(1, 3, SIZE, SIZE)
    answers = model.graph(x)
    edits = data.draw(st.lists(edit_for(model), min_size=1, max_size=4))
    check(model, edits)
    assert digest(model.graph) == was
    assert torch.equal(model.graph(x), answers)


@pytest.mark.slow
@settings(max_examples=600, deadline=None, suppress_health_check=list(HealthCheck))
@given(networks(), st.data())
def test_many_edits(model: Model, data: st.DataObject) -> None:
    check(model, data.draw(st.lists(edit_for(model), min_size=1, max_size=6)))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(networks(), st.data())
def test_together_or_one_after_another(model: Model, data: st.DataObject) -> None:
    edits = data.draw(st.lists(edit_for(model), min_size=1, max_size=3))

    def outcome(make: Callable[[], Model]) -> str:
        try:
            return digest(make().graph)
        except Refusal as refusal:
            return refusal.layer
        except BadInput:
            return "not to be done"

    one, all_ = (outcome(lambda e=e: apply(model, e)) for e in (edits, [Together(tuple(edits))]))  # type: ignore[misc]
    assert one == all_ or "not to be done" in (one, all_)
