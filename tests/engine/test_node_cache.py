"""NodeCache: after an edit only what lies behind it runs again, and the result is a full run's, bit for bit."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn

from cutaway.engine.node_cache import NodeCache, rerun
from cutaway.engine.trace import trace_steps
from cutaway.errors import BadInput, BadModel
from cutaway.graph.names import names_of
from cutaway.graph.trace import trace


class Branches(nn.Module):
    """a -> b and c side by side -> sum -> d; one layer with weights is used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(3, 4, 3, padding=1)
        self.b = nn.Conv2d(4, 4, 1)
        self.c = nn.Conv2d(4, 4, 3, padding=1)
        self.act = nn.ReLU()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.d = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.a(x)
        y = self.b(x) + torch.chunk(torch.cat([self.c(x), self.b(self.act(x))], 1), 2, dim=1)[0]
        out: torch.Tensor = self.d(self.pool(y).flatten(1))
        return out


@pytest.fixture
def graph() -> fx.GraphModule:
    torch.manual_seed(0)
    return trace(Branches())


@pytest.fixture
def x() -> torch.Tensor:
    torch.manual_seed(1)
    return torch.randn(1, 3, 8, 8)


def shared(graph: fx.GraphModule) -> fx.GraphModule:
    """Graph -> a graph of its own over the same layers, as an edit makes it."""
    return fx.GraphModule(graph, copy.deepcopy(graph.graph))


def called(graph: fx.GraphModule) -> list[str]:
    """Graph -> a list that fills with the layers that are called, in order."""
    calls: list[str] = []
    for name, layer in graph.named_modules():
        if name and not list(layer.children()):
            layer.register_forward_hook(lambda *_, name=name: calls.append(name))
    return calls


def equals_a_full_run(cache: NodeCache, graph: fx.GraphModule) -> None:
    full = trace_steps(graph, cache.x)
    assert list(cache.trace) == list(full)
    assert all(torch.equal(cache.trace[name], full[name]) for name in full)
    assert torch.equal(cache.trace.output, full.output)


def test_nothing_changed_nothing_runs(graph: fx.GraphModule, x: torch.Tensor) -> None:
    cache = NodeCache.of(graph, x)
    calls = called(graph)
    again = cache.after(shared(graph))
    assert again.ran == ()
    assert calls == []
    assert torch.equal(again.trace.output, cache.trace.output)


@pytest.mark.parametrize(
    ("changed", "layers"),
    [("a", ["a", "b", "c", "act", "b", "pool", "flatten", "d"]), ("c", ["c", "pool", "flatten", "d"]), ("d", ["d"])],
)
def test_only_what_lies_behind_a_replaced_layer_runs(
    changed: str, layers: list[str], graph: fx.GraphModule, x: torch.Tensor
) -> None:
    cache = NodeCache.of(graph, x)
    edited = shared(graph)
    setattr(edited, changed, copy.deepcopy(graph.get_submodule(changed)))
    with torch.no_grad():
        edited.get_parameter(f"{changed}.weight").mul_(-2)
    calls = called(edited)
    after = cache.after(edited)
    assert calls == layers
    equals_a_full_run(after, edited)
    assert not torch.equal(after.trace.output, cache.trace.output)
    equals_a_full_run(cache, graph)


def test_weights_written_in_place_are_seen_and_data_is_named(graph: fx.GraphModule, x: torch.Tensor) -> None:
    cache = NodeCache.of(graph, x)
    with torch.no_grad():
        graph.get_parameter("d.weight").zero_()
    written = cache.after(graph)
    assert written.ran == ("d",)
    equals_a_full_run(written, graph)
    graph.get_parameter("c.weight").data.zero_()
    assert written.after(graph).ran == (), "what leaves no mark must be named"
    named = written.after(graph, {"c"})
    assert named.ran[0] == "c"
    equals_a_full_run(named, graph)
    assert named.after(graph).ran == (), "the new cache knows the new weights"
    assert torch.equal(rerun(graph, written, {"c"}).output, named.trace.output)


def test_a_setting_changed_on_the_layer_itself_is_seen(graph: fx.GraphModule, x: torch.Tensor) -> None:
    cache = NodeCache.of(graph, x)
    graph.get_submodule("pool").output_size = (1, 1)
    assert cache.after(graph).ran[0] == "pool", "another setting, though it does the same"
    graph.get_submodule("c").stride = (1, 1)
    assert "c" not in cache.after(graph).ran, "the setting it had"


