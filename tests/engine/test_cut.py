"""Graphs cut in two and the CutCache: the same numbers as a whole run, bit for bit, with bounded memory."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import fx, nn

from cutaway.engine.cut import CutCache, part_of, split_at
from cutaway.engine.run import input_of
from cutaway.errors import BadInput, BadModel
from cutaway.graph.names import names_of, steps_of
from cutaway.graph.trace import trace
from cutaway.zoo import build

DENSE = build("densenet121", classes=("a", "b"), size=32).graph
NAMES = list(steps_of(DENSE))


def batches(count: int = 3, size: int = 32) -> list[torch.Tensor]:
    torch.manual_seed(0)
    return [torch.randn(2, 3, size, size) for _ in range(count)]


def whole(graph: fx.GraphModule, given: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    with torch.inference_mode():
        return [graph(x) for x in given]


@settings(max_examples=12, deadline=None)
@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=3))
def test_head_and_tail_are_the_whole(names: list[str]) -> None:
    split = split_at(DENSE, names)
    (x,) = batches(1)
    with torch.inference_mode():
        values = split.head(x)
        assert len(values) == len(split.crossing)
        assert torch.equal(split.tail(*values), DENSE(x))
    assert not {n.target for n in split.head.graph.nodes} & set(names), "what was named is in the tail"


def test_both_parts_share_the_layers_and_hold_no_more_than_theirs() -> None:
    split = split_at(DENSE, [NAMES[-1]])
    assert [n.target for n in split.tail.graph.nodes if n.op == "call_module"] == [NAMES[-1]]
    assert split.tail.get_submodule(NAMES[-1]) is DENSE.get_submodule(NAMES[-1])
    assert split.crossing == (NAMES[-2],)
    first = split_at(DENSE, [NAMES[0]])
    assert [names_of(DENSE)[n].op for n in first.crossing] == ["placeholder"]


def test_a_step_that_the_output_does_not_need_leaves_everything_to_the_head() -> None:
    class Loose(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.used, self.loose = nn.ReLU(), nn.Tanh()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.loose(x)
            out: torch.Tensor = self.used(x)
            return out

    graph = fx.symbolic_trace(Loose())
    split = split_at(graph, ["loose"])
    assert split.crossing == ("used",)
    x = torch.randn(1, 2)
    assert torch.equal(split.tail(*split.head(x)), x.relu())


def test_parts_need_what_they_are_not_given() -> None:
    with pytest.raises(BadModel, match=r"needs its input \w+, which is not given"):
        part_of(DENSE, [], None)
    with pytest.raises(BadInput, match="no layer 'conv9'"):
        split_at(DENSE, ["conv9"])


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(4, 8, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 2),
    )


def edited(graph: fx.GraphModule, name: str, by: float = 0.5) -> fx.GraphModule:
    """Graph -> one over the same layers with one of them replaced by a scaled copy."""
    new = fx.GraphModule(graph, copy.deepcopy(graph.graph))
    new.set_submodule(name, copy.deepcopy(graph.get_submodule(name)))
    with torch.no_grad():
        new.get_parameter(f"{name}.weight").mul_(by)
    return new


def counted(graph: fx.GraphModule) -> list[str]:
    calls: list[str] = []
    for name, layer in graph.named_children():
        layer.register_forward_hook(lambda *_, name=name: calls.append(name))
    return calls


def test_an_edit_below_the_cut_runs_only_the_rest() -> None:
    graph, given = trace(network()), batches(size=8)
    cache = CutCache(graph, ["2"], given)
    assert len(cache) == cache.kept == 3
    assert cache.bytes == 3 * 2 * 4 * 8 * 8 * 4, "two pictures of four maps of 8 x 8 float32 a batch"
    for name in ("2", "5"):
        new = edited(graph, name)
        assert cache.reuses(new)
        expected, calls = whole(new, given), counted(new)
        got = list(cache.outputs(new))
        assert calls == ["2", "3", "4", "5"] * 3
        assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


def test_an_edit_above_the_cut_is_seen_and_everything_runs() -> None:
    graph, given = trace(network()), batches(size=8)
    cache = CutCache(graph, ["2"], given)
    new = edited(graph, "0")
    assert not cache.reuses(new)
    assert all(torch.equal(a, b) for a, b in zip(cache.outputs(new), whole(new, given), strict=True))
    graph.get_parameter("0.weight").data.zero_()
    assert cache.reuses(graph)
    assert not cache.reuses(graph, {"0"})
    assert all(torch.equal(a, b) for a, b in zip(cache.outputs(graph, {"0"}), whole(graph, given), strict=True))


def test_what_does_not_fit_is_computed_again_and_equals() -> None:
    graph = trace(network())
    asked: list[int] = []

    class Lazy(Sequence[torch.Tensor]):
        def __len__(self) -> int:
            return 4

        def __getitem__(self, index: int) -> torch.Tensor:  # type: ignore[override]
            asked.append(index)
            return batches(4, 8)[index]

        def __iter__(self) -> Iterator[torch.Tensor]:
            return (self[i] for i in range(4))

    one = 2 * 4 * 8 * 8 * 4
    cache = CutCache(graph, ["2"], Lazy(), most_bytes=2 * one + 1)
    assert (cache.kept, cache.bytes) == (2, 2 * one)
    asked.clear()
    new = edited(graph, "2")
    got = list(cache.outputs(new))
    assert asked == [2, 3]
    assert all(torch.equal(a, b) for a, b in zip(got, whole(new, batches(4, 8)), strict=True))
    nothing = CutCache(graph, ["2"], Lazy(), most_bytes=0)
    assert nothing.kept == 0
    assert all(torch.equal(a, b) for a, b in zip(nothing.outputs(new), got, strict=True))
    with pytest.raises(BadInput, match="most_bytes must be 0 or more"):
        CutCache(graph, ["2"], Lazy(), most_bytes=-1)


def test_dense_networks_with_many_crossing_tensors() -> None:
    given = batches(2)
    convs = [n for n in NAMES if "conv" in n and isinstance(DENSE.get_submodule(n), nn.Conv2d)]
    middle = convs[len(convs) // 2]
    cache = CutCache(DENSE, [middle], given)
    new = edited(DENSE, middle)
    assert cache.reuses(new)
    assert len(split_at(DENSE, [middle]).crossing) > 3
    assert all(torch.equal(a, b) for a, b in zip(cache.outputs(new), whole(new, given), strict=True))


def test_an_edit_of_the_very_first_layer_keeps_nothing() -> None:
    graph, given = trace(network()), batches(2, 8)
    cache = CutCache(graph, ["0"], given)
    assert cache.bytes == 0, "the input is in the batches"
    new = edited(graph, "0")
    assert all(torch.equal(a, b) for a, b in zip(cache.outputs(new), whole(new, given), strict=True))


def test_the_input_itself_can_be_a_part() -> None:
    graph = trace(network())
    whole_again = part_of(graph, [input_of(graph)], None)
    x = torch.randn(1, 3, 8, 8)
    assert torch.equal(whole_again(x), graph(x))
