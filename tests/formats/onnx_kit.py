"""Writes small ONNX files with onnx.helper, opens them, and runs them beside onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper

from cutaway.engine.trace import trace_steps
from cutaway.formats import Parts, read_model_file
from cutaway.graph.document import from_document, tensors_of, to_document

Arrays = Mapping[str, Any]


def node(kind: str, inputs: str, output: str = "y", **settings: Any) -> Any:
    """`inputs`, `output`: names between spaces, "-" for one that is left out."""
    read = ["" if n == "-" else n for n in inputs.split()]
    return helper.make_node(kind, read, output.split(), **settings)


def model(
    nodes: Sequence[Any],
    arrays: Arrays | None = None,
    shape: Sequence[Any] = (1, 3, 8, 8),
    opset: int = 17,
    output: str = "y",
    kind: int = TensorProto.FLOAT,
    **more: Any,
) -> Any:
    """A ModelProto that reads "x" and gives `output`, whose shape is left open."""
    held = [numpy_helper.from_array(np.asarray(v), k) for k, v in (arrays or {}).items()]
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info("x", kind, shape)],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)],
        held,
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8, **more)
    made.producer_name = "kit"
    return made


def saved(folder: Path, made: Any) -> Path:
    path = folder / "net.onnx"
    path.write_bytes(made.SerializeToString())
    return path


def opened(folder: Path, made: Any) -> Parts:
    parts = read_model_file(saved(folder, made))
    assert isinstance(parts, Parts)
    return parts


def kinds(parts: Parts) -> list[str]:
    """Kinds of the steps in order: class names of layers, names of functions."""
    found = []
    for n in parts.graph.graph.nodes:
        if n.op == "call_module":
            found.append(type(parts.graph.get_submodule(n.target)).__name__)
        elif n.op == "call_function":
            found.append(n.target.__name__)
    return found


def compared(folder: Path, made: Any, scale: float = 2.0) -> tuple[Parts, float]:
    """-> (Parts, largest difference to onnxruntime over two pictures fed one at a time, as a share of numbers above 1).

    Also: two pictures at once give the same, the graph survives being written as a document, all steps have a value.
    """
    parts = opened(folder, made)
    height, width = parts.contract.size
    x = torch.randn(2, parts.contract.in_channels, height, width, generator=torch.Generator().manual_seed(3)) * scale
    wanted = run_reference(made, x)
    got = trace_steps(parts.graph, x).output
    if got.shape != wanted.shape and wanted.ndim == 4:
        wanted = wanted.reshape(got.shape)
    assert got.shape == wanted.shape
    again = from_document(to_document(parts.graph), tensors_of(parts.graph))
    with torch.inference_mode():
        assert torch.equal(again(x), got)
    return parts, float(np.abs(got.numpy() - wanted).max()) / max(1.0, float(np.abs(wanted).max()))


def run_reference(made: Any, x: torch.Tensor) -> np.ndarray[Any, Any]:
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    (given,) = session.get_inputs()
    last = made.graph.input[0].type.tensor_type.shape.dim[3].dim_value in (1, 3)
    sizes = [d.dim_value for d in made.graph.input[0].type.tensor_type.shape.dim]
    rows = x.permute(0, 2, 3, 1) if last and sizes[1] not in (1, 3) else x
    dtype = {"tensor(float16)": np.float16, "tensor(double)": np.float64}.get(given.type, np.float32)
    return np.concatenate([session.run(None, {given.name: r[None].numpy().astype(dtype)})[0] for r in rows])


def numbers(*shape: int, seed: int = 0, low: float = -1.0) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).uniform(low, 1, shape).astype(np.float32)
