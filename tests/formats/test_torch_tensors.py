"""Storages beside a pickle: what a damaged archive claims is refused in one sentence, tensor by tensor."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

import pytest
import torch

from cutaway.errors import BadModel
from cutaway.formats import torch_archive, torch_tensors
from cutaway.formats.pickle_data import Call, ClassName, Persistent
from cutaway.formats.torch_tensors import Place, Store

REBUILD = ClassName("torch._utils", "_rebuild_tensor_v2")


def note(key: object, size: object = (2,), stride: object = (1,)) -> Call:
    return Call(REBUILD, (key, 0, size, stride))


def values(tensor: torch.Tensor | None) -> torch.Tensor:
    assert tensor is not None
    return tensor


def reference(key: str, kind: str = "FloatStorage") -> Persistent:
    return Persistent(("storage", ClassName("torch", kind), key, "cpu", 2))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "n.pt").write_bytes(b"\0" + struct.pack("<4f", 1, 2, 3, 4) * 500)
    return Store(tmp_path / "n.pt", {"0": Place(1, 8), "1": Place(4, 8), "all": Place(1, 8000)})


def test_numbers_are_read_from_any_place(store: Store) -> None:
    found = store.tensor(note(reference("0")), "w")
    assert found is not None
    assert found.tolist() == [1, 2]
    wide = Call(
        ClassName("torch._utils", "_rebuild_tensor_v3"),
        (reference("0", "UntypedStorage"), 0, (1,), (1,), False, (), ClassName("torch", "uint16"), None),
    )
    assert values(store.tensor(wide, "w")).dtype == torch.uint16
    kept = Call(ClassName("torch._utils", "_rebuild_parameter"), (note(reference("0")), True, ()))
    assert values(store.tensor(kept, "w")).tolist() == [1, 2]
    assert store.tensor(note(reference("0", "ComplexFloatStorage")), "w") is None
    assert store.tensor(Call(ClassName("torch._utils", "_rebuild_sparse_tensor"), ()), "w") is None


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (note(5), "'w' points at no storage"),
        (note(reference("0"), (2, 2), (1,)), "'w' has no readable shape"),
        (note(reference("0"), (-2,), (1,)), "'w' has no readable shape"),
        (note(reference("0"), (2,), ("x",)), "'w' has no readable shape"),
        (note(reference("0"), (10**6, 10**6), (0, 0)), "claims 1000000 x 1000000, and the file holds 2 numbers"),
        (note(reference("9")), "the numbers of 'w' are not in it"),
    ],
)
def test_a_note_that_cannot_be_is_told(store: Store, made: Call, said: str) -> None:
    with pytest.raises(BadModel, match=said):
        store.tensor(made, "w")


def test_many_names_of_one_storage_do_not_fill_the_memory(store: Store) -> None:
    for _ in range(100):  # each is copied out, since it lies between the numbers' places
        store.tensor(note(reference("all"), (2000,)), "w")
    with pytest.raises(BadModel, match=r"n\.pt unpacks to more than 100 times its size; nothing more was read"):
        store.tensor(note(reference("all"), (2000,)), "w")


def saved(path: Path, compression: int = zipfile.ZIP_DEFLATED) -> Path:
    torch.save({"w": torch.arange(400.0)}, path)
    with zipfile.ZipFile(path) as old:
        records = {name: old.read(name) for name in old.namelist()}
    with zipfile.ZipFile(path, "w", compression) as new:
        for name, data in records.items():
            new.writestr(name, data)
    return path


def read(path: Path) -> torch.Tensor | None:
    found = torch_archive.read_zip(path)
    return found.store.tensor(found.tree["w"], "w")


def test_a_packed_record_that_is_damaged_is_told(tmp_path: Path) -> None:
    path = saved(tmp_path / "n.pt")
    with zipfile.ZipFile(path) as archive:
        info = next(i for i in archive.infolist() if i.filename.endswith("data/0"))
    data = bytearray(path.read_bytes())
    data[info.header_offset + 30 + len(info.filename) + 20] ^= 0xFF
    path.write_bytes(bytes(data))
    with pytest.raises(BadModel, match=r"n\.pt is damaged: n/data/0 cannot be read"):
        read(path)


def test_a_record_shorter_than_it_says_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "n.pt")
    whole = zipfile.ZipExtFile.read
    monkeypatch.setattr(
        zipfile.ZipExtFile, "read", lambda self, n=-1: whole(self, n)[:-8] if n == 1600 else whole(self, n)
    )
    with pytest.raises(BadModel, match=r"n/data/0 is shorter than it says"):
        read(path)


def test_stored_records_are_checked_against_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path / "n.pt", zipfile.ZIP_STORED)
    assert values(read(path)).tolist() == list(range(400))
    with zipfile.ZipFile(path) as archive:
        info = next(i for i in archive.infolist() if i.filename.endswith("data/0"))
    whole = path.read_bytes()
    data = bytearray(whole)
    data[info.header_offset] = 0
    path.write_bytes(bytes(data))
    with pytest.raises(BadModel, match=r"a damaged zip archive \(n/data/0 has no header\)"):
        read(path)
    entry = whole.rindex(b"n/data/0") - 46
    data = bytearray(whole)
    data[entry + 20 : entry + 28] = struct.pack("<2I", 2**30, 2**30)
    path.write_bytes(bytes(data))
    with pytest.raises(BadModel, match=r"n\.pt is cut short: n/data/0 should end at byte [\d,]+, the file has"):
        read(path)


def test_the_pickle_itself_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "n.pt")
    monkeypatch.setattr(torch_archive, "_MOST_PICKLE", 10)
    with pytest.raises(BadModel, match=r"n\.pt claims a pickle of \d+ bytes; nothing was read"):
        read(path)
    with zipfile.ZipFile(path, "w") as empty:
        empty.writestr("x", "y")
    with pytest.raises(BadModel, match=r"n\.pt is a damaged zip archive: it has no data\.pkl"):
        read(path)
    assert torch_tensors.itemsize("HalfStorage") == 2
