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
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"PAR1", "a Parquet table"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"GGUF", "a GGUF language model"),
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself"),
    (b"7767517\n", "an ncnn network (.param)"),
    (b"ftrt", "a TensorRT engine"),
    (b"ptrt", "a TensorRT engine"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
)


def what_is(head: bytes, path: Path) -> str:
    """First bytes (a few hundred) and path of a file -> "a PNG picture" or the like, or "a file of an unknown kind"."""
    for signature, words in _KNOWN:
        if head.startswith(signature):
            return words
    if head[4:8] == b"TFL3":
        return "a TensorFlow Lite model"
    if head[4:8] in (b"ET12", b"ET13"):
        return "an ExecuTorch program"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP picture"
    if head.startswith(b"PK\x03\x04"):
        return _zip(path)
    if head[257:262] == b"ustar":
        return _tar(path)
    if head[:1] == b"\x80" and head[1:2] in b"\x02\x03\x04\x05" and len(head) > 1:
        return _pickle(head, path)
    if _is_safetensors(head):
        return "a safetensors file of weights without a network"
    return _protobuf(head, path) or _numbers(head, path) or _text(head, path)


def what_folder(path: Path) -> str:
    """Path of a folder -> what kind of model folder it is, or "a folder"."""
    if (path / "saved_model.pb").is_file():
        return "a TensorFlow SavedModel folder"
    if path.suffix == ".mlpackage" or (path / "Manifest.json").is_file():
        return "a Core ML model folder (.mlpackage)"
    if (path / "model.json").is_file():
        return "a folder of a TensorFlow.js model; open the model.json in it"
    return "a folder"


def _pickle(head: bytes, path: Path) -> str:
    if path.suffix == ".joblib" or b"sklearn" in head or b"joblib" in head:
        return "a joblib dump or a scikit-learn model in a pickle"
    if path.suffix == ".pdparams":
        return "a PaddlePaddle state_dict in a pickle"
    return "a Python pickle (an object of some program), which can run code when it is read"


def _tar(path: Path) -> str:
    import tarfile

    try:
        with tarfile.open(path) as archive:
            first = [archive.next() for _ in range(8)]
    except (tarfile.TarError, OSError, EOFError, ValueError):
        return "a damaged tar archive"
    names = {member.name for member in first if member}
    if {"sys_info", "pickle", "storages"} & names:
        return "a PyTorch tar file (before torch 0.2)"
    return "a tar archive"


def _zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()[:10_000]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return "a damaged zip archive"
    if min((record.header_offset for record in records), default=0):  # a zip within what is left of this one
        return "a damaged zip archive (cut short); copy or download it again"
    names = sorted({record.filename for record in records})
    ends = {name.rpartition("/")[2] for name in names}
    if {"config.json", "model.weights.h5"} <= set(names):
        return "a Keras .keras file"
    if "constants.pkl" in ends:
        return "a TorchScript model"
    if "data.pkl" in ends:
        return "a PyTorch file"
    if "MANIFEST.json" in ends and "MAR-INF/MANIFEST.json" in names:
        return "a TorchServe archive (.mar)"
    if any(name.endswith("saved_model.pb") for name in names):
        return "an archive with a model inside: a TensorFlow SavedModel folder"
    inside = next((name for name in names if name.lower().endswith(_MODEL_ENDINGS)), "")
    if inside:
        return f"an archive with a model inside: {''.join(c for c in inside[:100] if c.isprintable())}"
    return "a zip archive without a model inside"


_MODEL_ENDINGS = (
    "keras_model.h5", "model.json", "model_unquant.tflite", "model.tflite", ".h5", ".keras", ".tflite", ".onnx", ".pt",
    ".pth", ".safetensors", ".pt2", ".pb", ".mlmodel", ".caffemodel",
)  # fmt: skip


def _protobuf(head: bytes, path: Path) -> str:
    """TensorFlow's, Caffe's and Core ML's files are protobufs without a magic number: told by their first fields."""
    if head[:3] == b"\x08\x01\x12" and (b"dtype" in head or path.name == "saved_model.pb"):
        return "a TensorFlow SavedModel's graph (saved_model.pb)"
    if path.suffix == ".mlmodel" and head[:1] == b"\x08":
        return "a Core ML model (.mlmodel)"
    if _names_its_writer(head):
        return "a damaged ONNX model (cut short, or without a network); copy or download it again"
    if head[:1] == b"\x0a" and any(op in head for op in (b"Placeholder", b"Const\x2a", b"Const\x1a", b"\x12\x05Const")):
        return "a frozen TensorFlow graph (.pb)"
    if path.suffix == ".caffemodel":
        return "a Caffe network (.caffemodel)"
    if path.suffix == ".pdmodel":
        return "a PaddlePaddle model (.pdmodel)"
    if path.suffix == ".pdiparams":
        return "a PaddlePaddle model's weights (.pdiparams)"
    if path.suffix == ".mnn":
        return "an MNN network"
    return ""


def _names_its_writer(head: bytes) -> bool:
    """Whether a file begins as ONNX ones do: a version below 128, then, as text, the program that wrote it."""
    if len(head) < 4 or not (head[0] == 0x08 and 0 < head[1] < 128 and head[2] == 0x12 and 2 < head[3] < 128):
        return False
    name = head[4 : 4 + head[3]]
    return len(name) == head[3] and name.isascii() and name.decode("ascii").isprintable()


def _numbers(head: bytes, path: Path) -> str:
    """Files that begin with their format's version as plain integers, or that only their name tells."""
    major, minor = (int.from_bytes(head[n : n + 4], "little") for n in (0, 4))
    if path.suffix == ".weights" or (major == 0 and minor in (1, 2) and len(head) >= 20 and path.suffix != ".bin"):
        return "Darknet weights (.weights)"
    if path.suffix == ".ckpt" or ".ckpt-" in path.name or path.name.endswith((".index", ".meta")):
        return "a TensorFlow checkpoint"
    if ".data-" in path.name and "-of-" in path.name:
        return "a TensorFlow checkpoint's numbers"
    return ""


def _is_safetensors(head: bytes) -> bool:
    return len(head) > 10 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < 100_000_000


def _text(head: bytes, path: Path) -> str:
    try:
        text = head.decode("utf-8", errors="strict" if len(head) < 256 else "ignore").lstrip("\ufeff \t\r\n").lower()
    except UnicodeDecodeError:
        return "a file of an unknown kind"
    if text.startswith(("<!doctype html", "<html", "<head")):
        return "a web page (HTML); the download went wrong"
    plain = text.replace(" ", "")
    if plain.startswith("{") and ('"format":"graph-model"' in plain or '"modeltopology":{"node"' in plain):
        return "a TensorFlow.js graph model"
    if (text.startswith("{") and '"modeltopology"' in text) or text.startswith('{"format":"layers-model"'):
        return "a TensorFlow.js layers model"
    if text.startswith("node {") and "op:" in text:
        return "a TensorFlow graph as text (.pbtxt)"
    if text.startswith(("[net]", "[network]")):
        return "a Darknet network (.cfg)"
    if text.startswith("<?xml") and "<net" in text:
        return "an OpenVINO network (.xml)"
    if "layer {" in text or "layers {" in text or path.suffix == ".prototxt":
        return "a Caffe network (.prototxt)"
    if text.startswith(("{", "[")):
        return "a JSON text"
    printable = sum(c.isprintable() or c in "\r\n\t" for c in text)
    return "a text" if text and printable > 0.95 * len(text) and b"\0" not in head else "a file of an unknown kind"
