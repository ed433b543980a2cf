"""Every operator on the list against onnxruntime: hand-made graphs, to 1e-5 of the largest number (float32)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from tests.formats.onnx_kit import compared, kinds, model, node, numbers

I64 = np.int64


def ints(*values: int) -> np.ndarray[Any, Any]:
    return np.array(values, I64)


W3 = {"w": numbers(4, 3, 3, 3), "b": numbers(4, seed=1)}
BN = {k: numbers(3, seed=n, low=0.2) for n, k in enumerate("sbmv")}

# name -> (nodes, arrays, opset, kinds of the steps or None, input shape)
CASES: dict[str, tuple[list[Any], dict[str, Any], int, list[str] | None]] = {
    "conv": ([node("Conv", "x w b", pads=[1, 1, 1, 1])], W3, 7, ["Conv2d"]),
    "conv-stride-dilation": ([node("Conv", "x w", strides=[2, 1], dilations=[1, 2])], {"w": W3["w"]}, 11, ["Conv2d"]),
    "conv-groups": ([node("Conv", "x w", group=3, pads=[1, 0, 1, 0])], {"w": numbers(6, 1, 3, 3)}, 13, ["Conv2d"]),
    "conv-asymmetric": ([node("Conv", "x w b", pads=[0, 1, 2, 1])], W3, 13, ["ZeroPad2d", "Conv2d"]),
    "conv-same-upper": (
        [node("Conv", "x w", auto_pad="SAME_UPPER", strides=[2, 2])],
        {"w": W3["w"]},
        13,
        ["SamePad2d", "Conv2d"],
    ),
    "conv-same-lower": (
        [node("Conv", "x w", auto_pad="SAME_LOWER", strides=[2, 2])],
        {"w": W3["w"]},
        13,
        ["ZeroPad2d", "Conv2d"],
    ),
    "conv-same-even": ([node("Conv", "x w", auto_pad="SAME_UPPER")], {"w": W3["w"]}, 13, ["Conv2d"]),
    "conv-valid": ([node("Conv", "x w", auto_pad="VALID")], {"w": W3["w"]}, 13, ["Conv2d"]),
    "conv-then-bias": (
        [node("Conv", "x w", "a"), node("Add", "a c")],
        {"w": W3["w"], "c": numbers(1, 4, 1, 1)},
        13,
        ["Conv2d"],
    ),
    "conv1d": (
        [node("Reshape", "x s", "a"), node("Conv", "a w b", pads=[2, 1])],
        {"s": ints(1, 3, 64), "w": numbers(2, 3, 4), "b": numbers(2)},
        13,
        ["reshape", "pad", "Conv1d"],
    ),
    "conv3d": (
        [node("Unsqueeze", "x a", "u"), node("Conv", "u w")],
        {"a": ints(2), "w": numbers(2, 3, 1, 3, 3)},
        13,
        ["unsqueeze", "Conv3d"],
    ),
    "conv-transpose": (
        [node("ConvTranspose", "x w b", strides=[2, 2], pads=[1, 1, 1, 1], output_padding=[1, 1])],
        {"w": numbers(3, 2, 3, 3), "b": numbers(2)},
        11,
        ["ConvTranspose2d"],
    ),
    "conv-transpose-groups": (
        [node("ConvTranspose", "x w", group=3, dilations=[2, 1])],
        {"w": numbers(3, 2, 3, 3)},
        11,
        ["ConvTranspose2d"],
    ),
    "conv-transpose-crop": (
        [node("ConvTranspose", "x w", strides=[2, 2], pads=[0, 0, 1, 1])],
        {"w": numbers(3, 2, 3, 3)},
        11,
        ["ConvTranspose2d", "pad"],
    ),
    "conv-transpose-output-shape": (
        [node("ConvTranspose", "x w", strides=[2, 2], output_shape=[16, 16], auto_pad="SAME_UPPER")],
        {"w": numbers(3, 2, 3, 3)},
        11,
        None,
    ),
    "max-pool": (
        [node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])],
        {},
        8,
        ["MaxPool2d"],
    ),
    "max-pool-ceil": (
        [node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)],
        {},
        12,
        ["MaxPool2d"],
    ),
    "max-pool-dilated": ([node("MaxPool", "x", kernel_shape=[2, 2], dilations=[2, 2])], {}, 12, ["MaxPool2d"]),
    "max-pool-asymmetric": (
        [node("MaxPool", "x", kernel_shape=[2, 2], pads=[0, 0, 1, 1])],
        {},
        12,
        ["ConstantPad2d", "MaxPool2d"],
    ),
    "max-pool-same": (
        [node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")],
        {},
        12,
        ["SamePad2d", "MaxPool2d"],
    ),
    "average-pool": (
        [node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1])],
        {},
        7,
        ["AvgPool2d"],
    ),
    "average-pool-counting": (
        [node("AveragePool", "x", kernel_shape=[3, 3], pads=[1, 1, 1, 1], count_include_pad=1)],
        {},
        19,
        ["AvgPool2d"],
    ),
    "average-pool-same": (
        [node("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")],
        {},
        11,
        ["SamePool2d"],
    ),
    "average-pool-asymmetric": (
        [node("AveragePool", "x", kernel_shape=[3, 3], pads=[0, 1, 1, 0])],
        {},
        11,
        ["ZeroPad2d", "AvgPool2d", "truediv"],
    ),
    "average-pool-asymmetric-counting": (
        [node("AveragePool", "x", kernel_shape=[2, 2], pads=[0, 0, 1, 1], count_include_pad=1)],
        {},
        11,
        ["ZeroPad2d", "AvgPool2d"],
    ),
    "average-pool-ceil": (
        [node("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)],
        {},
        19,
        ["AvgPool2d"],
    ),
    "global-average": ([node("GlobalAveragePool", "x")], {}, 7, ["AdaptiveAvgPool2d", "Flatten"]),
    "global-max": ([node("GlobalMaxPool", "x")], {}, 7, ["AdaptiveMaxPool2d", "Flatten"]),
    "gemm": (
        [node("Flatten", "x", "f"), node("Gemm", "f w b", transB=1)],
        {"w": numbers(5, 192), "b": numbers(5)},
        9,
        ["Flatten", "Linear"],
    ),
    "gemm-alpha-beta": (
        [node("Flatten", "x", "f"), node("Gemm", "f w b", alpha=0.5, beta=2.0)],
        {"w": numbers(192, 5), "b": numbers(1, 5)},
        13,
        ["Flatten", "Linear"],
    ),
    "gemm-scalar-bias": (
        [node("Flatten", "x", "f"), node("Gemm", "f w b")],
        {"w": numbers(192, 5), "b": numbers(1)},
        13,
        ["Flatten", "Linear"],
    ),
    "matmul-add": (
        [node("Flatten", "x", "f"), node("MatMul", "f w", "m"), node("Add", "m b")],
        {"w": numbers(192, 5), "b": numbers(5)},
        13,
        ["Flatten", "Linear"],
    ),
    "matmul-live": (
        [node("Transpose", "x", "t", perm=[0, 1, 3, 2]), node("MatMul", "x t")],
        {},
        13,
        ["permute", "matmul"],
    ),
    "batch-norm": ([node("BatchNormalization", "x s b m v", epsilon=0.01)], BN, 9, ["BatchNorm2d"]),
    "instance-norm": ([node("InstanceNormalization", "x s b")], {k: BN[k] for k in "sb"}, 9, ["InstanceNorm2d"]),
    "group-norm": (
        [node("Concat", "x x", "c", axis=1), node("GroupNormalization", "c s b", num_groups=3)],
        {"s": numbers(6), "b": numbers(6, seed=1)},
        21,
        ["cat", "GroupNorm"],
    ),
    "layer-norm": (
        [node("LayerNormalization", "x s b", axis=-1)],
        {"s": numbers(8), "b": numbers(8, seed=1)},
        17,
        ["LayerNorm"],
    ),
    "lrn": (
        [node("LRN", "x", size=3, alpha=0.2, beta=0.6, bias=1.5)],
        {},
        13,
        ["LocalResponseNorm"],
    ),
    "lp-norm": ([node("LpNormalization", "x", axis=1, p=2)], {}, 13, ["normalize"]),
    "clip-6": ([node("Clip", "x", min=0.0, max=6.0)], {}, 7, ["ReLU6"]),
    "clip-inputs": (
        [node("Clip", "x lo hi")],
        {"lo": np.float32(-1), "hi": np.float32(1)},
        13,
        ["Hardtanh"],
    ),
    "clip-below": ([node("Clip", "x lo -")], {"lo": np.float32(0)}, 13, ["ReLU"]),
    "min-of-relu": (
        [node("Relu", "x", "r"), node("Min", "r six")],
        {"six": np.float32(6)},
        13,
        ["ReLU6"],
    ),
    "max-number": ([node("Max", "x n")], {"n": np.float32(-0.5)}, 13, ["Hardtanh"]),
    "max-live": ([node("Neg", "x", "n"), node("Max", "x n")], {}, 13, ["neg", "maximum"]),
    "hard-sigmoid": ([node("HardSigmoid", "x", alpha=1 / 6)], {}, 13, ["Hardsigmoid"]),
    "hard-sigmoid-keras": ([node("HardSigmoid", "x")], {}, 13, ["mul", "add", "Hardtanh"]),
    "prelu": ([node("PRelu", "x s")], {"s": numbers(3, 1, 1)}, 9, ["PReLU"]),
    "prelu-one": ([node("PRelu", "x s")], {"s": numbers(1)}, 9, ["PReLU"]),
    "selu-odd": ([node("Selu", "x", alpha=1.0, gamma=2.0)], {}, 13, ["ELU", "mul"]),
    "gelu-tanh": ([node("Gelu", "x", approximate="tanh")], {}, 20, ["GELU"]),
    "softmax": ([node("Softmax", "x", axis=1)], {}, 13, ["Softmax"]),
    "softmax-old": ([node("Softmax", "x", axis=1)], {}, 11, ["Flatten", "Softmax", "reshape"]),
    "log-softmax": ([node("LogSoftmax", "x", axis=-1)], {}, 13, ["LogSoftmax"]),
    "dropout": ([node("Dropout", "x", "y", ratio=0.3)], {}, 10, ["Dropout"]),
    "dropout-input": ([node("Dropout", "x r", "y m")], {"r": np.float32(0.3)}, 13, ["Dropout"]),
    "sum": ([node("Sum", "x x x")], {}, 13, ["add", "add"]),
    "mean": ([node("Mean", "x x")], {}, 13, ["add", "truediv"]),
    "sub-div": (
        [node("Sub", "x m", "a"), node("Div", "a s")],
        {"m": numbers(1, 3, 1, 1), "s": numbers(1, 3, 1, 1, low=0.5)},
        13,
        ["sub", "truediv"],
    ),
    "number-first": ([node("Sub", "one x", "a"), node("Div", "one a")], {"one": np.float32(9)}, 13, ["sub", "truediv"]),
    "pow": ([node("Pow", "x n")], {"n": np.float32(2)}, 13, ["pow"]),
    "where": ([node("Where", "c x z")], {"c": np.eye(8) > 0, "z": np.float32(0)}, 13, ["where"]),
    "concat": ([node("Concat", "x x", axis=-1)], {}, 13, ["cat"]),
    "split": ([node("Split", "x s", "a y", axis=1)], {"s": ints(1, 2)}, 13, ["getitem"]),
    "split-old": ([node("Split", "x", "a b", axis=2), node("Sub", "a b")], {}, 11, ["getitem", "getitem", "sub"]),
    "slice": (
        [node("Slice", "x s e a t")],
        {"s": ints(1, -1), "e": ints(9, -9), "a": ints(2, 3), "t": ints(2, -3)},
        13,
        None,
    ),
    "slice-old": ([node("Slice", "x", starts=[1], ends=[-1], axes=[3])], {}, 9, ["getitem"]),
    "gather-one": ([node("Gather", "x i", axis=2)], {"i": np.array(-1, I64)}, 13, ["getitem"]),
    "gather-range": ([node("Gather", "x i", axis=1)], {"i": ints(1, 2)}, 13, ["getitem"]),
    "gather-any": ([node("Gather", "x i", axis=1)], {"i": ints(2, 0, 2)}, 13, ["index_select"]),
    "gather-table": (
        [node("Gather", "x i", axis=3)],
        {"i": np.array([[0, 1], [7, 3]], I64)},
        13,
        ["index_select", "reshape"],
    ),
    "gather-as-strided": (
        [node("Reshape", "x s", "f"), node("Gather", "f i", "g"), node("Relu", "g")],
        {"s": ints(192), "i": np.arange(192).reshape(1, 3, 8, 8)},
        18,
        ["ReLU"],
    ),
    "squeeze": ([node("ReduceMean", "x", "m", axes=[2]), node("Squeeze", "m a")], {"a": ints(2)}, 13, None),
    "unsqueeze-old": ([node("Unsqueeze", "x", axes=[1, 5])], {}, 11, ["reshape"]),
    "reshape": ([node("Reshape", "x s")], {"s": ints(0, -1, 4)}, 13, ["reshape"]),
    "reshape-fixed-batch": ([node("Reshape", "x s")], {"s": ints(1, 192)}, 13, ["Flatten"]),
    "reshape-open-batch": ([node("Reshape", "x s")], {"s": ints(-1, 6, 32)}, 13, ["reshape"]),
    "transpose-twice": (
        [
            node("Transpose", "x", "t", perm=[0, 2, 3, 1]),
            node("Transpose", "t", "u", perm=[0, 3, 1, 2]),
            node("Relu", "u"),
        ],
        {},
        13,
        ["ReLU"],
    ),
    "channels-last-flatten": (
        [node("Transpose", "x", "t", perm=[0, 2, 3, 1]), node("Reshape", "t s")],
        {"s": ints(-1, 192)},
        13,
        ["ChannelsLastFlatten"],
    ),
    "expand": (
        [node("GlobalAveragePool", "x", "g"), node("Expand", "g s")],
        {"s": ints(1, 3, 4, 5)},
        13,
        ["AdaptiveAvgPool2d", "broadcast_to"],
    ),
    "tile": ([node("Tile", "x r")], {"r": ints(1, 2, 1, 3)}, 13, ["tile"]),
    "depth-to-space": (
        [node("Conv", "x w", "c"), node("DepthToSpace", "c", blocksize=2)],
        {"w": numbers(8, 3, 1, 1)},
        13,
        ["Conv2d", "reshape", "permute", "reshape"],
    ),
    "depth-to-space-crd": (
        [node("Conv", "x w", "c"), node("DepthToSpace", "c", blocksize=2, mode="CRD")],
        {"w": numbers(8, 3, 1, 1)},
        13,
        ["Conv2d", "PixelShuffle"],
    ),
    "space-to-depth": ([node("SpaceToDepth", "x", blocksize=2)], {}, 13, ["reshape", "permute", "reshape"]),
    "einsum": ([node("Einsum", "x w", equation="nchw,kc->nkhw")], {"w": numbers(5, 3)}, 13, ["einsum"]),
    "pad-old": ([node("Pad", "x", pads=[0, 0, 1, 2, 0, 0, 0, 1], value=0.5)], {}, 9, ["ConstantPad2d"]),
    "pad-zero": ([node("Pad", "x p")], {"p": ints(0, 0, 1, 0, 0, 0, 0, 1)}, 13, ["ZeroPad2d"]),
    "pad-reflect": ([node("Pad", "x p", mode="reflect")], {"p": ints(0, 0, 1, 2, 0, 0, 3, 1)}, 13, ["ReflectionPad2d"]),
    "pad-edge": ([node("Pad", "x p", mode="edge")], {"p": ints(0, 0, 1, 2, 0, 0, 3, 1)}, 13, ["ReplicationPad2d"]),
    "pad-channels": ([node("Pad", "x p v")], {"p": ints(0, 1, 0, 0, 0, 2, 0, 0), "v": np.float32(1)}, 13, ["pad"]),
    "pad-crop": ([node("Pad", "x p")], {"p": ints(0, 0, -1, 0, 0, 0, 0, -2)}, 13, ["pad"]),
    "pad-axes": ([node("Pad", "x p - a")], {"p": ints(1, 2), "a": ints(-1)}, 18, ["ZeroPad2d"]),
    "resize-nearest": (
        [
            node(
                "Resize",
                "x - s",
                mode="nearest",
                coordinate_transformation_mode="asymmetric",
                nearest_mode="floor",
            )
        ],
        {"s": np.array([1, 1, 2, 2], np.float32)},
        13,
        ["Upsample"],
    ),
    "resize-nearest-half": (
        [node("Resize", "x - - z", mode="nearest")],
        {"z": ints(1, 3, 24, 16)},
        13,
        ["Upsample"],
    ),
    "resize-linear": (
        [node("Resize", "x - - z", mode="linear", coordinate_transformation_mode="pytorch_half_pixel")],
        {"z": ints(1, 3, 13, 5)},
        13,
        ["Upsample"],
    ),
    "resize-linear-scale": (
        [node("Resize", "x - s", mode="linear")],
        {"s": np.array([1, 1, 1.5, 2], np.float32)},
        13,
        ["Upsample"],
    ),
    "resize-corners": (
        [node("Resize", "x - - z", mode="linear", coordinate_transformation_mode="align_corners")],
        {"z": ints(1, 3, 13, 5)},
        13,
        ["Upsample"],
    ),
    "resize-cubic": (
        [node("Resize", "x - - z", mode="cubic", cubic_coeff_a=-0.75)],
        {"z": ints(1, 3, 16, 16)},
        13,
        ["Upsample"],
    ),
    "upsample": (
        [node("Upsample", "x s", mode="nearest")],
        {"s": np.array([1, 1, 2, 3], np.float32)},
        9,
        ["Upsample"],
    ),
    "upsample-oldest": ([node("Upsample", "x", mode="nearest", scales=[1.0, 1.0, 2.0, 2.0])], {}, 7, ["Upsample"]),
    "reduce-mean-pool": ([node("ReduceMean", "x", axes=[2, 3])], {}, 13, ["AdaptiveAvgPool2d", "Flatten"]),
    "reduce-mean": ([node("ReduceMean", "x a", keepdims=0)], {"a": ints(2, 3)}, 18, ["mean"]),
    "reduce-sum": ([node("ReduceSum", "x a")], {"a": ints(1)}, 13, ["sum"]),
    "reduce-max": ([node("ReduceMax", "x", axes=[-1], keepdims=0)], {}, 13, ["amax"]),
    "reduce-min": ([node("ReduceMin", "x a")], {"a": ints(2)}, 18, ["amin"]),
    "reduce-l2": ([node("ReduceL2", "x", axes=[1])], {}, 13, ["pow", "sum", "sqrt"]),
    "reduce-square": ([node("ReduceSumSquare", "x", axes=[1])], {}, 13, ["pow", "sum"]),
    "reduce-nothing": (
        [node("ReduceSum", "x a", "r", noop_with_empty_axes=1), node("Relu", "r")],
        {"a": ints()},
        13,
        None,
    ),
    "reciprocal": ([node("Exp", "x", "e"), node("Reciprocal", "e")], {}, 13, ["exp", "truediv"]),
    "sqrt-of-abs": ([node("Abs", "x", "a"), node("Sqrt", "a")], {}, 13, ["abs", "sqrt"]),
    "log": ([node("Exp", "x", "e"), node("Log", "e")], {}, 13, ["exp", "log"]),
}
for _kind, _layer in {
    "Relu": "ReLU",
    "Sigmoid": "Sigmoid",
    "Tanh": "Tanh",
    "Softplus": "Softplus",
    "Softsign": "Softsign",
    "Mish": "Mish",
    "HardSwish": "Hardswish",
    "Elu": "ELU",
    "Celu": "CELU",
    "Selu": "SELU",
    "LeakyRelu": "LeakyReLU",
    "ThresholdedRelu": "ClippedReLU",
    "Gelu": "GELU",
    "Erf": "erf",
    "Floor": "floor",
    "Ceil": "ceil",
    "Round": "round",
    "Sign": "sign",
    "Sin": "sin",
    "Cos": "cos",
}.items():
    CASES[_kind] = ([node(_kind, "x")], {}, 20 if _kind == "Gelu" else 18, [_layer])


@pytest.mark.parametrize("name", CASES)
def test_an_operator_gives_what_onnxruntime_gives(tmp_path: Path, name: str) -> None:
    nodes, arrays, opset, expected = CASES[name]
    parts, difference = compared(tmp_path, model(nodes, arrays, opset=opset))
    assert difference <= 1e-5
    if expected is not None:
        assert kinds(parts) == expected


HALF, ONE, ROOT2 = np.float32(0.5), np.float32(1), np.float32(2**0.5)
TAKEN_APART: dict[str, tuple[list[Any], dict[str, Any], list[str]]] = {
    "SiLU": ([node("Sigmoid", "x", "s"), node("Mul", "x s")], {}, ["SiLU"]),
    "Hardswish": ([node("HardSigmoid", "x", "s", alpha=1 / 6), node("Mul", "s x")], {}, ["Hardswish"]),
    "Hardswish by clipping": (
        [node("Add", "x t", "a"), node("Clip", "a z six", "c"), node("Mul", "x c", "m"), node("Div", "m six")],
        {"t": np.float32(3), "z": np.float32(0), "six": np.float32(6)},
        ["Hardswish"],
    ),
    "Hardsigmoid": (
        [node("Add", "x t", "a"), node("Clip", "a z six", "c"), node("Div", "c six")],
        {"t": np.float32(3), "z": np.float32(0), "six": np.float32(6)},
        ["Hardsigmoid"],
    ),
    "Mish": ([node("Softplus", "x", "s"), node("Tanh", "s", "t"), node("Mul", "x t")], {}, ["Mish"]),
    "GELU": (
        [
            node("Div", "x r", "d"),
            node("Erf", "d", "e"),
            node("Add", "e one", "a"),
            node("Mul", "x a", "m"),
            node("Mul", "m h"),
        ],
        {"r": ROOT2, "one": ONE, "h": HALF},
        ["GELU"],
    ),
    "GELU, half first": (
        [
            node("Mul", "x q", "d"),
            node("Erf", "d", "e"),
            node("Add", "one e", "a"),
            node("Mul", "h x", "m"),
            node("Mul", "a m"),
        ],
        {"q": 1 / ROOT2, "one": ONE, "h": HALF},
        ["GELU"],
    ),
    "GELU by tanh": (
        [
            node("Pow", "x three", "p"),
            node("Mul", "p k", "pk"),
            node("Add", "x pk", "s"),
            node("Mul", "s r", "i"),
            node("Tanh", "i", "t"),
            node("Add", "t one", "a"),
            node("Mul", "x h", "xh"),
            node("Mul", "xh a"),
        ],
        {
            "three": np.float32(3),
            "k": np.float32(0.044715),
            "r": np.float32((2 / np.pi) ** 0.5),
            "one": ONE,
            "h": HALF,
        },
        ["GELU"],
    ),
    "LayerNorm": (
        [
            node("ReduceMean", "x", "m", axes=[-1]),
            node("Sub", "x m", "d"),
            node("Pow", "d two", "p"),
            node("ReduceMean", "p", "v", axes=[-1]),
            node("Add", "v e", "ve"),
            node("Sqrt", "ve", "r"),
            node("Div", "d r", "n"),
            node("Mul", "n g", "s"),
            node("Add", "s b"),
        ],
        {"two": np.float32(2), "e": np.float32(1e-5), "g": numbers(8), "b": numbers(8, seed=1)},
        ["LayerNorm"],
    ),
    "LayerNorm, squared by itself": (
        [
            node("ReduceMean", "x", "m", axes=[-1]),
            node("Sub", "x m", "d"),
            node("Sub", "x m", "d2"),
            node("Mul", "d d2", "p"),
            node("ReduceMean", "p", "v", axes=[-1]),
            node("Add", "e v", "ve"),
            node("Sqrt", "ve", "r"),
            node("Div", "d r"),
        ],
        {"e": np.float32(1e-5)},
        ["LayerNorm"],
    ),
}


@pytest.mark.parametrize("name", TAKEN_APART)
def test_what_exporters_take_apart_becomes_one_layer(tmp_path: Path, name: str) -> None:
    nodes, arrays, expected = TAKEN_APART[name]
    parts, difference = compared(tmp_path, model(nodes, arrays, opset=13))
    assert kinds(parts) == expected
    assert difference <= 1e-5


def test_a_gate_on_another_value_stays_as_it_is(tmp_path: Path) -> None:
    nodes = [node("GlobalAveragePool", "x", "g"), node("Sigmoid", "g", "s"), node("Mul", "x s")]
    parts, difference = compared(tmp_path, model(nodes))
    assert kinds(parts) == ["AdaptiveAvgPool2d", "Sigmoid", "mul"]
    assert difference <= 1e-6


def shape_arithmetic() -> list[Any]:
    """x.view(x.size(0), 2, -1, 8) as the TorchScript exporter writes it, and interpolation to twice x's own size."""
    return [
        node("Shape", "x", "s"),
        node("Gather", "s zero", "n", axis=0),
        node("Unsqueeze", "n a0", "n1"),
        node("Concat", "n1 tail", "full", axis=0),
        node("Reshape", "x full", "r"),
        node("Slice", "s two four", "hw"),
        node("Mul", "hw twos", "hw2"),
        node("Slice", "s a0 two", "nc"),
        node("Concat", "nc hw2", "size", axis=0),
        node("Resize", "x - - size", "big", mode="nearest"),
        node("Shape", "r", "rs"),
        node("Cast", "rs", "rsf", to=1),
        node("Cast", "rsf", "rsi", to=7),
        node("Reshape", "r rsi", "r2"),
        node("Flatten", "r2", "f1"),
        node("Flatten", "big", "f2"),
        node("Concat", "f1 f2", axis=1),
    ]


