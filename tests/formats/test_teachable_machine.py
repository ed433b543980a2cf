"""Real Teachable Machine exports against what the real runtime (tf_keras 2.21) made of the same pictures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch import fx

from cutaway.engine.prepare import prepare
from cutaway.formats import Parts, read_model_file
from cutaway.graph.document import from_document, tensors_of, to_document
from cutaway.image import InputContract
from cutaway.image.fit import fit_picture
from cutaway.image.read import read_image

EXPORTS = {
    "animals-h5": ("Cat", "Dog", "Hamster"),
    "cat-dog-h5": ("Class 1", "Class 2"),
    "multi4-2020-h5": ("Class 1", "Class 2", "Class 3", "Class 4"),
    "waste4-h5": ("cardboard", "plastic", "glass", "metal"),
}
CONTRACT = InputContract((224, 224), "crop", 1.0, "lanczos", "RGB", scale=2.0, offset=-1.0)


@pytest.fixture(scope="module", params=EXPORTS)
def export(request: pytest.FixtureRequest, shared_data: Path) -> tuple[Path, Parts, dict[str, Any]]:
    folder = shared_data / "teachable-machine" / request.param
    if not folder.is_dir():
        pytest.skip(f"{folder.name} is not there")
    return folder, read_model_file(folder / "keras_model.h5"), json.loads((folder / "reference.json").read_text())


def fed(folder: Path, reference: dict[str, Any]) -> torch.Tensor:
    rows = [np.array(Pillow.open(folder / r["crop_png"]).convert("RGB")) for r in reference["images"].values()]
    return prepare(np.stack(rows), CONTRACT)


def test_probabilities_and_features_are_the_runtimes(export: tuple[Path, Parts, dict[str, Any]]) -> None:
    folder, parts, reference = export
    assert parts.contract == CONTRACT
    assert parts.probabilities
    assert parts.classes == EXPORTS[folder.name]
    assert parts.card["format"] == "Keras 2 h5"
    assert parts.card["producer"].startswith("Teachable Machine (Keras 2.")
    assert (
        sum(p.numel() for p in parts.graph.parameters())
        + sum(b.numel() for n, b in parts.graph.named_buffers() if "num_batches" not in n)
        == reference["params"]
    )

    runner = _Keeper(parts.graph)
    with torch.inference_mode():
        probabilities = runner.run(fed(folder, reference)).numpy()
    pooled = runner.kept["global_average_pooling2d_GlobalAveragePooling2D1_flatten"].numpy()
    rows = list(reference["images"].values())
    np.testing.assert_allclose(probabilities, [r["probabilities"] for r in rows], atol=1e-5, rtol=0)
    np.testing.assert_allclose(pooled[:, :8], [r["gap_1280_first8"] for r in rows], rtol=1e-4, atol=1e-5)
    for n, row in enumerate(rows):
        for name, wanted in row["layers"].items():
            _same_layer(runner.kept[name][n], wanted)


def _same_layer(value: torch.Tensor, wanted: dict[str, Any]) -> None:
    made = value.permute(1, 2, 0).double()
    assert list(made.shape) == wanted["shape_nhwc"]
    found = [float(made.mean()), float(made.std(correction=0)), float(made[3, 5, 1])]
    scale = wanted["std"]  # a mean near 0 is a sum of numbers of this size
    np.testing.assert_allclose(
        found, [wanted["mean"], wanted["std"], wanted["at_0_3_5_c1"]], rtol=1e-4, atol=1e-4 * scale
    )


class _Keeper(fx.Interpreter):
    def __init__(self, graph: fx.GraphModule) -> None:
        super().__init__(graph, garbage_collect_values=False)
        self.kept: dict[str, torch.Tensor] = {}

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        self.kept[str(n.target) if n.op == "call_module" else n.name] = value
        return value


def test_a_photo_goes_through_the_contract_to_the_same_answer(export: tuple[Path, Parts, dict[str, Any]]) -> None:
    folder, parts, reference = export
    photos = folder.parent / "images"
    for name, row in reference["images"].items():
        pixels = fit_picture(read_image(photos / name), parts.contract)
        with torch.inference_mode():
            found = parts.graph(prepare(pixels[None], parts.contract))[0].numpy()
        np.testing.assert_allclose(found, row["probabilities"], atol=1e-5, rtol=0)


def test_the_graph_is_saved_and_reopened_bit_for_bit(export: tuple[Path, Parts, dict[str, Any]]) -> None:
    _, parts, _ = export
    again = from_document(json.loads(json.dumps(to_document(parts.graph))), tensors_of(parts.graph))
    x = torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        assert torch.equal(parts.graph(x), again(x))


def test_layers_keep_their_keras_names(export: tuple[Path, Parts, dict[str, Any]]) -> None:
    _, parts, _ = export
    names = dict(parts.graph.named_modules())
    assert {"Conv1_pad", "Conv1", "block_6_expand", "out_relu", "dense_Dense1", "dense_Dense1_relu"} <= set(names)
    assert type(names["dense_Dense2_softmax"]) is torch.nn.Softmax
    assert "SamePad2d" not in {type(m).__name__ for m in parts.graph.modules()}
