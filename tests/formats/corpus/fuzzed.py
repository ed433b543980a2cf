"""Format, number -> a changed file of that format. The same number gives the same file."""

from __future__ import annotations

import contextlib
import copy
import functools
import io
import json
import random
from collections.abc import Callable
from typing import Any

import h5py

from tests.formats.corpus.changes import (
    NAMES,
    WHOLE,
    WORDS,
    change_bytes,
    change_leaves,
    change_pickle,
    change_tree,
    odd,
)
from tests.formats.corpus.files import Files, h5, keras_h5, keras_zip, members, numbers, one, safetensors, zipped
from tests.formats.corpus.hostile import hostile
from tests.formats.corpus.seeds import SEEDS, keras_model, onnx_proto, own_bytes, plain_keras, seeds

Change = Callable[[random.Random], Files]
KINDS = [
    b"\x89HDF\r\n\x1a\n",
    b"PK\x03\x04",
    b"\x80\x02\x8a\x0a",
    b"\x1c\0\0\0TFL3",
    b"\x08\x08\x12",
    b'{"modelTopology"',
]
KINDS += [
    b"\x80\x04\x95",
    b"GGUF",
    b"\x93NUMPY",
    b"\x0a\x12Placeholder",
    b"\x50\0\0\0\0\0\0\0{",
    b"",
    b"\xff\xd8\xff",
    b"{",
]
ENDINGS = [
    "",
    ".h5",
    ".pt",
    ".onnx",
    ".tflite",
    ".keras",
    ".bin",
    ".json",
    ".pb",
    ".safetensors",
    ".weights",
    ".ckpt",
    ".tar",
]
OTHER = "other files"
HOSTILE, LIGHT = "hostile corpus", "hostile corpus without the heavy ones"
_WRITABLE = [n for n in NAMES if n != "\ud800"]


def fuzzed(form: str, number: int) -> Files:
    """Format (a key of FORMS), number -> the changed file; of HOSTILE or LIGHT, the file of that number."""
    if form in (HOSTILE, LIGHT):
        return hostile(form == HOSTILE)[number].made()
    chance = random.Random(f"{form} {number}")
    return chance.choice(FORMS[form])(chance)


def _bytes(form: str, chance: random.Random) -> Files:
    """Any bytes of any file of one of the format's valid models."""
    files = chance.choice(seeds(form))
    name = files.main if chance.random() < 0.7 else chance.choice(list(files.held))
    return Files(files.main, {**files.held, name: change_bytes(files.held[name], chance)})


def _json(data: Any, chance: random.Random) -> str:
    """JSON data, changed -> its text."""
    change = change_tree if chance.random() < 0.6 else change_leaves
    text = json.dumps(change(copy.deepcopy(data), chance))
    if chance.random() < 0.05:
        return change_bytes(text.encode(), chance).decode("utf-8", "replace").replace("\0", "0")
    return text


def _array(chance: random.Random) -> Any:
    return numbers(*(chance.choice([0, 1, 2, 3, 4]) for _ in range(chance.randrange(5))))


