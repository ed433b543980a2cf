"""What surrounds an ONNX graph: names, contract, classes, notes, second files, layouts, and torch's exporters."""

from __future__ import annotations

import json
import logging
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from cutaway.formats import onnx_file, read_model_file
from cutaway.formats.about import KEY, About
from cutaway.formats.onnx_contract import contract_from_metadata
from cutaway.formats.parts import Parts
from cutaway.graph.names import steps_of
from cutaway.image import InputContract
from tests.formats.onnx_kit import compared, kinds, model, node, numbers, opened, run_reference, saved


def dense(classes: int = 2, end: str = "Gemm", **more: Any) -> Any:
    """(1, 3, 8, 8) -> `classes` scores, a Softmax behind them where `end` says so."""
    nodes = [node("GlobalAveragePool", "x", "g"), node("Flatten", "g", "f"), node("Gemm", "f w", "z")]
    nodes.append(node("Softmax", "z", axis=-1) if end == "Softmax" else node("Identity", "z"))
    return model(nodes, {"w": numbers(3, classes)}, **more)


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = saved(tmp_path, dense()).rename(tmp_path / "net.bin")
    assert onnx_file.matches(path.read_bytes()[:512], path)
    parts = read_model_file(path)
    assert isinstance(parts, Parts)
    assert parts.card["format"] == "ONNX opset 17"
    assert parts.card["producer"] == "kit"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x08",
        b"\x08\x01\x12\x05hello\x12\x05hello",  # a SavedModel: graphs in field 2
        b"\x0a\x05hello",  # a frozen TensorFlow graph
        b"\x08\x03\x12\x05hello",  # no graph in it
        b"\x3a\x02\x08\x01",  # a graph without a version
        b"\x08\xff\xff\x7f\x3a\x00",  # an impossible version
        b"\x08\x07\x3a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"\x80\x02}q\x00.",
        b"PK\x03\x04",
        b'{"format": "layers-model"}',
        b"* a list in a text\n",
    ],
)
def test_other_files_are_not_taken_for_onnx(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "other"
    path.write_bytes(data)
    assert not onnx_file.matches(data, path)


def test_a_length_that_no_file_has_ends_the_look(tmp_path: Path) -> None:
    """A varint of 70 bits behind a field's key: no position that a file can be read at."""
    path = tmp_path / "m.keras"
    path.write_bytes(b"\x08\x07" + b"\x12" + b"\xff" * 9 + b"\x7f" + bytes(40))
    assert not onnx_file.matches(path.read_bytes()[:64], path)


def test_a_file_that_is_gone_is_not_taken_for_onnx(tmp_path: Path) -> None:
    assert not onnx_file.matches(b"\x08\x07\x12", tmp_path / "gone")


# Names


def tower(*named: tuple[str, str, dict[str, str]]) -> Any:
    """Relus in a row: node name, output, metadata."""
    nodes, before = [], "x"
    for name, output, props in named:
        made = node("Relu", before, output, name=name)
        for key, value in props.items():
            made.metadata_props.add(key=key, value=value)
        nodes.append(made)
        before = output
    return model(nodes, output=before)


@pytest.mark.parametrize(
    ("names", "wanted"),
    [
        (["/layer1/layer1.0/conv1/Relu", "/layer1/layer1.0/Relu"], ["layer1.0.conv1", "layer1.0.relu"]),
        (["/features/features.0/features.0.1/Relu", "/out/Relu"], ["features.0.1", "out"]),
        (["/a/Relu", "/a/Relu_1", "/a/Clip"], ["a", "a_relu_1", "a_clip"]),
        (["model/conv/Relu", "model/bn/Relu__12", "model/relu/Relu:0"], ["conv", "bn", "relu"]),
        (["StatefulPartitionedCall/net/a/Relu", "StatefulPartitionedCall/net/b/Relu"], ["net.a", "net.b"]),
        (["Relu_0", "Relu_1"], ["Relu_0", "Relu_1"]),
        (["", ""], ["relu", "relu_2"]),
        (["n0", "n0_19", "node_relu_7"], ["relu", "relu_2", "relu_7"]),
        (["/forward/Relu", "/class/Relu", "/0/Relu"], ["forward_layer", "class_layer", "0"]),
        (["/a b/ü;x=1/Relu", "/../Relu"], ["a_b.ü_x_1", "relu"]),
        (["/a/Relu", "/a/b/Relu", "/a/b/c/Relu"], ["a.relu", "a.b.relu", "a.b.c"]),
    ],
)
def test_names_come_from_what_the_exporter_left(tmp_path: Path, names: list[str], wanted: list[str]) -> None:
    parts = opened(tmp_path, tower(*((name, f"v{n}", {}) for n, name in enumerate(names))))
    assert list(steps_of(parts.graph)) == wanted


def test_names_come_from_torchs_scopes(tmp_path: Path) -> None:
    scopes = ["['', 'block', 'block.0', 'block.0.act', 'relu_3']", "['', 'block', 'block.0', 'add']", "['', 'mean']"]
    rows = [(f"node_{n}", f"v{n}", {"pkg.torch.onnx.name_scopes": text}) for n, text in enumerate(scopes)]
    assert list(steps_of(opened(tmp_path, tower(*rows)).graph)) == ["block.0.act", "block.0.add", "mean"]


def test_names_come_from_the_weights_but_not_from_shared_ones(tmp_path: Path) -> None:
    nodes = [
        node("Identity", "stem.0.weight", "onnx::Conv_9"),
        node("Conv", "x stem.0.weight", "a", name="Conv_1"),
        node("Conv", "a onnx::Conv_9", "y", name="/stem/stem.3/Conv"),
    ]
    parts = opened(tmp_path, model(nodes, {"stem.0.weight": numbers(3, 3, 1, 1)}))
    assert list(steps_of(parts.graph)) == ["stem.0", "stem.3"]
    first, second = parts.graph.get_submodule("stem.0"), parts.graph.get_submodule("stem.3")
    assert first.weight.data_ptr() != second.weight.data_ptr()
    assert torch.equal(first.weight, second.weight)


# Contract and classes


def test_without_metadata_imagenets_recipe_is_assumed_and_said(tmp_path: Path) -> None:
    parts = opened(tmp_path, dense())
    assert parts.contract == InputContract(
        (8, 8), "crop", 0.875, "bilinear", mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
    )
    assert "ImageNet's recipe was assumed" in parts.card["notes"]
    assert "cutaway edit FILE --set input.mean=" in parts.card["notes"]
    assert (parts.classes, parts.probabilities) == (("class 0", "class 1"), False)


def test_grey_and_channels_last_pictures_are_not_imagenets(tmp_path: Path) -> None:
    grey = opened(tmp_path, model([node("Relu", "x")], shape=(1, 1, 8, 8)))
    assert (grey.contract.channels, grey.contract.mean) == ("gray", (0.0, 0.0, 0.0))
    assert "values from 0 to 1 were assumed" in grey.card["notes"]


@pytest.mark.parametrize(
    ("nodes", "arrays", "scale"),
    [
        ([node("Div", "x c")], {"c": np.float32(255)}, 255.0),
        ([node("Mul", "x c")], {"c": np.float32(1 / 255)}, 255.0),
        ([node("Sub", "x c")], {"c": np.full((1, 3, 1, 1), 123.7, np.float32)}, 255.0),
        ([node("Sub", "x c")], {"c": np.full((1, 3, 1, 1), 0.485, np.float32)}, 1.0),
        (
            [node("BatchNormalization", "x c c m c")],
            {"c": np.ones(3, np.float32), "m": np.full(3, 120, np.float32)},
            255.0,
        ),
        ([node("BatchNormalization", "x c c c c")], {"c": np.ones(3, np.float32)}, 1.0),
    ],
)
def test_a_network_that_scales_its_input_itself_is_fed_so(
    tmp_path: Path, nodes: list[Any], arrays: dict[str, Any], scale: float
) -> None:
    parts = opened(tmp_path, model(nodes, arrays))
    assert parts.contract.scale == scale
    assert not any(parts.contract.mean)
    assert f"scales its input itself and gets values from 0 to {scale:g}" in parts.card["notes"]


def test_an_input_of_bytes_gets_0_to_255(tmp_path: Path) -> None:
    made = model([node("Cast", "x", "c", to=1), node("Relu", "c")], kind=TensorProto.UINT8)
    assert opened(tmp_path, made).contract.scale == 255


def about(size: tuple[int, int] = (8, 8), classes: tuple[str, ...] = ("cat", "dog")) -> About:
    contract = InputContract(size, "squash", 1.0, "lanczos", scale=2.0, offset=-1.0)
    return About(contract, classes, True, 1.5, {"licence": "MIT"}, (0.25, 0.75))


def test_what_our_own_export_wrote_wins(tmp_path: Path) -> None:
    made = dense()
    helper.set_model_props(made, {KEY: about().to_text()})
    parts = opened(tmp_path, made)
    assert parts.contract == about().contract
    assert (parts.classes, parts.probabilities, parts.temperature) == (("cat", "dog"), True, 1.5)
    assert parts.golden == (0.25, 0.75)
    assert parts.card == {"licence": "MIT", "format": "ONNX opset 17", "producer": "kit"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "was not used: Its note of Cutaway is damaged"),
        (json.dumps({"format": "other"}), "was not used: Its note of Cutaway is not in the format"),
        (about((9, 9)).to_text(), "it is for 9 x 9 px, the graph is not"),
    ],
)
def test_a_note_of_ours_that_does_not_fit_is_not_used(tmp_path: Path, text: str, said: str) -> None:
    made = dense()
    helper.set_model_props(made, {KEY: text})
    assert said in opened(tmp_path, made).card["notes"]
    assert contract_from_metadata({KEY: text}, (8, 8), 3)[0] is None


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("names", "{0: 'cat', 1: \"d'og\"}"),
        ("classes", '["cat", "d\'og"]'),
        ("labels", "cat\nd'og\n"),
        ("class_names", "cat, d'og"),
    ],
)
def test_class_names_come_from_metadata(tmp_path: Path, key: str, text: str) -> None:
    made = dense()
    helper.set_model_props(made, {key: text})
    assert opened(tmp_path, made).classes == ("cat", "d'og")


