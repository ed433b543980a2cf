"""Graph <-> document: the same network bit for bit, and no document that brings names or calls of its own."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from cutaway.errors import BadModel
from cutaway.graph.build import GraphBuilder
from cutaway.graph.document import from_document, tensors_of, to_document
from cutaway.graph.trace import trace

Document = dict[str, Any]


class Everything(nn.Module):
    """One network with every kind of value a document can hold."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.scale = nn.Parameter(torch.rand(1, 4, 1, 1))
        self.register_buffer("shift", torch.rand(1, 4, 1, 1))
        self.dense = nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = F.relu(self.norm(self.conv(x)))
        x = x * self.scale + self.shift
        x = torch.clamp(x, max=math.inf)
        x = torch.cat([x[..., ::2, :], x[:, :, 1::2]], dim=1)
        x = F.pad(x, (0, 1), value=-math.inf).to(torch.float32).amax(dim=(2, 3))
        return self.dense(x.view(x.shape[0], -1))


@pytest.fixture
def network() -> Any:
    torch.manual_seed(0)
    return trace(Everything())


def saved(graph: Any) -> tuple[Document, dict[str, torch.Tensor]]:
    return json.loads(json.dumps(to_document(graph), allow_nan=False)), tensors_of(graph)


def test_a_round_trip_gives_the_same_bits(network: Any) -> None:
    again = from_document(*saved(network))
    x = torch.randn(2, 3, 8, 8)
    assert torch.equal(again(x), network(x))
    assert to_document(again) == to_document(network)
    assert not again.training
    assert {k: v.shape for k, v in again.state_dict().items()} == {k: v.shape for k, v in network.state_dict().items()}
    assert "scale" in dict(again.named_parameters())
    assert "shift" in dict(again.named_buffers())


def test_reading_copies_no_weights(network: Any) -> None:
    doc, tensors = saved(network)
    assert from_document(doc, tensors).get_submodule("conv").weight.data_ptr() == tensors["conv.weight"].data_ptr()


def test_layers_that_are_used_twice_keep_one_weight() -> None:
    builder = GraphBuilder()
    dense = nn.Linear(3, 3)
    x = builder.layer("b", nn.ReLU(), builder.layer("a", dense, builder.input()))
    graph = builder.finish(builder.layer("c", dense, x))
    again = from_document(*saved(graph))
    x = torch.randn(2, 3)
    assert torch.equal(again(x), graph(x))


def planted(change: Callable[[Document], object]) -> Document:
    """A small good document with one thing changed."""
    builder = GraphBuilder()
    x = builder.layer("conv", nn.Conv2d(3, 4, 3), builder.input())
    x = builder.call("cut", torch.clamp, x, 0.0, max=1.0)
    doc = json.loads(json.dumps(to_document(builder.finish(builder.layer("relu", nn.ReLU(), x)))))
    change(doc)
    return doc


WEIGHTS = {"conv.weight": torch.zeros(4, 3, 3, 3), "conv.bias": torch.zeros(4)}
EVIL = 'a"];import os;os.mkdir("harm");x=["'


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


def rename_layer(doc: Document) -> None:
    doc["layers"][EVIL] = doc["layers"].pop("conv")
    doc["nodes"][1]["target"] = EVIL


