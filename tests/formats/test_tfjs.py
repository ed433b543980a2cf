"""TensorFlow.js layers models: real Teachable Machine exports, quantised weights, shards, and weights that are lost."""

from __future__ import annotations

import contextlib
import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from cutaway.engine.prepare import prepare
from cutaway.errors import BadModel
from cutaway.formats import read_model_file, tfjs, tfjs_weights
from cutaway.formats.parts import OnlyView
from cutaway.formats.tfjs import matches

R = np.random.default_rng(1)
REAL = {"waste12-tfjs": "model.json", "broken-tfjs": ""}
CLASSES = {"waste12-tfjs": ("Battery", "biological", "brown-glass"), "broken-tfjs": ("mine", "alone")}


@pytest.mark.parametrize("name", REAL)
def test_real_exports_give_the_browsers_numbers(name: str, shared_data: Path) -> None:
    """reference.json is tfjs 4.22's; broken-tfjs has weights.bin one folder above model.json: opened as a folder."""
    folder = shared_data / "teachable-machine" / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not there")
    parts = read_model_file(folder / REAL[name])
    reference = json.loads((folder / "reference.json").read_text())
    pixels = [np.array(Pillow.open(folder.parent / "images" / n).convert("RGB")) for n in reference["images"]]
    with torch.inference_mode():
        made = parts.graph(prepare(np.stack(pixels), parts.contract)).numpy()
    wanted = [row["probabilities_div_127_5"] for row in reference["images"].values()]
    np.testing.assert_allclose(made, wanted, atol=1e-5, rtol=0)
    assert parts.classes == tuple(reference["labels"])
    assert parts.classes[: len(CLASSES[name])] == CLASSES[name]
    assert (parts.contract.fit, parts.contract.scale, parts.contract.offset) == ("crop", 2.0, -1.0)
    assert parts.card["format"] == "TensorFlow.js layers model"
    assert parts.card["producer"].startswith("Teachable Machine (TensorFlow.js 1.")


def test_the_real_export_with_lost_weights_asks_for_them(shared_data: Path) -> None:
    file = shared_data / "teachable-machine" / "broken-tfjs" / "my_model" / "model.json"
    if not file.is_file():
        pytest.skip("broken-tfjs is not there")
    with pytest.raises(
        BadModel, match=r"keeps its weights in weights\.bin, which is not in .*my_model\. .*There is one"
    ):
        read_model_file(file)


