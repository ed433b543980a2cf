"""Hostile PyTorch files: pickles with code, storages that claim what is not there, safetensors headers."""

from __future__ import annotations

import json
import os
import pickle
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import torch

from tests.formats.corpus.files import CANARY, Case, Files, members, one, safetensors, zipped
from tests.formats.corpus.seeds import checkpoint, pt2_bytes, saved, seeds, small, torchscript_bytes, weights_bytes


class Evil:
    """Unpickled, it would make the canary."""

    def __reduce__(self) -> Any:
        return os.system, (f"touch {CANARY}",)


def cases() -> Iterator[Case]:
    yield from _code()
    yield from _pickles()
    yield from _archives()
    yield from _pt2()
    yield from _safetensors()


def _torch(data: bytes, **more: bytes) -> Files:
    """A zip as torch.save writes it around this pickle."""
    rows = [("m/data.pkl", data), ("m/byteorder", b"little"), ("m/data/0", bytes(64)), ("m/version", b"3\n")]
    return one("m.pt", zipped([*rows, *((f"m/{k}", v) for k, v in more.items())]))


def _script(data: bytes) -> Files:
    return one("m.pt", zipped([("m/data.pkl", data), ("m/constants.pkl", b"\x80\x02)."), ("m/data/0", bytes(64))]))


def _code() -> Iterator[Case]:
    said = "without weights|can only be made by running|does not run|no known network"
    for protocol in (0, 1, 2, 3, 4, 5):
        plain = pickle.dumps(Evil(), protocol)
        yield Case(f"code in a pickle of protocol {protocol}", _torch(plain), said + "|cannot be followed")
        yield Case(f"code in a bare pickle of protocol {protocol}", one("m.pkl", plain), "pickle|unknown|text")
    yield Case("code beside weights", one("m.pt", saved({**small().state_dict(), "evil": Evil()})), said)
    yield Case(
        "code beside weights, older layout",
        one("m.pt", saved({**checkpoint(), "evil": Evil()}, _use_new_zipfile_serialization=False)),
        said,
    )
    for name in (
        "builtins\neval",
        "os\nsystem",
        "posix\npopen",
        "subprocess\nPopen",
        "torch.hub\nload",
        "runpy\nrun_path",
    ):
        code = f"c{name}\n(V__import__('os').system('touch {CANARY}')\ntR.".encode()
        yield Case(f"a pickle that calls {name.split()[1]}", _torch(b"\x80\x02" + code), said)
        yield Case(f"TorchScript that calls {name.split()[1]}", _script(b"\x80\x02" + code), "without weights")
    inst = f"(S'touch {CANARY}'\nios\nsystem\n.".encode()
    yield Case("a pickle of the oldest way to call", _torch(inst), "step INST")
    yield Case("a pickle that names a registry entry", _torch(b"\x80\x02\x82\x01."), "step EXT1")
    yield Case(
        "code in constants.pkl",
        one(
            "m.pt",
            zipped(
                [
                    (n, pickle.dumps(Evil(), 2) if n.endswith("constants.pkl") else d)
                    for n, d in members(torchscript_bytes())
                ]
            ),
        ),
        "no known network",
    )


