"""torch.export's archives: the exported network's numbers, read without torch.export.load; damage and limits told."""

from __future__ import annotations

import copy
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cutaway.errors import BadModel
from cutaway.formats import Parts, read_model_file
from cutaway.formats.parts import OnlyView

Change = Callable[[dict[str, Any]], None]


class Block(nn.Module):
    """A little of everything: residual sum in place, a shuffle that knows the batch, a pool, dropout in place."""

    def __init__(self, last: nn.Module | None = None) -> None:
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.relu, self.drop = nn.ReLU(inplace=True), nn.Dropout(0.5, inplace=True)
        self.dense, self.last = nn.Linear(4, 2), last or nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.relu(self.norm(self.conv(x)))
        n, c, h, w = x.shape
        y = x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        y += x
        y = nn.functional.max_pool2d(y, 2).mean((2, 3))
        return self.last(self.dense(self.drop(torch.flatten(y, 1))))  # type: ignore[no-any-return]


def network(last: nn.Module | None = None) -> nn.Module:
    torch.manual_seed(0)
    made = Block(last).eval()
    made.norm.running_var.uniform_(0.5, 2)
    made.norm.running_mean.normal_()
    return made


def written(path: Path, module: nn.Module, x: torch.Tensor, free: bool = False) -> Path:
    dims = ({0: torch.export.Dim("n", min=1, max=9)},) if free else None
    torch.export.save(torch.export.export(module, (x,), dynamic_shapes=dims), path)
    return path


def opened(path: Path) -> Parts:
    found = read_model_file(path)
    assert isinstance(found, Parts)
    return found


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("pt2") / "net.pt2", network(), torch.zeros(1, 3, 8, 8))


@pytest.mark.parametrize("free", [True, False])
def test_the_numbers_are_the_networks_own_for_any_batch(tmp_path: Path, free: bool) -> None:
    module, x = network(), torch.randn(5, 3, 8, 8)
    parts = opened(written(tmp_path / "net.pt2", module, x[: 2 if free else 1], free))
    with torch.inference_mode():
        for n in (1, 5):
            assert torch.equal(parts.graph(x[:n]), module(x[:n]))
    assert ("It was exported for 1 picture(s) at a time" in parts.card["notes"]) is not free


def test_layers_have_the_modules_names_and_the_card_says_what_was_assumed(archive: Path) -> None:
    parts = opened(archive)
    assert [n.target for n in parts.graph.graph.nodes if n.op == "call_module"][:3] == ["conv", "norm", "relu"]
    assert parts.contract.size == (8, 8)
    assert parts.classes == ("class 0", "class 1")
    assert "ImageNet's mean and spread are assumed" in parts.card["notes"]
    assert parts.card["producer"] == f"torch {torch.__version__}"


def test_a_softmax_at_the_end_gives_probabilities(tmp_path: Path) -> None:
    parts = opened(written(tmp_path / "net.pt2", network(nn.Softmax(1)), torch.zeros(1, 3, 8, 8)))
    assert parts.probabilities
    with torch.inference_mode():
        assert parts.graph(torch.zeros(2, 3, 8, 8)).sum(1).tolist() == pytest.approx([1, 1])


def test_labels_beside_the_file_name_the_classes(archive: Path) -> None:
    (archive.parent / "labels.txt").write_text("0 cat\n1 dog\n")
    try:
        assert opened(archive).classes == ("cat", "dog")
    finally:
        (archive.parent / "labels.txt").unlink()


def test_an_operator_that_is_not_listed_gives_a_view(tmp_path: Path) -> None:
    class Odd(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cumsum(x, 1)

    with pytest.raises(OnlyView, match=r"net\.pt2 cannot be run\. The operator cumsum at last cannot be taken") as told:
        opened(written(tmp_path / "net.pt2", network(Odd()), torch.zeros(1, 3, 8, 8)))
    view = told.value.view
    assert view.answer == "view-only"
    assert [row.kind for row in view.rows][:3] == ["conv2d", "batch_norm", "relu_"]
    assert view.rows[0].shape == (1, 4, 8, 8)


def test_a_layer_without_a_number_gives_a_view(tmp_path: Path) -> None:
    class Empty(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.zeros(2, 0))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.linear(x[:, :0], self.weight)

    with pytest.raises(OnlyView, match=r"The operator linear at last cannot be taken over: its weights hold no number"):
        opened(written(tmp_path / "net.pt2", network(Empty()), torch.zeros(1, 3, 8, 8)))


def test_what_is_no_classifier_of_pictures_gives_a_view(tmp_path: Path) -> None:
    with pytest.raises(OnlyView, match=r"takes an input of shape \(1, 5, 8, 8\); Cutaway feeds one picture"):
        opened(written(tmp_path / "a.pt2", nn.Sequential(nn.Conv2d(5, 2, 1), nn.Flatten()), torch.zeros(1, 5, 8, 8)))
    with pytest.raises(OnlyView, match=r"gives an output of shape \(1, 2, 8, 8\); a classifier gives"):
        opened(written(tmp_path / "b.pt2", nn.Sequential(nn.Conv2d(3, 2, 1)), torch.zeros(1, 3, 8, 8)))


def rewritten(path: Path, out: Path, change: Change, record: str = "models/model.json") -> Path:
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith(record):
                document = json.loads(data)
                change(document)
                data = json.dumps(document).encode()
            new.writestr(name, data)
    return out


def test_code_beside_the_graph_is_never_read(archive: Path, tmp_path: Path) -> None:
    """torch.export.load unpickles the example inputs and weights marked so; here they are skipped."""

    def pickled(document: dict[str, Any]) -> None:
        document["config"]["conv.weight"]["use_pickle"] = True

    path = rewritten(archive, tmp_path / "net.pt2", pickled, "model_weights_config.json")
    with pytest.raises(OnlyView, match=r"The operator conv2d at conv cannot be taken over: it reads 'p_conv_weight'"):
        opened(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda d: d.pop("graph_module"), "its description of the network lacks something"),
        (lambda d: d["graph_module"]["graph"]["nodes"].clear(), "gives nothing that it computes from the picture"),
        (lambda d: d["graph_module"]["graph"]["nodes"].reverse(), "which nothing computes before"),
        (lambda d: d["graph_module"]["signature"]["input_specs"].clear(), "lacks something"),
        (
            lambda d: d["graph_module"]["signature"]["output_specs"][0]["user_output"]["arg"]["as_tensor"].update(
                name={}
            ),
            r"lacks something \(TypeError: the output's name is no text\)",
        ),
        (
            lambda d: d["graph_module"]["graph"]["nodes"][0].update(target="torch.ops.evil.run.default"),
            "operator run at",
        ),
    ],
)
def test_a_garbled_description_is_told(archive: Path, tmp_path: Path, change: Change, said: str) -> None:
    with pytest.raises(BadModel, match=said):
        opened(rewritten(archive, tmp_path / "net.pt2", change))