REFUSED: list[tuple[str, Callable[[Document], object], str]] = [
    ("node name", lambda d: d["nodes"][1].update(name=EVIL), "names a layer 'a\"\\];import os"),
    ("layer name", rename_layer, "names a layer 'a\"\\];import os"),
    ("layer target", lambda d: d["nodes"][1].update(target=EVIL), "names a layer 'a\"\\];import os"),
    ("input name", lambda d: d["nodes"][0].update(target=EVIL), "names a layer 'a\"\\];import os"),
    ("input keyword", lambda d: d["nodes"][0].update(target="import"), "graph is damaged"),
    ("keyword name", lambda d: d["nodes"][2].update(kwargs={EVIL: 1}), "names a layer 'a\"\\];import os"),
    ("dotted keyword", lambda d: d["nodes"][2].update(kwargs={"a.b": 1}), "graph is damaged"),
    ("constant name", lambda d: d["constants"].update({EVIL: "buffer"}), "names a layer 'a\"\\];import os"),
    ("dunder", lambda d: d["nodes"][1].update(target="__class__"), "uses '__class__', which is not among its layers"),
    (
        "attribute of the graph",
        lambda d: d["nodes"][2].update(op="get_attr", target="__dict__", args=[]),
        "uses '__dict__', which is not among its constants",
    ),
    ("python word", lambda d: d["nodes"][2].update(name="import"), "graph is damaged"),
    ("layer named as a method", lambda d: d["layers"].update(forward=d["layers"]["relu"]), "graph is damaged"),
    (
        "function",
        lambda d: d["nodes"][2].update(target="os.system"),
        "calls 'os.system', which is not on Cutaway's list",
    ),
    ("builtin", lambda d: d["nodes"][2].update(target="eval"), "calls 'eval', which is not on Cutaway's list"),
    (
        "method",
        lambda d: d["nodes"][2].update(op="call_method", target="__reduce__"),
        "calls the tensor method '__reduce__', which is not on Cutaway's list",
    ),
    ("kind", lambda d: d["layers"]["conv"].update(kind="Lambda"), "names a layer of kind 'Lambda', which is not on"),
    ("container", lambda d: d["layers"]["conv"].update(kind="Sequential"), "names a layer of kind 'Sequential'"),
    (
        "setting",
        lambda d: d["layers"]["relu"].update(settings={"dict": {"hook": 1}}),
        "kind ReLU has no setting 'hook'",
    ),
    (
        "setting's value",
        lambda d: d["layers"]["conv"]["settings"]["dict"].update(groups=7),
        "A layer of kind Conv2d cannot be built from",
    ),
    (
        "attribute",
        lambda d: d["nodes"][2].update(target="getattr", args=[{"node": "conv"}, "__class__"], kwargs={}),
        r"reads the attribute \('__class__',\); only sizes can be read",
    ),
    (
        "attribute by node",
        lambda d: d["nodes"][2].update(target="getattr", args=[{"node": "conv"}, {"node": "input_1"}], kwargs={}),
        "reads the attribute .*; only sizes can be read",
    ),
    ("op", lambda d: d["nodes"][2].update(op="exec"), "has a node of kind 'exec', which does not exist"),
    ("tag", lambda d: d["nodes"][2].update(args=[{"code": "1"}]), "a value marked 'code', which does not exist"),
    ("two tags", lambda d: d["nodes"][2].update(args=[{"node": "conv", "x": 1}]), "graph is damaged"),
    ("unknown node", lambda d: d["nodes"][2].update(args=[{"node": "later"}]), "graph is damaged"),
    ("no layer", lambda d: d["layers"].pop("relu"), "uses 'relu', which is not among its layers"),
    ("no output", lambda d: d["nodes"].pop(), "has 0 outputs; it needs one, as its last node"),
    ("two outputs", lambda d: d["nodes"].append(d["nodes"][-1]), "has 2 outputs; it needs one"),
    ("no nodes", lambda d: d.pop("nodes"), "graph is damaged"),
    ("nodes", lambda d: d.update(nodes=7), "graph is damaged"),
    ("depth", lambda d: d["nodes"][2].update(args=[deep(40)]), "values nested more than 20 deep"),
    ("count", lambda d: d.update(nodes=d["nodes"] * 3_000), "has 15000 nodes; at most 10000 are accepted"),
    ("tensor", lambda d: d["constants"].update({"lost": "buffer"}), "has no tensor lost, which its graph reads"),
    (
        "shape",
        lambda d: d["layers"]["conv"]["settings"]["dict"].update(out_channels=5),
        r"weights of conv\.weight are \(4, 3, 3, 3\); the graph asks for \(5, 3, 3, 3\)",
    ),
]


@pytest.mark.parametrize(("change", "said"), [r[1:] for r in REFUSED], ids=[r[0] for r in REFUSED])
def test_a_hostile_document_is_refused(
    change: Callable[[Document], object], said: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadModel, match=said):
        from_document(planted(change), WEIGHTS)
    assert list(tmp_path.iterdir()) == []


def test_the_document_that_was_changed_is_good_itself() -> None:
    graph = from_document(planted(lambda _: None), WEIGHTS)
    assert graph(torch.ones(1, 3, 4, 4)).shape == (1, 4, 2, 2)


@pytest.mark.parametrize(
    "value", [EVIL, {"dict": {EVIL: 1}}, {"tuple": [EVIL]}, {"slice": [EVIL, None, None]}, {"float": "nan"}]
)
def test_texts_among_the_arguments_stay_texts(value: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    graph = from_document(planted(lambda d: d["nodes"][2].update(args=[{"node": "conv"}, value], kwargs={})), WEIGHTS)
    with contextlib.suppress(TypeError, RuntimeError):  # what clamp makes of them is not the matter
        graph(torch.ones(1, 3, 4, 4))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_tensor_is_named() -> None:
    with pytest.raises(BadModel, match=r"The model file has no weights for conv\.bias; its graph asks for \(4,\)\."):
        from_document(planted(lambda _: None), {"conv.weight": WEIGHTS["conv.weight"]})


def test_a_value_that_no_file_can_keep_is_refused_when_writing() -> None:
    builder = GraphBuilder()
    graph = builder.finish(builder.call("odd", torch.clamp, builder.input(), 1j))
    with pytest.raises(BadModel, match="The graph holds a value of type complex, which a model file cannot keep"):
        to_document(graph)


def test_only_these_kinds_of_node_are_written(network: Any) -> None:
    doc = to_document(network)
    assert {row["op"] for row in doc["nodes"]} <= {
        "placeholder",
        "call_module",
        "call_function",
        "call_method",
        "get_attr",
        "output",
    }
