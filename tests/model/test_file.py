"""model.safetensors: bit for bit there and back, and whatever else the file says ends in one sentence."""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from torch import fx, nn

from cutaway.errors import BadInput, BadModel
from cutaway.graph.document import tensors_of
from cutaway.image import InputContract
from cutaway.model import Model, open_model, save_model
from cutaway.model.file import is_ours
from cutaway.zoo import build

Make = Callable[..., Model]


def same(a: Model, b: Model, size: int) -> None:
    x = torch.randn(2, a.contract.in_channels, size, size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        assert torch.equal(a.graph(x), b.graph(x))
    first, second = tensors_of(a.graph), tensors_of(b.graph)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert tensor.dtype == second[name].dtype
        assert torch.equal(tensor, second[name])
    for field in ("contract", "classes", "probabilities", "card", "temperature"):
        assert getattr(a, field) == getattr(b, field)
    assert not b.graph.training
    names = [[(n.op, n.name, str(n.target)) for n in m.graph.graph.nodes] for m in (a, b)]
    assert names[0] == names[1]


def test_a_model_comes_back_bit_for_bit(make_model: Make, tmp_path: Path) -> None:
    contract = InputContract((16, 16), "pad", 0.875, "lanczos", "BGR", 2.0, -1.0, (0.1, 0.2, 0.3), (0.5, 0.6, 0.7))
    card = {"network": "small", "licence": "Apache-2.0", "trained on": os.fsdecode(b"caf\xe9")}
    model = make_model(contract=contract, probabilities=True, card=card, temperature=1.7)
    assert save_model(model, tmp_path / "m.safetensors") == tmp_path / "m.safetensors"
    same(model, open_model(tmp_path / "m.safetensors"), 16)
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


@pytest.mark.parametrize(
    "name", ["squeezenet1_1", "mobilenetv3_small_050", "test_convnext", "test_efficientnet", "lenet5"]
)
def test_networks_come_back_bit_for_bit(name: str, tmp_path: Path) -> None:
    size = 32 if name == "lenet5" else 64
    named = build(name, classes=("a", "b"), size=size)
    model = Model(named.graph, named.contract, named.classes, False, named.card)
    save_model(model, tmp_path / "m.safetensors")
    same(model, open_model(str(tmp_path / "m.safetensors")), size)


def test_shared_weights_are_stored_once_and_shared_again(make_model: Make, tied: nn.Module, tmp_path: Path) -> None:
    model = make_model(tied)
    save_model(model, tmp_path / "m.safetensors")
    assert set(load_file(tmp_path / "m.safetensors")) == {"first.weight", "first.bias", "second.bias"}
    back = open_model(tmp_path / "m.safetensors")
    same(model, back, 16)
    assert back.graph.first.weight.data_ptr() == back.graph.second.weight.data_ptr()


def test_other_views_of_one_memory_keep_their_own_values(make_model: Make, tmp_path: Path) -> None:
    """Transposed, cut and repeated views: safetensors refuses them, and one name must not stand for another."""
    pooled = nn.Sequential(nn.AdaptiveAvgPool2d((1, 4)), nn.Conv2d(3, 1, 1), nn.Flatten())
    network = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 2), nn.Linear(2, 4), pooled, nn.Linear(4, 3))
    memory = torch.arange(16.0).view(4, 4)
    network[0].weight, network[1].weight = nn.Parameter(memory), nn.Parameter(memory.T)
    network[2].weight, network[0].bias = nn.Parameter(memory[:2]), nn.Parameter(memory[1])
    network[1].bias = nn.Parameter(torch.zeros(1).expand(4))
    model = make_model(network, contract=InputContract((4, 4)))
    save_model(model, tmp_path / "m.safetensors")
    back = tensors_of(open_model(tmp_path / "m.safetensors").graph)
    assert all(torch.equal(tensor, back[name]) for name, tensor in tensors_of(model.graph).items())


def test_any_safetensors_tool_reads_the_weights(make_model: Make, tmp_path: Path) -> None:
    model = make_model()
    save_model(model, tmp_path / "m.safetensors")
    read = load_file(tmp_path / "m.safetensors")
    assert all(torch.equal(read[name], tensor) for name, tensor in tensors_of(model.graph).items())


