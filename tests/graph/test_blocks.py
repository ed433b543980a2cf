"""Blocks: by module path, by what flat names share, and where steps without a path of their own belong."""

from __future__ import annotations

import pytest
import torch
import torchvision

from cutaway.graph.blocks import MOST_ROWS, Block, blocks_of, collapsed, flat_paths, rows_in, tree
from cutaway.graph.shapes import LayerRow, layer_table
from cutaway.graph.trace import trace


def paths(names: str) -> dict[str, str]:
    """Names in running order -> name: its blocks joined by " > "."""
    words = names.split()
    return dict(zip(words, map(" > ".join, flat_paths(words)), strict=True))


def test_keras_mobilenet_v2() -> None:
    found = paths("Conv1 bn_Conv1 expanded_conv_depthwise expanded_conv_depthwise_BN expanded_conv_project "
                  "block_6_expand block_6_expand_BN block_6_depthwise block_6_add Conv_1 out_relu")  # fmt: skip
    assert found["block_6_expand"] == found["block_6_depthwise"] == found["block_6_add"] == "block_6"
    assert found["expanded_conv_project"] == "expanded_conv"
    assert found["Conv1"] == found["Conv_1"] == found["out_relu"] == ""


def test_keras_resnet50() -> None:
    found = paths("conv1_conv conv1_bn conv1_relu pool1_pool conv2_block1_1_conv conv2_block1_1_bn conv2_block1_add "
                  "conv2_block2_1_conv conv2_block2_1_bn conv2_block2_add conv3_block1_1_conv conv3_block1_1_bn "
                  "conv3_block1_add avg_pool predictions")  # fmt: skip
    assert found["conv2_block1_1_conv"] == "conv2 > conv2_block1"
    assert found["conv2_block2_add"] == "conv2 > conv2_block2"
    assert found["conv3_block1_add"] == "conv3_block1"
    assert found["conv1_bn"] == "conv1"
    assert found["pool1_pool"] == found["avg_pool"] == ""


def test_other_keras_applications() -> None:
    mobile = paths("conv1 conv1_bn conv1_relu conv_dw_1 conv_dw_1_bn conv_dw_1_relu conv_pw_1 conv_pw_1_bn "
                   "conv_pw_1_relu conv_preds")  # fmt: skip
    assert (mobile["conv_dw_1_bn"], mobile["conv_pw_1"], mobile["conv_preds"]) == ("conv_dw_1", "conv_pw_1", "")
    vgg = paths("block1_conv1 block1_conv2 block1_pool block2_conv1 block2_conv2 block2_pool fc1 fc2 predictions")
    assert (vgg["block1_conv2"], vgg["block2_pool"], vgg["fc2"]) == ("block1", "block2", "")
    efficient = paths("block1a_dwconv block1a_bn block1a_se_squeeze block1a_se_reshape block1a_se_expand "
                      "block1a_project_conv block2a_expand_conv block2a_bn block2a_add top_conv")  # fmt: skip
    assert efficient["block1a_se_reshape"] == "block1a > block1a_se"
    assert efficient["block2a_bn"] == "block2a"


def test_onnx_and_torch_names_go_by_their_dots() -> None:
    assert paths("layer1.0.conv1 conv stem.conv") == {
        "layer1.0.conv1": "layer1 > layer1.0", "conv": "", "stem.conv": "stem",
    }  # fmt: skip


# Network, step that tracing named without a path -> the block it is part of in the network's own code.
PLACED = [
    ("resnet18", "add", "layer1.0"),
    ("resnet18", "add_1", "layer1.1"),
    ("resnet18", "add_2", "layer2.0"),  # both branches lie in the block
    ("resnet18", "flatten", ""),
    ("resnet18", "maxpool", ""),
    ("mobilenet_v2", "add", "features.3"),
    ("mobilenet_v2", "flatten", ""),
    ("googlenet", "cat", "inception3a"),
    ("googlenet", "relu", "conv1"),
    ("googlenet", "maxpool3", ""),
    ("inception_v3", "avg_pool2d", "Mixed_5b"),
    ("inception_v3", "max_pool2d", "Mixed_6a"),
    ("efficientnet_b0", "mul", "features.1.0.block.1"),
    ("efficientnet_b0", "add", "features.2.1"),
    ("convnext_tiny", "layer_norm", "features.0"),
    ("convnext_tiny", "mul", "features.1.0"),
    ("convnext_tiny", "add", "features.1.0"),
    ("shufflenet_v2_x1_0", "cat", "stage2.0"),
]


