"""PyTorch files: what torch.load(weights_only=True) gives, bit for bit, and nothing in the file runs."""

from __future__ import annotations

import io
import os
import random
import struct
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from cutaway.errors import BadModel
from cutaway.formats import read_model_file
from cutaway.formats.parts import BareWeights
from cutaway.formats.pickle_data import Call, ClassName, Persistent, read_pickle


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 4, 3), norm=nn.BatchNorm2d(4), act=nn.ReLU(), flat=nn.Flatten(), dense=nn.Linear(16, 2)
        )
    )


def opened(path: Path) -> BareWeights:
    found = read_model_file(path)
    assert isinstance(found, BareWeights)
    return found


def saved(path: Path, what: Any, **settings: Any) -> Path:
    torch.save(what, path, **settings)
    return path


def same(found: BareWeights, wanted: dict[str, torch.Tensor]) -> bool:
    return list(found.tensors) == list(wanted) and all(
        torch.equal(t, wanted[k]) and t.dtype == wanted[k].dtype for k, t in found.tensors.items()
    )


@pytest.mark.parametrize("new", [True, False])
def test_a_state_dict_is_what_torch_load_gives(tmp_path: Path, new: bool) -> None:
    state = network().state_dict()
    state["views"] = torch.arange(24.0).view(2, 3, 4).transpose(0, 2)[1:]  # strided, begins within its storage
    state["tied"] = state["dense.weight"]
    for n, dtype in enumerate((torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.uint8, torch.bool)):
        state[f"t{n}"] = torch.tensor([0, 1, 3], dtype=dtype)
    state["none"] = torch.empty(0, 3)
    state["one"] = torch.tensor(7.0)
    path = saved(tmp_path / "net.pt", state, _use_new_zipfile_serialization=new)
    found = opened(path)
    assert same(found, torch.load(path, weights_only=True))
    assert found.card["format"] == "PyTorch state_dict" + ("" if new else " (older layout)")


@pytest.mark.parametrize(
    ("wrapped", "where"),
    [
        (
            lambda s: {"state_dict": s, "epoch": 3, "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}}},
            "state_dict",
        ),
        (lambda s: {"model_state_dict": s, "optimizer_state_dict": {"x": torch.ones(2)}}, "model_state_dict"),
        (lambda s: {"net": s, "acc": 93.1}, "net"),
        (lambda s: {"model": {k: v * 2 for k, v in s.items()}, "model_ema": s}, "model_ema"),
        (lambda s: {"run": {"weights": s}}, "run.weights"),
    ],
)
def test_a_checkpoint_gives_the_weights_it_holds(tmp_path: Path, wrapped: Any, where: str) -> None:
    state = network().state_dict()
    found = opened(saved(tmp_path / "net.pth", wrapped(state)))
    assert same(found, state)
    assert f"those under '{where}'" in found.card["notes"]


class Shouting(nn.Module):
    """Stands for any class of a person's own."""

    def __init__(self) -> None:
        super().__init__()
        self.body = network()
        self.kept = nn.Parameter(torch.ones(2))


@pytest.mark.parametrize("new", [True, False])
@pytest.mark.filterwarnings("ignore:Couldn't retrieve source code")
def test_a_pickled_module_gives_its_weights_without_its_class(tmp_path: Path, new: bool) -> None:
    module = Shouting()
    found = opened(saved(tmp_path / "net.pt", module, _use_new_zipfile_serialization=new))
    assert same(found, module.state_dict())
    assert found.card["class"].endswith("Shouting")
    assert "its weights were read, its code was not run" in found.card["notes"]
    inside = opened(saved(tmp_path / "b.pt", {"model": module, "epoch": 1}))
    assert same(inside, module.state_dict())


class Bomb:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.canary),)