@pytest.mark.parametrize("text", ['["only one"]', "[1, 2]", "{0: 'a', 2: 'b'}", "{", "a"])
def test_class_names_that_do_not_fit_are_left(tmp_path: Path, text: str) -> None:
    made = dense()
    helper.set_model_props(made, {"names": text})
    (tmp_path / "labels.txt").write_text("0 Cat\n1 Dog\n", encoding="utf-8")
    assert opened(tmp_path, made).classes == ("Cat", "Dog")


def test_a_softmax_at_the_end_gives_probabilities(tmp_path: Path) -> None:
    assert opened(tmp_path, dense(end="Softmax")).probabilities


# Input and output


def test_channels_last_is_turned_round_once(tmp_path: Path) -> None:
    """As tf2onnx writes Keras networks: NHWC in, a transpose first."""
    nodes = [
        node("Transpose", "x", "t", perm=[0, 3, 1, 2], name="model/conv/Conv2D__6"),
        node("Conv", "t w", "c", auto_pad="SAME_UPPER", strides=[2, 2], name="model/conv/Conv2D"),
        node("Add", "c b", "a", name="model/conv/BiasAdd"),
        node("Transpose", "a", "n", perm=[0, 2, 3, 1], name="model/flatten/Reshape__9"),
        node("Reshape", "n s", "f", name="model/flatten/Reshape"),
        node("MatMul", "f d", name="model/dense/MatMul"),
    ]
    arrays = {"w": numbers(4, 3, 3, 3), "b": numbers(1, 4, 1, 1), "s": np.array([-1, 64]), "d": numbers(64, 2)}
    parts, difference = compared(tmp_path, model(nodes, arrays, shape=("n", 8, 8, 3)))
    assert difference <= 1e-5
    assert kinds(parts) == ["SamePad2d", "Conv2d", "ChannelsLastFlatten", "Linear"]
    assert list(steps_of(parts.graph)) == ["conv_pad", "conv", "flatten", "dense"]
    assert parts.contract.mean == (0.0, 0.0, 0.0)


