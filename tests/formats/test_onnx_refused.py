"""What cannot be opened: one sentence that names the node and what stops it; nothing else is ever raised."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from cutaway.errors import BadModel
from cutaway.formats import onnx_file, onnx_graph, onnx_wire
from cutaway.formats.onnx_errors import Refused
from cutaway.formats.onnx_node import on_meta
from cutaway.formats.onnx_sizes import call_sizes
from cutaway.formats.onnx_values import Tape
from cutaway.formats.parts import OnlyView
from tests.formats.onnx_kit import model, node, numbers, saved

I64 = np.int64
FLAT = node("Flatten", "x", "f")


def ints(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, I64)


def floats(*values: float) -> np.ndarray[Any, Any]:
    return np.array(values, np.float32)


W = {"w": numbers(4, 3, 3, 3)}
Q = {"s": np.float32(0.1), "z": np.uint8(0)}

# (nodes, arrays, opset, what the sentence says)
STOPPED: list[tuple[list[Any], dict[str, Any], int, str]] = [
    ([node("NonMaxSuppression", "x x")], {}, 13, r"The node 'y' \(NonMaxSuppression\) is an operator that is not on"),
    ([helper.make_node("Odd", ["x"], ["y"], domain="org.other")], {}, 13, "is an operator of org.other that is not on"),
    ([node("Dropout", "x", "d m"), node("Not", "m", "n"), node("Where", "n x x")], {}, 13, "used for training only"),
    ([node("Relu", "")], {}, 13, "has no input number 1"),
    ([node("Conv", "x x")], {}, 13, "gets its kernel from the picture"),
    ([node("Reshape", "x s")], {"s": floats(1, 192)}, 13, "has a shape that is no list of whole numbers"),
    ([node("Clip", "x s")], {"s": floats(1, 2)}, 13, "has a lower end that is not one number"),
    ([node("Conv", "x w", strides=[1])], W, 13, "has 1 numbers in its setting 'strides'; 2 are needed"),
    ([node("Conv", "x w", strides=2.0)], W, 13, "has a setting 'strides' of the wrong kind"),
    ([node("Transpose", "x", perm=[0] * 100_001)], {}, 13, "has 100,001 numbers in its setting 'perm'"),
    ([node("Constant", "", "c"), node("Add", "x c")], {}, 13, "is a constant of a kind that cannot be read"),
    ([node("Constant", "", "c", value_string="a"), node("Add", "x c")], {}, 13, r"cannot be read \(value_string\)"),
    (
        [helper.make_node("FusedConv", ["x", "w"], ["y"], domain="com.microsoft", activation="Odd")],
        W,
        13,
        "ends in the activation 'Odd' with the numbers",
    ),
    # windows
    ([FLAT, node("MaxPool", "f", kernel_shape=[2])], {}, 13, "2 axes, which has no height and width"),
    ([node("Conv", "x w", kernel_shape=[2, 2])], W, 13, r"says its kernel is \(2, 2\); its weights have \(3, 3\)"),
    ([node("Conv", "x w", strides=[0, 1])], W, 13, "kernel, stride or dilation below 1"),
    ([node("Conv", "x w", auto_pad="SOME")], W, 13, "auto_pad 'SOME', which does not exist"),
    ([node("Conv", "x w", pads=[-1, 0, 0, 0])], W, 13, "a negative padding"),
    ([node("Conv", "x w")], {"w": numbers(4, 3, 3)}, 13, r"kernel of shape \(4, 3, 3\) for a value of shape \('N', 3"),
    ([node("Conv", "x w")], {"w": numbers(4, 2, 3, 3)}, 13, r"takes 2 channels and gets a value of shape \('N', 3, 8"),
    ([node("Conv", "x w", group=3)], W, 13, "divides 4 filters into 3 groups"),
    ([node("Conv", "x w b")], {**W, "b": numbers(3)}, 13, r"a bias of shape \(3,\) for 4 channels"),
    ([node("Conv", "x w")], {"w": numbers(4, 3, 9, 9)}, 13, r"is too large for its input of shape \('N', 3, 8, 8\)"),
    ([node("Conv", "x w")], {"w": numbers(0, 3, 3, 3)}, 13, "has weights without a single number"),
    ([node("ConvTranspose", "x w")], {"w": numbers(3, 4, 3)}, 13, r"kernel of shape \(3, 4, 3\) for a value"),
    ([node("ConvTranspose", "x w", auto_pad="SAME_UPPER")], {"w": numbers(3, 2, 3, 3)}, 13, "without an output_shape"),
    (
        [node("ConvTranspose", "x w", pads=[0, 0, 1, 1], output_padding=[1, 1], strides=[2, 2])],
        {"w": numbers(3, 2, 3, 3)},
        13,
        "an output_padding and different borders",
    ),
    (
        [node("ConvTranspose", "x w", output_padding=[1, 1])],
        {"w": numbers(3, 2, 3, 3)},
        13,
        "that is not below its stride",
    ),
    (
        [node("ConvTranspose", "x w", output_shape=[99, 99])],
        {"w": numbers(3, 2, 3, 3)},
        13,
        "larger than what it makes",
    ),
    ([node("MaxPool", "x", kernel_shape=[2, 2], storage_order=1)], {}, 13, "has storage_order 1"),
    (
        [node("Unsqueeze", "x a", "u"), node("MaxPool", "u", kernel_shape=[1] * 3)],
        {"a": ints(2)},
        13,
        "3 axes of space",
    ),
    (
        [node("Unsqueeze", "x a", "u"), node("AveragePool", "u", kernel_shape=[1] * 3)],
        {"a": ints(2)},
        13,
        "3 axes of sp",
    ),
    ([node("AveragePool", "x", kernel_shape=[2, 2], dilations=[2, 2])], {}, 19, "has a dilation"),
    (
        [node("AveragePool", "x", kernel_shape=[2, 2], pads=[0, 0, 1, 1], ceil_mode=1)],
        {},
        13,
        "ceil_mode and different",
    ),
    ([FLAT, node("GlobalMaxPool", "f")], {}, 13, "gets a value with 2 axes; 3 or 4"),
    # dense and normalisation
    ([node("Gemm", "x w")], {"w": numbers(8, 2)}, 13, "multiplies values with 4 and 2 axes"),
    ([FLAT, node("Gemm", "f w")], {"w": numbers(8, 2)}, 13, r"takes 8 numbers and gets a value of shape \('N', 192\)"),
    ([FLAT, node("Gemm", "f w b")], {"w": numbers(192, 2), "b": numbers(3)}, 13, r"bias of shape \(3,\) for 2 outputs"),
    (
        [node("MatMul", "a b", "c"), node("Add", "x c")],
        {"a": numbers(70000, 2), "b": numbers(2, 9000)},
        13,
        "large arrays",
    ),
    ([node("MatMul", "x b")], {"b": numbers(2, 3, 3)}, 13, "which do not fit"),
    ([node("BatchNormalization", "x s s s s", training_mode=1)], {"s": numbers(3)}, 15, "is in training mode"),
    ([node("BatchNormalization", "x s s s s", spatial=0)], {"s": numbers(3)}, 8, "has spatial 0"),
    ([node("BatchNormalization", "x s s s s")], {"s": numbers(4)}, 15, r"a weight of shape \(4,\) for 3 channels"),
    ([node("LayerNormalization", "x s", epsilon=-1.0)], {"s": numbers(8)}, 17, "has an epsilon of -1; 0 or more"),
    ([node("GroupNormalization", "x s s", num_groups=2)], {"s": numbers(3)}, 21, "divides 3 channels into 2 groups"),
    ([node("GroupNormalization", "x s s", num_groups=0)], {"s": numbers(3)}, 21, "divides 3 channels into 0 groups"),
    ([node("LayerNormalization", "x s", axis=0)], {"s": numbers(3)}, 17, "averages over the pictures"),
    ([node("LayerNormalization", "x s")], {"s": numbers(3)}, 17, r"a scale of shape \(3,\) for the axes \(8,\)"),
    ([node("RMSNormalization", "x s")], {"s": numbers(3)}, 23, r"a scale of shape \(3,\) for the axes \(8,\)"),
    ([node("LRN", "x", size=4)], {}, 13, "averages over 4 channels; only odd"),
    (
        [node("GlobalAveragePool", "x", "g"), node("InstanceNormalization", "g s s")],
        {"s": numbers(3)},
        13,
        "which has one",
    ),
    # arithmetic
    ([node("Div", "a b", "c"), node("Reshape", "x c")], {"a": ints(4), "b": ints(0)}, 13, "divides by zero"),
    ([node("Clip", "x a b")], {"a": np.float32(2), "b": np.float32(1)}, 13, "the empty range 2 to 1"),
    ([node("PRelu", "x s")], {"s": numbers(3, 8, 8)}, 13, "a slope of shape"),
    ([node("Gelu", "x", approximate="some")], {}, 20, "approximates by 'some'"),
    ([node("Softmax", "x", axis=0)], {}, 11, "runs over all pictures at once"),
    ([node("Dropout", "x r")], {"r": np.float32(2)}, 13, "drops the share 2"),
    (
        [node("Greater", "x z", "g"), node("Where", "g x x")],
        {"z": np.float32(0)},
        13,
        "decides by values of the picture",
    ),
    (
        [node("Add", "x a")],
        {"a": numbers(5)},
        13,
        r"values of the shapes \('N', 3, 8, 8\) and \(5,\), which do not fit",
    ),
    ([node("Softmax", "x", axis=7)], {}, 13, "works along axis 7 of a value with 4 axes"),
    # moving
    ([node("Reshape", "x s")], {"s": ints(-1, -1)}, 13, r"the impossible shape \[-1, -1\]"),
    ([node("Reshape", "x s")], {"s": ints(1, 3, 8, 8, 0)}, 13, "copies an axis that is not there"),
    ([node("Reshape", "x s")], {"s": ints(-1, 7)}, 13, r"cannot bring 192 numbers into the shape \[-1, 7\]"),
    ([node("Reshape", "x s")], {"s": ints(1, 7)}, 13, r"of shape \(1, 3, 8, 8\) into the shape \(1, 7\)"),
    ([node("Transpose", "x", perm=[0, 1, 1, 3])], {}, 13, "which is no order of 4 axes"),
    ([node("Squeeze", "x a")], {"a": ints(1)}, 13, "where they are not 1"),
    ([node("Squeeze", "x a")], {"a": ints(0)}, 13, "takes out the axis of pictures"),
    ([node("Squeeze", "x a")], {"a": ints(1, 1)}, 13, r"names one axis twice: \[1, 1\]"),
    ([node("Concat", "", axis=1)], {}, 13, "has no input|has nothing to put together"),
    ([node("Concat", "x f", axis=1), FLAT], {}, 13, "joins values of the shapes"),
    ([node("Split", "x s", "y b", axis=1)], {"s": ints(1, 1)}, 13, r"splits 3 into \[1, 1\] for 2 outputs"),
    ([node("Slice", "x s e")], {"s": ints(1), "e": ints(1, 2)}, 13, "of different lengths"),
    ([node("Slice", "x s e a t")], {"s": ints(1), "e": ints(2), "a": ints(2), "t": ints(0)}, 13, "has a step of 0"),
    ([node("Gather", "x i", axis=1)], {"i": ints(5)}, 13, "takes number 5 of 3"),
    ([node("Expand", "x s")], {"s": ints(0)}, 13, "the impossible shape"),
    ([node("Expand", "x s")], {"s": ints(1, 5, 8, 8)}, 13, "cannot widen a value"),
    ([node("Tile", "x s")], {"s": ints(2)}, 13, "repeats a value with 4 axes"),
    ([node("Cast", "x", to=8)], {}, 13, "type number 8, which cannot be held"),
    ([node("Cast", "x", to=7)], {}, 13, "cuts the picture's values to whole numbers"),
    ([node("CastLike", "x i")], {"i": ints(1)}, 15, "cuts the picture's values to whole numbers"),
    ([node("ConstantOfShape", "s", "c"), node("Add", "x c")], {"s": ints(-1)}, 13, "the impossible shape"),
    ([node("ConstantOfShape", "s", "c"), node("Add", "x c")], {"s": ints(10**9)}, 13, "1,000,000,000 numbers out of"),
    ([node("Shape", "x", "s"), node("ConstantOfShape", "s", "c"), node("Add", "x c")], {}, 13, "for every picture"),
    (
        [node("Expand", "c s", "e"), node("Add", "x e")],
        {"c": floats(1), "s": ints(10**5, 10**5)},
        13,
        "numbers out of the",
    ),
    (
        [node("Range", "a b a", "r"), node("Add", "x r")],
        {"a": np.float32(1), "b": np.float32(1e12)},
        13,
        "out of the file",
    ),
    (
        [node("Range", "a b c", "r"), node("Add", "x r")],
        {"a": ints(0), "b": ints(9), "c": ints(0)},
        13,
        "counts from, to",
    ),
    (
        [
            node("Shape", "x", "s"),
            node("ReduceProd", "s", "p", keepdims=0),
            node("Cast", "p", "f", to=1),
            node("Add", "x f"),
        ],
        {},
        13,
        "counts with the number of pict",
    ),
    ([node("DepthToSpace", "x", blocksize=2)], {}, 13, "spreads 3 channels over blocks of 2 x 2"),
    ([node("SpaceToDepth", "x", blocksize=3)], {}, 13, "cuts 8 x 8 into blocks of 3 x 3"),
    ([node("Einsum", "x w", equation="ab,bc")], {"w": numbers(3, 3)}, 13, "written as 'ab,bc', which is not on"),
    (
        [node("Einsum", "x w", equation="nchw,kh->nk")],
        {"w": numbers(3, 3)},
        13,
        "which the shapes of its values do not",
    ),
    ([node("Einsum", "x", equation="nchw->nq")], {}, 13, "written as 'nchw->nq', which is not on"),
    (
        [node("Einsum", "w", "e", equation="ab->ba"), node("Add", "x e")],
        {"w": numbers(8, 8)},
        13,
        "which is not worked out",
    ),
    # space
    ([node("Pad", "x p")], {"p": ints(0, 1)}, 13, "has 2 paddings for 4 axes"),
    ([node("Pad", "x p", mode="odd")], {"p": ints(0, 0, 1, 0, 0, 0, 0, 0)}, 13, "pads by 'odd'"),
    ([node("Pad", "x p")], {"p": ints(1, 0, 0, 0, 0, 0, 0, 0)}, 13, "adds pictures"),
    ([node("Pad", "x p", mode="edge")], {"p": ints(0, 1, 0, 0, 0, 0, 0, 0)}, 13, "pads channels by 'replicate'"),
    ([node("Pad", "x p", mode="reflect")], {"p": ints(0, 0, 9, 0, 0, 0, 0, 0)}, 13, "reflects more pixels than"),
    ([node("Pad", "x p", mode="wrap")], {"p": ints(0, 0, 9, 0, 0, 0, 0, 0)}, 19, "wraps more numbers than"),
    ([node("Pad", "x p", mode="wrap")], {"p": ints(0, 0, -1, 0, 0, 0, 0, 0)}, 19, "by 'circular' in a way"),
    ([node("Resize", "x - s")], {"s": floats(1, 2, 1, 1)}, 13, "resizes pictures or channels"),
    ([node("Resize", "x - s", antialias=1)], {"s": floats(1, 1, 2, 2)}, 18, "resizes with antialias"),
    (
        [node("Resize", "x - s", mode="nearest")],
        {"s": floats(1, 1, 1.5, 1)},
        13,
        "to the nearest pixel by 'half_pixel'",
    ),
    ([node("Resize", "x - s", mode="odd")], {"s": floats(1, 1, 2, 2)}, 13, "resizes by 'odd'"),
    ([node("Resize", "x - s", mode="cubic", cubic_coeff_a=-0.5)], {"s": floats(1, 1, 2, 2)}, 13, "resizes by 'cubic'"),
    (
        [node("Resize", "x - s", mode="linear", coordinate_transformation_mode="asymmetric")],
        {"s": floats(1, 1, 2, 2)},
        13,
        "resizes by 'linear' with 'asymmetric'",
    ),
    (
        [node("Resize", "x - - z", keep_aspect_ratio_policy="not_larger")],
        {"z": ints(1, 3, 9, 9)},
        18,
        "the aspect ratio",
    ),
    ([node("Resize", "x - - z")], {"z": ints(1, 3, 9)}, 13, r"a value with 4 axes to \[1, 3, 9\]"),
    ([node("Resize", "x - s")], {"s": floats(1, 1, 2)}, 13, r"a value with 4 axes by \[1.0, 1.0, 2.0\]"),
    ([node("ReduceMean", "x")], {}, 13, "sums up over the pictures"),
    ([node("ReduceL2", "x")], {}, 13, "sums up over the pictures"),
    ([node("ReduceProd", "x", axes=[1])], {}, 13, "multiplies the picture's values with one another"),
    (
        [node("Slice", "x s s", "e"), node("ReduceMax", "e", axes=[3])],
        {"s": ints(0, 0, 0, 8)},
        13,
        "no numbers|not keep",
    ),
    (
        [node("DequantizeLinear", "w s z", "d", block_size=2), node("Add", "x d")],
        {"w": np.zeros(8, np.uint8), **Q},
        21,
        "bl",
    ),
    (
        [node("DequantizeLinear", "w s", "d", axis=0), node("Add", "x d")],
        {"w": np.zeros(8, np.uint8), "s": floats(1, 2)},
        13,
        "has 2 scales for 8 channels",
    ),
    (
        [node("QuantizeLinear", "w s z", "d"), node("Add", "x d")],
        {"w": numbers(8), **Q},
        13,
        "turns values into whole num",
    ),
    # outputs
    ([node("Neg", "a")], {"a": numbers(3)}, 13, "The output 'y' does not depend on the picture"),
    ([node("Transpose", "x", perm=[1, 0, 2, 3])], {}, 13, r"does not keep pictures apart: .* \(3, 'N', 8, 8\)"),
    ([node("Tile", "x r")], {"r": ints(1, 10**8, 1, 1)}, 13, "would make 19,200,000,000 numbers of one picture"),
    (
        [node("Relu", "x", "r"), node("InstanceNormalization", "c s s", "b"), node("Add", "r b")],
        {"c": numbers(1, 3, 8, 8), "s": numbers(3)},
        15,
        "works on numbers of the file instead",
    ),
]


@pytest.mark.parametrize("case", STOPPED, ids=[f"{n}-{c[0][-1].op_type}" for n, c in enumerate(STOPPED)])
def test_what_stops_a_file_is_named(tmp_path: Path, case: Any) -> None:
    nodes, arrays, opset, said = case
    path = saved(tmp_path, model(nodes, arrays, opset=opset))
    with pytest.raises(OnlyView, match=said) as caught:
        onnx_file.read(path)
    view = caught.value.view
    assert view.reason == str(caught.value)
    assert [row.kind for row in view.rows] == [n.op_type for n in nodes]


def test_the_first_stop_is_named_and_the_rest_is_listed(tmp_path: Path) -> None:
    nodes = [
        node("Conv", "x w", "c", name="features/conv"),
        node("Loop", "c", "l"),
        node("Relu", "l", "r"),
        node("Scan", "r", "y"),
    ]
    made = model(nodes, W)
    made.graph.value_info.append(helper.make_tensor_value_info("l", 1, ["n", 4, 6, 6]))
    with pytest.raises(
        OnlyView, match=r"node 'l' \(Loop\) is an operator .* Also not on the list.*: Loop, Scan"
    ) as caught:
        onnx_file.read(saved(tmp_path, made))
    view = caught.value.view
    assert (view.answer, view.format) == ("view-only", "ONNX opset 17")
    assert [r.shape for r in view.rows] == [(1, 4, 6, 6), (1, 4, 6, 6), None, None]
    assert [r.parameters for r in view.rows] == [108, 0, 0, 0]
    assert [r.note for r in view.rows] == ["", "not on the list", "", "not on the list"]
    assert view.rows[0].name == "features/conv"


def branch(kind: str = "Relu") -> Any:
    return helper.make_graph([node(kind, "x", "b")], "b", [], [helper.make_tensor_value_info("b", 1, None)])


def test_a_branch_that_the_picture_decides_is_not_run(tmp_path: Path) -> None:
    nodes = [node("ReduceMax", "x", "m"), node("Cast", "m", "c", to=9)]
    nodes = [node("Relu", "x", "c"), node("If", "c", then_branch=branch(), else_branch=branch())]
    with pytest.raises(OnlyView, match="decides by the picture which part of the network runs"):
        onnx_file.read(saved(tmp_path, model(nodes)))


def test_a_branch_that_is_not_there_is_named(tmp_path: Path) -> None:
    nodes = [node("If", "t", else_branch=branch())]
    with pytest.raises(OnlyView, match="lacks its setting 'then_branch'"):
        onnx_file.read(saved(tmp_path, model(nodes, {"t": np.array(True)})))


def test_a_function_that_calls_itself_is_stopped(tmp_path: Path) -> None:
    call = helper.make_node("Again", ["a"], ["b"], domain="own")
    function = helper.make_function("own", "Again", ["a"], ["b"], [call], [helper.make_opsetid("own", 1)])
    made = model([helper.make_node("Again", ["x"], ["y"], domain="own")], functions=[function])
    with pytest.raises(OnlyView, match="graphs lie inside one another more than 10 deep"):
        onnx_file.read(saved(tmp_path, made))


def test_too_many_nodes_are_not_worked_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_graph, "MOST_NODES", 5)
    nodes = [node("Relu", f"v{n}" if n else "x", f"v{n + 1}") for n in range(6)]
    with pytest.raises(OnlyView, match="has more than 5 nodes to work out"):
        onnx_file.read(saved(tmp_path, model(nodes, output="v6")))


def wrong_input(**changes: Any) -> Any:
    return model([node("Relu", "x")], **changes)


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (wrong_input(shape=(1, 8)), "takes 'x' with 2 axes; a network that takes one picture"),
        (wrong_input(kind=TensorProto.INT64), "takes input of type number 7, not a picture's numbers"),
        (wrong_input(shape=(1, 4, 8, 8)), "takes 4 channels; a picture has 3"),
        (wrong_input(shape=(1, 3, 10**6, 8)), "takes pictures of 1000000 x 8; at most 16,384 px"),
        (wrong_input(shape=(1, 3, 16_000, 16_000)), "would make 768,000,000 numbers of one picture"),
        (wrong_input(shape=(1, 16_000, 16_000, 3)), r"The input 'x' would make 768,000,000 numbers"),
        (wrong_input(opset=6), "is written in opset 6; 7 and newer"),
    ],
)
def test_an_input_that_is_no_picture_is_named(tmp_path: Path, made: Any, said: str) -> None:
    with pytest.raises(OnlyView, match=said):
        onnx_file.read(saved(tmp_path, made))


def damaged(change: Any, nodes: Any = None, arrays: Any = None) -> Any:
    made = model(nodes or [node("Add", "x a")], {"a": numbers(8)} if arrays is None else arrays)
    change(made)
    return made


def _circle(made: Any) -> None:
    made.graph.node[0].input[1] = "z"
    made.graph.node.append(node("Neg", "y", "z"))


def _raw(size: int) -> Any:
    def change(made: Any) -> None:
        made.graph.initializer[0].raw_data = bytes(size)

    return change


def _dims(*dims: int) -> Any:
    def change(made: Any) -> None:
        del made.graph.initializer[0].dims[:]
        made.graph.initializer[0].dims.extend(dims)

    return change


def _typed_field(made: Any) -> None:
    made.graph.initializer[0].ClearField("raw_data")
    made.graph.initializer[0].float_data.extend([1.0, 2.0])


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (damaged(lambda m: m.graph.ClearField("node")), "without a single node"),
        (damaged(lambda m: m.graph.ClearField("output")), "names no output"),
        (damaged(lambda m: m.graph.initializer.append(m.graph.initializer[0])), "two arrays are called 'a'"),
        (
            damaged(lambda m: m.graph.ClearField("initializer")),
            r"node 'y' \(Add\) reads 'a', which nothing in the file",
        ),
        (
            damaged(lambda m: setattr(m.graph.output[0], "name", "q")),
            "The output of the graph reads 'q', which nothing",
        ),
        (damaged(_circle), "waits for its own result: the graph has a circle"),
        (damaged(lambda m: m.graph.node.append(node("Neg", "x"))), r"two nodes make 'y'; the second is 'y' \(Neg\)"),
        (damaged(_raw(31)), r"the array 'a' of shape 8 \(float32\) needs 32 bytes; it has 31"),
        (damaged(_dims(10**5, 10**5)), "100000 x 100000 .float32. needs 40,000,000,000 bytes; it has 32"),
        (damaged(_dims(2**62, 2**62, 0)), "has the impossible shape"),
        (damaged(_dims(-8)), "has the impossible shape -8"),
        (damaged(_dims(*[1] * 40)), "has the impossible shape 1 x 1"),
        (damaged(_typed_field), r"needs 8 numbers; the file has 2"),
        (damaged(lambda m: setattr(m.graph.initializer[0], "data_type", 8)), "elements of type number 8, which cannot"),
    ],
)
def test_a_damaged_file_is_one_sentence(tmp_path: Path, made: Any, said: str) -> None:
    with pytest.raises(BadModel, match=said):
        onnx_file.read(saved(tmp_path, made))


def external(tmp_path: Path, **says: str) -> Path:
    """A file whose array "a" (8 floats) lies in another file."""
    made = model([node("Add", "x a")], {"a": numbers(8)})
    array = made.graph.initializer[0]
    array.ClearField("raw_data")
    array.data_location = TensorProto.EXTERNAL
    for key, value in says.items():
        array.external_data.append(onnx.StringStringEntryProto(key=key, value=value))
    return saved(tmp_path, made)


@pytest.mark.parametrize(
    ("says", "said"),
    [
        ({"location": "../w.bin"}, "should lie in '../w.bin', which is not a file in the model's folder"),
        ({"location": "/etc/passwd"}, "should lie in '/etc/passwd', which is not"),
        ({"location": "C:\\w.bin"}, "which is not a file in the model's folder"),
        ({"location": "a\\..\\..\\w.bin"}, "which is not a file in the model's folder"),
        ({}, "should lie in ''"),
        ({"location": "gone.bin"}, "lies in 'gone.bin', which is not beside net.onnx; put it into the same folder"),
        ({"location": "link.bin"}, "a link that leads out of the model's folder"),
        ({"location": "w" * 5_000}, "which cannot be read|which is not beside"),
        ({"location": "w.bin", "length": "31"}, "needs 32 bytes; the file says that 31 of w.bin are its"),
        ({"location": "w.bin", "offset": "1"}, "should be bytes 1 to 33 of w.bin, which has 32"),
        (
            {"location": "w.bin", "offset": "-1"},
            "the offset of its bytes in the second file is '-1', which is no number",
        ),
    ],
)
def test_a_second_file_must_lie_in_the_folder_and_be_whole(tmp_path: Path, says: dict[str, str], said: str) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(32))
    (folder / "w.bin").write_bytes(bytes(32))
    (folder / "link.bin").symlink_to(tmp_path / "w.bin")
    with pytest.raises(BadModel, match=said):
        onnx_file.read(external(folder, **says))


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads any file")
def test_a_second_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "w.bin").write_bytes(bytes(32))
    (tmp_path / "w.bin").chmod(0)
    with pytest.raises(BadModel, match=r"lies in w\.bin, which cannot be read"):
        onnx_file.read(external(tmp_path, location="w.bin"))


def test_bytes_that_are_no_file_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path, model([node("Relu", "x")]))
    whole = path.read_bytes()
    with pytest.raises(BadModel, match="cannot be read"):
        onnx_file.read(tmp_path / "gone.onnx")
    path.write_bytes(whole[:-20])
    with pytest.raises(BadModel, match=r"says it has .* bytes, and .* are left\. It was cut short"):
        onnx_file.read(path)
    path.write_bytes(whole + b"\x0f")
    with pytest.raises(BadModel, match="begins nothing known"):
        onnx_file.read(path)
    path.write_bytes(whole + b"\xff")
    with pytest.raises(BadModel, match="does not end"):
        onnx_file.read(path)
    path.write_bytes(whole.replace(b"Relu", b"Re\xffu"))
    with pytest.raises(BadModel, match="is no text"):
        onnx_file.read(path)
    path.write_bytes(whole + b"\x00\x00")
    with pytest.raises(BadModel, match="is a damaged ONNX file"):
        onnx_file.read(path)
    path.write_bytes(whole)
    monkeypatch.setattr(onnx_wire, "MOST_PARTS", 10)
    with pytest.raises(BadModel, match="is made of more than 10 parts"):
        onnx_file.read(path)
    monkeypatch.setattr(onnx_wire, "MOST_BYTES", 10)
    with pytest.raises(BadModel, match="an ONNX file has at most 10"):
        onnx_file.read(path)


def test_graphs_inside_graphs_are_counted_before_they_are_built(tmp_path: Path) -> None:
    graph = branch()
    for _ in range(22):
        around = branch()
        around.node[0].attribute.append(helper.make_attribute("g", graph))
        graph = around
    path = saved(tmp_path, model([node("If", "x", then_branch=graph)]))
    with pytest.raises(BadModel, match="graphs lie inside one another more than 20 deep"):
        onnx_file.read(path)


def test_rules_that_no_file_reaches_refuse_too() -> None:
    import operator

    import torch
    import torch.nn.functional as F
    from torch import nn

    from cutaway.formats.onnx_errors import BATCH
    from cutaway.formats.onnx_shape import _open
    from cutaway.formats.onnx_values import Value

    tape = Tape(10**6)
    known = Value(torch.ones(3))
    with pytest.raises(Refused, match="fit no layer"):
        on_meta(nn.Conv2d, 3, 4, 1, groups=2)
    with pytest.raises(Refused, match=r"cannot bring a value of shape \(3,\) into the shape \(2,\)"):
        call_sizes(torch.reshape, ((3,), (2,)), {})
    with pytest.raises(Refused, match=r"into the shape \(-1, 2\)"):
        call_sizes(torch.reshape, ((3,), (-1, 2)), {})
    with pytest.raises(Refused, match="reflects more numbers"):
        call_sizes(F.pad, ((1, 1, 3), (3, 0), "reflect"), {})
    with pytest.raises(Refused, match="has the number of pictures in its shape twice"):
        _open((BATCH, BATCH))
    with pytest.raises(Refused, match="cannot work on what it gets"):
        tape.call(operator.matmul, (known, Value(torch.ones(3, dtype=torch.int64))), {})
    with pytest.raises(Refused, match="does not give one array"):
        tape.call(lambda _: 3, (known,), {})


def test_a_shape_for_one_number_of_pictures_is_refused(tmp_path: Path) -> None:
    nodes = [
        node("Shape", "x", "s"),
        node("Slice", "s zero one", "n"),
        node("Concat", "n rest", "r", axis=0),
        node("Reshape", "x r"),
    ]
    made = model(nodes, {"zero": ints(0), "one": ints(1), "rest": ints(100)}, shape=("n", 3, 8, 8))
    with pytest.raises(OnlyView, match=r"value of shape \('N', 3, 8, 8\) into the shape .* for any number of pictures"):
        onnx_file.read(saved(tmp_path, made))
