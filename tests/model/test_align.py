"""Alignment: by name, then by structure; the longest common subsequence against a slow, plain one."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from cutaway.graph.shapes import shapes_of
from cutaway.graph.trace import trace
from cutaway.model.align import Step, _longest_common, align, steps


def named(*words: str) -> list[Step]:
    """ "conv:3" -> a step called conv of kind c (its first letter) with the setting 3 and one shape for all."""
    return [Step(w.partition(":")[0], w[0], {"n": w.partition(":")[2]}, (1,), {}) for w in words]


def pairs(a: list[Step], b: list[Step]) -> list[tuple[str, str]]:
    return [(x.name if x else "", y.name if y else "") for x, y in align(a, b)]


def test_names_hold_layers_together_whatever_their_settings() -> None:
    a, b = named("conv:3", "relu", "dense:3"), named("conv:5", "relu", "dense:2")
    assert pairs(a, b) == [("conv", "conv"), ("relu", "relu"), ("dense", "dense")]


def test_a_block_more_is_only_in_one() -> None:
    a = named("conv", "stage.0", "stage.1", "pool")
    b = named("conv", "stage.0", "stage.1", "stage.2", "pool")
    assert pairs(a, b)[3:] == [("", "stage.2"), ("pool", "pool")]


def test_structure_decides_where_names_say_nothing() -> None:
    a, b = named("c_1:3", "r_1", "c_2:5"), named("cx:3", "cy:5", "rz")
    assert ("c_1", "cx") in pairs(a, b)
    assert ("c_2", "cy") in pairs(a, b)


def test_numbered_names_of_programs_are_no_names() -> None:
    a, b = named("relu_1:1", "relu_2:2"), named("relu_1:2", "relu_2:1")
    assert ("relu_2", "relu_1") in pairs(a, b) or ("relu_1", "relu_2") in pairs(a, b)


def test_equal_kinds_meet_last() -> None:
    assert pairs(named("cone:1"), named("cube:2")) == [("cone", "cube")]
    assert pairs(named("cone:1"), named("relu")) == [("cone", ""), ("", "relu")]


def slow(a: list[int], b: list[int]) -> int:
    """Length of the longest common subsequence by trying all."""
    for size in range(min(len(a), len(b)), 0, -1):
        if set(itertools.combinations(a, size)) & set(itertools.combinations(b, size)):
            return size
    return 0


@given(st.lists(st.integers(0, 3), max_size=7), st.lists(st.integers(0, 3), max_size=7))
def test_the_longest_common_subsequence(a: list[int], b: list[int]) -> None:
    places = _longest_common(a, b)
    assert [a[i] for i, _ in places] == [b[j] for _, j in places]
    assert len(places) == slow(a, b)
    for (i, j), (k, m) in itertools.pairwise(places):
        assert i < k
        assert j < m


_words = st.lists(st.sampled_from(["conv:1", "conv:2", "relu", "relu_1", "pool", "dense:4", "cat_2"]), max_size=9)


@given(_words, _words)
def test_every_step_is_there_once_in_its_order(a: list[str], b: list[str]) -> None:
    mine, other = named(*a), named(*b)
    found = align(mine, other)
    assert [x for x, _ in found if x] == mine
    assert [y for _, y in found if y] == other
    assert all(x.kind == y.kind for x, y in found if x and y)


def test_steps_carry_settings_shapes_and_weights() -> None:
    graph = trace(nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU()))
    conv, norm, relu = steps(graph, shapes_of(graph, (3, 8, 8)))
    assert (conv.kind, conv.shape, set(conv.weights)) == ("Conv2d", (4, 6, 6), {"weight", "bias"})
    assert conv.settings["kernel_size"] == (3, 3)
    assert set(norm.weights) == {"weight", "bias", "running_mean", "running_var"}
    assert (relu.weights, relu.settings) == ({}, {})