def test_a_network_in_channels_last_to_the_end_is_turned_round_in_front(tmp_path: Path) -> None:
    parts, difference = compared(tmp_path, model([node("Relu", "x")], shape=(1, 8, 8, 3)))
    assert kinds(parts) == ["permute", "ReLU"]
    assert difference == 0


def test_an_open_size_is_224_or_the_first_that_works(tmp_path: Path) -> None:
    parts = opened(tmp_path, model([node("Relu", "x")], shape=("n", 3, "h", "w")))
    assert parts.contract.size == (224, 224)
    assert "leaves the picture's size open; 224 x 224 px was taken" in parts.card["notes"]
    nodes = [node("Flatten", "x", "f"), node("Gemm", "f w")]
    parts = opened(tmp_path, model(nodes, {"w": numbers(3 * 32 * 32, 2)}, shape=("n", "c", "h", "w")))
    assert parts.contract.size == (32, 32)


def test_open_channels_are_those_of_the_first_convolution(tmp_path: Path) -> None:
    made = model([node("Conv", "x w")], {"w": numbers(2, 1, 3, 3)}, shape=("n", "c", 8, 8))
    assert opened(tmp_path, made).contract.channels == "gray"


def test_a_file_for_eight_pictures_takes_any_number(tmp_path: Path) -> None:
    nodes = [node("Relu", "x", "r"), node("Reshape", "r s")]
    parts = opened(tmp_path, model(nodes, {"s": np.array([8, 192])}, shape=(8, 3, 8, 8)))
    assert parts.graph(torch.zeros(3, 3, 8, 8)).shape == (3, 192)