def test_a_full_disk_leaves_the_older_model(make_model: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = save_model(make_model(), tmp_path / "m.safetensors")
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        BadInput, match=r"m\.safetensors could not be written \(no space left\); free some space, or choose"
    ):
        save_model(make_model(classes=("x", "y", "z")), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["m.safetensors"]


def test_a_folder_that_is_not_there_is_told(make_model: Make, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="could not be written"):
        save_model(make_model(), tmp_path / "gone" / "m.safetensors")


# -- files that are not what they should be --------------------------------------------------------------------------


def header_of(path: Path) -> tuple[dict[str, Any], bytes]:
    data = path.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def with_document(path: Path, change: Callable[[dict[str, Any]], Any]) -> Path:
    """The same file with another `cutaway` document in its header."""
    header, body = header_of(path)
    document = json.loads(header["__metadata__"]["cutaway"])
    changed = change(document)
    header["__metadata__"]["cutaway"] = json.dumps(document if changed is None else changed)
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)
    return path


@pytest.fixture
def saved(make_model: Make, tmp_path: Path) -> Path:
    return save_model(make_model(), tmp_path / "m.safetensors")


def put(where: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        *path, last = where.split(".")
        for step in path:
            document = document[step]
        document[last] = value

    return change


IMPOSSIBLE = [
    ("contract", [], "its contract"),
    *(("contract.size", bad, "for size") for bad in ([0, 16], [16], "16", [16, 1e9], [16.5, 2], None, [10**9, 2])),
    ("contract.fit", "stretch", "for fit"),
    ("contract.fit", {}, "for fit"),
    ("contract.interpolation", "magic", "for interpolation"),
    ("contract.channels", "CMYK", "for channels"),
    ("contract.mean", [0, 0], "for mean"),
    ("contract.mean", ["a", "b", "c"], "for mean"),
    ("contract.std", [1, 0, 1], "for std"),
    ("contract.std", [1, 1, None], "for std"),
    ("contract.scale", "1", "for scale"),
    ("contract.offset", float("nan"), "for offset"),
    ("contract.crop_fraction", 0, "for crop_fraction"),
    ("contract.crop_fraction", 1.5, "for crop_fraction"),
    ("classes", [1, 2, 3], "for a class name or card entry"),
    ("card", {"network": ["x"]}, "for a class name or card entry"),
    *(("temperature", bad, "for temperature") for bad in (0, -1, "hot", float("inf"), True)),
]


@pytest.mark.parametrize(("where", "value", "said"), IMPOSSIBLE, ids=[f"{w}={str(v)[:20]}" for w, v, _ in IMPOSSIBLE])
def test_values_that_cannot_be_are_named(saved: Path, where: str, value: Any, said: str) -> None:
    with pytest.raises(
        BadModel, match=rf"m\.safetensors cannot be opened\. Its header says .* {said}, which cannot be"
    ):
        open_model(with_document(saved, put(where, value)))


def test_names_that_the_network_has_no_outputs_for_are_told(saved: Path) -> None:
    with pytest.raises(
        BadModel, match=r"cannot be opened\. Its header names 1 class\(es\), its network gives \d numbers a picture\."
    ):
        open_model(with_document(saved, put("classes", ["one"])))


@pytest.mark.parametrize("missing", ["graph", "shared", "contract", "classes", "probabilities", "card", "temperature"])
def test_a_header_that_lacks_something_is_told(saved: Path, missing: str) -> None:
    with pytest.raises(BadModel, match=rf"damaged: its header lacks or garbles something \(KeyError: '{missing}'\)"):
        open_model(with_document(saved, lambda d: {k: v for k, v in d.items() if k != missing}))


@pytest.mark.parametrize(("where", "value"), [("shared", ["a"]), ("classes", 7), ("card", "x"), ("shared", {"a": "b"})])
def test_a_garbled_header_is_told(saved: Path, where: str, value: Any) -> None:
    with pytest.raises(BadModel, match="damaged: its header lacks or garbles something"):
        open_model(with_document(saved, put(where, value)))


@pytest.mark.parametrize(
    ("document", "found"), [({"format": "cutaway-model-9"}, "'cutaway-model-9'"), ([], "'list'"), ({}, "None")]
)
def test_another_format_is_told(saved: Path, document: Any, found: str) -> None:
    with pytest.raises(BadModel, match=f"is in the format {found}; this Cutaway reads 'cutaway-model-1'"):
        open_model(with_document(saved, lambda _: document))


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "9" * 5000, ""])
def test_a_header_that_is_no_json_is_told(saved: Path, text: str) -> None:
    header, body = header_of(saved)
    header["__metadata__"]["cutaway"] = text
    raw = json.dumps(header).encode()
    saved.write_bytes(struct.pack("<Q", len(raw)) + raw + body)
    with pytest.raises(BadModel, match="is not a readable model file"):
        open_model(saved)


