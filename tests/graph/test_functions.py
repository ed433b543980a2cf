"""The lists of functions and methods: names and functions correspond, and none reaches out of the graph."""

from __future__ import annotations

import os

import pytest
import torch

from cutaway.errors import BadModel
from cutaway.graph.functions import FUNCTIONS, METHODS, READABLE, function, name_of


def test_names_and_functions_correspond() -> None:
    for name, listed in FUNCTIONS.items():
        assert function(name) is listed
        assert name_of(listed) == name
    assert len(set(FUNCTIONS.values())) == len(FUNCTIONS)


def test_every_method_is_a_tensors_own_and_writes_nothing() -> None:
    for name in METHODS:
        assert callable(getattr(torch.Tensor, name))
        assert not name.startswith("_")
        assert not name.endswith("_")


def test_only_plain_facts_of_a_tensor_can_be_read() -> None:
    assert {"shape", "ndim", "dtype", "device"} == READABLE


@pytest.mark.parametrize("name", ["eval", "os.system", "torch.load", "__import__", "setattr", "load", ""])
def test_a_name_that_is_not_listed_is_refused(name: str) -> None:
    with pytest.raises(BadModel, match=f"The model calls '{name}', which is not on Cutaway's list of functions"):
        function(name)


def test_functions_that_are_not_listed_have_no_name() -> None:
    assert name_of(os.system) is None
    assert name_of(torch.load) is None