def test_weights_that_claim_more_than_the_file_holds_are_told(archive: Path, tmp_path: Path) -> None:
    def larger(document: dict[str, Any]) -> None:
        document["config"]["conv.weight"]["tensor_meta"]["sizes"][0]["as_int"] = 2**40

    with pytest.raises(BadModel, match=r"'conv\.weight' claims 1099511627776 x 3 x 3 x 3"):
        opened(rewritten(archive, tmp_path / "net.pt2", larger, "model_weights_config.json"))


@pytest.mark.parametrize("claimed", [4, 2**40])
def test_an_output_that_the_operators_do_not_make_is_told(archive: Path, tmp_path: Path, claimed: int) -> None:
    def wider(document: dict[str, Any]) -> None:
        graph = document["graph_module"]["graph"]
        graph["tensor_values"][graph["outputs"][0]["as_tensor"]["name"]]["sizes"][1]["as_int"] = claimed

    with pytest.raises(OnlyView, match=rf"It claims an output of shape \(1, {claimed}\); its operators make \(1, \d\)"):
        opened(rewritten(archive, tmp_path / "net.pt2", wider))


def test_limits_and_other_archives_are_told(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(tmp_path / "old.pt2", "w") as old:
        old.writestr("serialized_exported_program.json", "{}")
    with pytest.raises(BadModel, match=r"is in torch\.export's format from before torch 2\.8"):
        opened(tmp_path / "old.pt2")
    for text, said in (("[", "is no readable JSON"), ("[1]", "is a JSON list, not an object")):
        with zipfile.ZipFile(tmp_path / "x.pt2", "w") as made:
            made.writestr("x/models/model.json", text)
        with pytest.raises(BadModel, match=said):
            opened(tmp_path / "x.pt2")
    monkeypatch.setattr("cutaway.formats.torch_export._MOST_OPS", 3)
    with pytest.raises(BadModel, match="at most 3 are accepted"):
        opened(archive)
    monkeypatch.setattr("cutaway.formats.torch_export._MOST_JSON", 10)
    with pytest.raises(BadModel, match=r"claims [\d,]+ bytes for .*nothing was read"):
        opened(archive)
    cut = tmp_path / "cut.pt2"
    cut.write_bytes(archive.read_bytes()[:-50])
    with pytest.raises(BadModel, match="a damaged zip archive"):
        opened(cut)


def test_damage_anywhere_is_one_sentence(archive: Path, tmp_path: Path) -> None:
    """150 descriptions with one entry replaced, 150 files with bytes changed: read, or refused as BadModel."""
    with zipfile.ZipFile(archive) as file:
        records = {name: file.read(name) for name in file.namelist()}
    name = next(n for n in records if n.endswith("models/model.json"))
    document, rng = json.loads(records[name]), random.Random(0)
    paths = list(places(document))
    for _ in range(150):
        changed = copy.deepcopy(document)
        *way, last = rng.choice(paths)
        inside = changed
        for step in way:
            inside = inside[step]
        inside[last] = rng.choice((None, -1, 2**70, "x", [], {}, 1.5, True, [[]], {"as_int": -5}))
        with zipfile.ZipFile(tmp_path / "n.pt2", "w") as out:
            for record, data in records.items():
                out.writestr(record, json.dumps(changed) if record == name else data)
        survives(tmp_path / "n.pt2")
    data = archive.read_bytes()
    for _ in range(150):
        bad = bytearray(data)
        for _ in range(3):
            bad[rng.randrange(len(bad))] = rng.randrange(256)
        (tmp_path / "n.pt2").write_bytes(bytes(bad))
        survives(tmp_path / "n.pt2")


def survives(path: Path) -> None:
    try:
        read_model_file(path)
    except BadModel:
        return


def places(value: Any, way: tuple[Any, ...] = ()) -> Any:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in inner:
        yield (*way, key)
        yield from places(child, (*way, key))