def _pickles() -> Iterator[Case]:
    def torch_and_script(name: str, data: bytes, says: str) -> Iterator[Case]:
        yield Case(name, _torch(data), says)
        yield Case(f"{name}, TorchScript", _script(data), says)

    held = "without weights|damaged|steps|no readable|no storage|objects|modules"
    yield from torch_and_script("a list that holds itself", b"\x80\x02]q\x00h\x00a.", held)
    wide = b"\x80\x02}q\x00(" + b"".join(b"X\x04\0\0\0" + f"{n:04}".encode() + b"h\x00" for n in range(1_000)) + b"u."
    yield from torch_and_script("a dict that holds itself 1,000 times", wide, held)
    laughs = b"\x80\x02}q\x00"
    for n in range(1, 200):
        laughs += b"}q" + bytes([n]) + b"(X\x01\0\0\0ah" + bytes([n - 1]) + b"X\x01\0\0\0bh" + bytes([n - 1]) + b"u"
    yield from torch_and_script("dicts doubled 200 times", laughs + b".", held)
    objects = b"\x80\x02cx\nY\n)R}b"
    for _ in range(60):
        objects = objects + b"q\x01" + b"cx\nY\n)R}(X\x01\0\0\0ah\x01X\x01\0\0\0bh\x01ub"
    yield from torch_and_script("objects doubled 60 times", objects + b".", held)
    modules = b"\x80\x02N"
    for _ in range(60):
        modules += b"q\x01cx\nY\n)R}(X\x08\0\0\0_modules}(X\x01\0\0\0ah\x01X\x01\0\0\0bh\x01uX\x0b\0\0\0_parameters}ub"
    yield from torch_and_script("modules doubled 60 times", modules + b".", held)
    tuples = b"\x80\x02)" + b"q\x01h\x01\x86" * 60
    key = tuples + b"q\x02"
    yield from torch_and_script("tuples doubled 60 times as the key of a dict", b"\x80\x02}" + key[2:] + b"Ns.", held)
    reference = b"\x80\x02}X\x01\0\0\0wctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\n%s"
    reference += b"X\x03\0\0\0cpuK\x02tQK\x00K\x02\x85K\x01\x85\x89}tRs."
    yield Case(
        "tuples doubled 60 times as the key of a storage",
        _torch(reference.replace(b"%s", tuples[2:])),
        "points at no storage",
    )
    yield from torch_and_script("tuples doubled 60 times as the name of a class", tuples + b"h\x01\x93.", "damaged")
    deep = b"\x80\x02N" + b"\x85" * 500_000 + b"."
    yield from torch_and_script("tuples 500,000 deep", deep, held)
    calls = b"\x80\x02cx\nY\n" + b")R" * 300_000 + b"."
    yield from torch_and_script("calls 300,000 deep", calls, held)
    long_key = b"\x80\x02}\x8b" + (5_000).to_bytes(4, "little") + b"\x7f" * 5_000 + b"Ns."
    yield from torch_and_script("a key of 12,000 digits", long_key, held)
    endless = b"\x80\x02" + b"N0" * 3_000_000 + b"N."
    yield Case(
        "a pickle of 6 million steps",
        lambda: one("m.pt", zipped([("m/data.pkl", endless)], packed=True)),
        "claims|steps",
        heavy=True,
    )
    yield Case(
        "a pickle of 6 million steps, not packed",
        lambda: one("m.pt", zipped([("m/data.pkl", endless)])),
        "steps",
        heavy=True,
    )
    for claim in (
        b"X\xff\xff\xff\x7f",
        b"\x8d\xff\xff\xff\xff\xff\xff\xff\x7f",
        b"\x8b\xff\xff\xff\x7f",
        b"B\xff\xff\xff\x7f",
    ):
        yield Case(f"a pickle that claims a long value ({claim[:1]!r})", _torch(b"\x80\x02" + claim + b"x."), "damaged")
    bad = b"\x80\x02}X\x06\0\0\0\x1b[31m\nctorch._utils\n_rebuild_tensor_v2\n(NK\x00))\x89NtRs."
    yield Case("a weight's name with control characters", _torch(bad), "damaged")
    state = small().state_dict()
    for name in ("a'b", "x\ny", "", ".", "..", "a..b", "\u202ex", "conv.weight\x00", "é" * 300):
        yield Case(
            f"weights called {name[:10]!a}", one("m.pt", saved({name: state["conv.weight"]})), "no known network"
        )


