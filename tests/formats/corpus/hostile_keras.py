"""Hostile Keras and TensorFlow.js files."""

from __future__ import annotations

import base64
import copy
import io
import json
import marshal
import zipfile
from collections.abc import Iterator
from typing import Any

import h5py
import numpy as np

from tests.formats.corpus.files import (
    CANARY,
    Case,
    Files,
    functional,
    h5,
    keras_h5,
    keras_zip,
    layer,
    members,
    numbers,
    one,
    sequential,
    zipped,
)
from tests.formats.corpus.seeds import keras_model, plain_keras, tfjs_model

BAD_NAMES = [
    "a'b\"c",
    "x\n    import os",
    "{0}%s",
    "__class__",
    "self",
    "\x1b[31mred\x07",
    "\u202etxt",
    "lambda",
    "forward",
    "0",
]
CODE = base64.b64encode(marshal.dumps(compile(f"open({CANARY!r}, 'w')", "x", "eval"))).decode()


def cases() -> Iterator[Case]:
    yield from _code()
    yield from _graphs()
    yield from _sizes()
    yield from _settings()
    yield from _hdf5()
    yield from _zips()
    yield from _tfjs()


def _plain(*layers: Any, shape: Any = (8, 8, 3), arrays: Any = None) -> Files:
    return one("m.h5", keras_h5(sequential(layers, shape), arrays or {}))


def _code() -> Iterator[Case]:
    inside = {"function": [CODE, None, None], "function_type": "lambda", "module": "__main__"}
    yield Case("Lambda layer with code, h5", _plain(layer("Lambda", "l", **inside)), "Lambda")
    held = {"class_name": "__lambda__", "config": {"code": CODE, "defaults": None, "closure": None}}
    yield Case(
        "Lambda layer with code, keras",
        one("m.keras", keras_zip(sequential([layer("Lambda", "l", function=held)]), {})),
        "Lambda",
    )
    for name in ("activation", "kernel_initializer", "kernel_regularizer"):
        system = {"module": "os", "class_name": "function", "config": "system", "registered_name": "system"}
        evil = layer("Dense", "d", units=2, **{name: {**system, "arguments": f"touch {CANARY}"}})
        files = _plain(evil, shape=(4, 4, 3), arrays={"d": {"d/kernel:0": numbers(3, 2), "d/bias:0": numbers(2)}})
        yield Case(f"a function of the system as {name}", files, "activation" if name == "activation" else "")
    own = {**layer("Dense", "d", units=2), "module": "os", "registered_name": "evil>Dense"}
    yield Case("a class of the author's with a known name", _plain(own), "a class written in Python")
    call = {"module": "builtins", "class_name": "function", "config": "exec", "registered_name": "function"}
    yield Case(
        "a function in place of a layer", one("m.keras", keras_zip(sequential([call]), {})), "damaged|has no|class"
    )
    model = {"class_name": "Evil", "module": "subprocess", "config": {"args": ["touch", CANARY]}, "build_config": {}}
    yield Case("a class of the system as the model", one("m.keras", keras_zip(model, {})), "a class written in Python")


