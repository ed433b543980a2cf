"""What a file is, by its bytes: a few words for the sentence that says why it was not opened."""

from __future__ import annotations

import zipfile
from pathlib import Path

_KNOWN: tuple[tuple[bytes, str], ...] = (
    (b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"BM", "a BMP picture"),
    (b"%PDF", "a PDF document"),
    (b"\x1f\x8b", "a gzip archive; unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive; unpack it first"),
    (b"Rar!", "a RAR archive; unpack it first"),
    (b"PAR1", "a Parquet table"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"GGUF", "a GGUF language model"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself; fetch it with: git lfs pull"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
)


def what_is(head: bytes, path: Path) -> str:
    """First bytes (a few hundred) and path of a file -> "a PNG picture" or the like, or "a file of an unknown kind"."""
    for signature, words in _KNOWN:
        if head.startswith(signature):
            return words
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP picture"
    if head.startswith(b"PK\x03\x04"):
        return _zip(path)
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and len(head) > 1:
        return "a Python pickle (an old PyTorch file or a joblib dump), which can run code when it is read"
    if _is_safetensors(head):
        return "a safetensors file of weights without a network"
    if head[:1] == b"\x08" and head[2:3] in (b"\x12", b"\x1a", b"\x22", b"\x3a") and len(head) > 8:
        return "an ONNX model"
    return _text(head)


def _zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist()[:10_000])
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "a damaged zip archive"
    ends = {name.rpartition("/")[2] for name in names}
    if {"config.json", "model.weights.h5"} <= names:
        return "a Keras .keras file"
    if "constants.pkl" in ends:
        return "a TorchScript model"
    if "data.pkl" in ends:
        return "a PyTorch file"
    if {"keras_model.h5", "model.json", "model_unquant.tflite"} & ends:
        return "a zip archive with a model inside; unpack it first"
    return "a zip archive"


def _is_safetensors(head: bytes) -> bool:
    return len(head) > 10 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < 100_000_000


def _text(head: bytes) -> str:
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < 256 else "ignore").lstrip("\ufeff \t\r\n").lower()
    except UnicodeDecodeError:
        return "a file of an unknown kind"
    if text.startswith(("<!doctype html", "<html", "<head")):
        return "a web page (HTML); the download went wrong"
    if (text.startswith("{") and '"modeltopology"' in text) or text.startswith('{"format":"layers-model"'):
        return "a TensorFlow.js model"
    if text.startswith(("{", "[")):
        return "a JSON text"
    printable = sum(c.isprintable() or c in "\r\n\t" for c in text)
    return "a text" if text and printable > 0.95 * len(text) and b"\0" not in head else "a file of an unknown kind"
