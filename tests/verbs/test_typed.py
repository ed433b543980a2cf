"""A command line that, typed, asks for the same options."""

from __future__ import annotations

from cutaway.verbs.sweep import SweepOptions
from cutaway.verbs.train import TrainOptions
from cutaway.verbs.typed import typed_command


def test_defaults_are_left_out_and_words_are_quoted() -> None:
    assert typed_command("train", TrainOptions("my photos")) == "cutaway train 'my photos'"
    assert (
        typed_command("train", TrainOptions("p", batch_size=8, lr=0.01)) == "cutaway train p --batch-size 8 --lr 0.01"
    )


def test_switches_have_no_value_and_each_of_several_values_has_its_flag() -> None:
    assert typed_command("train", TrainOptions("p", flip=False)) == "cutaway train p --no-flip"
    assert typed_command("train", TrainOptions("p", flip=True, preview=True)) == "cutaway train p --flip --preview"
    swept = SweepOptions("p", vary=("depth=2..6", "filters=16,32"), epochs=3)
    assert typed_command("sweep", swept) == "cutaway sweep p --vary depth=2..6 --vary filters=16,32 --epochs 3"
