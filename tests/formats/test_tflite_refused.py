"""Every reason why a TFLite file is not opened, each on the smallest file that has it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cutaway.errors import BadModel
from cutaway.formats import Parts, read_model_file
from cutaway.formats.parts import OnlyView
from cutaway.formats.tflite_file import read
from tests.formats.tflite_maker import Op, Slots, T, X, Y, floats, one, whole, write

SLOPES = np.array([0.1, 0.2, 0.3], np.float32)


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[bytes], Parts]:
    def open_(data: bytes) -> Parts:
        path = tmp_path / "m.tflite"
        path.write_bytes(data)
        parts = read_model_file(path)
        assert isinstance(parts, Parts)
        return parts

    return open_


def pool(kind: str = "MAX_POOL_2D", **slots: int) -> bytes:
    given = {"padding": 1, "wide": 1, "high": 1, "window": 1, **slots}
    fields: Slots = {0: ("i8", given["padding"]), 1: ("i32", given["wide"]), 2: ("i32", given["high"])}
    return one(
        kind, options="Pool2DOptions", slots={**fields, 3: ("i32", given["window"]), 4: ("i32", given["window"])}
    )


def chain(first: Op, then: Op, *more: T, between: T = Y) -> bytes:
    """Two operators: 0 the picture, 1 between, 2 the end, from 3 on constants."""
    return write([X, between, Y, *more], [first, then])


def small(scale: Sequence[float] = (), **more: Any) -> T:
    return T((3,), np.zeros(3, np.int8), type=9, scale=scale, **more)


def resize(kind: str, options: str, corners: int, *sizes: int) -> bytes:
    return one(
        kind, whole(*sizes), options=options, slots={0: ("u8", corners)} if kind[7] == "N" else {2: ("u8", corners)}
    )


AXES = {"CONCATENATION": "ConcatenationOptions", "UNPACK": "UnpackOptions"}
TALL = T((1, 300, 2, 3), name="tall")
HALVES = {0: ("i32", 2)}
VALID = {0: ("i8", 1), 1: ("i32", 1), 2: ("i32", 1)}
MERGE = Op("RESHAPE", [0, 3], [1])
SHAPED = Op("SLICE", [0, 3, 4], [1])
CUT = (whole(0, 0, 0, 0), whole(-1, 6, 5, 2))
FULL = T((1, 6, 5, 2))

REFUSED: dict[str, tuple[bytes, str]] = {
    # tables
    "empty": (write([X], [Op("RELU", [0], [0])], subgraphs=0), "holds no network"),
    "operators": (write([X, Y], [Op("RELU", [0], [1])], repeat=8_001), "claims 8,001 operators; at most 8,000"),
    "operands": (write([X, Y], [Op("ADD_N", [0] * 2001, [1])]), "an operator of 2,001 operands; at most 2,000"),
    "all operands": (write([X, Y], [Op("ADD_N", [0] * 1500, [1])], repeat=200), "more than 50,000 operands in all"),
    "code": (write([X, Y], [Op("RELU", [0], [1], code=9)]), "uses operator code 9; it holds 1"),
    "tensor": (write([X, Y], [Op("RELU", [77], [1])]), "uses tensor 77; it holds 2"),
    "negative": (one("RELU", x=T((1, -6, 5, 3))), r"the shape \(1, -6, 5, 3\), which cannot be"),
    "nine axes": (one("RELU", x=T((1,) * 9)), "at most 8 axes"),
    "zero points": (one("ADD", small([1, 2, 3], zero=[0, 0])), "a tensor with 3 scales but 2 zero points"),
    "not finite": (one("ADD", small([float("nan")])), "a tensor whose scale is not finite"),
    "many scales": (
        write(
            [X, Y, T((900,), np.zeros(900, np.int8), type=9, scale=[1.0] * 900)]
            + [T((900,), type=9, shares=True, buffer=1)] * 20,
            [Op("ADD_N", [0, *range(2, 23)], [1])],
        ),
        "claims more quantisation scales than it has bytes",
    ),
    "buffer": (one("ADD", T((3,), buffer=9)), "uses buffer 9; it holds 1"),
    "beyond": (one("ADD", T((3,), at=2**40)), "keeps buffer 1 beyond its own end"),
    # numbers
    "sparse": (one("ADD", T((3,), SLOPES, sparse=True)), "is stored sparsely"),
    "texts": (one("ADD", T((3,), SLOPES, type=5)), "holds string values"),
    "short": (one("ADD", T((900, 900, 900), SLOPES)), "takes 2,916,000,000 bytes; the file keeps 12"),
    "scales": (one("ADD", small([1, 2])), "has 2 scales for axis 0"),
    "stretched": (
        write(
            [
                X,
                Y,
                T((90_000,), np.zeros(90_000, np.int8), type=9, scale=[1]),
                *[T((90_000,), type=9, scale=[1], buffer=1)] * 40,
            ],
            [Op("ADD_N", [0, *range(2, 43)], [1])],
        ),
        "unpacks to more than 16 times its size",
    ),
    # operands and settings
    "left out": (one("ADD", None), "leaves its operand 1 out"),
    "constant": (one("CONV_2D", floats(1, 1, 1, 3), first=1), "its operand 0 does not depend on the picture"),
    "merged": (chain(MERGE, Op("CONCATENATION", [1], [2]), whole(30, 3)), "several pictures' pixels as one batch"),
    "computed": (write([X, Y], [Op("RESHAPE", [0, 0], [1])]), "its sizes are computed from the picture"),
    "not whole": (one("RESHAPE", floats(2)), "its sizes are 2 float32 values, not a few whole numbers"),
    "axis": (
        one("CONCATENATION", options=AXES["CONCATENATION"], slots={0: ("i32", 9)}),
        "axis 9 of a value with 4 axes",
    ),
    "first axis": (
        one("UNPACK", options=AXES["UNPACK"], slots={1: ("i32", 0)}),
        "along the first axis, across pictures",
    ),
    "settings": (one("ADD", floats(3), options="Conv2DOptions"), "its settings are of another kind"),
    "infinite": (one("LEAKY_RELU", options="LeakyReluOptions", slots={0: ("f32", float("inf"))}), "its Alpha is inf"),
    "too small": (pool(window=9), "its input is too small for its settings"),
    "too many": (
        resize("RESIZE_NEAREST_NEIGHBOR", "ResizeNearestNeighborOptions", 0, 16000, 16000),
        "it would make 768,000,000 numbers of one picture",
    ),
    "pending": (
        write(
            [T((1, 6, 5, 1)), T((1, 6, 5, 7)), Y, floats(1), floats(7)],
            [Op("MUL", [0, 3], [1]), Op("ADD", [1, 4], [2])],
        ),
        "adds numbers of another shape than the file says",
    ),
    # activations, convolutions, dense
    "fused": (one("ADD", floats(3), options="AddOptions", slots={0: ("i8", 5)}), r"fused activation \(number 5\)"),
    "slopes": (one("PRELU", floats(6, 5, 3)), r"slopes of shape \(6, 5, 3\); one for all or one a channel"),
    "conv": (one("CONV_2D", floats(2, 1, 1, 4)), r"weights of shape \(2, 1, 1, 4\) do not fit an input of 3 channels"),
    "deep": (one("DEPTHWISE_CONV_2D", floats(1, 1, 1, 4)), "do not fit an input of 3 channels"),
    "up": (one("TRANSPOSE_CONV", whole(1, 6, 5, 2), floats(2, 1, 1, 5), first=2), "do not fit an input of 3 channels"),
    "up size": (
        one("TRANSPOSE_CONV", whole(1, 9, 9, 2), floats(2, 1, 1, 3), first=2),
        r"\(1, 9, 9, 2\) of a window's \(6, 5, 2\)",
    ),
    "up cut": (one("TRANSPOSE_CONV", whole(1, 2, 2, 2), floats(2, 1, 1, 3), first=2), r"cut \(4, 3\) pixels off"),
    "dense": (
        one("FULLY_CONNECTED", floats(2, 7)),
        r"weights of shape \(2, 7\) do not fit an input of shape \(1, 6, 5, 3\)",
    ),
    "shuffled": (
        one("FULLY_CONNECTED", floats(2, 3), options="FullyConnectedOptions", slots={1: ("i8", 1)}),
        "its weights are shuffled",
    ),
    "map": (one("CONV_2D", floats(2, 1, 1, 4), x=T((1, 6, 5))), r"shape \(1, 6, 5\); it takes maps of four axes"),
    "weights": (one("CONV_2D", T((1, 1, 1, 3), np.ones(3, np.int32), type=2)), "its weights are int64 of shape"),
    "biases": (one("CONV_2D", floats(2, 1, 1, 3), floats(3)), "its biases are 3 float32 values; it takes 2"),
    "stride": (pool(high=0), r"its StrideH and StrideW are \(0, 1\); whole numbers from 1 to 4096"),
    # moving numbers
    "reshape": (one("RESHAPE", whole(7, 7)), r"cannot turn a value of shape \(1, 6, 5, 3\) into \(7, 7\)"),
    "mixes": (one("RESHAPE", whole(3, 30)), "which mixes pictures"),
    "old reshape": (one("RESHAPE"), "in the way of very old files"),
    "squeeze": (
        one("SQUEEZE", options="SqueezeOptions", slots={0: ("array", ([1], np.int32))}),
        r"removes the axes \[1\]",
    ),
    "transpose": (one("TRANSPOSE", whole(0, 1, 1, 3)), r"in the order \[0, 1, 1, 3\]"),
    "transpose 0": (one("TRANSPOSE", whole(1, 0, 2, 3)), "moves the first axis, the pictures'"),
    "concat": (
        chain(SHAPED, Op("CONCATENATION", [0, 1], [2], "ConcatenationOptions", {0: ("i32", 1)}), *CUT, between=FULL),
        r"cannot join values of shapes \(1, 6, 5, 3\), \(1, 6, 5, 2\)",
    ),
    "pack": (
        chain(SHAPED, Op("PACK", [0, 1], [2], "PackOptions", {1: ("i32", 1)}), *CUT, between=FULL),
        "cannot stack values",
    ),
    "unpack": (
        one("UNPACK", x=TALL, options="UnpackOptions", slots={1: ("i32", 1)}),
        "it makes 300 values; the file gives it 1 outputs",
    ),
    "split": (one("SPLIT", whole(1), first=1, options="SplitOptions", slots={0: ("i32", 4)}), "into 4 along axis 1"),
    "split pieces": (
        one("SPLIT", whole(1), first=1, x=TALL, options="SplitOptions", slots={0: ("i32", 300)}),
        "it makes 300 values; the file gives it 1 outputs",
    ),
    "split sizes": (one("SPLIT_V", whole(2, 2), whole(1)), r"into \[2, 2\] along axis 1"),
    "slice": (one("SLICE", whole(0, 0, 0), whole(1, 1, 1)), "it cuts 3 axes of a value"),
    "slice range": (
        one("SLICE", whole(0, 4, 0, 0), whole(1, 9, 5, 3)),
        r"it cuts \[0, 4, 0, 0\] to \[1, 13, 5, 3\] out of",
    ),
    "slice 0": (one("STRIDED_SLICE", whole(1), whole(2), whole(1)), "cuts along the first axis"),
    "strided": (one("STRIDED_SLICE", *[whole(0, 0, 0, 0, 0)] * 3), "it cuts 5 axes of a value"),
    "ellipsis": (
        one("STRIDED_SLICE", *[whole(0)] * 3, options="StridedSliceOptions", slots={2: ("i32", 1)}),
        "skips or adds axes",
    ),
    "backwards": (one("STRIDED_SLICE", whole(0), whole(1), whole(-1)), "only steps forward"),
    "place": (
        one(
            "STRIDED_SLICE", whole(0, 9), whole(1, 9), whole(1, 1), options="StridedSliceOptions", slots={4: ("i32", 2)}
        ),
        "takes place 9 of an axis of 6",
    ),
    "filler": (one("PADV2", whole(*[0] * 8), floats(2)), "fills its border with 2 numbers"),
    "border": (one("PAD", whole(*[0] * 7, -1)), "adds a border of"),
    "more pictures": (one("PAD", whole(1, *[0] * 7)), "it adds pictures"),
    "symmetric": (one("MIRROR_PAD", whole(*[0] * 8), options="MirrorPadOptions", slots={0: ("i8", 1)}), "SYMMETRIC"),
    "mirror": (one("MIRROR_PAD", whole(0, 0, 9, 0, 0, 0, 0, 0)), r"it mirrors \[0, 9, 0, 0\]"),
    "resize": (one("RESIZE_BILINEAR", whole(2, 2, 2)), r"resizes a value of shape \(1, 6, 5, 3\) to \[2, 2, 2\]"),
    "old resize": (one("RESIZE_BILINEAR", whole(2, 2)), "by a rule of TensorFlow 1"),
    "depth": (
        one("DEPTH_TO_SPACE", options="DepthToSpaceOptions", slots=HALVES),
        "cannot lay 3 channels out in blocks of 2",
    ),
    "space": (
        one("SPACE_TO_DEPTH", options="SpaceToDepthOptions", slots=HALVES),
        "cannot cut a map of 6 x 5 into blocks of 2",
    ),
    "blocks": (one("SPACE_TO_DEPTH"), "takes blocks of 0"),
    # arithmetic
    "truths": (one("ADD", T((3,), np.ones(3, bool), type=6)), "joins a value with bool"),
    "values": (
        chain(SHAPED, Op("ADD", [0, 1], [2]), *CUT, between=FULL),
        r"values of shapes \(1, 6, 5, 3\) and \(1, 6, 5, 2\)",
    ),
    "numbers": (one("ADD", floats(2, 6, 5, 3)), r"with numbers of shape \(2, 6, 5, 3\)"),
    "no fit": (one("ADD", floats(4)), r"cannot join \(1, 6, 5, 3\) with numbers of shape \(4,\)"),
    "matmul": (chain(SHAPED, Op("BATCH_MATMUL", [0, 1], [2]), *CUT, between=FULL), "cannot multiply values of shapes"),
    "matmul numbers": (one("BATCH_MATMUL", floats(5, 2)), r"by numbers of shape \(5, 2\)"),
    "neighbours": (
        one("LOCAL_RESPONSE_NORMALIZATION", options="LocalResponseNormalizationOptions", slots={0: ("i32", 99)}),
        "looks at 199 channels",
    ),
    # numbers of the file alone
    "nothing": (write([X, Y], [Op("RELU", [], [1])]), "it is applied to nothing"),
    "held": (write([X, Y, floats(3)], [Op("RELU", [2], [1])]), "works on numbers the file holds"),
    "giant": (
        write([X, Y, whole(70000, 70000), floats(1)], [Op("FILL", [2, 3], [1])]),
        "would make 4,900,000,000 numbers",
    ),
    "cast": (write([X, Y, floats(3)], [Op("CAST", [2], [1], "CastOptions", {1: ("i8", 5)})]), "makes values of type 5"),
    "gather": (
        write([X, Y, floats(3), whole(0)], [Op("GATHER", [2, 3], [1], "GatherOptions", {1: ("i32", 1)})]),
        "gathers in batches",
    ),
    # the network as a whole
    "subgraphs": (write([X, Y], [Op("RELU", [0], [1])], subgraphs=2), "holds 2 subgraphs"),
    "two inputs": (write([X, Y], [Op("RELU", [0], [1])], inputs=(0, 0)), "takes 2 inputs and makes 1 outputs"),
    "unlisted": (one("TOPK_V2", whole(1)), r"operator step \(TOPK_V2\) is not on Cutaway's list"),
    "custom": (one("Detect"), "custom operator Detect"),
    "no picture": (
        write([X, Y, floats(3)], [Op("RELU", [0], [1])], outputs=[2]),
        "its output does not depend on the picture",
    ),
    "merged end": (write([X, T((30, 3)), whole(30, 3)], [Op("RESHAPE", [0, 2], [1])]), "its output mixes pictures"),
    "outputs": (write([X, Y, Y], [Op("RELU", [0], [1, 2])]), "it makes 1 values; the file gives it 2 outputs"),
    "twice": (write([X], [Op("RELU", [0], [0])]), "makes tensor 0, which was made before"),
    "before": (write([X, Y, Y], [Op("ADD", [0, 2], [1])]), "reads tensor net/step/Out before any operator made it"),
    "no pictures": (one("RELU", x=T((1, 10))), r"takes float32 values of shape \(1, 10\), not pictures"),
    "giant side": (one("RELU", x=T((1, 20000, 5, 3))), "sides from 1 to 16384"),
    "channels": (one("RELU", x=T((1, 6, 5, 4))), "pictures of 4 channels"),
    "to whole": (one("CAST", options="CastOptions", slots={1: ("i8", 2)}), "turns numbers into whole ones"),
    "depends": (one("GATHER", whole(0)), "works on values that depend on the picture"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_in_one_sentence(opened: Callable[[bytes], Parts], case: str) -> None:
    data, words = REFUSED[case]
    with pytest.raises(BadModel, match=words) as error:
        opened(data)
    assert str(error.value).startswith("m.tflite")


def test_an_operator_off_the_list_still_shows_all_of_them(opened: Callable[[bytes], Parts]) -> None:
    data = write([X, T((1, 4, 3, 2)), Y, floats(2, 3, 3, 3)], [Op("CONV_2D", [0, 3], [1]), Op("Detect", [1], [2])])
    with pytest.raises(OnlyView) as error:
        opened(data)
    view = error.value.view
    assert view.answer == "view-only"
    assert view.format == "TFLite float32"
    assert [(r.name, r.kind, r.shape, r.parameters) for r in view.rows] == [
        ("conv_2d", "CONV_2D", (4, 3, 2), 54),
        ("step", "Detect", (6, 5, 3), 0),
    ]


def test_a_file_that_was_cut_off(opened: Callable[[bytes], Parts]) -> None:
    data = one("RELU")
    for length in (8, 100, len(data) - 60):
        with pytest.raises(BadModel, match=r"m.tflite is a damaged or truncated TFLite file \("):
            opened(data[:length])


def test_a_folder_that_is_called_like_a_model(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="cannot be read"):
        read(tmp_path)
