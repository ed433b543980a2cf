""".keras files: those that Keras 3 and tf_keras wrote against their own outputs, and what a zip can do wrong."""

from __future__ import annotations

import io
import json
import random
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cutaway.errors import BadModel
from cutaway.formats import read_model_file
from cutaway.formats.keras_zip import matches, snake_case
from cutaway.formats.parts import OnlyView
from cutaway.graph.names import steps_of

GOLDEN = Path(__file__).with_name("golden")
NAMES = [f"{name}-keras-{version}.keras" for name in ("plain", "functional", "nested", "shared") for version in (2, 3)]
NAMES += ["subtracting-means-keras-3.keras"]
NAMES += [f"{name}-keras-{version}.h5" for name in ("shared", "subtracting-means") for version in (2, 3)]
R = np.random.default_rng(1)
CONFIG, ABOUT, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"


def numbers(*shape: int) -> np.ndarray:
    return R.normal(0, 1, shape).astype(np.float32)


@pytest.mark.parametrize("name", NAMES)
def test_the_output_is_that_of_the_program_that_wrote_the_file(kit: Any, name: str) -> None:
    """scripts/golden_keras.py wrote them with Keras 3.15.1 and tf_keras 2.21; probabilities spread by 0.4 and more."""
    golden = np.load(GOLDEN / "keras.npz")
    stem, _, ending = name.partition(".")
    parts = read_model_file(GOLDEN / name)
    np.testing.assert_allclose(kit.run(parts, golden[f"{stem}/x"]), golden[f"{stem}/y"], atol=1e-6, rtol=0)
    assert parts.card["format"] == f"Keras {stem[-1]} {'h5' if ending == 'h5' else '.keras'}"
    assert parts.card["producer"].startswith("Keras 2.21.0" if stem.endswith("2") else "Keras 3.15.1")
    assert parts.probabilities


def test_shared_layers_stay_one_layer() -> None:
    for name in ("shared-keras-2.keras", "shared-keras-3.h5"):
        graph = read_model_file(GOLDEN / name).graph
        uses = [str(node.target) for node in graph.graph.nodes if node.op == "call_module"]
        assert uses.count("twice") == 2
        assert sorted(n for n in set(uses) if uses.count(n) > 1 and n.startswith("conv2d")) == ["conv2d", "conv2d_1"]
        assert {"twice", "twice_again", "conv2d", "conv2d_again", "conv2d_1"} <= set(steps_of(graph))


def test_a_model_class_written_in_python_lists_its_arrays() -> None:
    with pytest.raises(OnlyView, match="The network is a Own, a class written in Python") as caught:
        read_model_file(GOLDEN / "subclass-keras-3.keras")
    view = caught.value.view
    assert (view.answer, view.format) == ("weights", "Keras 3 .keras")
    assert [(r.name, r.shape, r.parameters) for r in view.rows] == [
        ("last/vars/0", (3, 2), 6),
        ("last/vars/1", (2,), 2),
    ]


def h5(arrays: Mapping[str, np.ndarray], brain: bool = False) -> bytes:
    """{"layers/dense/vars/0": array} -> the bytes of an HDF5 file."""
    whole = io.BytesIO()
    with h5py.File(whole, "w") as file:
        for path, array in arrays.items():
            file[path] = array.view("V2") if brain else array
            if brain:
                file[path].attrs["dtype"] = "bfloat16"
    return whole.getvalue()


def members(model: Any, weights: bytes, version: str = "3.8.0") -> dict[str, bytes]:
    about = {"keras_version": version, "date_saved": "2025-01-01@00:00:00"}
    return {ABOUT: json.dumps(about).encode(), CONFIG: json.dumps(model).encode(), WEIGHTS: weights}


def zipped(path: Path, held: Mapping[str, bytes], packed: bool = False) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED) as archive:
        for name, content in held.items():
            archive.writestr(name, content)
    return path