@pytest.mark.parametrize("new", [True, False])
def test_code_in_a_pickle_does_not_run(tmp_path: Path, new: bool) -> None:
    canary = tmp_path / "ran"
    state = network().state_dict()
    mixed = saved(tmp_path / "a.pt", {"state_dict": state, "x": Bomb(canary)}, _use_new_zipfile_serialization=new)
    assert same(opened(mixed), state)
    alone = saved(tmp_path / "b.pt", Bomb(canary), _use_new_zipfile_serialization=new)
    with pytest.raises(
        BadModel, match=r"without weights by layer name: it holds an object of \w+\.mkdir, which can only"
    ):
        opened(alone)
    assert not canary.exists()


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"epoch": 3}, "a dict with 'epoch'"),
        ([1, 2], "a list"),
        ({}, "a dict with nothing in it"),
        ([Bomb(Path("x"))], "objects that can only be made by running code"),
    ],
)
def test_a_file_without_weights_says_what_it_holds(tmp_path: Path, tree: Any, said: str) -> None:
    with pytest.raises(BadModel, match=rf"net\.pt is a PyTorch file without weights by layer name: it holds {said}"):
        opened(saved(tmp_path / "net.pt", tree))


def test_the_name_a_checkpoint_gives_its_network_is_kept(tmp_path: Path) -> None:
    found = opened(saved(tmp_path / "c.pth", {"state_dict": network().state_dict(), "arch": "resnet10"}))
    assert found.card["architecture"] == "resnet10"


def test_tensors_of_other_kinds_are_left_out_and_counted(tmp_path: Path) -> None:
    state = {"a": torch.ones(2), "b": torch.ones(2).to_sparse()}
    found = opened(saved(tmp_path / "q.pt", state))
    assert list(found.tensors) == ["a"]
    assert "1 tensors of a kind that is not read were left out (first 'b')" in found.card["notes"]


def rezipped(path: Path, change: Any, compression: int = zipfile.ZIP_STORED) -> Path:
    """The archive with `change(name, bytes)` of every record (None: left out)."""
    out = path.with_name(f"changed-{path.name}")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w", compression) as new:
        for name in old.namelist():
            data = change(name, old.read(name))
            if data is not None:
                new.writestr(name, data)
    return out


def test_an_archive_that_was_zipped_again_opens(tmp_path: Path) -> None:
    state = network().state_dict()
    path = saved(tmp_path / "net.pt", state)
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert same(opened(rezipped(path, lambda _, data: data, compression)), state)


def test_claims_are_checked_before_anything_is_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "net.pt", {"weight": torch.ones(3, 5)})
    with pytest.raises(BadModel, match=r"'weight' claims 3 x 5, and the file holds 7 numbers"):
        opened(rezipped(path, lambda n, d: d[:28] if n.endswith("data/0") else d))
    with pytest.raises(BadModel, match=r"the numbers of 'weight' are not in it"):
        opened(rezipped(path, lambda n, d: None if n.endswith("data/0") else d))
    huge = lambda n, d: d.replace(b"K\x03K\x05\x86", b"J\xff\xff\xff\x7fK\x05\x86") if n.endswith("data.pkl") else d  # noqa: E731
    with pytest.raises(BadModel, match=r"'weight' claims 2147483647 x 5"):
        opened(rezipped(path, huge))
    with pytest.raises(BadModel, match=r"was written on a big-endian machine"):
        opened(rezipped(path, lambda n, d: b"big" if n.endswith("byteorder") else d))
    bomb = rezipped(saved(tmp_path / "z.pt", {"w": torch.zeros(4_000_000)}), lambda _, d: d, zipfile.ZIP_DEFLATED)
    with pytest.raises(BadModel, match=r"claims 16,000,000 bytes for 'w' from"):
        opened(bomb)


