"""TFLite files as a whole: numbers against TensorFlow's interpreter, scaling, names, notes; damaged bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from cutaway.engine.prepare import prepare
from cutaway.errors import BadModel
from cutaway.formats import Parts, read_model_file

GOLDEN = Path(__file__).parent / "golden" / "tflite_networks.npz"
PLAIN = {"float32": 1e-5, "float16": 1e-5, "dynamic": 0.03, "int8": 0.05, "uint8": 0.05}


def golden() -> Iterator[tuple[str, bytes, np.ndarray, np.ndarray]]:
    """(name, model, pictures (N, H, W, C) uint8, what the interpreter answers)."""
    with np.load(GOLDEN) as kept:
        at, models = 0, kept["models"]
        for line in kept["index"]:
            name, pictures, size = str(line).split()
            yield name, models[at : at + int(size)].tobytes(), kept[pictures], kept[name]
            at += int(size)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tflite")
    for name, model, _, _ in golden():
        (folder / f"{name}.tflite").write_bytes(model)
    return folder


def opened(files: Path, name: str) -> Parts:
    parts = read_model_file(files / f"{name}.tflite")
    assert isinstance(parts, Parts)
    return parts


def answer(parts: Parts, pictures: np.ndarray) -> np.ndarray:
    """uint8 pictures at the contract's size -> outputs, scaled as the contract says."""
    rgb = np.repeat(pictures, 4 - pictures.shape[-1], 3) if pictures.shape[-1] == 1 else pictures
    with torch.inference_mode():
        return parts.graph(prepare(rgb, parts.contract)).numpy()


@pytest.mark.parametrize("kind", PLAIN)
def test_the_probabilities_of_the_interpreter(files: Path, kind: str) -> None:
    """Float and 16-bit files within 1e-5; where TFLite rounds to 8 bits the same top class and the stated tolerance."""
    _, _, pictures, expected = next(g for g in golden() if g[0] == f"plain.{kind}")
    parts = opened(files, f"plain.{kind}")
    found = answer(parts, pictures)
    np.testing.assert_allclose(found, expected, atol=PLAIN[kind])
    assert (found.argmax(1) == expected.argmax(1)).all()
    assert parts.probabilities
    assert parts.contract.describe().endswith("scaled to [0, 255]")


def test_one_sigmoid_becomes_two_classes(files: Path) -> None:
    _, _, pictures, expected = next(g for g in golden() if g[0] == "one.float32")
    parts = opened(files, "one.float32")
    np.testing.assert_allclose(answer(parts, pictures), np.hstack([1 - expected, expected]), atol=1e-5)
    assert parts.contract.channels == "gray"
    assert "The one sigmoid output p became two classes" in parts.card["notes"]
    assert "values from 0 to 1 were assumed" in parts.card["notes"]


def test_layers_have_the_names_of_the_network_that_was_converted(files: Path) -> None:
    names = [name for name, _ in opened(files, "plain.float32").graph.named_children()]
    assert names == [
        "rescaling",
        "stem_pad",
        "stem",
        "stem_relu",
        "deep",
        "joined_relu",
        "pool_pad",
        "pool",
        "alone",
        "wide",
        "wide_hard_swish",
        "global_average_pooling2d",
        "gate_reshape",
        "gate",
        "gate_sigmoid",
        "flatten",
        "classes",
        "softmax",
    ]


@pytest.mark.parametrize(
    ("kind", "words", "note"),
    [
        ("float32", "TFLite float32", "was merged into it by the converter"),
        ("float16", "TFLite float16 weights", "Weights are stored in 16 bits"),
        ("dynamic", "TFLite dynamic range (8-bit weights)", "outputs are approximate"),
        ("int8", "TFLite int8", "probabilities up to 0.13 off"),
        ("uint8", "TFLite int8", "integers say that pictures are scaled to 0 to 255"),
    ],
)
def test_the_card_says_what_kind_of_file_it_is(files: Path, kind: str, words: str, note: str) -> None:
    card = opened(files, f"plain.{kind}").card
    assert card["format"] == words
    assert card["producer"] == "TensorFlow Lite converter"
    assert note in card["notes"]


