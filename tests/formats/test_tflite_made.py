"""TFLite files made by hand: operators today's converter writes otherwise, how pictures are scaled, metadata."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import flatbuffers
import numpy as np
import pytest
import torch

from cutaway.formats import Parts, read_model_file
from tests.formats.tflite_maker import Op, R, T, X, Y, array, offsets, one, table, text, whole, write


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[bytes], Parts]:
    def open_(data: bytes) -> Parts:
        path = tmp_path / "m.tflite"
        path.write_bytes(data)
        parts = read_model_file(path)
        assert isinstance(parts, Parts)
        return parts

    return open_


def run(parts: Parts, x: np.ndarray) -> np.ndarray:
    """(N, H, W, C) -> output with channels last."""
    with torch.inference_mode():
        out = parts.graph(torch.from_numpy(np.moveaxis(x, -1, 1).astype(np.float32))).numpy()
    return np.moveaxis(out, 1, -1) if out.ndim > 2 else out


PICTURE = R.normal(0, 2, (2, 6, 5, 3)).astype(np.float32)
SLOPES = np.array([0.1, 0.2, 0.3], np.float32)


def softmax(x: np.ndarray) -> np.ndarray:
    powers: np.ndarray = np.exp(x)
    return powers / powers.sum(-1, keepdims=True)


@pytest.mark.parametrize(
    ("data", "formula"),
    [
        (one("RELU"), lambda x: np.maximum(x, 0)),
        (one("RELU6"), lambda x: np.clip(x, 0, 6)),
        (one("RELU_N1_TO_1"), lambda x: np.clip(x, -1, 1)),
        (one("RELU_0_TO_1"), lambda x: np.clip(x, 0, 1)),
        (one("SIN"), np.sin),
        (one("COS"), np.cos),
        (one("CAST", options="CastOptions", slots={1: ("i8", 0)}), lambda x: x),
        (one("PRELU", T((1, 1, 3), SLOPES)), lambda x: np.where(x > 0, x, x * SLOPES)),
        (one("ADD", T((3,), SLOPES), options="AddOptions", slots={0: ("i8", 4)}), lambda x: np.tanh(x + SLOPES)),
        (one("ADD_N", T((3,), SLOPES), T((3,), SLOPES), first=2), lambda x: x + 2 * SLOPES),
        (one("SOFTMAX", options="SoftmaxOptions", slots={0: ("f32", 0.5)}), lambda x: softmax(x * 0.5)),
        (one("DIV", T((3,), SLOPES)), lambda x: x / SLOPES),
        (one("DIV", T((3,), SLOPES), first=1), lambda x: SLOPES / x),
        (one("SUB", T((3,), SLOPES), first=1), lambda x: SLOPES - x),
        (one("SUB", T((3,), SLOPES)), lambda x: x - SLOPES),
        (one("MAXIMUM", T((3,), SLOPES)), lambda x: np.maximum(x, SLOPES)),
        (one("EXPAND_DIMS", whole(-1)), lambda x: x[..., None]),
        (one("SLICE", whole(0, 0, 0, 0), whole(-1, 6, 5, 3)), lambda x: x),
        (one("MUL", T((3,), np.array([0x71, 0x0F], np.uint8), type=17, scale=[0.5])), lambda x: x * [0.5, 3.5, -0.5]),
        (one("MUL", T((3,), np.array([0x3F80, 0x4000, 0xBF80], np.uint16), type=18)), lambda x: x * [1.0, 2.0, -1.0]),
        (one("MUL", T((3,), np.array([9, 0, 5], np.int16), type=7, scale=[2.0], zero=[1])), lambda x: x * [16, -2, 8]),
    ],
)
def test_what_todays_converter_writes_otherwise(
    opened: Callable[[bytes], Parts], data: bytes, formula: Callable[[np.ndarray], np.ndarray]
) -> None:
    np.testing.assert_allclose(run(opened(data), PICTURE), formula(PICTURE), rtol=1e-5, atol=1e-6)


def test_squeeze_with_and_without_named_axes(opened: Callable[[bytes], Parts]) -> None:
    mean = [Op("MEAN", [0, 2], [1], "ReducerOptions", {0: ("u8", 1)})]
    for slots in ({0: ("array", ([1, 2], np.int32))}, {}):
        steps = [*mean, Op("SQUEEZE", [1], [3], "SqueezeOptions", slots)]
        data = write([X, T((1, 1, 1, 3)), whole(1, 2), T((1, 3))], steps)
        np.testing.assert_allclose(run(opened(data), PICTURE), PICTURE.mean((1, 2)), rtol=1e-5, atol=1e-6)


def then_added(step: Op, *constants: T) -> bytes:
    """A file whose `step` works on constants (from 3 on, made into 1); what it makes is added to the picture."""
    return write([X, T((1,)), T((1, 6, 5, 3)), *constants], [step, Op("ADD", [0, 1], [2])])


def number(value: float) -> T:
    return T((1,), np.array([value], np.float32))


ROW = T((1, 3), SLOPES)
PRODUCTS = np.array([4, 10, 18])


@pytest.mark.parametrize(
    ("data", "added"),
    [
        (then_added(Op("ADD", [3, 4], [1]), ROW, number(2)), SLOPES + 2),
        (then_added(Op("SUB", [3, 4], [1]), ROW, number(2)), SLOPES - 2),
        (then_added(Op("NEG", [3], [1]), ROW), -SLOPES),
        (then_added(Op("RESHAPE", [3, 4], [1]), ROW, whole(3)), SLOPES),
        (then_added(Op("TRANSPOSE", [3, 4], [1]), T((3, 1), SLOPES), whole(1, 0)), SLOPES),
        (then_added(Op("EXPAND_DIMS", [3, 4], [1]), T((3,), SLOPES), whole(0)), SLOPES),
        (then_added(Op("CAST", [3], [1], "CastOptions", {1: ("i8", 0)}), whole(1, 2, 3)), np.array([1, 2, 3])),
        (then_added(Op("PACK", [3, 4, 5], [1]), *[T((), np.float32(n)) for n in (1, 2, 4)]), np.array([1, 2, 4])),
        (then_added(Op("CONCATENATION", [3, 4], [1]), number(5), T((2,), SLOPES[:2])), np.array([5, 0.1, 0.2])),
        (then_added(Op("GATHER", [3, 4], [1]), T((3,), SLOPES), whole(2, 1, 0)), SLOPES[::-1]),
        (
            then_added(Op("REDUCE_PROD", [3, 4], [1]), T((2, 3), np.float32([1, 2, 3, 4, 5, 6])), whole(0)),
            PRODUCTS,
        ),
        (
            then_added(Op("SLICE", [3, 4, 5], [1]), T((5,), np.float32(range(5))), whole(1), whole(3)),
            np.array([1, 2, 3]),
        ),
        (then_added(Op("FILL", [3, 4], [1]), whole(3), T((), np.float32(7))), np.array(7.0)),
        (then_added(Op("BROADCAST_TO", [3, 4], [1]), number(3), whole(6, 5, 3)), np.array(3.0)),
    ],
)
def test_numbers_of_the_file_are_worked_out_while_reading(
    opened: Callable[[bytes], Parts], data: bytes, added: np.ndarray
) -> None:
    np.testing.assert_allclose(run(opened(data), PICTURE), PICTURE + added, rtol=1e-6, atol=1e-6)


def test_numbers_that_lie_behind_the_tables(opened: Callable[[bytes], Parts]) -> None:
    """Files over 2 GB say where in the file a buffer lies."""
    plain = write([X, Y, T((3,), at=100_000)], [Op("MUL", [0, 2], [1])])
    parts = opened(plain.ljust(100_000, b"\0") + SLOPES.tobytes())
    np.testing.assert_allclose(run(parts, PICTURE), PICTURE * SLOPES, rtol=1e-6)


KEEPS = {2: ("u8", 1)}


def test_dense_layers_on_maps(opened: Callable[[bytes], Parts]) -> None:
    """Along the last axis where the file keeps the axes or merges them, over everything where the weights say so."""
    along, over = R.normal(0, 1, (4, 3)).astype(np.float32), R.normal(0, 1, (2, 90)).astype(np.float32)
    rows = [Op("FULLY_CONNECTED", [0, 3], [1], "FullyConnectedOptions"), Op("RESHAPE", [1, 4], [2])]
    merged = opened(write([X, T((30, 4)), T((1, 6, 5, 4)), T((4, 3), along), whole(1, 6, 5, 4)], rows))
    kept = opened(one("FULLY_CONNECTED", T((4, 3), along), options="FullyConnectedOptions", slots=KEEPS))
    first = [Op("RESHAPE", [0, 5], [1]), Op("FULLY_CONNECTED", [1, 3], [2]), Op("RESHAPE", [2, 4], [6])]
    tensors = [X, T((30, 3)), T((30, 4)), T((4, 3), along), whole(1, 6, 5, 4), whole(-1, 3), T((1, 6, 5, 4))]
    for parts in (merged, kept, opened(write(tensors, first))):
        np.testing.assert_allclose(run(parts, PICTURE), PICTURE @ along.T, atol=1e-5)
        assert [type(m).__name__ for m in parts.graph.children()] == ["Conv2d"]
    thin = [Op("RESHAPE", [0, 3], [1]), Op("FULLY_CONNECTED", [1, 4], [2], "FullyConnectedOptions", KEEPS)]
    rows = write([X, T((1, 30, 3)), T((1, 30, 4)), whole(1, 30, 3), T((4, 3), along)], thin)
    np.testing.assert_allclose(run(opened(rows), PICTURE), PICTURE.reshape(2, 30, 3) @ along.T, atol=1e-5)
    flat = opened(one("FULLY_CONNECTED", T((2, 90), over)))
    np.testing.assert_allclose(run(flat, PICTURE), PICTURE.reshape(2, 90) @ over.T, atol=1e-4)


def test_products_with_numbers(opened: Callable[[bytes], Parts]) -> None:
    weights = R.normal(0, 1, (3, 2)).astype(np.float32)
    for data in (
        one("BATCH_MATMUL", T((3, 2), weights)),
        one("BATCH_MATMUL", T((2, 3), weights.T.copy()), options="BatchMatMulOptions", slots={1: ("u8", 1)}),
    ):
        np.testing.assert_allclose(run(opened(data), PICTURE), PICTURE @ weights, atol=1e-5)


def test_how_a_network_may_end(opened: Callable[[bytes], Parts]) -> None:
    """One number is the logit of the second of two classes; maps of one pixel are classes; others stay maps."""
    single = opened(one("FULLY_CONNECTED", T((1, 90), np.ones((1, 90), np.float32))))
    sums = PICTURE.reshape(2, 90).sum(1)
    np.testing.assert_allclose(run(single, PICTURE), np.stack([0 * sums, sums], 1), atol=1e-4)
    assert "taken for the logit of the second of two classes" in single.card["notes"]
    pixel = opened(one("MEAN", whole(1, 2), options="ReducerOptions", slots={0: ("u8", 1)}))
    np.testing.assert_allclose(run(pixel, PICTURE), PICTURE.mean((1, 2)), atol=1e-6)
    assert pixel.classes == ("class 0", "class 1", "class 2")
    maps = opened(one("RELU"))
    assert maps.classes == ()
    assert "ends in maps of shape (6, 5, 3), not in classes" in maps.card["notes"]


# ---------------------------------------------------------------------------------------------------- how it is fed


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (T((1, 6, 5, 3), type=3, scale=[1 / 127.5], zero=[127]), "[-1, 1]"),
        (T((1, 6, 5, 3), type=3, scale=[1 / 255], zero=[0]), "[0, 1]"),
        (T((1, 6, 5, 3), type=9, scale=[1.0], zero=[-128]), "[0, 255]"),
        (T((1, 6, 5, 3), type=9, scale=[0.02], zero=[-14]), "[-2.28, 2.82]"),
        (T((1, 6, 5, 3), type=3), "[0, 255]"),
        (X, "[0, 1]"),
    ],
)
def test_scaling_by_the_inputs_own_integers(opened: Callable[[bytes], Parts], given: T, words: str) -> None:
    parts = opened(one("RELU", x=given))
    assert parts.contract.describe() == f"6 x 5 px RGB, crop, bilinear, scaled to {words}"


def test_a_picture_whose_size_is_left_open(opened: Callable[[bytes], Parts]) -> None:
    parts = opened(one("RELU", x=T((1, 1, 1, 3), signature=[-1, -1, -1, 3])))
    assert parts.contract.size == (224, 224)
    assert "224 px was assumed" in parts.card["notes"]


def about(mean: Sequence[float], std: Sequence[float], label_file: str = "") -> bytes:
    """Metadata as TensorFlow's model maker writes them (metadata_schema.fbs)."""
    b = flatbuffers.Builder(512)
    norm = table(b, {0: array(b, mean, np.float32), 1: array(b, std, np.float32)})
    given = table(b, {4: offsets(b, [table(b, {0: ("u8", 1), 1: ("off", norm)})])})
    files = [table(b, {0: text(b, label_file), 2: ("i8", 2)})] if label_file else []
    made = table(b, {6: offsets(b, files)})
    graph = table(b, {2: offsets(b, [given]), 3: offsets(b, [made])})
    b.Finish(table(b, {0: text(b, "Birds"), 3: offsets(b, [graph]), 5: text(b, "Apache 2.0")}), file_identifier=b"M001")
    return bytes(b.Output())


