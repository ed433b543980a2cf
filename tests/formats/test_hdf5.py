"""HDF5 read with care: what is no model, what lies outside the file, what claims more than it holds, what is torn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from cutaway.errors import BadModel
from cutaway.formats import read_model_file

R = np.random.default_rng(1)


def numbers(*shape: int) -> np.ndarray:
    return R.normal(0, 1, shape).astype(np.float32)


def conv(spell: Any, name: str = "c", inbound: Any = None, filters: int = 2) -> dict[str, Any]:
    return spell.layer("Conv2D", name, inbound, filters=filters, kernel_size=[1, 1], use_bias=False)


def test_weights_only_and_foreign_hdf5_files(kit: Any, spell: Any) -> None:
    path = kit.write(spell.sequential([conv(spell)], (4, 4, 3)), {"c": [("c/kernel:0", numbers(1, 1, 3, 2))]})
    with h5py.File(path, "r+") as file:
        del file.attrs["model_config"]
    with pytest.raises(BadModel, match=r"m\.h5 holds weights only, no network: .*model\.save"):
        read_model_file(path)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"c"]
    with pytest.raises(BadModel, match="holds weights only"):
        read_model_file(path)
    with h5py.File(path, "w") as file:
        file["table"] = np.zeros(3)
    with pytest.raises(BadModel, match=r"is an HDF5 file but no Keras model: it has no model_config\. It holds table"):
        read_model_file(path)
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(spell.sequential([conv(spell)], (4, 4, 3)))
    with pytest.raises(BadModel, match="holds a network but no weights"):
        read_model_file(path)


def spoiled(kit: Any, spell: Any, spoil: Any) -> Path:
    """A sound one-layer file after `spoil(its weight group)`."""
    path = kit.write(spell.sequential([conv(spell)], (4, 4, 3)), {"c": [("c/kernel:0", numbers(1, 1, 3, 2))]})
    with h5py.File(path, "r+") as file:
        spoil(file["model_weights/c"])
    return path


def test_arrays_that_are_not_in_the_file_are_refused(kit: Any, spell: Any, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "secret.h5", "w") as other:
        other["x"] = numbers(1, 1, 3, 2)

    def link(group: h5py.Group) -> None:
        del group["c/kernel:0"]
        group["c/kernel:0"] = h5py.ExternalLink("secret.h5", "x")

    def soft(group: h5py.Group) -> None:
        del group["c/kernel:0"]
        group["far"] = h5py.ExternalLink("secret.h5", "/")
        group["c/kernel:0"] = h5py.SoftLink("/model_weights/c/far/x")

    def virtual(group: h5py.Group) -> None:
        del group["c/kernel:0"]
        layout = h5py.VirtualLayout((1, 1, 3, 2), np.float32)
        layout[...] = h5py.VirtualSource(str(tmp_path / "secret.h5"), "x", (1, 1, 3, 2))
        group.create_virtual_dataset("c/kernel:0", layout)

    def outside(group: h5py.Group) -> None:
        del group["c/kernel:0"]
        group.create_dataset("c/kernel:0", (1, 1, 3, 2), np.float32, external=[(str(tmp_path / "secret.h5"), 0, 24)])

    def group_instead(group: h5py.Group) -> None:
        del group["c/kernel:0"]
        group.create_group("c/kernel:0")

    def texts_instead(group: h5py.Group) -> None:
        del group["c/kernel:0"]
        group["c/kernel:0"] = ["a", "text"]

    cases = {
        link: "c/kernel:0 is a link, perhaps to another file; Keras writes none",
        soft: "c/kernel:0 is a link, perhaps to another file; Keras writes none",
        virtual: "c/kernel:0 keeps its numbers in another file",
        outside: "c/kernel:0 keeps its numbers in another file",
        group_instead: "c/kernel:0 holds no array",
        texts_instead: "c/kernel:0 holds texts or lists, not numbers",
    }
    for spoil, message in cases.items():
        with pytest.raises(BadModel, match=rf"m\.h5 is a damaged or truncated HDF5 file \({message}"):
            read_model_file(spoiled(kit, spell, spoil))


@pytest.mark.parametrize("chunks", [None, (1, 1, 100, 100)])
def test_a_claimed_size_is_checked_before_anything_is_allocated(kit: Any, spell: Any, chunks: Any) -> None:
    """Datasets that are never written cost no bytes in the file, whatever their shape: 4 TB here."""

    def claim(group: h5py.Group) -> None:
        del group["c/kernel:0"]
        group.create_dataset("c/kernel:0", (1, 1, 10**6, 10**6), np.float32, chunks=chunks)

    with pytest.raises(BadModel, match=r"c/kernel:0 claims 4,000,000,000,000 bytes where the file holds"):
        read_model_file(spoiled(kit, spell, claim))


def test_one_array_under_many_names_does_not_fill_the_memory(kit: Any, spell: Any) -> None:
    kernel = numbers(1, 1, 60, 60)
    layers = [conv(spell, "c0", filters=60), *(conv(spell, f"c{n}", filters=60) for n in range(1, 60))]
    path = kit.write(spell.sequential(layers, (4, 4, 3)), {"c0": [("k", numbers(1, 1, 3, 60))], "c1": [("k", kernel)]})
    with h5py.File(path, "r+") as file:
        for n in range(2, 60):
            file["model_weights"][f"c{n}"] = file["model_weights/c1"]
    with pytest.raises(BadModel, match=r"m\.h5 unpacks to more than 20 times its size; nothing more was read"):
        read_model_file(path)


def test_a_huge_attribute_is_not_read(kit: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutaway.formats.hdf5._MOST_ATTRIBUTE", 0)
    with pytest.raises(BadModel, match="attribute model_config claims more than 0 bytes"):
        read_model_file(kit.write("{}"))


@pytest.mark.parametrize("written", ["earliest", "latest"])
@pytest.mark.parametrize("texts", ["a text", ["one", "two", "a text"]])
def test_a_text_that_claims_to_be_longer_than_the_file_is_refused_before_room_is_made(
    tmp_path: Path, written: str, texts: Any
) -> None:
    path = tmp_path / "m.h5"
    with h5py.File(path, "w", libver=written) as file:
        file.attrs["model_config"] = texts  # kept in a heap: (length, the heap's place, number in it)
        file["numbers"] = np.zeros(300_000)  # the texts are looked for piece by piece
        file["numbers"].attrs["dtype"] = texts
    data = path.read_bytes()
    reference = data.index(b"GCOL").to_bytes(8, "little") + (1).to_bytes(4, "little")  # the last is written first
    at = data.index(len("a text").to_bytes(4, "little") + reference)
    claimed = (len(data) + 1).to_bytes(4, "little")
    path.write_bytes(data[:at] + claimed + data[at + 4 :])
    with pytest.raises(BadModel, match=r"damaged or truncated HDF5 file \(a text claims to be longer than the file\)"):
        read_model_file(path)
    path.write_bytes(data)
    with pytest.raises(BadModel, match=r"attribute model_config is not a text|holds a network but no weights"):
        read_model_file(path)


def test_numbers_that_look_like_a_text_of_any_length_do_not_refuse_a_file(kit: Any, spell: Any) -> None:
    """A heap's place, a large number before it and a small one behind it, in every array of the file."""
    kernel = np.zeros((1, 1, 3, 64), np.float32)
    path = kit.write(spell.sequential([conv(spell, filters=64)], (4, 4, 3)), {"c": [("c/kernel:0", kernel)]})
    data = path.read_bytes()
    reference = bytes.fromhex("ffffff7f") + data.index(b"GCOL").to_bytes(8, "little") + (1).to_bytes(4, "little")
    with h5py.File(path, "r+") as file:
        file["model_weights/c/c/kernel:0"][:] = np.frombuffer(reference * 48, np.float32).reshape(kernel.shape)
    assert reference in path.read_bytes()
    assert read_model_file(path).graph is not None