class Export:
    """Writes a one-layer network (a 1 x 1 convolution, then a dense layer on the mean) as TensorFlow.js does."""

    def __init__(self, folder: Path, spell: Any) -> None:
        self.folder = folder
        layers = [
            spell.layer("Conv2D", "c", filters=4, kernel_size=[1, 1], use_bias=False),
            spell.layer("GlobalAveragePooling2D", "g"),
            spell.layer("Dense", "d", units=2, activation="softmax"),
        ]
        self.topology: Any = spell.sequential(layers, (4, 4, 3))
        self.arrays = {
            "c/kernel": R.normal(0, 1, (1, 1, 3, 4)),
            "d/kernel": R.normal(0, 1, (4, 2)),
            "d/bias": R.normal(0, 1, 2),
        }

    def wanted(self, x: np.ndarray, arrays: dict[str, np.ndarray] | None = None) -> np.ndarray:
        a = arrays or self.arrays
        z = (x @ a["c/kernel"][0, 0]).mean((1, 2)) @ a["d/kernel"] + a["d/bias"]
        e = np.exp(z - z.max(1, keepdims=True))
        return e / e.sum(1, keepdims=True)

    def write(self, rows: Sequence[dict[str, Any]], whole: bytes, shards: int = 1, **more: Any) -> Path:
        step = -(-len(whole) // shards)
        names = [f"group1-shard{n + 1}of{shards}.bin" for n in range(shards)]
        for n, name in enumerate(names):
            (self.folder / name).write_bytes(whole[n * step : (n + 1) * step])
        document = {
            "format": "layers-model",
            "generatedBy": "keras v2.15.0",
            "modelTopology": {"keras_version": "2.15.0", "backend": "tensorflow", "model_config": self.topology},
            "weightsManifest": [{"paths": names, "weights": list(rows)}],
            **more,
        }
        path = self.folder / "model.json"
        path.write_text(json.dumps(document))
        return path

    def plain(self, shards: int = 1, **more: Any) -> Path:
        rows = [{"name": n, "shape": list(a.shape), "dtype": "float32"} for n, a in self.arrays.items()]
        return self.write(rows, b"".join(a.astype("<f4").tobytes() for a in self.arrays.values()), shards, **more)


@pytest.fixture
def export(tmp_path: Path, spell: Any) -> Export:
    return Export(tmp_path, spell)


def test_shards_are_read_one_after_the_other(export: Export, kit: Any) -> None:
    """Arrays may begin in one file and end in the next."""
    x = R.normal(0, 1, (2, 4, 4, 3))
    for shards in (1, 3, 7):
        parts = read_model_file(export.plain(shards))
        np.testing.assert_allclose(kit.run(parts, x), export.wanted(x), atol=1e-5)
    assert parts.card["producer"] == "keras v2.15.0"


@pytest.mark.parametrize(("kept", "levels"), [("uint8", 255), ("uint16", 65535), ("float16", 0)])
def test_quantised_weights_are_spread_out_again(export: Export, kit: Any, kept: str, levels: int) -> None:
    """value = stored * scale + min, as tfjs-core's io_utils decodes them."""
    rows, whole, back = [], b"", {}
    for name, array in export.arrays.items():
        row: dict[str, Any] = {"name": name, "shape": list(array.shape), "dtype": "float32"}
        quantised: dict[str, Any] = {"dtype": kept, "original_dtype": "float32"}
        if levels:
            low, scale = float(array.min()), float(np.ptp(array)) / levels
            stored = np.round((array - low) / scale).astype(f"<u{1 if levels == 255 else 2}")
            quantised |= {"scale": scale, "min": low}
            back[name] = stored * scale + low
        else:
            stored = array.astype("<f2")
            back[name] = stored.astype(float)
        rows.append({**row, "quantization": quantised})
        whole += stored.tobytes()
    x = R.normal(0, 1, (2, 4, 4, 3))
    parts = read_model_file(export.write(rows, whole))
    np.testing.assert_allclose(kit.run(parts, x), export.wanted(x, back), atol=1e-5)


def test_metadata_names_the_classes_and_is_checked(export: Export) -> None:
    path = export.plain()
    about = export.folder / "metadata.json"
    assert read_model_file(path).classes == ("class 0", "class 1")
    about.write_text(json.dumps({"labels": ["Cat", "Dog"], "imageSize": 4, "grayscale": False}))
    parts = read_model_file(path)
    assert parts.classes == ("Cat", "Dog")
    assert "metadata" not in parts.card["notes"]
    about.write_text(json.dumps({"labels": ["Cat"], "imageSize": 96, "grayscale": True}))
    parts = read_model_file(path)
    assert parts.classes == ("class 0", "class 1")
    assert "metadata.json names 1 classes; the network has 2, so they were not used." in parts.card["notes"]
    assert "metadata.json says pictures of 96 px; the network takes 4." in parts.card["notes"]
    assert "metadata.json says gray pictures; the network takes colours." in parts.card["notes"]
    for text in ("{", "[]", '{"labels": [1, 2]}', '{"labels": "x"}', "[" * 100_000):
        about.write_text(text)
        assert read_model_file(path).classes == ("class 0", "class 1")


def test_weights_in_another_folder_are_asked_for(export: Export, kit: Any) -> None:
    path = export.plain()
    inner = export.folder / "my_model"
    inner.mkdir()
    shutil.move(path, inner / "model.json")
    lost = (
        r"keeps its weights in group1-shard1of1\.bin, which is not in .*my_model\. Put it beside model\.json, or open"
    )
    with pytest.raises(BadModel, match=lost):
        read_model_file(inner / "model.json")
    x = R.normal(0, 1, (1, 4, 4, 3))
    np.testing.assert_allclose(kit.run(read_model_file(export.folder), x), export.wanted(x), atol=1e-5)
    shutil.move(export.folder / "group1-shard1of1.bin", inner)
    for where in (inner, inner / "model.json", inner / "group1-shard1of1.bin"):
        np.testing.assert_allclose(kit.run(read_model_file(where), x), export.wanted(x), atol=1e-5)


def test_paths_that_leave_the_folder_are_refused(export: Export) -> None:
    path = export.plain()
    document = json.loads(path.read_text())
    for name in ("../x.bin", "/etc/passwd", "a/../../b", "C:\\x", "http://host/x.bin", "..\\x", "a\0b"):
        document["weightsManifest"][0]["paths"] = [name]
        path.write_text(json.dumps(document))
        with pytest.raises(BadModel, match="names weights outside its own folder"):
            read_model_file(path)


def damaged(export: Export, change: Any) -> Path:
    path = export.plain()
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))
    return path


