"""Windows against torch's own convolutions, against counting by hand, and at every edge they can have."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from cutaway.engine.lesson.window import Step, along, answers, opened, over, places
from cutaway.errors import BadInput

steps = st.builds(Step, st.integers(1, 4), st.integers(0, 3), st.integers(1, 3))


def test_one_becomes_zero_by_hand() -> None:
    found = along(np.array([0.0, 1, 1, 0, 1]), np.array([1.0, -1]))
    assert found.sums.tolist() == [-1, 0, 1, -1]
    assert found.patches.tolist() == [[0, 1], [1, 1], [1, 0], [0, 1]]
    assert found.products.tolist() == [[0, -1], [1, -1], [1, 0], [0, -1]]


def test_the_sums_are_the_products_added_up() -> None:
    values = np.random.default_rng(0).normal(size=20)
    found = along(values, np.array([0.5, -1, 2]))
    np.testing.assert_allclose(found.products.sum(1), found.sums, atol=1e-12)
    np.testing.assert_allclose(found.sums, np.convolve(values, [2, -1, 0.5], "valid"), atol=1e-12)


def test_a_kernel_longer_than_its_row() -> None:
    with pytest.raises(BadInput, match="A window of 3 cells does not fit into 2 cells with a padding of 0"):
        along(np.zeros(2), np.zeros(3))


@given(cells=st.integers(1, 30), kernel=st.integers(1, 5), step=steps)
@settings(max_examples=150, deadline=None)
def test_the_formula_counts_as_torch_does(cells: int, kernel: int, step: Step) -> None:
    if cells + 2 * step.padding < step.span(kernel):
        with pytest.raises(BadInput, match="does not fit into"):
            places(cells, kernel, step)
        return
    found = places(cells, kernel, step)
    moved = {"stride": step.stride, "padding": step.padding, "dilation": step.dilation}
    ones = torch.ones(1, 1, cells, dtype=torch.float64, requires_grad=True)
    sums = F.conv1d(ones, torch.ones(1, 1, kernel, dtype=torch.float64), **moved)
    assert len(found.starts) == step.out(cells, kernel) == sums.shape[-1]
    (seen,) = torch.autograd.grad(sums.sum(), ones)  # how often each cell was used
    assert found.seen == tuple(int(v) for v in seen[0, 0])
    assert found.outside == tuple(kernel - int(v) for v in sums[0, 0])


def test_cells_that_no_window_reaches() -> None:
    found = places(8, 3, Step(stride=3))
    assert (found.starts, found.seen, found.left) == ((0, 3), (1, 1, 1, 1, 1, 1, 0, 0), 2)


@given(step=steps, channels=st.integers(1, 3), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_a_filter_and_each_of_its_cells(step: Step, channels: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    stack, slices = draw.normal(size=(channels, 9, 8)), draw.normal(size=(channels, 3, 3))
    found = over(stack, slices, step, 0.5)
    whole = F.conv2d(
        torch.from_numpy(stack)[None], torch.from_numpy(slices)[None], torch.tensor([0.5], dtype=torch.float64),
        step.stride, step.padding, step.dilation,
    )[0, 0].numpy()  # fmt: skip
    np.testing.assert_allclose(found.total, whole, atol=1e-12)
    row, column = (int(draw.integers(side)) for side in whole.shape)
    cell = opened(stack, slices, step, (row, column), 0.5)
    np.testing.assert_allclose(cell.value, whole[row, column], atol=1e-12)
    np.testing.assert_allclose(cell.sums, found.parts[:, row, column], atol=1e-12)
    assert not cell.patch[:, ~cell.inside].any()


def test_a_corner_sees_padding() -> None:
    cell = opened(np.ones((1, 4, 4)), np.ones((1, 3, 3)), Step(padding=1), (0, 0))
    assert cell.inside.tolist() == [[False, False, False], [False, True, True], [False, True, True]]
    assert cell.value == 4


def test_a_cell_that_is_not_there() -> None:
    with pytest.raises(BadInput, match=r"The result has 2 x 2 cells; there is no cell \(2, 0\)"):
        opened(np.ones((1, 4, 4)), np.ones((1, 3, 3)), Step(), (2, 0))


def test_slices_that_do_not_fit() -> None:
    with pytest.raises(BadInput, match="the filter must be one slice for each of the 3 maps"):
        over(np.ones((3, 4, 4)), np.ones((2, 3, 3)), Step())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [({"stride": 0}, "stride must be at least 1"), ({"padding": -1}, "padding must be at least 0"),
     ({"dilation": 0}, "dilation must be at least 1")],
)  # fmt: skip
def test_a_step_that_cannot_be(wrong: dict[str, int], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        Step(**wrong)


def test_what_kernels_say_to_three_pictures() -> None:
    vertical = np.array([[-1.0, 0, 1]] * 3)
    assert answers(vertical) == {"flat": 0, "vertical": 3, "horizontal": 0}
    assert answers(vertical.T) == {"flat": 0, "vertical": 0, "horizontal": 3}
    assert answers(np.full((3, 3), 1 / 9))["flat"] == pytest.approx(1)