def two_convolutions(spell: Any) -> tuple[Any, dict[str, np.ndarray]]:
    layers = [spell.layer("Conv2D", n, filters=3, kernel_size=1, use_bias=False) for n in ("a", "b")]
    arrays = {f"layers/{n}/vars/0": numbers(1, 1, 3, 3) for n in ("conv2d", "conv2d_1")}
    return spell.sequential(layers, (4, 4, 3)), arrays


def test_arrays_are_found_by_class_and_number(kit: Any, spell: Any, tmp_path: Path) -> None:
    model, arrays = two_convolutions(spell)
    a, b = arrays.values()
    x = numbers(1, 4, 4, 3)
    for version, top in (("3.0.0", "layers"), ("2.13.1", "_layer_checkpoint_dependencies")):
        held = h5({path.replace("layers", top): array for path, array in arrays.items()})
        parts = read_model_file(zipped(tmp_path / "m.keras", members(model, held, version)))
        np.testing.assert_allclose(kit.run(parts, x), x @ a[0, 0] @ b[0, 0], atol=1e-5)
        assert parts.card["producer"] == f"Keras {version}"


def test_class_names_as_keras_spells_them() -> None:
    """keras/src/utils/naming.py, to_snake_case."""
    names = "Conv2D DepthwiseConv2D BatchNormalization PReLU GlobalAveragePooling2D Conv2DTranspose"
    spelled = "conv2d depthwise_conv2d batch_normalization p_re_lu global_average_pooling2d conv2d_transpose"
    assert [snake_case(n) for n in names.split()] == spelled.split()


def test_bfloat16_weights(kit: Any, spell: Any, tmp_path: Path) -> None:
    model, arrays = two_convolutions(spell)
    upper = {path: (array.view(np.uint32) >> 16).astype(np.uint16) for path, array in arrays.items()}
    a, b = ((u.astype(np.uint32) << 16).view(np.float32) for u in upper.values())
    x = numbers(1, 4, 4, 3)
    parts = read_model_file(zipped(tmp_path / "m.keras", members(model, h5(upper, brain=True))))
    np.testing.assert_allclose(kit.run(parts, x), x @ a[0, 0] @ b[0, 0], atol=1e-5)


def test_a_missing_or_misshapen_array_names_its_layer(spell: Any, tmp_path: Path) -> None:
    model, arrays = two_convolutions(spell)
    first = {"layers/conv2d/vars/0": arrays["layers/conv2d/vars/0"]}
    with pytest.raises(OnlyView, match=r"Layer b \(Conv2D\): .* the file has no such weights") as caught:
        read_model_file(zipped(tmp_path / "m.keras", members(model, h5(first))))
    rows = [(r.name, r.kind, r.shape, r.parameters, bool(r.note)) for r in caught.value.view.rows]
    assert rows[1:] == [("a", "Conv2D", (4, 4, 3), 9, False), ("b", "Conv2D", None, 0, True)]
    wrong = {**arrays, "layers/conv2d_1/vars/0": numbers(1, 1, 3, 4)}
    with pytest.raises(BadModel, match=r"kernel of shape \(1, 1, 3, 3\); the file has \(1, 1, 3, 4\)"):
        read_model_file(zipped(tmp_path / "m.keras", members(model, h5(wrong))))


def sound(spell: Any) -> dict[str, bytes]:
    model, arrays = two_convolutions(spell)
    return members(model, h5(arrays))