def test_one_of_several_outputs_is_used_and_named(tmp_path: Path) -> None:
    made = dense()
    made.graph.output.insert(0, helper.make_tensor_value_info("f", TensorProto.INT64, None))
    made.graph.output[1].type.CopyFrom(helper.make_tensor_type_proto(TensorProto.FLOAT, ["n", 2]))
    parts = opened(tmp_path, made)
    assert "The file has 2 outputs; 'y' is used." in parts.card["notes"]
    assert parts.classes == ("class 0", "class 1")


def test_nodes_that_the_output_does_not_need_do_not_matter(tmp_path: Path) -> None:
    made = model([node("Loop", "x", "l"), node("Relu", "x"), node("Relu", "r", "r2"), node("Relu", "y", "r")])
    assert kinds(opened(tmp_path, made)) == ["ReLU"]


def test_nodes_in_any_order_are_put_in_order(tmp_path: Path) -> None:
    made = model([node("Sigmoid", "r"), node("Relu", "x", "r")])
    assert kinds(opened(tmp_path, made)) == ["ReLU", "Sigmoid"]


def test_initializers_that_are_inputs_too_are_no_second_picture(tmp_path: Path) -> None:
    made = model([node("Conv", "x w")], {"w": numbers(2, 3, 3, 3)})
    made.graph.input.append(helper.make_tensor_value_info("w", TensorProto.FLOAT, (2, 3, 3, 3)))
    assert kinds(opened(tmp_path, made)) == ["Conv2d"]


# Weights