def test_arithmetic_on_shapes_is_done_while_opening(tmp_path: Path) -> None:
    arrays = {
        "zero": np.array(0, I64),
        "a0": ints(0),
        "tail": ints(2, -1, 8),
        "two": ints(2),
        "four": ints(4),
        "twos": ints(2, 2),
    }
    parts, difference = compared(tmp_path, model(shape_arithmetic(), arrays, shape=("n", 3, 8, 8)))
    assert kinds(parts) == ["reshape", "Flatten", "Upsample", "Flatten", "cat"]
    assert difference == 0


def test_numbers_of_the_file_are_worked_out_while_opening(tmp_path: Path) -> None:
    nodes = [
        node("Range", "r0 r8 r1", "range"),
        node("ConstantOfShape", "eight", "twos", value=helper.make_tensor("v", 1, [1], [2.0])),
        node("Mul", "range twos", "row"),
        node("Greater", "row r8", "large"),
        node("Where", "large row twos", "chosen"),
        node("Expand", "chosen full", "wide"),
        node("Constant", "", "c", value_float=0.25),
        node("Mul", "wide c", "scaled"),
        node("Identity", "scaled", "same"),
        node("Add", "x same"),
    ]
    arrays = {
        "r0": np.float32(0),
        "r8": np.float32(8),
        "r1": np.float32(1),
        "eight": ints(8),
        "full": ints(3, 8, 8),
    }
    parts, difference = compared(tmp_path, model(nodes, arrays, opset=13))
    assert kinds(parts) == ["add"]
    assert difference == 0