def test_archives_that_are_not_as_keras_writes_them(spell: Any, tmp_path: Path) -> None:
    held, path = sound(spell), tmp_path / "m.keras"
    without = {name: content for name, content in held.items() if name != WEIGHTS}
    with pytest.raises(BadModel, match=r"m\.keras holds a network but no model\.weights\.h5\. Save the model again"):
        read_model_file(zipped(path, without))
    with pytest.raises(BadModel, match=r"Its weights are kept as model\.weights\.npz, which is not read"):
        read_model_file(zipped(path, {**without, "model.weights.npz": b"x"}))
    with pytest.raises(BadModel, match=r"m\.keras: the description of the network is no readable JSON"):
        read_model_file(zipped(path, {**held, CONFIG: b"{"}))
    with pytest.raises(BadModel, match=r"m\.keras is a damaged or truncated HDF5 file"):
        read_model_file(zipped(path, {**held, WEIGHTS: held[WEIGHTS][:900]}))
    assert read_model_file(zipped(path, {**held, ABOUT: b"[]"})).card["producer"] == "Keras 3"
    for name in ("../config.json", "/config.json", "a\\..\\b", "C:/x"):
        with pytest.raises(BadModel, match="names a member outside its own folder"):
            read_model_file(zipped(path, {**held, name: b"x"}))
    with pytest.raises(BadModel, match="holds 10004 members; at most 10000 are accepted"):
        read_model_file(zipped(path, {**held, **{str(n): b"" for n in range(10_001)}}))


def test_a_member_twice_encrypted_or_far_too_large(spell: Any, tmp_path: Path) -> None:
    held, path = sound(spell), tmp_path / "m.keras"
    with (
        zipfile.ZipFile(zipped(path, held), "a") as archive,
        pytest.warns(UserWarning, match="Duplicate name"),
    ):
        archive.writestr(CONFIG, b"{}")
    with pytest.raises(BadModel, match=r"m\.keras holds config\.json twice; nothing was read"):
        read_model_file(path)
    whole = bytearray(zipped(path, held).read_bytes())
    for start in (b"PK\x01\x02", b"PK\x03\x04"):  # the flag bit of the first member, in both places it is kept
        at = whole.index(start)
        whole[at + (8 if start == b"PK\x01\x02" else 6)] |= 1
    path.write_bytes(whole)
    with pytest.raises(BadModel, match=r"m\.keras is encrypted \(metadata\.json\); save it without a password"):
        read_model_file(path)
    bomb = {**held, WEIGHTS: held[WEIGHTS] + bytes(30_000_000)}
    with pytest.raises(BadModel, match=r"model\.weights\.h5 claims 30,0\d\d,\d{3} bytes, more than 1,000,000"):
        read_model_file(zipped(path, bomb, packed=True))


def test_a_layer_name_used_twice_is_refused(spell: Any, tmp_path: Path) -> None:
    """Both would get the same weights."""
    model, arrays = two_convolutions(spell)
    model["config"]["layers"][2]["config"]["name"] = "a"
    with pytest.raises(BadModel, match="The model net has two layers of one name"):
        read_model_file(zipped(tmp_path / "m.keras", members(model, h5(arrays))))


def test_only_zips_with_a_keras_model_are_claimed(spell: Any, tmp_path: Path) -> None:
    held = sound(spell)
    assert matches(b"PK\x03\x04", zipped(tmp_path / "model.zip", held))
    assert not matches(b"PK\x03\x04", zipped(tmp_path / "o.zip", {"config.json": b"{}"}))
    assert not matches(b"PK\x03\x04", zipped(tmp_path / "p.zip", {"data.pkl": b""}))
    torn = tmp_path / "t.zip"
    torn.write_bytes((tmp_path / "model.zip").read_bytes()[:-40])
    assert not matches(b"PK\x03\x04", torn)
    assert not matches(b"\x89HDF", tmp_path / "model.zip")


def test_changed_bytes_open_or_say_why(spell: Any, tmp_path: Path) -> None:
    path, held = tmp_path / "m.keras", sound(spell)
    files = [zipped(path, held, packed).read_bytes() for packed in (False, True)]
    opened = 0
    for seed in range(200):
        chance = random.Random(seed)
        data = bytearray(files[seed % 2])
        for _ in range(chance.randint(1, 6)):
            at = chance.randrange(4, len(data))
            data[at] = chance.choice([0, 255, 127, data[at] ^ (1 << chance.randrange(8))])
        path.write_bytes(data[: chance.randrange(4, len(data))] if chance.random() < 0.1 else data)
        try:
            read_model_file(path)
            opened += 1
        except BadModel as error:
            str(error).encode("utf-8")
    assert opened < 200
