"""Hostile and damaged files of every format: a model or one sentence, within 10 s and 2 GB, with nothing executed.

The files are made by code (corpus/) and opened in worker processes under limits (scripts/fuzz_readers.py).
"""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cutaway.errors import BadModel
from cutaway.formats import read_model_file, zip_directory
from cutaway.formats.parts import FileView, OnlyView, ViewRow
from cutaway.model import open_model
from tests.formats.corpus.files import CANARY, Files, one, zipped
from tests.formats.corpus.fuzzed import FORMS, HOSTILE, LIGHT, OTHER, fuzzed
from tests.formats.corpus.hostile import hostile
from tests.formats.corpus.outcome import outcome
from tests.formats.corpus.seeds import SEEDS, seeds

ROOT = Path(__file__).resolve().parents[2]
WEIGHTS = {"PyTorch .pt, .pth", "TorchScript", "safetensors"}
linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is measured through Linux's /proc")


def run(folder: Path, *arguments: str) -> dict[str, Any]:
    """The fuzzer's result, as it writes it."""
    result = folder / "result.json"
    command = [sys.executable, "-m", "scripts.fuzz_readers", "--out", str(result), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, timeout=1_800)
    found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return found


@pytest.mark.parametrize("form", SEEDS)
def test_the_valid_files_are_read(form: str, tmp_path: Path) -> None:
    for n, files in enumerate(seeds(form)):
        (tmp_path / str(n)).mkdir()
        end, sentence = outcome(files.write(tmp_path / str(n)))
        assert end == ("looked at only" if form in WEIGHTS else "opened")
        assert ("holds weights without a network (3 layers, 139 numbers)" in sentence) is (form in WEIGHTS)


def wrong(result: dict[str, Any], heavy: bool) -> list[tuple[str, ...]]:
    """The cases that ended otherwise than `says`."""
    found = []
    for number, case in enumerate(hostile(heavy)):
        end, _, sentence = result["sentences"][str(number)].partition(": ")
        fits = end == "opened" if not case.says else end != "opened" and re.search(case.says, sentence)
        found += [] if fits else [(case.name, case.says, end, sentence)]
    return found


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return run(tmp_path_factory.mktemp("short"), "--inputs", "1500", "--only", *FORMS, LIGHT)


@linux
def test_every_hostile_file_ends_as_it_should(short: dict[str, Any]) -> None:
    assert [fault for fault in short["faults"] if fault.startswith(LIGHT)] == []
    assert wrong(short, heavy=False) == []
    assert len(hostile(heavy=False)) > 500


@linux
def test_changed_files_end_as_a_model_or_a_sentence(short: dict[str, Any]) -> None:
    assert short["faults"] == []
    rows = [row for row in short["rows"] if row["format"] != LIGHT]
    assert {row["format"]: row["inputs"] for row in rows} == dict.fromkeys(FORMS, 137)
    assert all(row["opened"] + row["looked at only"] > 3 for row in rows if row["format"] != OTHER)


@linux
@pytest.mark.slow
def test_the_heavy_ones_do_too(tmp_path: Path) -> None:
    result = run(tmp_path, "--only", HOSTILE)
    assert result["faults"] == []
    assert wrong(result, heavy=True) == []


def test_hostile_files_have_names_of_their_own() -> None:
    names = [case.name for case in hostile()]
    assert len(names) == len(set(names))


@linux
@pytest.mark.slow
def test_more_changed_files_end_as_a_model_or_a_sentence(tmp_path: Path) -> None:
    result = run(tmp_path, "--inputs", "22000", "--seed", "1000000", "--only", *FORMS)
    assert result["faults"] == []


@pytest.mark.parametrize("form", FORMS)
def test_the_same_number_gives_the_same_file(form: str) -> None:
    for number in (3, 4):
        one_, two = fuzzed(form, number), fuzzed(form, number)
        assert list(one_.held) == list(two.held)
        if "eras" not in form:  # HDF5 files hold the time
            assert one_ == two


