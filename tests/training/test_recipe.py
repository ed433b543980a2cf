"""Recipe: every wrong value has its sentence; defaults by mode; the head's own recipe."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import BadInput
from cutaway.training.recipe import MODES, Recipe, head_recipe, recipe_for

WHOLE_1 = "must be a whole number, at least 1. Got"
WHOLE_0 = "must be a whole number, at least 0. Got"
SHARE = "must be at least 0 and below 1. Got"
WRONG = [
    ("mode", "magic", "mode must be scratch, frozen or finetune. Got 'magic'"),
    *((name, 0, f"{name} {WHOLE_1} 0") for name in ("epochs", "batch_size", "head_epochs")),
    *((name, -1, f"{name} {WHOLE_0} -1") for name in ("hidden", "patience", "seed")),
    ("epochs", 2.5, f"epochs {WHOLE_1} 2.5"),
    ("epochs", "ten", f"epochs {WHOLE_1} 'ten'"),
    ("batch_size", True, f"batch_size {WHOLE_1} True"),
    *(("lr", bad, "lr must be above 0 and at most 10. Got") for bad in (0, -1, 11, float("nan"), "fast", True)),
    *((name, 1, f"{name} {SHARE} 1") for name in ("warmup", "label_smoothing", "dropout", "early_lr")),
    *((name, -0.1, f"{name} {SHARE} -0.1") for name in ("warmup", "label_smoothing", "dropout", "early_lr")),
    ("dropout", float("nan"), f"dropout {SHARE} nan"),
    *(
        ("weight_decay", bad, "weight_decay must be at least 0 and at most 1000. Got")
        for bad in (-1, float("nan"), float("inf"), "some")
    ),
    ("optimizer", "adam", "optimizer must be adamw, sgd or muon. Got 'adam'"),
    ("compile", "maybe", "compile must be auto, on or off. Got 'maybe'"),
    ("precision", "half", "precision must be auto, float32 or bfloat16. Got 'half'"),
]


@pytest.mark.parametrize(("name", "value", "sentence"), WRONG, ids=[f"{n}={v}" for n, v, _ in WRONG])
def test_a_wrong_value_is_told(name: str, value: Any, sentence: str) -> None:
    with pytest.raises(BadInput, match=sentence.replace("(", r"\(")):
        Recipe(**{name: value})


def test_modes_differ_where_they_should() -> None:
    by_mode = {mode: recipe_for(mode) for mode in MODES}
    assert by_mode["scratch"] == Recipe(optimizer="muon")
    assert by_mode["finetune"].optimizer == "adamw"
    assert (by_mode["frozen"].optimizer, by_mode["frozen"].epochs) == ("sgd", 30)
    assert by_mode["finetune"].lr < by_mode["scratch"].lr
    assert all(recipe.mode == mode for mode, recipe in by_mode.items())


def test_what_was_asked_for_wins_and_none_is_not_asking() -> None:
    recipe = recipe_for("frozen", epochs=3, lr=None, optimizer=None)
    assert recipe == dataclasses.replace(recipe_for("frozen"), epochs=3)


def test_a_hidden_layer_in_a_frozen_run_is_trained_with_adamw() -> None:
    assert recipe_for("frozen", hidden=100).optimizer == "adamw"
    assert recipe_for("frozen", hidden=100, optimizer="sgd").optimizer == "sgd"
    assert recipe_for("scratch", hidden=100) == dataclasses.replace(recipe_for("scratch"), hidden=100)


def test_unknown_names_are_told() -> None:
    with pytest.raises(BadInput, match="There is no training knob 'speed'; there are augment, batch_size, "):
        recipe_for("scratch", speed=3)
    with pytest.raises(BadInput, match=r"mode must be scratch, frozen or finetune. Got 'half'"):
        recipe_for("half")  # type: ignore[arg-type]


@given(epochs=st.integers(1, 300), patience=st.integers(0, 400))
def test_patience_is_shorter_than_the_run(epochs: int, patience: int) -> None:
    ours = Recipe(epochs=epochs, patience=patience).patience_epochs
    assert 1 <= ours <= max(1, epochs - 1)
    if 0 < patience < epochs:
        assert ours == patience


def test_patience_of_20_epochs_is_7() -> None:
    assert Recipe(epochs=20).patience_epochs == 7


def test_a_frozen_run_trains_its_head_by_its_own_recipe_in_float32() -> None:
    recipe = recipe_for("frozen", epochs=7, lr=0.1)
    assert head_recipe(recipe) == dataclasses.replace(recipe, precision="float32")


def test_finetune_begins_with_a_head_as_in_a_frozen_run() -> None:
    recipe = recipe_for("finetune", epochs=2, head_epochs=4, dropout=0.5, seed=9, label_smoothing=0.1, lr=1e-5)
    head = head_recipe(recipe)
    assert (head.mode, head.epochs, head.dropout, head.seed, head.label_smoothing) == ("frozen", 4, 0.5, 9, 0.1)
    assert (head.lr, head.optimizer, head.weight_decay) == (
        *(recipe_for("frozen").lr, "sgd", recipe_for("frozen").weight_decay),
    )


def test_a_recipe_survives_its_dictionary() -> None:
    recipe = recipe_for("finetune", epochs=2)
    assert Recipe(**recipe.to_dict()) == recipe
