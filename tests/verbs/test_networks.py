"""networks: every name that --network and --backbone take, searchable by its parts."""

from __future__ import annotations

import cutaway as ca


def test_the_list_has_the_houses_own_and_both_libraries() -> None:
    rows = {row.name: row for row in ca.networks()}
    assert len(rows) > 1000
    assert rows["tutorial-cifar"].parameters == 122_570
    assert {row.library for row in rows.values()} == {"cutaway", "torchvision", "timm"}
    assert {"lenet5", "alexnet", "vgg19", "googlenet", "resnet18", "mobilenet_v2"} <= set(rows)


def test_search_takes_words_in_any_spelling() -> None:
    found = [row.name for row in ca.networks("Mobile small")]
    assert found
    assert all("mobile" in name.lower() and "small" in name.lower() for name in found)
    assert ca.networks("tutorial_cifar") == ca.networks("tutorial-cifar")
    assert ca.networks("no network is called so") == ()
