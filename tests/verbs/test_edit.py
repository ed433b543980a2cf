"""edit: through Python and the command line; what is written, told and refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from shapes import Cli

import cutaway as ca
from cutaway.errors import BadInput
from cutaway.surgery.edits import SetActivation, Silence
from cutaway.surgery.history import read_history


@pytest.fixture(scope="session")
def names(home: Path) -> list[str]:
    """The run's first convolution and its first activation."""
    from torch import nn

    graph = ca.open_model(home / "runs" / "first").graph
    paths = [(str(n.target), graph.get_submodule(str(n.target))) for n in graph.graph.nodes if n.op == "call_module"]
    return [next(p for p, m in paths if isinstance(m, kind)) for kind in (nn.Conv2d, nn.ReLU)]


def test_a_model_gives_a_model(first: Path, names: list[str]) -> None:
    conv, relu = names
    model = ca.open_model(first)
    edited = ca.edit(model, SetActivation(relu, "tanh"), f"silence {conv}[0,1]")
    assert json.loads(edited.card["edits"])[1] == Silence(conv, (0, 1)).to_dict()
    assert "edits" not in model.card
    with pytest.raises(TypeError, match="with a Model, edit takes edits only; got out="):
        ca.edit(model, out="x")  # type: ignore[call-overload]


def test_a_file_gives_what_the_command_line_prints(first: Path, names: list[str], cli: Cli) -> None:
    conv, relu = names
    flags = (
        "--set",
        f"{relu}=tanh",
        "--silence",
        f"{conv}[0,1]",
        "--out",
        "edited.safetensors",
        "--record",
        "list.json",
    )
    said = cli("edit", first, *flags)
    assert (said.code, said.err) == (0, "")
    assert f"Set {relu}'s activation to tanh." in said.out
    assert "Wrote edited.safetensors" in said.out
    assert "next: cutaway effect runs/first edited.safetensors PHOTO" in said.out
    told = ca.edit(str(first), SetActivation(relu, "tanh"), f"silence {conv}[0,1]", out="python.safetensors")
    assert told.path.read_bytes() == Path("edited.safetensors").read_bytes()
    assert told.texts == (f"{relu}.activation=tanh", f"silence {conv}[0,1]")
    assert [e.kind for e in read_history("list.json").edits] == ["set_activation", "silence"]
    plain = cli("edit", first, *flags, "--json").json
    assert [row["layer"] for row in plain["shapes"]] == [f"{conv}_channels"]
    assert plain["parameters"]["before"] == plain["parameters"]["after"]
    assert ca.edit(str(first), do=(f"{relu}=tanh",)).path == Path("edit-first.safetensors")


def test_edits_of_a_file_come_first(first: Path, names: list[str], cli: Cli) -> None:
    conv, relu = names
    cli("edit", first, "--set", f"{relu}=tanh", "--out", "one.safetensors", "--record", "one.json")
    for file in ("one.json", "one.safetensors"):
        plain = cli("edit", first, "--edits", file, "--do", f"{conv}.weight=zero", "--json").json
        assert plain["texts"] == [f"{relu}.activation=tanh", f"{conv}.weight=zero"]
    other = cli("edit", "one.safetensors", "--edits", "one.json")
    assert "These edits were made on another model; they are tried on this one." in other.out + other.err
    lists = [{"edit": "remove", "layer": "none"}, {"edit": "set_activation", "layer": relu, "to": "tanh"},
             {"edit": "silence", "layer": "gone", "channels": [1]}]  # fmt: skip
    Path("other.json").write_text(json.dumps(lists), encoding="utf-8")
    for more in ((), ("--set", f"{relu}=gelu")):
        refused = cli("edit", first, "--edits", "other.json", *more)
        assert (refused.code, refused.out) == (2, "")
        assert "2 of the 3 edits do not fit. remove none: " in refused.err
        assert "silence gone[1]: " in refused.err
    refused = cli("edit", first, "--edits", first / "model.safetensors")
    assert refused.code == 2
    assert "is a model that no edits were made on" in refused.err


def test_untrained_layers_are_named_with_the_command_that_heals_them(first: Path, names: list[str], cli: Cli) -> None:
    said = cli("edit", first, "--set", f"{names[0]}.weight=random", "--out", "e.safetensors")
    assert f"untrained  {names[0]}: its weights were drawn at random" in said.out
    assert "next: cutaway heal e.safetensors DATA --epochs 2" in said.out


def test_a_layer_that_gives_no_number_is_named(first: Path, names: list[str], cli: Cli) -> None:
    do = (f"{names[0]}.bias=3e38", f"{names[0]}.bias=times(3)")
    said = cli("edit", first, "--do", do[0], "--do", do[1])
    assert f"{names[0]} now gives values that are not finite" in said.out


def test_a_refusal_offers_its_remedy(cli: Cli) -> None:
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.conv = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
            self.pool, self.fc = nn.AdaptiveAvgPool2d(1), nn.Linear(4, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = self.stem(x)
            return self.fc(self.pool(x + self.conv(x)).flatten(1))

    ca.save_model(ca.open_model(Block().eval(), size=16), "block.safetensors")
    refused = cli("edit", "block.safetensors", "--set", "conv.stride=2")
    assert refused.code == 2
    assert "4 x 16 x 16 from stem" in refused.err
    assert "With --mend the first of these is made." in refused.err
    mended = cli("edit", "block.safetensors", "--set", "conv.stride=2", "--mend", "--json").json
    assert any(row["layer"] == "conv" and row["after"] == [4, 8, 8] for row in mended["shapes"])


def test_what_is_refused(first: Path, names: list[str], cli: Cli) -> None:
    for flags, said in (
        ((), "Name what to change, for example --set conv1.stride=2 or --silence conv1[5,7]."),
        (("--set", "nowhere.stride=2"), "set nowhere.stride=2: The network has no layer 'nowhere'."),
        (("--set", f"{names[0]}.stride=2", "--out", "x.png"), "out must be a file that ends in .safetensors"),
        (("--edits", "nothing.json"), "nothing.json cannot be read"),
    ):
        found = cli("edit", first, *flags)
        assert found.code == 2
        assert said in found.err
        assert len(found.err.strip().splitlines()) == 1
    with pytest.raises(BadInput, match="Name what to change"):
        ca.edit(str(first))