def _graphs() -> Iterator[Case]:
    def relu(name: str, *reads: str) -> Any:
        return layer("ReLU", name, *reads)

    def graph(layers: Any, out: str) -> Files:
        return one("m.h5", keras_h5(functional(layers, out), {}))

    yield Case("two layers that read one another", graph([relu("a", "b"), relu("b", "a")], "b"), "waits for a value")
    yield Case("a layer that reads itself", graph([relu("a", "a")], "a"), "waits for a value")
    yield Case("two layers of one name", graph([relu("a", "in"), relu("a", "in")], "a"), "a")
    yield Case("an output that is not there", graph([relu("a", "in")], "z"), "does not hold")
    deep = "[" * 100_000 + "]" * 100_000
    yield Case("JSON 100,000 deep", one("m.h5", keras_h5(deep, {})), "JSON")
    nest: Any = layer("ReLU", "r")
    for n in range(100):
        nest = {"class_name": "Sequential", "config": {"name": f"n{n}", "layers": [nest]}}
    yield Case("models 100 deep", one("m.h5", keras_h5(nest, {})), "nests models")
    yield Case(
        "50,000 layers",
        lambda: _plain(*[layer("ReLU", f"r{n}") for n in range(50_000)]),
        "more than 5000 layers",
        heavy=True,
    )
    yield Case("4,900 layers", lambda: _plain(*[layer("ReLU", f"r{n}") for n in range(4_900)]), "", heavy=True)
    chain = [layer("Concatenate", "c0", "in", "in")]
    chain += [layer("Concatenate", f"c{n}", f"c{n - 1}", f"c{n - 1}") for n in range(1, 60)]
    yield Case("joined with itself 60 times", graph(chain, "c59"), "numbers")

    def wide() -> Files:
        return graph([layer("Concatenate", f"w{n}", *["in"] * 4_000) for n in range(300)], "w299")

    yield Case("a million connections", wide, "read more than 100,000|letters", heavy=True)
    words = [layer("ReLU", "a_" * 30_000 + f"{n}") for n in range(3)]
    yield Case("names of 30,000 words", _plain(*words), "")
    dots = [layer("ReLU", "a." * 30_000 + f"{n}") for n in range(3)]
    yield Case("names of 30,000 dots", lambda: _plain(*dots), "", heavy=True)


def _sizes() -> Iterator[Case]:
    for kind, settings in {
        "ZeroPadding2D": {"padding": 10**6},
        "UpSampling2D": {"size": [10**6, 10**6]},
        "Dense": {"units": 10**9},
        "Conv2D": {"filters": 10**9, "kernel_size": 10**9},
        "Reshape": {"target_shape": [10**9, 10**9]},
        "MaxPooling2D": {"pool_size": 10**6, "padding": "same"},
        "AveragePooling2D": {"pool_size": 10**6, "padding": "same"},
        "RepeatVector": {"n": 10**9},
        "Cropping2D": {"cropping": 10**6},
    }.items():
        yield Case(f"{kind} of giant size", _plain(layer(kind, "x", **settings)), "x")
    ups = [layer("UpSampling2D", f"u{n}", size=2) for n in range(40)]
    yield Case("doubled 40 times", _plain(*ups), "numbers")
    for side in (10**30, 10**9, -5, 0, 1.5, "8", True):
        yield Case(f"pictures of {side!r} px", _plain(layer("ReLU", "r"), shape=(side, side, 3)), "picture|px|shape")
    yield Case("pictures of 16,384 px", _plain(layer("ReLU", "r"), shape=(16_384, 16_384, 3)), "numbers|px")
    wide = layer("Conv2D", "c", filters=512, kernel_size=1, use_bias=False)
    files = _plain(wide, layer("ReLU", "r"), shape=(1000, 1000, 3), arrays={"c": {"c/kernel:0": numbers(1, 1, 3, 512)}})
    yield Case("values of 2 GB", files, "numbers")


def _settings() -> Iterator[Case]:
    norm = {f"b/{n}:0": np.ones(3, np.float32) for n in range(4)}
    for key, value in [("epsilon", float("nan")), ("epsilon", float("inf")), ("axis", [99]), ("axis", 10**30)]:
        bad = layer("BatchNormalization", "b", **{"axis": [3], key: value})
        yield Case(f"BatchNormalization with {key} {value}", _plain(bad, arrays={"b": norm}), key)
    for key, value in [("strides", 0), ("strides", -1), ("dilation_rate", 10**6), ("groups", 0), ("kernel_size", -3)]:
        bad = layer("Conv2D", "c", **{"filters": 2, "kernel_size": 3, key: value})
        arrays = {"c": {"c/kernel:0": numbers(3, 3, 3, 2), "c/bias:0": numbers(2)}}
        yield Case(f"Conv2D with {key} {value}", _plain(bad, arrays=arrays), "c ")
    for n, name in enumerate(BAD_NAMES):
        yield Case(f"a layer called {name!a}", _plain(layer("ReLU", name), layer("ReLU", f"r{n}")), "")
    yield Case("a name of half a character", _plain(layer("ReLU", "\ud800")), "")
    yield Case("a kind with control characters", _plain(layer("Re\x1b[2JLU\n", "x")), "Re")
    model, arrays = keras_model()
    held = {"m.h5": keras_h5(model, arrays), "labels.txt": "0 c\x1b[31mat\x07\n1 \u202edog\x00\n".encode()}
    yield Case("class names with control characters", Files("m.h5", held), "")
    yield Case("labels.txt is a pipe", Files("m.h5", {"m.h5": held["m.h5"]}, {"labels.txt": ""}), "")
    yield Case("labels.txt leads to a device", Files("m.h5", {"m.h5": held["m.h5"]}, {"labels.txt": "/dev/zero"}), "")


