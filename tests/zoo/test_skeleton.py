"""Skeletons: the same for a network whatever its norms, padding and names; body and head apart."""

from __future__ import annotations

import torch
from torch import nn

from cutaway.graph.trace import trace
from cutaway.zoo.skeleton import skeleton_of, skeleton_of_plain


def network(width: int = 8, *, norm: bool = True, pad: bool = False) -> nn.Sequential:
    first: list[nn.Module] = [nn.ZeroPad2d(1)] if pad else []
    first.append(nn.Conv2d(3, width, 3, 2, padding=0 if pad else 1))
    if norm:
        first.append(nn.BatchNorm2d(width))
    depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
    tail = [nn.ReLU6(), depthwise, nn.Conv2d(width, 16, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*first, *tail, nn.Linear(16, 5), nn.ReLU(), nn.Linear(5, 2)).eval()


def test_the_body_ends_where_places_end_and_the_head_is_behind_it() -> None:
    found = skeleton_of(trace(network()), (3, 12, 12))
    assert [b.step for b in found.body] == [(3, 8, 3, 3, 2, 1), (8, 8, 3, 3, 1, 8), (8, 16, 1, 1, 1, 1)]
    assert (found.hidden, found.classes) == ((5,), 2)
    assert found.activations == (("ReLU", 1), ("ReLU6", 1))
    assert (found.norms, found.weights) == (1, 3 * 8 * 9 + 8 * 9 + 8 * 16)
    assert found.last == "4"  # the 1 x 1 convolution, the last to see places


def test_norms_and_padding_do_not_change_it_and_widths_change_only_the_key() -> None:
    shape = (3, 12, 12)
    one = skeleton_of(trace(network()), shape)
    folded = skeleton_of(trace(network(norm=False, pad=True)), shape)
    wide = skeleton_of(trace(network(12)), shape)
    assert folded.key == one.key
    assert wide.key != one.key
    assert wide.form == one.form
    assert skeleton_of(trace(network()), (3, 30, 20)).key == one.key


def test_a_plain_module_has_the_skeleton_of_its_graph_even_without_memory() -> None:
    with torch.device("meta"):
        plain = skeleton_of_plain(network(), (3, 12, 12))
    traced = skeleton_of(trace(network()), (3, 12, 12))
    assert (plain.key, plain.form, plain.hidden, plain.norms) == (traced.key, traced.form, traced.hidden, traced.norms)
    assert plain.activations == traced.activations