def _fail() -> None:
    raise RecursionError("deep")


def test_the_watch_sees_what_it_must(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader that runs a file's code, sends something or fails is a fault."""
    from scripts import fuzz_readers

    monkeypatch.chdir(tmp_path)
    cases: list[tuple[Any, str]] = [
        (lambda _: os.system(f"touch {CANARY}"), "ran something"),
        (lambda _: {}["x"], "opening it: KeyError"),
        (lambda _: _fail(), "opening it: RecursionError: deep"),
    ]
    for change, said in cases:
        monkeypatch.setattr("tests.formats.corpus.outcome.outcome", lambda path, c=change: (c(path), ("opened", ""))[1])
        watching: list[str] = []
        end, note = fuzz_readers.ended("ONNX", 1, tmp_path, watching)
        assert end == "untyped errors"
        assert said in note
        (tmp_path / CANARY).unlink(missing_ok=True)


_BREAKING = """
import os, time
from scripts import fuzz_readers as f
from tests.formats.corpus import outcome as o
from tests.formats.corpus.fuzzed import fuzzed

def spin():
    while True:
        pass

def fill():
    held = bytearray(500_000_000)
    time.sleep(60)

ways = {5: os.abort, 9: fill, 13: spin, 17: lambda: time.sleep(60)}
by_bytes = {fuzzed("safetensors", n).held["m.safetensors"]: way for n, way in ways.items()}

def broken(path):
    by_bytes.get(path.read_bytes(), int)()
    return "refused", ""

o.outcome, f.warmed_up = broken, lambda forms: None
f.MOST_SECONDS, f.MOST_WAIT = 2.0, 4.0
f.MOST_BYTES = f.memory(os.getpid()) + 100_000_000
(tally,) = f.fuzz(["safetensors"], 20, 1)
print(tally.ends, tally.faults)
"""


@linux
def test_a_worker_that_breaks_a_limit_is_counted() -> None:
    """In a process of its own, since the workers are forks of it. The inputs behind the broken one are opened too."""
    done = subprocess.run([sys.executable, "-c", _BREAKING], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert "'refused': 16, 'crashes': 1, 'hangs': 2, 'over memory': 1, 'untyped errors': 0" in done.stdout, done.stderr
    for fault in ("5: crashes", "9: over memory", "13: hangs", "17: hangs"):
        assert f"'safetensors {fault} " in done.stdout


@pytest.mark.parametrize("count", [1, 2_000])
@pytest.mark.parametrize("note", [b"", b"x" * 500])
def test_a_zips_directory_is_weighed_before_it_is_read(count: int, note: bytes) -> None:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w") as archive:
        archive.comment = note
        for n in range(count):
            archive.writestr(f"a{n}", b"")
    held = zip_directory.directory_bytes(whole)
    end = zipfile._EndRecData(whole)  # type: ignore[attr-defined]
    assert held == end[5] > 40 * count


def test_a_directory_over_4_gb_is_seen_through_its_second_end() -> None:
    record = b"PK\x06\x06" + bytes(36) + (7_000_000_000).to_bytes(8, "little") + bytes(8)
    plain = b"PK\x05\x06" + bytes(6) + b"\xff" * 10 + bytes(2)
    whole = io.BytesIO(b"PK\x03\x04" + record + b"PK\x06\x07" + bytes(16) + plain)
    assert zip_directory.directory_bytes(whole) == 7_000_000_000
    with pytest.raises(
        BadModel, match=r"m\.pt is a zip archive whose directory has 7,000,000,000 bytes; at most 5,000,000"
    ):
        zip_directory.must_be_small(whole, "m.pt")


@pytest.mark.parametrize("data", [b"", b"PK\x05\x06", b"x" * 100, b"PK\x05\x06" + bytes(17)])
def test_a_zip_without_a_readable_end_has_no_directory(data: bytes) -> None:
    assert zip_directory.directory_bytes(io.BytesIO(data)) == 0


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    path = Files("m.pt", {}, {"m.pt": ""}).write(tmp_path)
    with pytest.raises(BadModel, match=r"m\.pt is a pipe or a device, not a file; name a model file"):
        read_model_file(path)


def test_weights_listed_twice_are_told(tmp_path: Path) -> None:
    (case,) = [c for c in hostile() if c.name == "one group listed 4,000 times"]
    with pytest.raises(BadModel, match=r"model\.json lists the weights weights\.bin twice; export the model again"):
        read_model_file(case.made().write(tmp_path))


def test_an_archive_packed_by_the_corpus_is_a_zip(tmp_path: Path) -> None:
    rows = [("a", b"1"), ("b/c", b"2"), ("a", b"3")]
    path = one("m.zip", zipped(rows)).write(tmp_path)
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert [info.filename for info in archive.infolist()] == ["a", "b/c", "a"]


def opened(case: str, folder: Path) -> None:
    (found,) = [c for c in hostile() if c.name == case]
    open_model(found.made().write(folder))


@pytest.mark.parametrize(
    ("case", "limit", "said"),
    [
        (
            "two layers of one name",
            "formats.keras_tree._MOST_READ",
            "layers read more than 1 values, the most that are",
        ),
        (
            "two layers of one name",
            "formats.keras_tree._MOST_TEXT",
            r"description of the network has \d+ letters; at most 1\.",
        ),
        (
            "modules doubled 60 times",
            "formats.torch_file._MOST_MODULES",
            "is made of more than 1 modules; nothing more",
        ),
        (
            "objects doubled 60 times, TorchScript",
            "formats.torchscript._MOST_OBJECTS",
            "made of more than 1 objects; nothing",
        ),
        (
            "config.json of hostile values",
            "model.bare._MOST_ARRAYS",
            r"m\.safetensors holds 9 arrays; at most 1 are accepted",
        ),
        (
            "own file: two outputs",
            "model.file._MOST_HEADER",
            r"m\.safetensors has a header of [\d,]+ letters; at most 1\.",
        ),
        (
            "own file: two outputs",
            "graph.document._MAX_NODES",
            r"The model's graph has \d+ nodes; at most 1 are accepted",
        ),
        (
            "a .pt2 that blows stored numbers up by constant_pad_nd",
            "graph.exported._MOST_STORED",
            "more than 1 numbers of stored",
        ),
    ],
)
def test_counts_have_limits(case: str, limit: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(f"cutaway.{limit}", 1)
    with pytest.raises(BadModel, match=said):
        opened(case, tmp_path)


def test_layers_have_a_limit_too(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="The model's graph has 10006 layers; at most 10000 are accepted"):
        opened("own file: 10,001 layers", tmp_path)


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (
            "tuples doubled 60 times as the name of a class",
            r"cannot be followed \(TypeError: the name of a class is no text\)",
        ),
        (
            "own file: a layer at a.b.b.b.b.b.b.b.b.b. of 4001 letters",
            r"names a layer 'a\.b.*'\.\.\. of 4,001 letters; at most 300",
        ),
        ("weights in a name too long", r"model\.json keeps its weights in x+.*, which is not in"),
    ],
)
def test_odd_names_are_told(case: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=said):
        opened(case, tmp_path)


def test_class_names_and_notes_can_be_shown(tmp_path: Path) -> None:
    (case,) = [c for c in hostile() if c.name == "class names with control characters"]
    assert open_model(case.made().write(tmp_path)).classes == ("c?[31mat?", "?dog?")


def test_a_view_can_be_shown() -> None:
    row = ViewRow("a\x1b[2Jb", "Re\nLU", None, 0, "\u202enote")
    view = OnlyView(FileView("view-only", "x", "It says\x07 so\nand so.", (row,), ("net\x00",))).view
    assert view == FileView(
        "view-only", "x", "It says? so and so.", (ViewRow("a?[2Jb", "Re LU", None, 0, "?note"),), ("net?",)
    )