def _hdf5() -> Iterator[Case]:
    model, arrays = keras_model()
    whole = keras_h5(model, arrays)
    for part in (8, 100, 600, len(whole) // 2, len(whole) - 1):
        yield Case(f"an .h5 cut after {part} bytes", one("m.h5", whole[:part]), "damaged or truncated")

    def changed(change: Any) -> Files:
        held = io.BytesIO(whole)
        with h5py.File(held, "r+") as file:
            del file["model_weights/d/d/kernel:0"]
            change(file, "model_weights/d/d/kernel:0")
        return one("m.h5", held.getvalue())

    def claims(file: Any, name: str) -> None:
        file.create_dataset(name, (50_000, 50_000), "f4", chunks=(50, 50), compression="gzip")

    def outside(file: Any, name: str) -> None:
        file.create_dataset(name, (100, 2), "f4", external=[("/etc/passwd", 0, 800)])

    def virtual(file: Any, name: str) -> None:
        layout = h5py.VirtualLayout((100, 2), "f4")
        layout[:] = h5py.VirtualSource("../secret.h5", "x", (100, 2))
        file.create_virtual_dataset(name, layout)

    def link(to: Any) -> Any:
        return lambda file, name: file.__setitem__(name, to(file))

    yield Case("10 GB claimed in an .h5", changed(claims), "claims")
    yield Case("numbers in another file", changed(outside), "another file")
    yield Case("a virtual array", changed(virtual), "another file")
    yield Case("an external link", changed(link(lambda _: h5py.ExternalLink("../secret.h5", "/x"))), "link")
    yield Case("a soft link", changed(link(lambda _: h5py.SoftLink("/model_weights"))), "link")
    yield Case("a group that holds itself", changed(link(lambda file: file["model_weights"])), "no array")
    big = json.dumps(sequential([layer("ReLU", "x" * 1_000_000)]))
    yield Case("a name of a million letters", one("m.h5", keras_h5(big, {})), "")
    cyclic = io.BytesIO(h5({"layer_names": [b"a"]}, {"a/b": numbers(2)}))
    with h5py.File(cyclic, "r+") as file:
        file["a/c"] = file["/"]
        file["a/d"] = file["a"]
    yield Case("weights in a circle of groups", one("m.h5", cyclic.getvalue()), "weights only")


def _zips() -> Iterator[Case]:
    good = members(keras_zip(*plain_keras()))
    config = dict(good)["config.json"]
    for name in ("../evil.h5", "/etc/evil", "C:\\evil", "a/../../b", "..\\evil"):
        yield Case(f"a member called {name}", one("m.keras", zipped([*good, (name, b"x")])), "outside its own folder")
    yield Case("config.json twice", one("m.keras", zipped([*good, ("config.json", config)])), "twice")
    yield Case("a member with control characters", one("m.keras", zipped([*good, ("\x1b[2J\n", b"x")])), "")

    def bomb(name: str) -> Files:
        rows = [(n, b" " * 60_000_000 if n == name else data) for n, data in good]
        return one("m.keras", zipped(rows, packed=True))

    yield Case("config.json of 60 MB in 60 kB", lambda: bomb("config.json"), "claims|times", heavy=True)
    yield Case("weights of 60 MB in 60 kB", lambda: bomb("model.weights.h5"), "claims|times", heavy=True)
    yield Case(
        "60,000 members",
        lambda: one("m.keras", zipped([*good, *((f"a{n}", b"") for n in range(60_000))])),
        "members|zip",
        heavy=True,
    )
    deep = zipped([*good[:1], ("config.json", b"[" * 1_000_000), good[-1]])
    yield Case("JSON a million deep in a zip", lambda: one("m.keras", deep), "JSON", heavy=True)
    locked = bytearray(zipped(good))
    at = locked.index(b"PK\x01\x02")
    locked[at + 8] |= 1
    yield Case("an encrypted archive", one("m.keras", bytes(locked)), "encrypted")
    lying = bytearray(zipped(good))
    lying[lying.index(b"PK\x01\x02") + 24 : lying.index(b"PK\x01\x02") + 28] = (2**31).to_bytes(4, "little")
    yield Case("a member that claims 2 GB", one("m.keras", bytes(lying)), "claims|times|damaged")
    whole = zipped(good)
    yield Case("a .keras cut in half", one("m.keras", whole[: len(whole) // 2]), "zip|damaged")
    crc = bytearray(whole)
    crc[whole.index(b"class_name")] ^= 1
    yield Case("a wrong checksum", one("m.keras", bytes(crc)), "CRC|damaged")
    unknown = bytearray(whole)
    for mark, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        at = whole.index(mark)
        unknown[at + place] = 99
    yield Case("an unknown packing", one("m.keras", bytes(unknown)), "damaged")
    again = whole
    for _ in range(5):
        again = zipped([("m.keras", again)], packed=True)
    yield Case("an archive in an archive, five deep", one("m.keras", again), "archive with a model inside")
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None


def _tfjs() -> Iterator[Case]:
    document, weights = tfjs_model()

    def files(change: Any, held: dict[str, bytes] | None = None, links: dict[str, str] | None = None) -> Files:
        made = copy.deepcopy(document)
        change(made["weightsManifest"][0])
        text = json.dumps(made).encode()
        return Files("model.json", {"model.json": text, "weights.bin": weights, **(held or {})}, links or {})

    def paths(*names: str) -> Any:
        return lambda group: group.update(paths=list(names))

    for name in ("../secret.bin", "/etc/passwd", "C:\\secret", "a/../../b.bin", "..\\secret.bin", "file:///etc/passwd"):
        yield Case(f"weights at {name}", files(paths(name)), "outside its own folder")
    yield Case("weights at half a character", files(paths("\ud800.bin")), "keeps its weights|outside")
    yield Case("weights in a name too long", files(paths("x" * 5_000)), "keeps its weights")
    yield Case("weights that are a folder", files(paths("sub"), {"sub/x": b""}), "keeps its weights")
    yield Case("weights that are a pipe", files(paths("pipe"), links={"pipe": ""}), "keeps its weights")
    yield Case("weights that lead to a device", files(paths("zero"), links={"zero": "/dev/zero"}), "keeps its weights")

    def shape(value: Any) -> Any:
        return lambda group: group["weights"][0].update(shape=value)

    for sizes in ([10**9, 10**9], [-1, 4], [10**30], ["4"], [1.5], [True, 1, 3, 4], [float("nan")], "1134", {"a": 1}):
        yield Case(f"weights of the shape {sizes}", files(shape(sizes)), "bytes|damaged|shape|list")

    def many(group: dict[str, Any]) -> None:
        group["paths"] = ["large.bin"] * 4_000
        group["weights"] = [{"name": f"w{n}", "shape": [250_000], "dtype": "float32"} for n in range(4_000)]

    yield Case("one file of 1 MB listed 4,000 times", files(many, {"large.bin": bytes(1_000_000)}), "twice")
    groups = copy.deepcopy(document)
    groups["weightsManifest"] *= 4_000
    held = {"model.json": json.dumps(groups).encode(), "weights.bin": weights}
    yield Case("one group listed 4,000 times", Files("model.json", held), "twice")
    said = {"labels": ["c\x1b[31mat", "\u202edo\ng"], "tfjsVersion": "\x1b[2J", "imageSize": [[]], "grayscale": "x"}
    yield Case(
        "labels with control characters", files(lambda _: None, {"metadata.json": json.dumps(said).encode()}), ""
    )
    yield Case("metadata.json is a pipe", files(lambda _: None, links={"metadata.json": ""}), "")
    yield Case(
        "model.json a million deep", lambda: one("model.json", b'{"modelTopology":' * 1_000_000), "JSON", heavy=True
    )