def test_attributes_of_the_wrong_kind_are_refused(kit: Any, spell: Any) -> None:
    def numbers_for_names(group: h5py.Group) -> None:
        group.attrs["weight_names"] = np.ones(3)

    def lists_for_names(group: h5py.Group) -> None:
        group.attrs["weight_names"] = np.array([np.ones(3), np.ones(2)], h5py.vlen_dtype(np.float32))

    for spoil in (numbers_for_names, lists_for_names):
        with pytest.raises(BadModel, match="attribute weight_names is not a list of names"):
            read_model_file(spoiled(kit, spell, spoil))
    path = kit.write("{}")
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = 3
    with pytest.raises(BadModel, match="attribute model_config is not a text"):
        read_model_file(path)


def test_a_truncated_or_overwritten_file_is_damaged(kit: Any, spell: Any) -> None:
    path = kit.write(spell.sequential([conv(spell)], (4, 4, 3)), {"c": [("c/kernel:0", numbers(1, 1, 3, 2))]})
    whole = path.read_bytes()
    for kept in (8, 100, 1000, len(whole) - 24):
        path.write_bytes(whole[:kept])
        with pytest.raises(BadModel, match=r"m\.h5 is a damaged or truncated HDF5 file"):
            read_model_file(path)


def test_messages_can_be_printed_whatever_the_file_says(kit: Any, spell: Any) -> None:
    with pytest.raises(BadModel) as caught:
        kit.open(spell.sequential([spell.layer("My\ud800\nLayer" + "x" * 500, "a\x1b[2J")], (4, 4, 3)))
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 250
    text.encode("utf-8")