def _some_changed(arrays: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """Arrays by path -> the same, now and then one of another shape, gone or under another name."""
    made = dict(arrays)
    if chance.random() < 0.3:
        name = chance.choice(list(made))
        array = made.pop(name)
        if chance.random() < 0.8:
            made[name if chance.random() < 0.7 else f"{name}x"] = chance.choice([_array(chance), array, array.T])
    return made


def _keras_settings(chance: random.Random) -> Files:
    model, arrays = keras_model()
    held = {top: _some_changed(rows, chance) for top, rows in arrays.items()}
    return one("m.h5", keras_h5(_json(model, chance), held, chance.choice(["2.4.0", "3.1.0", "2.2.4-tf"])))


def _keras_zip_settings(chance: random.Random) -> Files:
    model, arrays = plain_keras()
    return one("m.keras", keras_zip(_json(model, chance), _some_changed(arrays, chance)))


def _hdf5_inside(chance: random.Random) -> Files:
    """A .keras archive with true checksums whose HDF5 is broken."""
    (name, data), *rest = reversed(members(seeds("Keras .keras")[0].held["m.keras"]))
    return one("m.keras", zipped([*rest, (name, change_bytes(data, chance))]))


def _hdf5_links(chance: random.Random) -> Files:
    """Links, types and storage layouts that Keras does not write."""
    model, arrays = keras_model()
    whole = io.BytesIO(keras_h5(model, arrays))
    with h5py.File(whole, "r+") as file:
        name = chance.choice(
            ["model_weights/core/c/kernel:0", "model_weights/d/d/kernel:0", "model_weights/core", "model_weights"]
        )
        del file[name]
        links = [h5py.SoftLink("/model_weights"), h5py.SoftLink("/nowhere"), h5py.ExternalLink("m.h5", "/"), None]
        links += [h5py.ExternalLink("../secret.h5", "/secret"), file["/"], file.get("model_weights/d")]
        link = chance.choice(links)
        if link is not None:
            file[name] = link
        else:
            shape = tuple(chance.choice([1, 3, 100, 10**6]) for _ in range(chance.randrange(1, 4)))
            kind = chance.choice(["f4", "f8", "S10", "i1", h5py.string_dtype(), "V4", bool])
            chunks = tuple(min(n, 4) for n in shape) if chance.random() < 0.7 else None
            packed = "gzip" if chunks and chance.random() < 0.5 else None
            file.create_dataset(
                name, shape, kind, chunks=chunks, compression=packed
            ) if chunks else file.create_dataset(name, (2,), kind)
    return one("m.h5", whole.getvalue())


def _tfjs_settings(chance: random.Random) -> Files:
    (files,) = seeds("TensorFlow.js")
    name = "model.json" if chance.random() < 0.85 else "metadata.json"
    text = _json(json.loads(files.held[name]), chance).encode()
    weights = files.held["weights.bin"]
    weights = change_bytes(weights, chance) if chance.random() < 0.2 else weights
    main = chance.choice(["model.json", "model.json", "", "weights.bin"])
    return Files(main, {**files.held, "weights.bin": weights, name: text})


def _archive(form: str, chance: random.Random) -> Files:
    """The archive packed again, checksums true, after one member was changed."""
    files = chance.choice([f for f in seeds(form) if f.held[f.main].startswith(b"PK")])
    rows = members(files.held[files.main])
    likely = [i for i, (name, _) in enumerate(rows) if name.endswith((".pkl", ".json"))]
    for _ in range(chance.choice([1, 1, 2])):
        at = chance.choice(likely) if chance.random() < 0.8 else chance.randrange(len(rows))
        rows[at] = _member(*rows[at], chance)
        if chance.random() < 0.1:
            rows.insert(chance.randrange(len(rows)), chance.choice(rows))
        if chance.random() < 0.1 and len(rows) > 1:
            rows.pop(chance.randrange(len(rows)))
        likely = [i for i in likely if i < len(rows)] or [0]
    return one(files.main, zipped(rows, chance.random() < 0.2))


def _member(name: str, data: bytes, chance: random.Random) -> tuple[str, bytes]:
    if chance.random() < 0.05:
        return chance.choice([*_WRITABLE, name + "x", "../" + name])[:60_000] or "x", data
    if name.endswith(".pkl"):
        return name, change_pickle(data, chance)
    if name.endswith(".json"):
        with contextlib.suppress(ValueError):  # it was changed before
            return name, _json(json.loads(data), chance).encode()
    return name, change_bytes(data, chance)


def _old_pickle(chance: random.Random) -> Files:
    """The older PyTorch layout: one of its pickles changed."""
    files = next(f for f in seeds("PyTorch .pt, .pth") if not f.held[f.main].startswith(b"PK"))
    data = files.held[files.main]
    at = [n for n in range(len(data)) if data[n : n + 2] == b"\x80\x02"]
    begins = chance.choice(at)
    ends = next((n for n in at if n > begins), len(data))
    return one(files.main, data[:begins] + change_pickle(data[begins:ends], chance) + data[ends:])


def _header(form: str, chance: random.Random) -> Files:
    """safetensors: the header's JSON changed, its length true."""
    files = chance.choice(seeds(form))
    data = files.held[files.main]
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    if form == OWN and chance.random() < 0.9:
        header["__metadata__"]["cutaway"] = _json(json.loads(header["__metadata__"]["cutaway"]), chance)
        return one(files.main, safetensors(header, body))
    beside = {"config.json": _json(_TIMM, chance).encode()} if chance.random() < 0.3 else {}
    text = json.dumps(header) if beside else _json(header, chance)
    return Files(files.main, {files.main: safetensors(text.encode(), body), **beside})


OWN = "Cutaway's own"
_TIMM = {
    "architecture": "resnet18",
    "label_names": ["cat", "dog"],
    "pretrained_cfg": {"input_size": [3, 8, 8], "mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "crop_pct": 0.9},
}


def _graph(chance: random.Random) -> Files:
    """Our own file: nodes of the graph alone changed, weights and contract left."""
    data = own_bytes(chance.random() < 0.5)
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    said = json.loads(header["__metadata__"]["cutaway"])
    change = change_tree if chance.random() < 0.3 else change_leaves
    change(said["graph"]["nodes"] if chance.random() < 0.7 else said["graph"], chance)
    header["__metadata__"]["cutaway"] = json.dumps(said)
    return one("m.safetensors", safetensors(header, data[8 + length :]))


@functools.cache
def _onnx() -> Any:
    return onnx_proto()


def _onnx_fields(chance: random.Random) -> Files:
    """Any field of any message: another number, text or size, an entry twice, gone, or in another place."""
    made = type(_onnx())()
    made.CopyFrom(_onnx())
    for _ in range(chance.choice([1, 1, 2, 3])):
        _change_message(made, chance)
    return one("m.onnx", made.SerializeToString())


def _change_message(message: Any, chance: random.Random) -> None:
    while True:
        held = [(f, v) for f, v in message.ListFields() if f.name != "raw_data" or chance.random() < 0.3]
        if not held:
            return
        field, value = chance.choice(held)
        several = field.is_repeated
        if field.message_type is None or (several and chance.random() < 0.2):
            break
        message = value[chance.randrange(len(value))] if several else value
    if several:
        _change_list(value, field.message_type is not None, chance)
    elif chance.random() < 0.1:
        message.ClearField(field.name)
    else:
        with contextlib.suppress(ValueError):  # a kind that this version of ONNX cannot write
            setattr(message, field.name, _other(value, chance))


def _change_list(held: Any, messages: bool, chance: random.Random) -> None:
    at, kind = chance.randrange(len(held)), chance.randrange(4)
    if kind == 0:
        del held[at]
    elif messages:
        held.add().CopyFrom(held[chance.randrange(len(held))])
        if kind == 1:
            del held[at]
    elif kind == 1:
        held.append(held[at])
    else:
        held[at] = _other(held[at], chance)


def _other(value: Any, chance: random.Random) -> Any:
    if isinstance(value, int):
        return chance.choice([v for v in [*WHOLE, value + 1, value - 1] if -(2**31) <= v < 2**31] or [0])
    if isinstance(value, float):
        return chance.choice([0.0, -1.0, 1e38, float("nan"), float("inf"), value * 2])
    if isinstance(value, bytes):
        return change_bytes(value, chance)
    names = [n for n in _WRITABLE if len(n) < 1000]
    known = [n.op_type for n in _onnx().graph.node] + [o for n in _onnx().graph.node for o in (*n.input, *n.output)]
    return chance.choice([*known, *known, *names, *WORDS, "Loop", "If", "Constant", "SAME_LOWER"])


def _anything(chance: random.Random) -> Files:
    """The beginning of some format, noise, any ending."""
    tail = chance.choice([chance.randbytes(chance.randrange(600)), bytes(chance.randrange(600)), b' {}[]:,"a' * 40])
    if chance.random() < 0.2:
        files = chance.choice(seeds(chance.choice(list(SEEDS))))
        tail = change_bytes(files.held[files.main], chance)[chance.randrange(20) :]
    if chance.random() < 0.1:
        tail = json.dumps(odd(chance)).encode()
    return one("m" + chance.choice(ENDINGS), chance.choice(KINDS) + tail)


def _whole_number_hdf5(chance: random.Random) -> Files:
    """HDF5 that is no model: any attributes and arrays."""
    names = ["layer_names", "model_config", "keras_version", "weight_names", "backend"]
    said = {
        n: chance.choice(["3.0.0", "{}", 5, numbers(2), b"x", [b"a", b"b"]]) for n in names if chance.random() < 0.5
    }
    return one("m.h5", h5(said, {"model_weights/a": _array(chance), "layers/dense/vars/0": _array(chance)}))


def _of(change: Callable[..., Files], form: str) -> Change:
    return functools.partial(change, form)


FORMS: dict[str, list[Change]] = {
    "Keras .h5": [_of(_bytes, "Keras .h5"), *[_keras_settings] * 3, _hdf5_links, _whole_number_hdf5],
    "Keras .keras": [
        _of(_bytes, "Keras .keras"),
        *[_keras_zip_settings] * 3,
        _hdf5_inside,
        _of(_archive, "Keras .keras"),
    ],
    "TensorFlow.js": [_of(_bytes, "TensorFlow.js"), *[_tfjs_settings] * 3],
    "TensorFlow Lite": [_of(_bytes, "TensorFlow Lite")],
    "ONNX": [_of(_bytes, "ONNX"), *[_onnx_fields] * 2],
    "PyTorch .pt, .pth": [_of(_bytes, "PyTorch .pt, .pth"), _of(_archive, "PyTorch .pt, .pth"), _old_pickle],
    "TorchScript": [_of(_bytes, "TorchScript"), *[_of(_archive, "TorchScript")] * 2],
    "torch.export .pt2": [_of(_bytes, "torch.export .pt2"), *[_of(_archive, "torch.export .pt2")] * 3],
    "safetensors": [_of(_bytes, "safetensors"), *[_of(_header, "safetensors")] * 2],
    OWN: [_of(_bytes, OWN), *[_of(_header, OWN)] * 2, _graph, _graph],
    OTHER: [_anything],
}
"""Format -> the ways its files are changed, each as likely as it is often."""
