"""Picking a reader, and the sentence for everything that has none."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cutaway.errors import BadModel
from cutaway.formats import read_model_file
from cutaway.formats.table import READERS, opened_today

FILES = {
    "a PNG picture": b"\x89PNG\r\n\x1a\n....",
    "a JPEG picture": b"\xff\xd8\xff\xe0....",
    "a WebP picture": b"RIFF\0\0\0\0WEBP",
    "a damaged ONNX model (cut short, or without a network)": b"\x08\x08\x12\x07pytorch\x1a\x05",
    "a TensorFlow.js layers model": b'{"format":"layers-model","generatedBy":"x"}',
    "a JSON text": b'{"a": 1}',
    "a text": b"hello there\n",
    "a file of an unknown kind": bytes(range(128, 200)),
    "a damaged zip archive": b"PK\x03\x04....",
}


@pytest.mark.parametrize("what", FILES)
def test_a_file_that_no_reader_claims_is_named_for_what_it_is(tmp_path: Path, what: str) -> None:
    path = tmp_path / "model.h5"  # the name's ending does not matter
    path.write_bytes(FILES[what])
    with pytest.raises(BadModel, match=rf"^model\.h5 is {re.escape(what)}.*Cutaway opens Keras \.h5 files"):
        read_model_file(path)


@pytest.mark.parametrize(
    "chance", [b"\x08\x9a\x12\xc3\x91\x7f\x02\xee\x80", b"\x08\x07\x12\x04\x91\x7f\x02\xee\x80", b"\x08\x07:"]
)
def test_bytes_that_only_begin_like_onnx_are_not_called_so(tmp_path: Path, chance: bytes) -> None:
    (tmp_path / "m.keras").write_bytes(chance)
    with pytest.raises(BadModel, match=r"^m\.keras is a file of an unknown kind\. Cutaway opens"):
        read_model_file(tmp_path / "m.keras")


def test_nothing_a_folder_and_an_empty_file_get_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="There is no model file"):
        read_model_file(tmp_path / "gone.h5")
    with pytest.raises(BadModel, match="is a folder, not a model file"):
        read_model_file(tmp_path)
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(BadModel, match="is a TensorFlow SavedModel folder, not a model file"):
        read_model_file(tmp_path)
    (tmp_path / "empty.h5").touch()
    with pytest.raises(BadModel, match=r"empty\.h5 is empty \(0 bytes\); copy or download it again"):
        read_model_file(tmp_path / "empty.h5")
    with pytest.raises(BadModel, match="cannot be read"):
        read_model_file("a\0b")


def test_every_reader_of_the_table_exists_and_says_what_it_opens() -> None:
    for reader in READERS:
        module = reader.load()
        assert module.__doc__
        assert callable(module.matches)
        assert callable(module.read)
        assert reader.opens in opened_today()


def test_h5py_is_loaded_only_for_an_hdf5_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"hello")
    code = (
        "import sys\nfrom cutaway.formats import read_model_file\n"
        f"try: read_model_file({str(tmp_path / 'x')!r})\nexcept Exception as e: assert 'is a text' in str(e)\n"
        "assert 'h5py' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