def zipped(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return stream.getvalue()


def three_classes(metadata: bytes) -> bytes:
    steps = [Op("MEAN", [0, 2], [1])]
    return write([X, T((1, 3)), whole(1, 2)], steps, metadata=metadata)


def test_metadata_say_scaling_classes_and_licence(opened: Callable[[bytes], Parts]) -> None:
    data = three_classes(about([127.5], [127.5], "names.txt")) + zipped("names.txt", b"crow\nowl\nwren\n")
    parts = opened(data)
    assert parts.contract.describe().endswith("scaled to [-1, 1]")
    assert parts.classes == ("crow", "owl", "wren")
    assert parts.card["name"] == "Birds"
    assert parts.card["licence"] == "Apache 2.0"
    by_channel = opened(three_classes(about([120, 110, 100], [60, 61, 62]))).contract
    assert (by_channel.scale, by_channel.mean, by_channel.std) == (255.0, (120, 110, 100), (60, 61, 62))


@pytest.mark.parametrize(
    ("data", "note"),
    [
        (three_classes(b"\xff" * 40), "metadata are damaged and were not used"),
        (three_classes(about([0], [1], "n.txt")), "which is not in it"),
        (three_classes(about([0], [1], "n.txt")) + zipped("m.txt", b"a"), r"could not be read \(KeyError\)"),
        (three_classes(about([0], [1], "n.txt")) + zipped("n.txt", b"a" * 2_000_000), "has more than 1,000,000 bytes"),
        (three_classes(about([0], [1], "n.txt")) + zipped("n.txt", b"a"), "names 1 classes; the network has 3"),
        (
            three_classes(about([0], [1], "n.txt")) + zipped("n.txt", b"a")[:-12] + b"\xff" * 12,
            "claims 65,535 members and was not read|could not be read",
        ),
    ],
)
def test_metadata_that_cannot_be_used_are_said(opened: Callable[[bytes], Parts], data: bytes, note: str) -> None:
    parts = opened(data)
    assert re.search(note, parts.card["notes"])
    assert parts.classes == ("class 0", "class 1", "class 2")
