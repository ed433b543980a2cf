"""Uploads, bundles and webcam pictures: kept whole or not at all, found again by their addresses."""

from __future__ import annotations

import asyncio
import json
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cutaway.errors import BadInput
from cutaway.studio import bundles, passing
from cutaway.studio.bundles import bundled
from cutaway.studio.passing import KEPT, frames_folder, keep_frame
from cutaway.studio.uploads import keep_upload, path_of, plain_name, uploads_folder


def kept(name: str, *chunks: bytes, most: int = 2**20) -> str:
    async def sent() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return asyncio.run(keep_upload(name, sent(), most))[0]


def test_a_file_is_found_again_by_what_it_is() -> None:
    address = kept("net.h5", b"ab", b"c")
    assert address == kept("net.h5", b"abc")
    assert Path(path_of(address)).read_bytes() == b"abc"
    assert path_of(f"as:timm/resnet18:{address}") == f"as:timm/resnet18:{path_of(address)}"
    assert path_of("zoo:resnet18") == "zoo:resnet18"


def test_what_is_not_kept_any_more_is_told() -> None:
    with pytest.raises(BadInput, match=r"x\.h5 was dropped on the page earlier and is no longer kept; drop it again"):
        path_of(f"upload:{'0' * 64}/x.h5")


def test_a_page_that_goes_away_leaves_nothing() -> None:
    before = sorted(uploads_folder().rglob("*"))

    async def broken() -> AsyncIterator[bytes]:
        yield b"half"
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        asyncio.run(keep_upload("half.h5", broken()))
    with pytest.raises(BadInput, match=r"big\.h5 has more than 0 MiB"):
        kept("big.h5", b"xx", b"yyyy", most=4)
    with pytest.raises(BadInput, match=r"none\.h5 is empty"):
        kept("none.h5")
    assert sorted(uploads_folder().rglob("*")) == before


@given(st.text(max_size=400))
def test_any_name_becomes_a_plain_one(name: str) -> None:
    plain = plain_name(name)
    assert plain
    assert plain not in (".", "..")
    assert len(plain) <= 101
    assert plain.isprintable()
    assert not set(plain) & set('/\\:*?"<>|\x00')
    assert not plain.startswith((".", " "))


def zipped(path: Path, files: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path.read_bytes()


def test_files_of_one_model_lie_beside_each_other(tmp_path: Path) -> None:
    parts = [kept("model.json", b"{}"), kept("weights.bin", b"w"), kept("metadata.json", b"{ }")]
    address, name, size = bundled(parts)
    assert (name, size) == ("model.json", 6)
    assert sorted(p.name for p in Path(path_of(address)).parent.iterdir()) == [
        "metadata.json",
        "model.json",
        "weights.bin",
    ]
    assert bundled(parts[::-1])[0] == address
    data = zipped(tmp_path / "a.zip", {"my/keras_model.h5": b"h5", "my/labels.txt": b"0 cat", "__MACOSX/x.h5": b"?"})
    address, name, _ = bundled([kept("converted_keras.zip", data)])
    assert name == "keras_model.h5"
    assert Path(path_of(address)).with_name("labels.txt").read_bytes() == b"0 cat"


def test_one_file_stays_what_it_is(tmp_path: Path) -> None:
    photos = kept("photos.zip", zipped(tmp_path / "b.zip", {"a.jpg": b"1", "b.jpg": b"2"}))
    keras = kept("net.keras", zipped(tmp_path / "c.zip", {"config.json": b"{}", "model.weights.h5": b"x"}))
    for address in (photos, keras, kept("x.pth", b"PK\x03\x04 no zip")):
        assert bundled([address])[0] == address


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (("a.h5", "b.onnx"), r"There are 2 models among these files \(a\.h5, b\.onnx\); drop one of them"),
        (("readme.md", "notes.txt"), r"No model is among these files \(notes\.txt, readme\.md\)"),
        (("saved_model.pb", "variables.index"), "This is a TensorFlow SavedModel"),
        (("model.json", "model.json"), "Two of these files have the same name"),
    ],
)
def test_files_that_are_not_one_model_are_told(names: tuple[str, ...], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        bundled([kept(name, f"{i}".encode()) for i, name in enumerate(names)])


def test_a_zip_that_lies_or_is_damaged_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zipped(tmp_path / "bomb.zip", {"net.h5": b"0" * 100_000})
    monkeypatch.setattr(bundles, "MOST_BYTES", 1000)
    with pytest.raises(BadInput, match="holds more than 0 MiB"):
        bundled([kept("bomb.zip", bomb)])
    monkeypatch.undo()
    broken = bytearray(zipped(tmp_path / "broken.zip", {"net.h5": b"some data that is checked"}))
    broken[broken.index(b"some")] ^= 255
    with pytest.raises(BadInput, match=r"broken\.zip is damaged"):
        bundled([kept("broken.zip", bytes(broken))])
    many = zipped(tmp_path / "many.zip", {"net.h5": b"x", **{f"f{i}.bin": b"x" for i in range(80)}})
    with pytest.raises(BadInput, match="a model has at most 64"):
        bundled([kept("many.zip", many)])
    address, name, _ = bundled([kept("out.zip", zipped(tmp_path / "out.zip", {"../../../out.h5": b"model"}))])
    assert name == "out.h5"
    assert Path(path_of(address)).parent.parent == uploads_folder()


def test_of_webcam_pictures_the_last_are_kept() -> None:
    addresses = [keep_frame(json.dumps(i).encode()) for i in range(KEPT + 5)]
    assert Path(path_of(addresses[-1])).read_bytes() == json.dumps(KEPT + 4).encode()
    assert len(list(frames_folder().iterdir())) == KEPT
    with pytest.raises(BadInput, match="This webcam picture has been replaced by a newer one"):
        path_of(addresses[0])
    with pytest.raises(BadInput, match="has 0 bytes"):
        keep_frame(b"")
    with pytest.raises(BadInput, match="A webcam picture has 1 to 4 MiB"):
        keep_frame(b"x" * (passing.MOST_BYTES + 1))