@pytest.mark.parametrize("training", [0, 1])
def test_weights_that_are_standardised_first_are_worked_out(tmp_path: Path, training: int) -> None:
    nodes = [
        node("BatchNormalization", "w3 s b m v", "n n1 n2" if training else "n", training_mode=training),
        node("Reshape", "n form", "k"),
        node("Conv", "x k"),
    ]
    arrays = {k: numbers(4, seed=n, low=0.2) for n, k in enumerate("sbmv")}
    arrays |= {"w3": numbers(1, 4, 27), "form": ints(4, 3, 3, 3)}
    parts, difference = compared(tmp_path, model(nodes, arrays, opset=15))
    assert kinds(parts) == ["Conv2d"]
    assert difference <= 1e-5


def test_the_old_exporters_padding_is_worked_out(tmp_path: Path) -> None:
    """F.pad(x, (1, 2, 3, 4)) of torch 1.x: the list is turned round by a slice with step -1 and a transpose."""
    nodes = [
        node("ConstantOfShape", "four", "zeros", value=helper.make_tensor("v", 7, [1], [0])),
        node("Concat", "sides zeros", "all", axis=0),
        node("Reshape", "all rows", "pairs"),
        node("Slice", "pairs minus1 low a0 minus1", "back"),
        node("Transpose", "back", "t", perm=[1, 0]),
        node("Reshape", "t flat", "p"),
        node("Cast", "p", "p64", to=7),
        node("Pad", "x p64"),
    ]
    arrays = {
        "four": ints(4),
        "sides": ints(1, 2, 3, 4),
        "rows": ints(-1, 2),
        "minus1": ints(-1),
        "low": ints(-(2**63) + 1),
        "a0": ints(0),
        "flat": ints(-1),
    }
    parts, difference = compared(tmp_path, model(nodes, arrays, opset=13))
    assert kinds(parts) == ["ZeroPad2d"]
    assert parts.graph.get_submodule(
        next(n.target for n in parts.graph.graph.nodes if n.op == "call_module")
    ).padding == (
        1,
        2,
        3,
        4,
    )
    assert difference == 0


