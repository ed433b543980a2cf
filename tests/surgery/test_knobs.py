"""KNOB=VALUES texts: values, ranges, combinations, and every sentence about one that cannot be read."""

from __future__ import annotations

import pytest

from cutaway.errors import BadInput
from cutaway.surgery.knobs import read_knobs, settings_of


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("conv1.activation=relu,sigmoid,leaky_relu(0.2)", ("relu", "sigmoid", "leaky_relu(0.2)")),
        ("conv1.stride=1..3", ("1", "2", "3")),
        ("scale conv2[3]=0.5..2x4", ("0.5", "1", "1.5", "2")),
        ("drop.rate=0..1.0", ("0", "0.25", "0.5", "0.75", "1")),
        ("conv1.stride=1,1,2", ("1", "2")),
        ("conv1.weight[0,0,0,0]=-2..2x3", ("-2", "0", "2")),
    ],
)
def test_values(text: str, values: tuple[str, ...]) -> None:
    assert read_knobs([text])[0].values == values


def test_texts_and_numbers() -> None:
    one, two = read_knobs(["a.stride + b.stride=1,2", "c.activation=relu"])
    assert one.texts("2") == ("together a.stride=2; b.stride=2",)
    assert two.texts("relu") == ("c.activation=relu",)
    assert (one.numbers, two.numbers) == ((1.0, 2.0), None)
    assert settings_of([one, two])[1] == {"a.stride + b.stride": "2", "c.activation": "relu"}
    assert read_knobs(["a.x=nan,1"])[0].numbers is None


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        ([], "Say what to vary, for example --knob conv1.activation=relu,sigmoid"),
        (["conv1.stride"], "--knob must be KNOB=VALUES such as conv1.stride=1,2"),
        (["conv1.stride= ,"], "--knob must be KNOB=VALUES"),
        (["a.b=1,2", "a.b=3"], "--knob a.b was given twice"),
        (["a.b=1..x"], r"The range of a.b reads 0.5..2 or 0.5..2x5. Got '1..x'"),
        (["a.b=3..1"], "must go from a number to a larger one in 2 steps or more"),
        (["a.b=1..3x1"], "must go from a number to a larger one in 2 steps or more"),
        (["a.b=1..1e12"], "The range of a.b has more than 200|a.b has .* values; 200 are the most"),
        (["a.b=1..2x900"], "a.b has 900 values; 200 are the most"),
        (["a.b=" + ",".join(map(str, range(201)))], "a.b has 201 values; 200 are the most"),
        (["a.b=1..30", "c.d=1..30"], "have 900 settings together; 500 are the most"),
    ],
)
def test_what_cannot_be_read(texts: list[str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_knobs(texts)
