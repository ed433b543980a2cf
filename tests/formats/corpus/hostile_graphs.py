"""Hostile ONNX and TensorFlow Lite files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from onnx import ModelProto, TensorProto, helper

from tests.formats.corpus.files import CANARY, Case, Files, numbers, one, zipped
from tests.formats.corpus.hostile_keras import BAD_NAMES
from tests.formats.corpus.seeds import onnx_proto, tflite_bytes
from tests.formats.onnx_kit import model, node
from tests.formats.tflite_maker import Op, T, X, Y, whole, write
from tests.formats.tflite_maker import one as tflite_one


def cases() -> Iterator[Case]:
    yield from _onnx()
    yield from _onnx_outside()
    yield from _tflite()


def _file(made: ModelProto) -> Files:
    return one("m.onnx", made.SerializeToString())


def _changed(change: Callable[[Any], Any]) -> Files:
    made = onnx_proto()
    change(made)
    return _file(made)


def _onnx() -> Iterator[Case]:
    large = "numbers|large|more|cannot|must|bytes|memory|budget"

    def heavy(name: str, says: str, *nodes: Any) -> Case:
        return Case(f"ONNX: {name}", _file(model(list(nodes))), says, heavy=True)

    def net(name: str, says: str, *nodes: Any, **arrays: Any) -> Case:
        return Case(f"ONNX: {name}", _file(model(list(nodes), {k: np.asarray(v) for k, v in arrays.items()})), says)

    yield net(
        "two steps that read one another",
        "waits for its own result",
        node("Relu", "b", "a"),
        node("Relu", "a", "b"),
        node("Add", "x b", "y"),
    )
    yield net("a step that reads itself", "waits for its own result", node("Add", "x y", "y"))
    yield net("an output made twice", "twice|y", node("Relu", "x", "y"), node("Neg", "x", "y"))
    yield net("10^12 zeros", large, node("ConstantOfShape", "s", "z"), node("Add", "x z"), s=np.array([10**6, 10**6]))
    yield net(
        "a range of 10^12",
        large,
        node("Range", "a b c", "r"),
        node("Add", "x r"),
        a=np.array(0),
        b=np.array(10**12),
        c=np.array(1),
    )
    yield net("expanded to 10^12", large, node("Expand", "x s"), s=np.array([1, 10**6, 10**6, 8, 8]))
    yield net("tiled 10^12 times", large, node("Tile", "x s"), s=np.array([1, 10**6, 10**6, 1]))
    yield net("padded by 10^9", large, node("Pad", "x p"), p=np.array([0, 0, 10**9, 0, 0, 0, 10**9, 0]))
    yield net("resized to 10^9", large, node("Resize", "x - - s"), s=np.array([1, 3, 10**9, 10**9]))
    yield net(
        "one-hot of 10^9",
        large + "|OneHot",
        node("OneHot", "i d v", "h"),
        node("Add", "x h"),
        i=np.array([1]),
        d=np.array(10**9),
        v=np.array([0.0, 1.0]),
    )
    yield net("a normalisation over 10^9 channels", large, node("LRN", "x", size=10**9))
    yield net("a pool of 10^9", large, node("MaxPool", "x", kernel_shape=[10**9, 10**9], auto_pad="SAME_UPPER"))
    doubled = [
        node(
            "Concat", f"{'x' if not n else f'd{n}'} {'x' if not n else f'd{n}'}", f"d{n + 1}" if n < 59 else "y", axis=1
        )
        for n in range(60)
    ]
    yield net("joined with itself 60 times", large, *doubled)
    folded = [node("Concat", f"d{n} d{n}", f"d{n + 1}", axis=0) for n in range(60)]
    yield net("stored numbers doubled 60 times", large, *folded, node("Add", "x d60"), d0=numbers(4))
    power = [node("Mul", f"d{n} d{n}", f"d{n + 1}") for n in range(200)]
    yield net("a whole number squared 200 times", large + "|", *power, node("Reshape", "x d200"), d0=np.array([3]))
    yield heavy(
        "10,001 steps",
        "nodes",
        *[node("Relu", f"r{n}" if n else "x", f"r{n + 1}" if n < 10_000 else "y") for n in range(10_001)],
    )
    yield heavy(
        "9,000 steps",
        "",
        *[node("Relu", f"r{n}" if n else "x", f"r{n + 1}" if n < 8_999 else "y") for n in range(9_000)],
    )
    wide = [helper.make_node("Concat", ["x"] * 3_000, [f"c{n}" if n < 299 else "y"], axis=1) for n in range(300)]
    yield heavy("900,000 connections", "", *wide)
    yield net("names of 30,000 words", "", *[node("Relu", a, b, name="a_" * 30_000 + b) for a, b in ("xa", "ab", "by")])
    for key, value in [
        ("strides", [0, 0]),
        ("pads", [-9, -9, -9, -9]),
        ("dilations", [10**9] * 2),
        ("group", 0),
        ("kernel_shape", [-1, -1]),
        ("pads", [2**62] * 4),
    ]:
        conv = node("Conv", "x w", **{"kernel_shape": [3, 3], key: value})
        yield net(
            f"a convolution with {key} {value[0] if isinstance(value, list) else value}",
            "Conv|y",
            conv,
            w=numbers(4, 3, 3, 3),
        )
    norm = node("BatchNormalization", "x s s s s", epsilon=float("nan"))
    yield net("an epsilon that is no number", "epsilon|number|", norm, s=np.ones(3, np.float32))
    for name in BAD_NAMES:
        yield net(f"a step called {name!a}", "", node("Relu", "x", name=name))
        made = [helper.make_node("Relu", ["x"], [name]), helper.make_node("Relu", [name], ["y"])]
        yield net(f"a value called {name!a}", "", *made)
    yield net("an operator of another maker", "Evil|list", helper.make_node("Evil", ["x"], ["y"], domain="evil"))
    yield net(
        "Python code",
        "PyOp|PythonOp|list",
        helper.make_node("PyOp", ["x"], ["y"], domain="ai.onnx.contrib", code=f"open({CANARY!r}, 'w')"),
    )
    for dims in ([10**6, 10**6], [-1, 4], [2**62, 2**62], [0, 2**62]):

        def claim(made: Any, d: list[int] = dims) -> None:
            del made.graph.initializer[0].dims[:]
            made.graph.initializer[0].dims.extend(d)

        yield Case(f"ONNX: numbers of the shape {dims}", _changed(claim), "w|shape|claims|bytes|holds")

    def sized(made: Any, value: int) -> None:
        for at in (2, 3):
            made.graph.input[0].type.tensor_type.shape.dim[at].dim_value = value

    for side in (10**9, 2**62, 16_384, -1, 0):
        yield Case(
            f"ONNX: pictures of {side} px", _changed(lambda m, s=side: sized(m, s)), "" if side < 1 else "px|numbers"
        )
    inner = helper.make_graph(
        [node("Relu", "x", "o")], "g", [], [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)]
    )
    for _ in range(25):
        step = helper.make_node("If", ["c"], ["o"], then_branch=inner, else_branch=inner.__class__())
        inner = helper.make_graph([step], "g", [], [helper.make_tensor_value_info("o", TensorProto.FLOAT, None)])
    deep = model([node("Relu", "x")])
    deep.graph.node.add(op_type="If", input=["c"], output=["z"]).attribute.add(name="then_branch", type=5).g.CopyFrom(
        inner
    )
    yield Case("ONNX: graphs 25 deep", _file(deep), "deep")
    parts = b"\x08\x08" + b"\x3a\x80\x80\x80\x01" + b"\x0a\x00" * (2**21 // 2)
    yield Case("ONNX: a million steps in 2 MB", one("m.onnx", parts), "parts|steps|ONNX")
    whole_file = onnx_proto().SerializeToString()
    for at in (3, 100, len(whole_file) // 2, len(whole_file) - 1):
        yield Case(f"ONNX: cut after {at} bytes", one("m.onnx", whole_file[:at]), "ONNX|unknown|text")
    yield Case(
        "ONNX: a length of 10 GB",
        one("m.onnx", b"\x08\x08\x3a\xff\xff\xff\xff\x7f" + whole_file[5:]),
        "ONNX|cut short|unknown|m.onnx",
    )
    named = onnx_proto()
    named.doc_string = "\x1b[2J\u202e" + "x" * 1_000_000
    named.producer_name = "\x1b[31m\n"
    for key in ("names", "classes", "labels", "cutaway"):
        named.metadata_props.add(key=key, value="{0: 'c\x1b[31mat\\n', 1: '\u202edog'}")
    yield Case("ONNX: notes and class names with control characters", _file(named), "")


def _onnx_outside() -> Iterator[Case]:
    def kept(**said: str) -> Files:
        made = onnx_proto()
        tensor = made.graph.initializer[0]
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in said.items():
            tensor.external_data.add(key=key, value=value)
        return Files(
            "m.onnx",
            {"m.onnx": made.SerializeToString(), "w.bin": bytes(432)},
            {"out": "/etc", "p": "", "z": "/dev/zero"},
        )

    for name in (
        "../secret.bin",
        "/etc/passwd",
        "a/../../secret.bin",
        "..\\secret.bin",
        "C:\\secret",
        "out/passwd",
        "p",
        "z",
        "",
        ".",
        "w.bin\x00",
        "x" * 5_000,
    ):
        yield Case(f"ONNX: numbers in {name[:20]!r}", kept(location=name, length="432"), "m.onnx|second file|folder|w")
    for offset, length in (
        ("-1", "432"),
        ("10000000000", "432"),
        ("0", "10000000000"),
        ("x", "y"),
        ("1e3", "inf"),
        ("0", "-5"),
        ("9" * 5_000, "1"),
    ):
        yield Case(
            f"ONNX: numbers at {offset[:12]}, {length[:12]}",
            kept(location="w.bin", offset=offset, length=length),
            "w.bin|bytes|m.onnx|number",
        )


def _tflite() -> Iterator[Case]:
    def case(name: str, says: str, data: bytes) -> Case:
        return Case(f"TFLite: {name}", one("m.tflite", data), says)

    whole_file = tflite_bytes()
    for at in (8, 40, len(whole_file) // 2):
        yield case(f"cut after {at} bytes", "m.tflite", whole_file[:at])
    for value in (0, 2**31, 2**32 - 1, 4, len(whole_file) - 4):
        yield case(f"tables at {value}", "m.tflite", value.to_bytes(4, "little") + whole_file[4:])
    relu = Op("RELU", [0], [1])
    yield case(
        "two steps that read one another",
        "m.tflite|tensor|before|RELU",
        write([X, Y, Y], [Op("RELU", [2], [1]), Op("RELU", [1], [2])]),
    )
    yield case("a step that reads itself", "m.tflite|tensor|before|RELU", write([X, Y], [Op("RELU", [1], [1])]))
    yield case("50,000 steps", "operators", write([X, Y], [relu], repeat=50_000))
    yield case("no such tensor", "tensor", write([X, Y], [Op("RELU", [99], [1])]))
    yield case("no such buffer", "buffer", write([X, Y, T((3,), buffer=10**6)], [Op("ADD", [0, 2], [1])]))
    yield case("numbers beyond the end", "beyond|truncated", write([X, Y, T((3,), at=10**9)], [Op("ADD", [0, 2], [1])]))
    for side in (10**9, 16_384, 0):
        giant = T((1, side, side, 3), name="x")
        yield case(f"pictures of {side} px", "px|numbers|picture|shape|m.tflite", write([giant, giant], [relu]))
    yield case(
        "claims 4 GB",
        "bytes|holds|claims|numbers",
        write([X, Y, T((10**5, 10**4), np.zeros(4, np.float32))], [Op("ADD", [0, 2], [1])]),
    )
    large = "numbers|cannot|large|shape|must|pads"
    yield case("tiled 10^9 times", large + "|list", tflite_one("TILE", whole(1, 10**9, 10**9, 1)))
    yield case(
        "padded by 10^9",
        large,
        tflite_one("PAD", T((4, 2), np.array([[0, 0], [10**9, 0], [0, 10**9], [0, 0]], np.int32), type=2)),
    )
    yield case(
        "resized to 10^9",
        large,
        tflite_one(
            "RESIZE_NEAREST_NEIGHBOR", whole(10**9, 10**9), options="ResizeNearestNeighborOptions", slots={1: ("u8", 1)}
        ),
    )
    yield case(
        "filled with 10^12",
        large + "|FILL",
        write(
            [X, Y, whole(10**6, 10**6), T((), np.float32(1)), T((10**6, 10**6))],
            [Op("FILL", [2, 3], [4]), Op("ADD", [0, 4], [1])],
        ),
    )
    yield case("reshaped to 10^18", large, tflite_one("RESHAPE", whole(10**9, 10**9)))
    doubled = [Op("CONCATENATION", [n, n], [n + 1], "ConcatenationOptions", {0: ("i32", 3)}) for n in range(60)]
    yield case("joined with itself 60 times", large, write([X] * 61, doubled))
    for scale in (float("nan"), float("inf"), 0.0, -1.0):
        held = T((3,), np.zeros(3, np.int8), type=9, scale=(scale,), zero=(0,))
        yield case(
            f"a scale of {scale}",
            "" if scale < 1 else "finite",
            write([X, Y, held, T((3,))], [Op("DEQUANTIZE", [2], [3]), Op("ADD", [0, 3], [1])]),
        )
    for name in BAD_NAMES:
        yield case(f"a step called {name!a}", "", write([X, T((1, 6, 5, 3), name=name)], [relu]))
    yield case("an operator of another maker", "list|Evil", write([X, Y], [Op("\x1b[2JEvil", [0], [1])]))
    yield case("a step without end", "m.tflite|WHILE|list", write([X, Y], [Op("WHILE", [0], [1])]))
    yield case("300 graphs", "m.tflite|graph", write([X, Y], [relu], subgraphs=300))

    def labelled(count: int) -> Files:
        labels = b"c\x1b[31mat\n\xe2\x80\xaedog\n" + b"\n" * count
        return one("m.tflite", write([X, Y], [relu]) + zipped([("labels.txt", labels)], packed=True))

    yield case("labels with control characters", "", labelled(0).held["m.tflite"])
    yield Case("TFLite: labels of 60 MB", lambda: labelled(60_000_000), "", heavy=True)
    yield case("metadata of noise", "", write([X, Y], [relu], metadata=b"\xff" * 300))