@pytest.mark.parametrize("kind", ["float16", "double"])
def test_other_floats_become_float32_and_it_is_said(tmp_path: Path, kind: str) -> None:
    dtype: Any = {"float16": np.float16, "double": np.float64}[kind]
    code = {"float16": TensorProto.FLOAT16, "double": TensorProto.DOUBLE}[kind]
    made = model([node("Mul", "x w")], {"w": numbers(1, 3, 1, 8).astype(dtype)}, kind=code)
    made.graph.output[0].type.CopyFrom(helper.make_tensor_type_proto(code, None))
    parts = opened(tmp_path, made)
    x = torch.randn(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    wanted = run_reference(made, x).astype(np.float32)
    assert np.abs(parts.graph(x).detach().numpy() - wanted).max() <= (2e-2 if kind == "float16" else 1e-5)
    word = "float64" if kind == "double" else kind
    assert f"Its {word} weights were turned into float32." in parts.card["notes"]


def test_bfloat16_is_the_upper_half_of_float32(tmp_path: Path) -> None:
    made = model([node("Add", "x c")])
    raw = np.array([0x3F80, 0xC040], "<u2").tobytes()  # 1.0, -3.0
    made.graph.initializer.append(helper.make_tensor("c16", TensorProto.BFLOAT16, [2, 1], raw, raw=True))
    made.graph.node[0].input[1] = "c"
    made.graph.node.append(node("Cast", "c16", "c0", to=1))
    made.graph.node.append(node("Reshape", "c0 s", "c1"))
    made.graph.node.append(node("Gather", "c1 i", "c", axis=0))
    made.graph.initializer.append(numpy_helper.from_array(np.array([2]), "s"))
    made.graph.initializer.append(numpy_helper.from_array(np.array(1), "i"))
    parts = opened(tmp_path, made)
    assert torch.equal(parts.graph(torch.zeros(1, 3, 8, 8)), torch.full((1, 3, 8, 8), -3.0))
    assert "bfloat16" in parts.card["notes"]


def test_arrays_in_typed_fields_are_read(tmp_path: Path) -> None:
    made = model([node("Mul", "x a", "m"), node("Reshape", "m s")])
    made.graph.initializer.append(helper.make_tensor("a", TensorProto.FLOAT16, [1], [0.5]))
    made.graph.initializer.append(helper.make_tensor("s", TensorProto.INT64, [2], [1, 192]))
    parts, difference = opened(tmp_path, made), 0
    assert torch.equal(parts.graph(torch.ones(1, 3, 8, 8)), torch.full((1, 192), 0.5))
    assert difference == 0


def test_weights_in_a_second_file_are_read(tmp_path: Path) -> None:
    import onnx

    made = model([node("Conv", "x w", "c"), node("Add", "c b")], {"w": numbers(2, 3, 3, 3), "b": numbers(2, 6, 6)})
    wanted = run_reference(made, torch.ones(1, 3, 8, 8))
    path = tmp_path / "net.onnx"
    onnx.save_model(made, path, save_as_external_data=True, location="net.data", size_threshold=0)
    parts = read_model_file(path)
    assert isinstance(parts, Parts)
    assert np.abs(parts.graph(torch.ones(1, 3, 8, 8)).detach().numpy() - wanted).max() <= 1e-5


def test_merged_batch_normalisation_is_said(tmp_path: Path) -> None:
    named = model([node("Conv", "x onnx::Conv_7")], {"onnx::Conv_7": numbers(2, 3, 3, 3)})
    told = "Batch normalisation was merged into 1 convolution by the exporter; the file has no such layers any more."
    assert told in opened(tmp_path, named).card["notes"]
    made = node("Conv", "x w", "c")
    made.metadata_props.add(key="pkg.onnxscript.rewriter.rule_name", value="FuseBatchNormIntoConv")
    arrays = {"w": numbers(3, 3, 3, 3), "s": numbers(3, low=0.5)}
    kept = model([made, node("BatchNormalization", "c s s s s")], arrays)
    assert "merged into 1 convolution by the exporter. " in opened(tmp_path, kept).card["notes"] + " "
    plain = model([node("Conv", "x w")], arrays)
    assert "merged" not in opened(tmp_path, plain).card["notes"]


def test_texts_of_the_file_are_shown_without_control_characters(tmp_path: Path) -> None:
    made = dense()
    made.producer_name, made.producer_version, made.doc_string = "a\x1b[31mb", "1", "line\nline"
    card = opened(tmp_path, made).card
    assert (card["producer"], card["description"]) == ("a [31mb 1", "line line")
    assert onnx_file.metadata_of(saved(tmp_path, made)) == {}


# torch's exporters


class _Small(nn.Module):
    """Convolution and batch norm, a residual sum, SiLU, a concatenation, and the sizes that F.interpolate asks for."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.SiLU())
        self.block = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1, groups=8), nn.GELU(), nn.Conv2d(8, 8, 1))
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(16, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        x = x + self.block(x)
        x = self.norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        wide = nn.functional.interpolate(nn.functional.max_pool2d(x, 2), size=x.shape[2:], mode="nearest")
        x = torch.cat([x, wide], 1)
        return self.head(x.mean((2, 3)))


def small() -> nn.Module:
    torch.manual_seed(0)
    network = _Small().eval()
    nn.init.uniform_(network.stem[1].running_mean)
    nn.init.uniform_(network.stem[1].running_var, 0.5, 1.5)
    return network


@pytest.mark.parametrize("opset", [9, 11, 13, 17])
def test_the_torchscript_exporters_file_is_opened(tmp_path: Path, opset: int) -> None:
    path, network = tmp_path / "net.onnx", small()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            torch.zeros(1, 3, 16, 16),
            path,
            dynamo=False,
            opset_version=opset,
            input_names=["x"],
            dynamic_axes={"x": {0: "n"}},
        )
    _opens_and_agrees(path, network)


@pytest.mark.slow
@pytest.mark.parametrize("opset", [18, None])
def test_torch_exports_file_is_opened(tmp_path: Path, opset: int | None) -> None:
    path, network = tmp_path / "net.onnx", small()
    logging.disable(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        given = {} if opset is None else {"opset_version": opset}
        torch.onnx.export(network, (torch.zeros(1, 3, 16, 16),), path, dynamo=True, verbose=False, **given)
    logging.disable(logging.NOTSET)
    _opens_and_agrees(path, network)


def _opens_and_agrees(path: Path, network: nn.Module) -> None:
    parts = read_model_file(path)
    assert isinstance(parts, Parts)
    x = torch.randn(3, 3, 16, 16)
    with torch.inference_mode():
        assert torch.allclose(parts.graph(x), network(x), atol=1e-5)
    found = kinds(parts)
    assert {"SiLU", "GELU", "LayerNorm", "Upsample", "Linear"} <= set(found)
    names = set(steps_of(parts.graph))
    assert {"stem.0", "block.0", "block.2", "head", "norm"} <= names
    assert "Batch normalisation was merged into 1 convolution" in parts.card["notes"]