def test_a_branch_with_a_known_condition_is_taken(tmp_path: Path) -> None:
    def branch(kind: str, name: str) -> Any:
        return helper.make_graph([node(kind, "x", name)], name, [], [helper.make_tensor_value_info(name, 1, None)])

    nodes = [
        node("Shape", "x", "s"),
        node("Gather", "s two", "h"),
        node("Equal", "h eight", "c"),
        node("If", "c", "y", then_branch=branch("Relu", "yes"), else_branch=branch("Neg", "no")),
    ]
    parts, difference = compared(tmp_path, model(nodes, {"two": np.array(2, I64), "eight": np.array(8, I64)}))
    assert kinds(parts) == ["ReLU"]
    assert difference == 0


def test_a_function_that_the_file_defines_is_opened_in_place(tmp_path: Path) -> None:
    inner = helper.make_node("LeakyRelu", ["a"], ["b"])
    reference = inner.attribute.add()
    reference.name, reference.ref_attr_name, reference.type = "alpha", "slope", 1
    function = helper.make_function("own", "Steep", ["a"], ["b"], [inner], [helper.make_opsetid("", 17)], ["slope"])
    call = helper.make_node("Steep", ["x"], ["y"], domain="own", slope=0.5)
    made = model([call], functions=[function])
    made.opset_import.append(helper.make_opsetid("own", 1))
    parts, difference = compared(tmp_path, made)
    assert kinds(parts) == ["LeakyReLU"]
    assert difference == 0


