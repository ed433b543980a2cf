"""Options dataclass -> fields with the sentence under each: what help, forms and reference pages show."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cutaway.options import Field, fields_of, given
from cutaway.verbs import VERBS, verb


@dataclass(frozen=True)
class Base:
    """Something."""

    data: str
    """Where the pictures
    are."""
    epochs: int | None = None
    """How often."""


@dataclass(frozen=True)
class More(Base):
    """More of it."""

    names: tuple[str, ...] = field(default_factory=lambda: ("a", "b"))
    """Which ones."""
    silent: bool = False
    epochs: int | None = 3
    """How often, by default thrice."""


@pytest.mark.parametrize("names", ["a.png", Path("a.png"), ["a.png"], (Path("a.png"),)])
def test_a_program_may_give_paths_lists_and_one_for_many(names: object) -> None:
    assert (
        given(More, Path("photos"), 3, names)
        == given(More, data="photos", names=names)
        == More("photos", 3, ("a.png",))
    )


def test_arguments_that_options_do_not_have_are_the_dataclass_to_refuse() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'epoch'"):
        given(More, "photos", epoch=3)
    with pytest.raises(TypeError, match="positional arguments"):
        given(More, "photos", 3, ("a",), False, "more")


def test_fields_come_in_order_with_types_defaults_and_sentences() -> None:
    data, epochs = fields_of(Base)
    assert data == Field("data", str, dataclasses.MISSING, "Where the pictures are.")
    assert data.required
    assert epochs == Field("epochs", int | None, None, "How often.")
    assert not epochs.required


def test_a_subclass_adds_and_overrides() -> None:
    found = {f.name: f for f in fields_of(More)}
    assert list(found) == ["data", "epochs", "names", "silent"]
    assert found["epochs"].default == 3
    assert found["epochs"].help == "How often, by default thrice."
    assert found["data"].help == "Where the pictures are."
    assert found["names"].default == ("a", "b")
    assert found["silent"].help == ""


def test_it_is_read_once() -> None:
    assert fields_of(More) is fields_of(More)


@pytest.mark.parametrize("name", VERBS)
def test_every_option_of_every_verb_has_a_sentence(name: str) -> None:
    for option in fields_of(verb(name).options):  # type: ignore[arg-type]
        assert option.help.endswith((".", "...")), f"{name}: {option.name} is not explained"
        assert len(option.help) < 160
    assert verb(name).sentence.endswith(".")