def test_class_names_beside_the_file(files: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes((files / "plain.float32.tflite").read_bytes())
    assert read_model_file(path).classes == tuple(f"class {n}" for n in range(5))
    (tmp_path / "labels.txt").write_text("0 a\n1 b\n2 c\n3 d\n4 e\n", encoding="utf-8")
    assert read_model_file(path).classes == ("a", "b", "c", "d", "e")


@pytest.mark.parametrize(
    ("file", "reference", "tolerance", "scaled", "producer"),
    [
        ("image-tflite/model_unquant.tflite", "reference.json", 1e-5, "[-1, 1]", "TensorFlow Lite converter"),
        ("fruit-tflite/model_unquant.tflite", "reference.json", 1e-5, "[-1, 1]", "TensorFlow Lite converter (TOCO)"),
        ("fruit-tflite/model.tflite", "reference_quantized.json", 0.14, "[0, 1]", "TensorFlow Lite converter (TOCO)"),
    ],
)
def test_teachable_machine(
    shared_data: Path, file: str, reference: str, tolerance: float, scaled: str, producer: str
) -> None:
    """tf.lite 2.21's outputs on seven photos: float within 1e-5; 8-bit the same top class, at most 0.14 off (0.131)."""
    folder = shared_data / "teachable-machine"
    parts = read_model_file(folder / file)
    assert isinstance(parts, Parts)
    told = json.loads((folder / file).with_name(reference).read_text(encoding="utf-8"))
    pictures = np.stack([np.asarray(Image.open(folder / "images" / name)) for name in told["images"]])
    expected = np.array([entry["probabilities"] for entry in told["images"].values()])
    found = answer(parts, pictures)
    np.testing.assert_allclose(found, expected, atol=tolerance)
    assert (found.argmax(1) == expected.argmax(1)).all()
    assert list(parts.classes) == told["labels"]
    assert parts.card["producer"] == f"Teachable Machine ({producer})"
    assert parts.contract.describe() == f"224 x 224 px RGB, crop, lanczos, scaled to {scaled}"


def test_layers_of_an_older_converter_keep_their_names(shared_data: Path) -> None:
    parts = read_model_file(shared_data / "teachable-machine" / "fruit-tflite" / "model_unquant.tflite")
    assert isinstance(parts, Parts)
    names = [name for name, _ in parts.graph.named_children()]
    assert names[:5] == ["Conv1_pad", "Conv1", "Conv1_relu", "expanded_conv_depthwise", "expanded_conv_depthwise_relu"]
    assert {"block_13_expand", "block_16_project", "out_relu", "dense_Dense1", "dense_Dense2"} <= set(names)


def test_two_thousand_damaged_files_end_in_one_sentence(tmp_path: Path) -> None:
    """Flipped bytes, changed offsets and counts, moved pieces, cut ends: opened or one sentence, no other error."""
    rng, path = np.random.default_rng(5), tmp_path / "m.tflite"
    models = {name: model for name, model, _, _ in golden()}
    opened_anyway = 0
    for n in range(2000):
        data = bytearray(models["plain.int8" if n % 20 == 0 else "one.float32"])
        _damage(data, rng)
        path.write_bytes(bytes(data))
        sentence = _sentence(path)
        opened_anyway += not sentence
        assert len(sentence) < 1000
        assert "\n" not in sentence
    assert 100 < opened_anyway < 1500  # weights changed only, or names


def _sentence(path: Path) -> str:
    try:
        read_model_file(path)
    except BadModel as error:
        return str(error)
    return ""


def _damage(data: bytearray, rng: np.random.Generator) -> None:
    way, size = rng.integers(4), len(data)
    if way == 0:
        for at in rng.integers(min(size, 8192), size=3):
            data[at] = rng.integers(256)
    elif way == 1:
        at = int(rng.integers(size // 4)) * 4
        extremes = [0, 1, 2, 255, 2**16, 2**31 - 1, 2**31, 2**32 - 1, 2**32 - 4, size, int(rng.integers(size))]
        data[at : at + 4] = int(rng.choice(extremes)).to_bytes(4, "little")
    elif way == 2:
        del data[rng.integers(8, size) :]
    else:
        source, target = rng.integers(size - 64, size=2)
        data[target : target + 64] = data[source : source + 64]
    data[4:8] = b"TFL3"
