"""vary: knobs through their values, against effects measured one by one."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from PIL import Image
from shapes import Cli

import cutaway as ca
from cutaway.errors import BadInput


@pytest.fixture(scope="session")
def relu(home: Path) -> str:
    """The run's first activation."""
    from torch import nn

    return next(n for n, m in ca.open_model(home / "runs" / "first").graph.named_modules() if isinstance(m, nn.ReLU))


def test_each_row_is_what_effect_says(first: Path, relu: str, cli: Cli) -> None:
    knob = f"{relu}.activation=relu,tanh,sigmoid"
    plain = cli("vary", first, "shapes", "--knob", knob, "--table", "t.csv", "--out", "v.png", "--json").json
    assert json.loads(json.dumps(plain)) == plain
    assert [row["settings"].get(f"{relu}.activation", "") for row in plain["rows"]] == ["", "relu", "tanh", "sigmoid"]
    assert plain["rows"][0]["flips"] == plain["rows"][1]["flips"] == 0
    model = ca.open_model(first)
    for row in plain["rows"][2:]:
        (data,) = ca.effect(model, ca.edit(model, f"{relu}={row['settings'][f'{relu}.activation']}"), "shapes").data
        assert data.after is not None
        assert row["accuracy"] == pytest.approx(data.after.accuracy, abs=1e-6)
        assert row["loss"] == pytest.approx(data.after.loss, abs=1e-6)
        assert (row["flips"], row["won"], row["lost"]) == (len(data.flips), data.won, data.lost)
    table = list(csv.DictReader(Path("t.csv").read_text(encoding="utf-8").splitlines()))
    assert [row["accuracy"] for row in table] == [str(row["accuracy"]) for row in plain["rows"]]
    with Image.open("v.png") as picture:
        assert picture.size[0] == 3200


def test_a_range_on_one_photo(first: Path, relu: str, cli: Cli) -> None:
    said = cli("vary", first, "sample:cat", "--knob", f"scale {relu}=0..2x5", "--out", "v.svg")
    assert (said.code, said.err) == (0, "")
    assert "first answer" in said.out
    assert "0.5" in said.out
    assert f"scale {relu}: probability of the first answer" in Path("v.svg").read_text(encoding="utf-8")
    found = ca.vary(ca.open_model(first), "sample:cat", f"scale {relu}=1,2")
    assert found.path is None
    assert found.rows[0].share == found.rows[1].share
    assert found.rows[0].name == "as it is"
    assert ca.vary(str(first), "sample:cat", f"scale {relu}=1").path == Path("vary-first.png")


def test_two_knobs_another_input_and_a_refused_setting(first: Path, relu: str, cli: Cli) -> None:
    conv = next(t for t in ca.edit(str(first), "all.stride=1").texts).partition(".")[0]
    knobs = ("--knob", f"{conv}.stride=1,900", "--knob", f"{relu}.activation=relu,tanh", "--table", "t.json")
    said = cli("vary", first, "shapes", *knobs)
    assert said.code == 0
    rows = json.loads(Path("t.json").read_text(encoding="utf-8"))["rows"]
    assert len(rows) == 5
    assert [bool(row["error"]) for row in rows] == [False, False, False, True, True]
    assert said.out.count("stride") >= 3
    sizes = ca.vary(str(first), "shapes", "input.size=16,24")
    assert all(row.effect is not None for row in sizes.rows)


def test_a_setting_that_gives_no_number_and_one_that_forgets(first: Path, cli: Cli) -> None:
    conv = next(t for t in ca.edit(str(first), "all.stride=1").texts).partition(".")[0]
    found = ca.vary(str(first), "shapes", f"{conv}.weight=times(3e38),random")
    assert "This setting gives no finite answer to" in found.rows[1].error
    assert found.rows[2].untrained == (conv,)
    assert f"untrained: {conv}" in cli("vary", first, "shapes", "--knob", f"{conv}.weight=random").out


def test_pictures_that_cannot_be_read(first: Path, relu: str, cli: Cli) -> None:
    Path("shapes/cross/cross0.png").write_bytes(b"no picture")
    said = cli("vary", first, "shapes", "--knob", f"{relu}.activation=tanh")
    assert "1 could not be read (the first: cross/cross0.png, " in said.out


def test_what_is_refused(first: Path, relu: str, cli: Cli) -> None:
    for flags, said in (
        ((), "Say what to vary"),
        (("--knob", f"{relu}.activation=relu,rellu"), "there is no activation 'rellu'"),
        (("--knob", "input.size=0"), "a picture's sides are 1 to 4096 pixels"),
        (("--knob", f"{relu}.activation=relu", "--fold", "x"), "fold must be auto"),
        (("--knob", f"{relu}.activation=relu", "--table", "t.xls"), "must be a file that ends in .csv or .json"),
    ):
        found = cli("vary", first, "shapes", *flags)
        assert found.code == 2
        assert said in found.err
    with pytest.raises(BadInput, match="Say what to vary"):
        ca.vary(str(first), "shapes")
