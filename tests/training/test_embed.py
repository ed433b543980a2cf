"""Feature vectors: the graph's own numbers, kept by content, made again when the kept file is no good."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cutaway.engine.fast import BATCH, fast_twin
from cutaway.engine.prepare import prepare
from cutaway.events import Progress
from cutaway.image import InputContract
from cutaway.model.backbone import Backbone, backbone_of
from cutaway.training.embed import embed
from cutaway.zoo import build

N = 19
PIXELS = np.random.default_rng(1).integers(0, 256, (N, 12, 12, 3), np.uint8)
SHAS = [f"{i:064x}" for i in range(N)]


@pytest.fixture
def backbone() -> Backbone:
    torch.manual_seed(1)
    named = build("small-cnn", classes=("a", "b"), size=(12, 12))
    return backbone_of(named.graph, named.contract)


class Reader:
    """Rows of PIXELS, and how many were asked for: 0 where the kept vectors were used."""

    def __init__(self) -> None:
        self.read = 0

    def __call__(self, at: NDArray[np.int64]) -> NDArray[np.uint8]:
        self.read += len(at)
        return PIXELS[at]


def run(work: Generator[Progress, None, Any]) -> tuple[NDArray[np.float32], list[Progress]]:
    told = []
    while True:
        try:
            told.append(next(work))
        except StopIteration as end:
            return end.value, told


def test_they_are_the_graphs_own_numbers(backbone: Backbone) -> None:
    """Exactly its fast twin's in the same batches, and the graph's within 1e-5 of the largest."""
    vectors, told = run(embed(backbone, Reader(), SHAS, cache=None))
    assert vectors.shape == (N, backbone.features)
    assert vectors.dtype == np.float32
    with torch.inference_mode():
        x = prepare(PIXELS, backbone.contract)
        plain, twin = backbone.graph(x), fast_twin(backbone.graph)
        batches = torch.cat([twin(prepare(PIXELS[i : i + BATCH], backbone.contract)) for i in range(0, N, BATCH)])
    assert np.array_equal(vectors, batches.numpy())
    assert np.abs(vectors - plain.numpy()).max() < 1e-5 * plain.abs().max()
    assert told[-1] == Progress("embed", N, N, "pictures")
    assert [event.done for event in told] == [*range(BATCH, N, BATCH), N]


def test_a_second_time_nothing_is_run(backbone: Backbone, tmp_path: Path) -> None:
    first, second = Reader(), Reader()
    vectors, _ = run(embed(backbone, first, SHAS, cache=tmp_path))
    again, told = run(embed(backbone, second, SHAS, cache=tmp_path))
    assert (first.read, second.read) == (N, 0)
    assert np.array_equal(vectors, again)
    assert told == [Progress("embed", N, N, "pictures")]


def other_weight(backbone: Backbone) -> Backbone:
    with torch.no_grad():
        next(backbone.graph.parameters())[0, 0, 0, 0] += 1e-3
    return backbone


def other_contract(backbone: Backbone) -> Backbone:
    return dataclasses.replace(backbone, contract=InputContract((12, 12), scale=2.0))


@pytest.mark.parametrize("change", [other_weight, other_contract])
def test_another_weight_or_contract_is_another_file(backbone: Backbone, tmp_path: Path, change: Any) -> None:
    run(embed(backbone, Reader(), SHAS, cache=tmp_path))
    reader = Reader()
    run(embed(change(backbone), reader, SHAS, cache=tmp_path))
    assert reader.read == N
    reader = Reader()
    run(embed(backbone, reader, SHAS[:5], cache=tmp_path))
    assert reader.read == 5


@pytest.mark.parametrize("damage", [b"", b"garbage", "short", "other shape"])
def test_a_damaged_file_is_made_again(backbone: Backbone, tmp_path: Path, damage: bytes | str) -> None:
    vectors, _ = run(embed(backbone, Reader(), SHAS, cache=tmp_path))
    (file,) = (tmp_path / "embeddings").iterdir()
    if damage == "short":
        file.write_bytes(file.read_bytes()[:-7])
    elif damage == "other shape":
        np.save(file, vectors[:3])
    else:
        assert isinstance(damage, bytes)
        file.write_bytes(damage)
    reader = Reader()
    again, _ = run(embed(backbone, reader, SHAS, cache=tmp_path))
    assert reader.read == N
    assert np.array_equal(vectors, again)
    assert np.array_equal(np.load(file), vectors)


def test_a_cache_that_cannot_be_written_only_costs_time(backbone: Backbone, tmp_path: Path) -> None:
    (tmp_path / "embeddings").write_text("a file where the folder should be")
    for _ in range(2):
        reader = Reader()
        vectors, _ = run(embed(backbone, reader, SHAS, cache=tmp_path))
        assert reader.read == N
        assert vectors.shape == (N, backbone.features)


def test_the_backbone_is_left_as_it_was(backbone: Backbone) -> None:
    before = [p.clone() for p in backbone.graph.parameters()]
    strides = [p.stride() for p in backbone.graph.parameters()]
    run(embed(backbone, Reader(), SHAS, cache=None))
    assert all(torch.equal(a, b) for a, b in zip(before, backbone.graph.parameters()))
    assert strides == [p.stride() for p in backbone.graph.parameters()]