FUSED: list[tuple[dict[str, Any], list[str]]] = [
    ({"activation": "Relu"}, ["Conv2d", "ReLU"]),
    ({"activation": "LeakyRelu", "activation_params": [0.25]}, ["Conv2d", "LeakyReLU"]),
    ({"activation": "Clip", "activation_params": [0.0, 6.0]}, ["Conv2d", "ReLU6"]),
    ({"activation": "HardSigmoid", "activation_params": [0.25, 0.5]}, ["Conv2d", "mul", "add", "Hardtanh"]),
]


@pytest.mark.parametrize(("settings", "expected"), FUSED, ids=[s["activation"] for s, _ in FUSED])
def test_what_onnxruntimes_optimiser_fused_is_two_layers(
    tmp_path: Path, settings: dict[str, Any], expected: list[str]
) -> None:
    fused = helper.make_node("FusedConv", ["x", "w", "b"], ["y"], domain="com.microsoft", **settings)
    made = model([fused], W3, opset=13)
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    parts, difference = compared(tmp_path, made)
    assert kinds(parts) == expected
    assert difference <= 1e-5


def test_fused_sums_and_dense_layers_are_opened(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("FusedConv", ["x", "w", "", "x"], ["c"], domain="com.microsoft", activation="Tanh"),
        node("Flatten", "c", "f"),
        helper.make_node("FusedGemm", ["f", "g", "b"], ["y"], domain="com.microsoft", activation="Sigmoid"),
    ]
    arrays = {"w": numbers(3, 3, 1, 1), "g": numbers(192, 2), "b": numbers(2)}
    made = model(nodes, arrays, opset=13)
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    parts, difference = compared(tmp_path, made)
    assert kinds(parts) == ["Conv2d", "add", "Tanh", "Flatten", "Linear", "Sigmoid"]
    assert difference <= 1e-5


def test_dequantized_weights_are_floats_again(tmp_path: Path) -> None:
    """Per-channel int8 weights, an activation cut to its range: within half a step of onnxruntime's rounding."""
    nodes = [
        node("QuantizeLinear", "x xs xz", "q"),
        node("DequantizeLinear", "q xs xz", "d"),
        node("DequantizeLinear", "w ws wz", "wf", axis=0),
        node("Conv", "d wf"),
    ]
    whole = np.random.default_rng(0).integers(-127, 127, (2, 3, 1, 1)).astype(np.int8)
    arrays = {
        "xs": np.float32(0.02),
        "xz": np.uint8(128),
        "w": whole,
        "ws": np.array([0.01, 0.002], np.float32),
        "wz": np.zeros(2, np.int8),
    }
    parts, difference = compared(tmp_path, model(nodes, arrays, opset=13))
    assert kinds(parts) == ["Hardtanh", "Conv2d"]
    assert difference <= 0.01 * 3 * 1.27 + 1e-6  # half a step of 0.02, three channels, weights up to 1.27
    assert "approximate" in parts.card["notes"]