def test_a_file_cut_short_is_told(tmp_path: Path) -> None:
    old = saved(tmp_path / "old.pt", network().state_dict(), _use_new_zipfile_serialization=False)
    old.write_bytes(old.read_bytes()[:-8])
    with pytest.raises(BadModel, match=r"old\.pt is cut short: a storage of \d+ numbers begins at byte"):
        opened(old)
    old.write_bytes(old.read_bytes()[:300])
    with pytest.raises(BadModel, match=r"old\.pt is damaged: its pickle cannot be followed"):
        opened(old)
    new = saved(tmp_path / "new.pt", network().state_dict())
    new.write_bytes(new.read_bytes()[:-100])
    with pytest.raises(BadModel, match=r"new\.pt is a damaged zip archive"):
        opened(new)


def test_old_files_without_their_list_of_storages_are_told(tmp_path: Path) -> None:
    import pickle

    magic, number = 0x1950A86A20F9469CFC6C, io.BytesIO()
    for part in (magic, 1001, {}, {"w": 1}, 5):
        pickle.dump(part, number, protocol=2)
    (tmp_path / "o.pt").write_bytes(number.getvalue())
    with pytest.raises(BadModel, match="its list of storages is not readable"):
        opened(tmp_path / "o.pt")


def test_a_pickle_becomes_data() -> None:
    import pickle

    made = {"a": [1, 2.5, None, True], "b": (b"x", "y"), "c": {1, 2}, 3: OrderedDict(k=1), "d": Path("x"), "e": {}}
    for protocol in (0, 1, 2, 3, 4, 5):
        data = read_pickle(pickle.dumps(made, protocol), "p")
        assert data["a"] == [1, 2.5, None, True]
        assert data["b"][1] == "y"
        assert isinstance(data["d"], Call)
        assert data[3].name == "collections.OrderedDict"
    assert isinstance(Persistent("x").key, str)
    assert str(ClassName("m", "N")) == "m.N"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x80\x02.", "list index out of range"),
        (b"\x80\x02u.", "a mark is missing"),
        (b"\x80\x02}(K\x01u.", "a key without a value"),
        (b"\x80\x02K\x01K\x02a.", "a int cannot be added to"),
        (b"\x80\x02(\x85.", "a mark stands where a value should"),
        (b"\x80\x02\x86.", "the stack is empty"),
        (b"\x80\x02c", ""),
        (b"\x80\x05\x97.", "a step NEXT_BUFFER"),
        (b"\x80\x02h\x07.", "7"),
    ],
)
def test_a_pickle_that_cannot_be_followed_is_told(data: bytes, said: str) -> None:
    with pytest.raises(BadModel, match=f"p is damaged: its pickle cannot be followed .*{said}"):
        read_pickle(data, "p")


def test_an_unknown_escape_in_a_text_is_no_warning() -> None:
    assert read_pickle(b"S'\\e'\n.", "p") == "\\e"


def test_an_endless_pickle_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cutaway.formats.pickle_data.MOST_STEPS", 10)
    with pytest.raises(BadModel, match="p holds a pickle of more than 10 steps"):
        read_pickle(b"\x80\x02" + b"N0" * 20 + b"N.", "p")


@pytest.mark.parametrize("new", [True, False])
def test_damage_anywhere_is_one_sentence(tmp_path: Path, new: bool) -> None:
    """2 x 400 files with bytes changed or cut: read, or refused as BadModel."""
    path = saved(tmp_path / "net.pt", network().state_dict(), _use_new_zipfile_serialization=new)
    data, rng, refused = path.read_bytes(), random.Random(0), 0
    for _ in range(400):
        changed = bytearray(data)
        for _ in range(rng.choice((1, 1, 2, 8))):
            changed[rng.randrange(len(changed))] = rng.choice((0, 1, 255, rng.randrange(256)))
        if rng.random() < 0.2:
            del changed[rng.randrange(len(changed)) :]
        if len(changed) > 20 and rng.random() < 0.2:
            struct.pack_into("<q", changed, rng.randrange(len(changed) - 8), rng.choice((-1, 2**40, 2**62)))
        path.write_bytes(bytes(changed))
        try:
            opened(path)
        except BadModel:
            refused += 1
    assert refused > 40