def test_added_removed_renamed_and_rewired_steps(graph: fx.GraphModule, x: torch.Tensor) -> None:
    cache = NodeCache.of(graph, x)
    edited = shared(graph)
    steps = names_of(edited)
    edited.add_module("extra", nn.Tanh())
    with edited.graph.inserting_after(steps["c"]):
        new = edited.graph.call_module("extra", (steps["c"],))
    steps["c"].replace_all_uses_with(new, delete_user_cb=lambda user: user is not new)
    added = cache.after(edited)
    assert added.ran[0] == "extra"
    assert not {"a", "b", "c", "act"} & set(added.ran)
    equals_a_full_run(added, edited)
    new.replace_all_uses_with(steps["c"])
    edited.graph.erase_node(new)
    assert cache.after(edited).ran == (), "back to what it was"
    edited.add_module("first", graph.get_submodule("a"))
    steps["a"].target = "first"
    renamed = cache.after(edited)
    assert renamed.ran == ()
    assert torch.equal(renamed.trace["first"], cache.trace["a"])
    equals_a_full_run(renamed, edited)
    steps["pool"].replace_input_with(steps["pool"].all_input_nodes[0], steps["act"])
    edited.graph.eliminate_dead_code()
    bypassed = cache.after(edited)
    assert bypassed.ran == ("pool", "flatten", "d")
    equals_a_full_run(bypassed, edited)


def test_arguments_that_look_alike_are_told_apart(x: torch.Tensor) -> None:
    def summed(keep: object) -> fx.GraphModule:
        graph = fx.Graph()
        graph.output(graph.call_function(torch.sum, (graph.placeholder("x"), [1, 2]), {"keepdim": keep}))
        return fx.GraphModule(nn.Module(), graph)

    cache = NodeCache.of(summed(False), x)
    assert cache.after(summed(False)).ran == ()
    assert cache.after(summed(True)).ran == ("sum_1",)
    assert cache.after(summed(True)).trace.output.shape == (1, 1, 1, 8)


def test_slices_dicts_and_stored_numbers(x: torch.Tensor) -> None:
    def cropped(end: int, offset: torch.Tensor) -> fx.GraphModule:
        root, graph = nn.Module(), fx.Graph()
        root.register_buffer("offset", offset)
        part = graph.call_method("__getitem__", (graph.placeholder("x"), (slice(None), slice(0, end))))
        graph.output(graph.call_function(torch.add, (part, graph.get_attr("offset"))))
        return fx.GraphModule(root, graph)

    offset = torch.ones(1)
    cache = NodeCache.of(cropped(2, offset), x)
    assert cache.after(cropped(2, offset)).ran == ()
    assert cache.after(cropped(2, torch.ones(1))).ran == ("offset", "add")
    assert len(cache.after(cropped(1, offset)).ran) == 2


def test_a_chain_of_edits_lets_old_weights_go(graph: fx.GraphModule, x: torch.Tensor) -> None:
    import gc
    import weakref

    cache = NodeCache.of(graph, x)
    first = None
    for number in range(4):
        edited = shared(graph)
        edited.d = nn.Linear(4, 2)
        if number == 0:
            first = weakref.ref(edited.d.weight)
        cache = cache.after(edited)
        assert cache.ran == ("d",)
    del edited
    gc.collect()
    assert first is not None
    assert first() is None


def test_what_cannot_be_run_and_what_is_not_there(graph: fx.GraphModule, x: torch.Tensor) -> None:
    cache = NodeCache.of(graph, x)
    with pytest.raises(BadInput, match="The network has no layer 'conv9', which was said to have changed"):
        cache.after(graph, {"conv9"})
    graph.d = nn.Linear(5, 2)
    with pytest.raises(BadModel, match="layer d cannot work on this input of shape 1 x 3 x 8 x 8"):
        cache.after(graph)


class Listed(nn.Module):
    """A layer with a setting that can change and be the same object."""

    def __init__(self) -> None:
        super().__init__()
        self.factors = [1.0, 2.0]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.factors[1]


def test_a_setting_that_changes_inside_is_seen(x: torch.Tensor) -> None:
    root = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU())
    traced = trace(root)
    layer = Listed()
    traced.add_module("listed", layer)
    with traced.graph.inserting_before(next(n for n in traced.graph.nodes if n.op == "output")):
        node = traced.graph.call_module("listed", (list(traced.graph.nodes)[-2],))
    next(n for n in traced.graph.nodes if n.op == "output").args = (node,)
    traced.recompile()
    cache = NodeCache.of(traced, x)
    assert cache.after(traced).ran == ()
    layer.factors[1] = 3.0
    after = cache.after(traced)
    assert after.ran == ("listed",)
    assert torch.equal(after.trace.output, 1.5 * cache.trace.output)


def test_a_pure_edit_is_found_by_its_new_layers_alone(graph: fx.GraphModule, x: torch.Tensor) -> None:
    from cutaway.image import InputContract
    from cutaway.model import Model
    from cutaway.surgery.apply import apply
    from cutaway.surgery.edits import ScaleWeights

    model = Model(graph, InputContract((int(x.shape[2]), int(x.shape[3]))), ())
    cache = NodeCache.of(graph, x)
    conv = next(p for p, m in reversed(list(graph.named_modules())) if isinstance(m, nn.Conv2d | nn.Linear))
    edited = apply(model, [ScaleWeights(conv, 0.5)]).graph
    pure, looked = cache.after(edited, pure=True), cache.after(edited)
    assert pure.ran == looked.ran
    assert conv in pure.ran
    assert torch.equal(pure.trace.output, looked.trace.output)
    again = pure.after(graph, pure=True)
    assert torch.equal(again.trace.output, cache.trace.output)