def test_a_huge_header_is_refused(saved: Path) -> None:
    with pytest.raises(BadModel):
        open_model(with_document(saved, lambda d: {**d, "graph": {**d["graph"], "nodes": [{}] * 100_001}}))
    saved.write_bytes(struct.pack("<Q", 2**62) + b"{")
    with pytest.raises(BadModel):
        open_model(saved)


def test_bare_weights_are_told(tmp_path: Path) -> None:
    save_file({"w": torch.zeros(3)}, tmp_path / "bare.safetensors")
    assert not is_ours(tmp_path / "bare.safetensors")
    from cutaway.model.file import read_own

    with pytest.raises(
        BadModel, match=r"bare\.safetensors holds weights but no network; it was not written by Cutaway"
    ):
        read_own(tmp_path / "bare.safetensors")
    with pytest.raises(BadModel, match="There is no model file"):
        read_own(tmp_path / "gone.safetensors")


def test_nothing_in_a_file_is_run(saved: Path, tmp_path: Path) -> None:
    """A node that names Python's own functions, and a layer name with code in it."""
    canary = tmp_path / "canary"

    def call(document: dict[str, Any]) -> None:
        for node in document["graph"]["nodes"]:
            if node["op"] == "call_function":
                node["target"], node["args"] = "os.mkdir", [str(canary)]

    def name(document: dict[str, Any]) -> None:
        document["graph"]["nodes"][1]["name"] = f"x\n    __import__('os').mkdir({str(canary)!r})\n    y"

    for change in (call, name):
        with pytest.raises(BadModel):
            open_model(with_document(saved, change))
    assert not canary.exists()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_file_cut_short_or_with_a_wrong_byte_is_a_model_or_a_sentence(saved: Path, data: st.DataObject) -> None:
    whole = saved.read_bytes()
    try:
        if data.draw(st.booleans()):
            saved.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
        else:
            at = data.draw(st.integers(0, min(len(whole) - 1, 9000)))
            saved.write_bytes(whole[:at] + bytes([data.draw(st.integers(0, 255))]) + whole[at + 1 :])
        open_or_bad(saved)
    finally:
        saved.write_bytes(whole)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(
        ["node", "x", "relu", "getattr", "__class__", "call_function", "Linear", "output", "lambda", "self"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["node", "slice", "tuple", "dict", "float", "dtype", "kind", "x"]), inner, max_size=2
        )
    ),
    max_leaves=5,
)


@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_header_with_any_other_value_in_it_is_a_model_or_a_sentence(saved: Path, data: st.DataObject) -> None:
    whole = saved.read_bytes()

    def change(document: dict[str, Any]) -> None:
        for _ in range(data.draw(st.integers(1, 3))):
            places = list(_places(document))
            holder, key = places[data.draw(st.integers(0, len(places) - 1))]
            if data.draw(st.integers(0, 5)) == 0:
                del holder[key]
            else:
                holder[key] = data.draw(JSON)

    try:
        open_or_bad(with_document(saved, change))
    finally:
        saved.write_bytes(whole)


def _places(value: Any) -> Any:
    """Every place of a JSON document that can be changed: (list or dict, index or key)."""
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in list(keys):
        yield value, key
        yield from _places(value[key])


def open_or_bad(path: Path) -> None:
    try:
        model = open_model(path)
    except BadModel:
        return
    assert isinstance(model.graph, fx.GraphModule)