def _archives() -> Iterator[Case]:
    data = dict(members(saved(small().state_dict())))
    pkl = next(n for n in data if n.endswith("data.pkl"))

    def with_pickle(change: Callable[[bytes], bytes]) -> Files:
        rows = {**data, pkl: change(data[pkl])}
        return one("m.pt", zipped(list(rows.items())))

    yield Case(
        "weights of 10 GB claimed",
        with_pickle(lambda d: d.replace(b"K\x04K\x03K\x03K\x03", b"J\0\xca\x9a\x3bK\x0aK\x01K\x01")),
        "claims",
    )
    yield Case(
        "weights of negative size",
        with_pickle(lambda d: d.replace(b"K\x04K\x03K\x03K\x03", b"J\xff\xff\xff\xffK\x03K\x03K\x03")),
        "no readable shape",
    )

    def bomb(name: str) -> Files:
        rows = {**data, name: data.get(name, b"") + bytes(60_000_000)}
        return one("m.pt", zipped(list(rows.items()), packed=True))

    yield Case(
        "a storage of 60 MB in 60 kB",
        lambda: bomb(pkl.replace("data.pkl", "data/0")),
        "claims|unpacks|no known network",
        heavy=True,
    )
    yield Case("a pickle of 60 MB in 60 kB", lambda: bomb(pkl), "claims", heavy=True)
    yield Case(
        "a byte order of 60 MB in 60 kB",
        lambda: bomb(pkl.replace("data.pkl", "byteorder")),
        "claims|twice|damaged|no known network",
        heavy=True,
    )
    yield Case("120,000 records", lambda: one("m.pt", _records(120_000)), "directory has", heavy=True)
    whole = saved(small().state_dict())
    for part in (4, 60, len(whole) // 2, len(whole) - 1):
        yield Case(f"a .pt cut after {part} bytes", one("m.pt", whole[:part]), "zip|damaged|PyTorch|unknown")
    (old,) = [f.held[f.main] for f in seeds("PyTorch .pt, .pth") if not f.held[f.main].startswith(b"PK")]
    for part in (14, 100, len(old) // 2, len(old) - 1):
        yield Case(f"an older .pt cut after {part} bytes", one("m.pth", old[:part]), "damaged|cut short")
    huge = old[: -len(small().state_dict()["dense.bias"]) * 4 - 8]
    yield Case("an older .pt without its last storage", one("m.pth", huge), "cut short|damaged")
    pipe = Files("m.pt", {}, {"m.pt": ""})
    yield Case("a model file that is a pipe", pipe, "a pipe or a device")
    for device in ("/dev/zero", "/dev/null"):
        yield Case(f"a model file that leads to {device}", Files("m.pt", {}, {"m.pt": device}), "a pipe or a device")
    yield Case("a model file that leads to itself", Files("m.pt", {}, {"m.pt": "m.pt"}), "cannot be read|no model")
    for ending in ("h5", "pt", "onnx", "tflite", "keras", "json", "safetensors", "pt2", "bin"):
        yield Case(f"an empty .{ending}", one(f"m.{ending}", b""), "empty")


def _records(count: int) -> bytes:
    with zipfile.ZipFile(buffer := __import__("io").BytesIO(), "w") as archive:
        for n in range(count):
            archive.filelist.append(_bare(n))
        archive._didModify = True  # type: ignore[attr-defined]
        archive.start_dir = 0
    return b"PK\x03\x04" + bytes(40) + buffer.getvalue()


def _bare(n: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(f"a{n}")
    info.header_offset = 0
    info.CRC = info.compress_size = info.file_size = 0
    return info


def _pt2() -> Iterator[Case]:
    rows = members(pt2_bytes())
    name = next(n for n, _ in rows if n.endswith("models/model.json"))
    index = next(n for n, _ in rows if n.endswith("weights_config.json"))

    def changed(which: str, change: Callable[[Any], Any]) -> Files:
        made = []
        for n, data in rows:
            if n == which:
                document = json.loads(data)
                data = json.dumps(change(document) or document).encode()
            made.append((n, data))
        return one("m.pt2", zipped(made))

    def first(document: Any) -> Any:
        return next(iter(document["config"].values()))

    yield Case(
        "a .pt2 whose weights are pickled",
        changed(index, lambda d: first(d).update(use_pickle=True)),
        "nothing computes",
    )
    for path in ("../../secret", "/etc/passwd", "\x1b[2J", 5, None, []):
        yield Case(
            f"a .pt2 with weights at {path!r}",
            changed(index, lambda d, p=path: first(d).update(path_name=p)),
            "not in it",
        )
    sizes = [{"as_int": 10**9}] * 3
    yield Case(
        "a .pt2 that claims 4 EB",
        changed(index, lambda d: first(d)["tensor_meta"].update(sizes=sizes, strides=sizes)),
        "claims",
    )
    for value in (10**9, -1, 0, None, "x"):

        def sized(d: Any, v: Any = value) -> None:
            for tensor in d["graph_module"]["graph"]["tensor_values"].values():
                tensor["sizes"] = [{"as_int": v}] * 4

        yield Case(f"a .pt2 of pictures of {value!r} px", changed(name, sized), "m.pt2|layer|input")

    def nodes(change: Callable[[list[Any]], None]) -> Files:
        return changed(name, lambda d: change(d["graph_module"]["graph"]["nodes"]))

    yield Case("a .pt2 backwards", nodes(lambda n: n.reverse()), "nothing computes before")
    yield Case("a .pt2 with each step twice", nodes(lambda n: n.extend(json.loads(json.dumps(n)))), "")
    for target in (
        "os.system",
        "torch.ops.aten.system.default",
        "torch.ops.os.system.default",
        "builtins.eval",
        "_operator.call",
    ):
        yield Case(
            f"a .pt2 that calls {target}",
            nodes(lambda n, t=target: n[0].update(target=t)),
            "not on Cutaway's list|taken over",
        )
    many = [{"name": "tensors", "arg": {"as_tensors": [{"name": "x"}] * 400_000}, "kind": 1}]
    join = {"target": "torch.ops.aten.cat.default", "inputs": many, "outputs": [{"as_tensor": {"name": "big"}}]}
    yield Case("a .pt2 that joins 400,000 values", lambda: nodes(lambda n: n.insert(0, join)), "too large", heavy=True)
    yield Case(
        "a .pt2 of 10,000 steps", lambda: nodes(lambda n: n.extend(n[:1] * 10_000)), "at most 10,000|claims", heavy=True
    )
    yield Case(
        "a .pt2 of JSON a million deep",
        one("m.pt2", zipped([(n, b"[" * 10**6 if n == name else d) for n, d in rows])),
        "JSON",
    )
    stored = next(iter(json.loads(dict(rows)[name])["graph_module"]["signature"]["input_specs"]))
    weight = stored["parameter"]["arg"]["name"]
    for kind, more in (
        ("repeat", {"repeats": {"as_ints": [10**5] * 6}}),
        ("expand", {"size": {"as_ints": [10**5, 4, 3, 3]}}),
        ("constant_pad_nd", {"pad": {"as_ints": [10**5] * 4}}),
        ("upsample_nearest2d", {"output_size": {"as_ints": [10**5, 10**5]}}),
    ):
        inputs = [{"name": "self", "arg": {"as_tensor": {"name": weight}}, "kind": 1}]
        inputs += [{"name": k, "arg": v, "kind": 1} for k, v in more.items()]
        node = {
            "target": f"torch.ops.aten.{kind}.default",
            "inputs": inputs,
            "outputs": [{"as_tensor": {"name": "big"}}],
            "metadata": {},
        }
        end = {
            **node,
            "target": "torch.ops.aten.neg.default",
            "inputs": [{"name": "self", "arg": {"as_tensor": {"name": "big"}}, "kind": 1}],
            "outputs": [{"as_tensor": {"name": "end"}}],
        }
        yield Case(
            f"a .pt2 that blows stored numbers up by {kind}",
            nodes(lambda n, m=node, e=end: n[:0].__iadd__([]) or n.__setitem__(slice(0, 0), [m, e])),
            "numbers|list|taken over",
        )


def _safetensors() -> Iterator[Case]:
    whole = weights_bytes()
    length = int.from_bytes(whole[:8], "little")
    header, body = json.loads(whole[8 : 8 + length]), whole[8 + length :]

    def row(**change: Any) -> Files:
        first = next(k for k in header if k != "__metadata__")
        return one("m.safetensors", safetensors({**header, first: {**header[first], **change}}, body))

    for change in (
        {"shape": [10**9, 10]},
        {"shape": [-1, 4]},
        {"shape": [2**63, 2**63, 4]},
        {"data_offsets": [0, 10**10]},
        {"data_offsets": [432, 0]},
        {"data_offsets": [-8, 8]},
        {"dtype": "F128"},
        {"dtype": 5},
        {"shape": "x"},
    ):
        yield Case(f"safetensors with {change}", row(**change), "readable")
    for claim in (2**63, 10**10, 99_999_999, 3):
        yield Case(
            f"a safetensors header of {claim} bytes",
            one("m.safetensors", claim.to_bytes(8, "little") + whole[8:]),
            "readable|unknown|safetensors",
        )
    yield Case("a safetensors header a million deep", one("m.safetensors", safetensors(b'{"a":' * 10**6)), "readable")
    doubled = json.dumps(header)[:-1] + ', "conv.bias": ' + json.dumps(header["conv.bias"]) + "}"
    yield Case(
        "a weight listed twice", one("m.safetensors", safetensors(doubled.encode(), body)), "readable|no known network"
    )
    empty = {f"w{n}": {"dtype": "F32", "shape": [0, 2**40], "data_offsets": [0, 0]} for n in range(50)}
    yield Case("weights of 0 x 10^12 numbers", one("m.safetensors", safetensors(empty)), "readable|no known network")

    def many() -> Files:
        rows = {f"layer{n}.weight": {"dtype": "U8", "shape": [1], "data_offsets": [n, n + 1]} for n in range(100_000)}
        return one("m.safetensors", safetensors(rows, bytes(100_000)))

    yield Case("100,000 weights", many, "at most 20,000", heavy=True)
    config = {
        "architecture": "../../x",
        "pretrained_cfg": {"input_size": [3, 10**9, 10**9], "mean": [float("nan")] * 3},
    }
    beside = {"m.safetensors": whole, "config.json": json.dumps(config).encode()}
    yield Case("config.json of hostile values", Files("m.safetensors", beside), "no known network")
    yield Case(
        "config.json is a pipe",
        Files("m.safetensors", {"m.safetensors": whole}, {"config.json": ""}),
        "no known network",
    )
    nan = {k: torch.full_like(v, float("nan")) if v.is_floating_point() else v for k, v in small().state_dict().items()}
    yield Case("weights that are no numbers", one("m.pt", saved(nan)), "no known network")