def test_edits_that_leave_the_graph_itself_are_followed_in_a_chain(graph: fx.GraphModule, x: torch.Tensor) -> None:
    """Only what they reach is looked at; what has run is what a look at every layer finds."""
    from cutaway.graph.lazy import put_layer, sharing_module

    cache, module = NodeCache.of(graph, x), graph
    for names in (["d"], ["a"], ["c", "d"], ["b"], [], ["act"]):
        edited, own = sharing_module(module), set[str]()
        for name in names:
            layer = copy.deepcopy(module.get_submodule(name))
            for weight in layer.parameters():
                weight.data.mul_(1.5)
            put_layer(edited, name, nn.Tanh() if name == "act" else layer, own)
        looked, cache = cache.after(edited), cache.after(edited, pure=True)
        assert cache.ran == looked.ran
        assert list(cache.trace) == list(looked.trace)
        equals_a_full_run(cache, edited)
        module = edited
    assert cache.after(graph, pure=True).ran == NodeCache.of(graph, x).ran
    alike = sharing_module(module)
    put_layer(alike, "pool", nn.AdaptiveAvgPool2d(1).eval(), set())
    assert cache.after(alike, pure=True).ran == (), "another object that does the same"


def test_a_chain_of_pure_edits_lets_old_weights_go(graph: fx.GraphModule, x: torch.Tensor) -> None:
    import gc
    import weakref

    from cutaway.graph.lazy import put_layer, sharing_module

    cache, first = NodeCache.of(graph, x), None
    for number in range(4):
        edited = sharing_module(graph)
        put_layer(edited, "d", nn.Linear(4, 2), set())
        if number == 0:
            first = weakref.ref(edited.get_submodule("d").weight)
        cache = cache.after(edited, pure=True)
        assert cache.ran == ("d",)
    del edited
    gc.collect()
    assert first is not None
    assert first() is None


class Normed(Branches):
    """With norms and ReLUs behind convolutions, which write into what they read where nobody else does."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.relu, self.e, self.relu6 = nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 3, 3), nn.ReLU6()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept = self.e(x)
        return super().forward(self.relu(self.norm(self.relu6(kept))) + kept)


@settings(max_examples=30, deadline=None)
@given(
    steps=st.lists(
        st.tuples(
            st.sets(st.sampled_from(["a", "b", "c", "d", "e", "norm"]), max_size=2),
            st.one_of(st.none(), st.sets(st.sampled_from(["a", "c", "act", "relu", "norm", "e", "nobody"]))),
            st.booleans(),
            st.booleans(),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_what_is_kept_is_a_full_runs_and_the_rest_is_not_needed(
    steps: list[tuple[set[str], set[str] | None, bool, bool]],
) -> None:
    from cutaway.graph.lazy import put_layer, sharing_module

    torch.manual_seed(0)
    base = trace(Normed().eval())
    first = NodeCache.of(base, torch.randn(2, 3, 8, 8))
    before = {name: value.clone() for name, value in first.trace.values.items()}
    cache, module = first, base
    for names, keep, pure, from_first in steps:
        cache, module = (first, base) if from_first else (cache, module)
        edited, own = sharing_module(module), set[str]()
        for name in names:
            layer = copy.deepcopy(module.get_submodule(name))
            for weight in layer.parameters():
                weight.data.mul_(1.5)
            put_layer(edited, name, layer, own)
        edited = edited if pure else shared(edited)
        cache, module = cache.after(edited, pure=pure, keep=keep), edited
        full = trace_steps(edited, first.x)
        assert cache.steps == len(names_of(edited))
        assert set(cache.trace) >= (set(full) if keep is None else keep - {"nobody"})
        assert all(torch.equal(cache.trace[name], full[name]) for name in cache.trace)
        assert torch.equal(cache.trace.output, full.output)
    assert all(torch.equal(first.trace[name], value) for name, value in before.items())


def test_a_place_that_is_edited_again_is_not_run_up_to_again(graph: fx.GraphModule, x: torch.Tensor) -> None:
    """What was not kept of an earlier edit is computed once, when an edit further back asks for it, and stays."""
    from cutaway.graph.lazy import put_layer, sharing_module

    def with_new(module: fx.GraphModule, name: str) -> fx.GraphModule:
        edited = sharing_module(module)
        put_layer(edited, name, copy.deepcopy(module.get_submodule(name)), set())
        return edited

    cache = NodeCache.of(graph, x).after(moved := with_new(graph, "a"), pure=True, keep=())
    assert "pool" not in cache.trace
    cache = cache.after(moved := with_new(moved, "d"), pure=True, keep=())
    assert cache.ran[0] == "a"
    cache = cache.after(with_new(moved, "d"), pure=True, keep=())
    assert cache.ran == ("d",)
