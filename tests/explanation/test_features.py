"""Vectors of layers: means over places, files that give back what streamed in, the layer before the answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from cutaway.engine.stream import stream
from cutaway.errors import BadInput, BadModel
from cutaway.explanation.features import VectorFiles, answer_of, last_hidden, pooled
from cutaway.graph.trace import trace


def small() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 4, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(4, 6), nn.ReLU(), nn.Dropout(0.5), nn.Linear(6, 2),
    ).eval()  # fmt: skip


def test_maps_are_averaged_over_their_places_and_rows_stay() -> None:
    maps = torch.arange(24.0).reshape(2, 3, 2, 2)
    assert torch.equal(pooled(maps), maps.mean((2, 3)))
    assert torch.equal(pooled(maps.permute(0, 2, 3, 1), last=True), maps.mean((2, 3)))
    assert torch.equal(pooled(maps.reshape(2, 3, 4).transpose(1, 2), last=True), maps.mean((2, 3)))
    assert torch.equal(pooled(maps[:, :, 0, 0]), maps[:, :, 0, 0])


def test_files_give_back_what_was_streamed(tmp_path: Path) -> None:
    network = small()
    graph = trace(network)
    x = torch.rand(10, 3, 8, 8)
    with VectorFiles(graph, ("1", "7"), tmp_path) as files:
        assert list(stream(graph, x.split(4), ("1", "7"), files)) == [4, 8, 10]
        maps, answers = files.vectors("1"), files.vectors("7")
    with torch.inference_mode():
        expected = network[1](network[0](x)).mean((2, 3)).numpy()
        np.testing.assert_allclose(maps, expected, atol=1e-6)  # measured 1e-7: a folded network rounds otherwise
        np.testing.assert_allclose(answers, network(x).numpy(), atol=1e-6)


def test_values_that_are_not_finite_are_told_with_the_layer(tmp_path: Path) -> None:
    graph = trace(small())
    with VectorFiles(graph, ("1",), tmp_path) as files:
        files({"1": torch.tensor([[1.0, 2.0], [float("nan"), 0.0]])})
        with pytest.raises(BadModel, match=r"The layer 1 gives values that are not finite on 1 of 2 pictures"):
            files.vectors("1")


def test_the_layer_before_the_answer_is_found_through_dropout_and_softmax() -> None:
    assert (last_hidden(trace(small())), answer_of(trace(small()))) == ("5", "7")
    softmax = trace(nn.Sequential(small(), nn.Softmax(1)).eval())
    assert (last_hidden(softmax), answer_of(softmax)) == ("0.5", "1")


def test_a_network_that_ends_in_a_convolution_gives_the_maps_before_it() -> None:
    graph = trace(
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten())
    )
    assert last_hidden(graph) == "1"


def test_networks_without_a_hidden_layer_are_refused_in_a_sentence() -> None:
    with pytest.raises(
        BadInput, match=r"The network has no dense layer or convolution before its answer; name a --layer"
    ):
        last_hidden(trace(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())))
    with pytest.raises(BadInput, match=r"The network has no layer before its answer, so there is no vector to map"):
        last_hidden(trace(nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten())))


class Two(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x + 1, x * 2


def test_several_answers_are_none() -> None:
    with pytest.raises(BadModel, match=r"The network returns several values; a classifier returns one"):
        answer_of(trace(Two()))
