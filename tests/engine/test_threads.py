"""Threads are set for a piece of work and put back after it, also when it fails."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Iterator

import pytest
import torch

from cutaway.engine.threads import FEW, for_one_picture, side_by_side, threads
from cutaway.errors import BadInput
from cutaway.graph.shapes import LayerRow, layer_table
from cutaway.verbs.find import find_model


def test_they_hold_inside_only() -> None:
    before = torch.get_num_threads()
    with threads(before + 1) as count:
        assert count == torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), threads(before + 1):
        _ = 1 / 0
    assert torch.get_num_threads() == before
    with threads(None) as count:
        assert count == before


def test_none_at_all_is_refused() -> None:
    with pytest.raises(BadInput, match=r"threads must be at least 1\. Got 0\."), threads(0):
        pass


def rows(*multiply_adds: int) -> list[LayerRow]:
    model = find_model("zoo:lenet5")
    row = layer_table(model.graph, (model.contract.in_channels, *model.contract.size))[1]
    return [dataclasses.replace(row, multiply_adds=count) for count in multiply_adds]


def test_small_layers_are_run_on_one_thread_and_large_ones_on_all() -> None:
    assert for_one_picture(rows(0, FEW - 1, FEW - 1)) == 1  # steps that multiply nothing do not count
    assert for_one_picture(rows(0, FEW, FEW + 1)) is None
    assert for_one_picture(rows(0)) is None
    assert for_one_picture(()) is None


@pytest.mark.parametrize("workers", [1, 2])
def test_side_by_side_gives_results_in_order_and_each_piece_one_thread(workers: int) -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for item in range(5):
            taken.append(threading.get_ident())
            yield item

    with threads(workers):
        found = list(side_by_side(lambda item: (item * item, torch.get_num_threads()), items()))
        assert torch.get_num_threads() == workers
    assert found == [(item * item, 1) for item in range(5)]
    assert set(taken) == {threading.get_ident()}


def test_side_by_side_hands_an_error_on_and_leaves_the_threads_as_they_were() -> None:
    def work(item: int) -> float:
        return 1 / (2 - item)

    with threads(2):
        with pytest.raises(ZeroDivisionError):
            list(side_by_side(work, range(5)))
        assert torch.get_num_threads() == 2