WRONG: list[tuple[Any, str]] = [
    (lambda d: d.pop("weightsManifest"), "lists no weights"),
    (lambda d: d["weightsManifest"][0].pop("weights"), "list of weights is damaged"),
    (lambda d: d["weightsManifest"][0]["weights"][0].update(dtype="string"), "list of weights is damaged"),
    (lambda d: d["weightsManifest"][0]["weights"][0].update(name=3), "an array has no name"),
    (
        lambda d: d["weightsManifest"][0]["weights"][0].update(shape=[-1]),
        "an array has no name, or a shape that is none",
    ),
    (
        lambda d: d["weightsManifest"][0]["weights"][0].update(
            quantization={"dtype": "uint8", "scale": float("inf"), "min": 0}
        ),
        "a scale is not finite",
    ),
    (
        lambda d: d["weightsManifest"][0]["weights"][0].update(shape=[10**9, 10**9]),
        r"holds 88 bytes where .* lists 4,0",
    ),
    (lambda d: d["weightsManifest"][0]["weights"].pop(), r"holds 88 bytes where model\.json lists 80"),
    (lambda d: d["weightsManifest"][0].update(paths=[]), r"No file beside model\.json holds 0 bytes"),
    (lambda d: d["weightsManifest"].clear(), r"Layer c \(Conv2D\): .* no such weights"),
    (lambda d: d.update(modelTopology={"model_config": 3}), "it names no kind of model"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_damaged_export_gets_a_sentence(export: Export, change: Any, message: str) -> None:
    with pytest.raises(BadModel, match=message):
        read_model_file(damaged(export, change))


def test_a_layer_that_is_not_on_the_list_leaves_a_view(export: Export, spell: Any) -> None:
    export.topology["config"]["layers"].insert(2, spell.layer("Lambda", "own"))
    with pytest.raises(OnlyView, match=r"Layer own \(Lambda\): a Lambda layer is Python code") as caught:
        read_model_file(export.plain())
    rows = [(r.name, r.kind, r.shape, r.parameters) for r in caught.value.view.rows]
    assert rows[1:] == [
        ("c", "Conv2D", (4, 4, 4), 12),
        ("own", "Lambda", None, 0),
        ("g", "GlobalAveragePooling2D", None, 0),
        ("d", "Dense", None, 10),
    ]


def test_what_is_claimed(export: Export, tmp_path: Path) -> None:
    path = export.plain()
    head = path.read_bytes()[:512]
    assert matches(head, path)
    assert matches(b"\0\0\0\0", export.folder / "group1-shard1of1.bin")
    assert not matches(b"\0\0\0\0", export.folder / "other.bin")
    assert not matches(b'{"a": 1}', path)
    graph = tmp_path / "graph.json"
    graph.write_text(json.dumps({"format": "graph-model", "modelTopology": {"node": []}, "weightsManifest": []}))
    assert not matches(graph.read_bytes()[:512], graph)
    torn = tmp_path / "torn.json"
    torn.write_text('{"modelTopology": {')
    with pytest.raises(BadModel, match=r"torn\.json: the description of the network is no readable JSON"):
        read_model_file(torn)
    torn.write_text('{"modelTopology": {}}')
    with pytest.raises(BadModel, match="it names no kind of model"):
        read_model_file(torn)
    torn.write_text('{"weightsManifest": [], "x": "modelTopology"}')
    with pytest.raises(BadModel, match=r"torn\.json"):
        read_model_file(torn)


def test_two_exports_in_one_folder_must_be_told_apart(export: Export, tmp_path: Path) -> None:
    path = export.plain()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        shutil.copy(path, tmp_path / name / "model.json")
    assert read_model_file(tmp_path).classes  # its own model.json comes first
    path.unlink()
    with pytest.raises(BadModel, match="is a folder, not a model file"):
        read_model_file(tmp_path)
    with pytest.raises(BadModel, match=r"holds no single TensorFlow\.js model\.json; name the file itself"):
        tfjs.read(tmp_path)


def test_limits(export: Export, monkeypatch: pytest.MonkeyPatch) -> None:
    path = export.plain()
    monkeypatch.setattr(tfjs_weights, "_MOST_ARRAYS", 2)
    with pytest.raises(BadModel, match=r"model\.json lists 3 arrays; at most 2 are accepted"):
        read_model_file(path)
    monkeypatch.setattr(tfjs, "_MOST_TEXT", 100)
    with pytest.raises(BadModel, match=r"model\.json has more than 100 bytes; nothing was read"):
        tfjs.read(path)
    monkeypatch.undo()
    path.write_text("[]")
    with pytest.raises(BadModel, match=r"model\.json holds no network \(no modelTopology\)"):
        tfjs.read(path)


def test_changed_bytes_open_or_say_why(export: Export) -> None:
    path = export.plain()
    whole = path.read_bytes()
    for seed in range(200):
        chance = random.Random(seed)
        data = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(1, len(data))
            data[at] = chance.choice([0, 255, 34, 57, 45, 91, 93, data[at] ^ (1 << chance.randrange(8))])
        path.write_bytes(data)
        with contextlib.suppress(BadModel):
            read_model_file(path)