@pytest.mark.parametrize(("network", "step", "block"), PLACED, ids=[f"{n}-{s}" for n, s, _ in PLACED])
def test_steps_without_a_path_belong_where_their_network_made_them(network: str, step: str, block: str) -> None:
    found = blocks_of(graphs(network))[step]
    assert (found[-1] if found else "") == block


_TRACED: dict[str, object] = {}


def graphs(name: str):  # type: ignore[no-untyped-def]
    if name not in _TRACED:
        options = {"aux_logits": False, "init_weights": False} if name in ("googlenet", "inception_v3") else {}
        with torch.device("meta"):
            _TRACED[name] = trace(getattr(torchvision.models, name)(**options))
    return _TRACED[name]


def rows_of(name: str) -> tuple[LayerRow, ...]:
    return layer_table(graphs(name), (3, 96, 96))


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "googlenet", "inception_v3", "efficientnet_b0"])
def test_a_tree_holds_every_row_once_and_its_sums(name: str) -> None:
    rows = rows_of(name)
    root = tree(rows)
    assert sorted(row.name for row in root.rows) == sorted(row.name for row in rows)
    assert root.layers == len(rows)
    shown = collapsed(root)
    assert 10 <= len(shown) <= MOST_ROWS
    assert sum(row.parameters for row in shown) == sum(row.parameters for row in rows) == root.parameters
    assert sum(row.multiply_adds for row in shown) == sum(row.multiply_adds for row in rows) == root.multiply_adds


def test_a_block_tells_what_goes_in_and_out() -> None:
    shown = {row.name: row for row in collapsed(tree(rows_of("resnet18")))}
    block = shown["layer2.0"]
    assert isinstance(block, Block)
    assert (block.input_shape, block.shape, block.layers) == ((64, 24, 24), (128, 12, 12), 9)
    assert block.parameters == 128 * 64 * 9 + 128 * 128 * 9 + 128 * 64 + 3 * 256
    assert block.last.name == "layer2.0.relu_2"
    assert block.to_dict()["layers"][0] == "layer2.0.conv1"
    assert block.to_dict()["kind"] == "9 layers"


def test_a_block_can_be_looked_into() -> None:
    rows = rows_of("resnet18")
    assert [row.name for row in rows_in(rows, "layer1.0")][-2:] == ["add", "layer1.0.relu_2"]
    assert len(rows_in(rows, "layer1")) == 14
    assert rows_in(rows, "layer9") == ()


def flat(count: int) -> tuple[LayerRow, ...]:
    """A network of `count` steps without blocks, of ten map sizes."""
    return tuple(
        LayerRow(f"conv{chr(97 + i % 26)}{i}", "Conv2d", (8, 64 - i * 10 // count, 9), i, 10 * i, ((8, 64, 9),))
        for i in range(count)
    )


def test_a_flat_network_is_folded_into_stages_of_one_size() -> None:
    rows = flat(200)
    shown = collapsed(tree(rows))
    assert len(shown) == 10
    assert shown[0].name == "conva0 ... convt19"
    assert sum(row.parameters for row in shown) == sum(row.parameters for row in rows)


def test_more_sizes_than_rows_are_joined_until_they_fit() -> None:
    rows = tuple(LayerRow(f"c{i}", "Conv2d", (1, 100 - i // 2, 1), 1, 0) for i in range(120))
    shown = collapsed(tree(rows))
    assert len(shown) == MOST_ROWS
    assert sum(row.parameters for row in shown) == 120
    assert sum(block.layers if isinstance(block, Block) else 1 for block in shown) == 120


def test_a_small_network_is_shown_whole() -> None:
    rows = flat(5)
    assert collapsed(tree(rows)) == rows
