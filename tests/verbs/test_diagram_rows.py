"""Graphs of known networks -> rows for the diagram: blocks are those a person names."""

from __future__ import annotations

import pytest
from torchvision import models

from cutaway.draw.blocks import boxes_of
from cutaway.draw.diagram import diagram
from cutaway.graph.shapes import shapes_of
from cutaway.graph.trace import trace
from cutaway.verbs.diagram_rows import _named_path, diagram_rows


@pytest.mark.parametrize(
    ("name", "most", "boxes", "some"),
    [
        ("resnet18", 40, 16, {"layer1.0", "layer4.1", "fc"}),
        ("mobilenet_v2", 40, 28, {"features.2.conv", "features.17.conv", "classifier.1"}),
        ("googlenet", 40, 21, {"inception3a", "inception5b", "maxpool2"}),
        ("googlenet", 80, 63, {"inception3a.branch1", "inception5b.branch4", "cat"}),
        ("densenet121", 40, 18, {"features.denseblock1", "features.transition3", "classifier"}),
        ("inception_v3", 40, 23, {"Conv2d_1a_3x3", "Mixed_5b", "Mixed_6a", "Mixed_7c", "maxpool2", "fc"}),
    ],
)
def test_blocks_collapse_as_people_name_them(name: str, most: int, boxes: int, some: set[str]) -> None:
    settings = {"init_weights": False, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    graph = trace(getattr(models, name)(weights=None, **settings).eval())
    side = 96 if name == "inception_v3" else 64  # its least is 75
    rows = diagram_rows(graph, shapes_of(graph, (3, side, side)))
    found = boxes_of(rows, most)
    assert some <= {box.name for box in found}
    assert len(found) == boxes
    assert rows[0].kind == "Input"
    assert len(diagram(rows, name, most=most)) < 120_000


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("layer1.0.conv1", ("layer1", "0")), ("fc", ()), ("block_1_expand_BN", ("block_1",)), ("relu_4", ()),
        ("conv2_block1_1_conv", ("conv2_block1",)), ("expanded_conv_3_project", ("expanded_conv_3",)),
    ],
)  # fmt: skip
def test_block_in_the_name(name: str, path: tuple[str, ...]) -> None:
    assert _named_path(name) == path
