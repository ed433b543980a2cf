"""Graph -> ONNX file, by torch's own exporter; what a graph cannot say (contract, classes) goes into its metadata."""

from __future__ import annotations

import contextlib
import copy
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import fx

from cutaway import __version__
from cutaway.errors import BadModel
from cutaway.formats.about import KEY, About

INPUT, OUTPUT = "pictures", "answers"
LARGEST = 2**31 - 1
"""Bytes that one protobuf file can hold."""


def onnx_bytes(graph: fx.GraphModule, about: About) -> bytes:
    """Graph, what is known of it -> an ONNX file for any number of pictures, float32 (N, C, H, W) in, (N, K) out.

    Raises BadModel where a layer has no ONNX equal.
    """
    import onnx

    proto = _program(graph, about).model_proto
    if any("as_strided" in node.name for node in proto.graph.node):
        proto = _program(_with_plain_means(graph), about).model_proto
    proto.producer_name, proto.producer_version = "cutaway", __version__
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, {KEY: about.to_text(), "classes": "\n".join(about.classes)})
    if proto.ByteSize() > LARGEST:
        raise BadModel("The model is larger than the 2 GB that one ONNX file can hold; export it as safetensors.")
    return bytes(proto.SerializeToString())


def exported(graph: fx.GraphModule, about: About) -> Any:
    """Graph -> torch.export's program of it, free in the number of pictures. Raises BadModel where it cannot follow."""
    contract = about.contract
    example = torch.zeros(2, contract.in_channels, *contract.size)
    try:
        with _quiet():
            free = ({0: torch.export.Dim("pictures", min=1, max=65_536)},)
            return torch.export.export(graph.eval(), (example,), dynamic_shapes=free)
    except Exception as error:  # torch's exporter lets through whatever its passes raise
        raise BadModel(f"The network cannot be exported: torch.export says {_first(error)}.") from None


def _with_plain_means(graph: fx.GraphModule) -> fx.GraphModule:
    """Graph -> the same with each average over the whole map written as a mean.

    Behind a transposed axis (ConvNeXt) torch writes that pooling as a mean and a step that orders memory, of which ONNX
    knows nothing: a Gather with computed places comes out, that few programs read.
    """
    plain = fx.GraphModule(graph, copy.deepcopy(graph.graph), class_name="Network").eval()
    for node in plain.graph.nodes:
        if node.op == "call_module" and _is_whole_mean(graph.get_submodule(str(node.target))):
            with plain.graph.inserting_after(node):
                mean = plain.graph.call_method("mean", (node.args[0], (-2, -1)), {"keepdim": True})
            node.replace_all_uses_with(mean)
            plain.graph.erase_node(node)
    plain.recompile()
    return plain


def _is_whole_mean(layer: torch.nn.Module) -> bool:
    return isinstance(layer, torch.nn.AdaptiveAvgPool2d) and layer.output_size in (1, (1, 1))


def _program(graph: fx.GraphModule, about: About) -> Any:
    """Graph -> torch's ONNX program of it. Raises BadModel."""
    program = exported(graph, about)
    try:
        with _quiet():
            return torch.onnx.export(
                program, dynamo=True, verbose=False, input_names=[INPUT], output_names=[OUTPUT], external_data=False
            )
    except Exception as error:  # as above
        raise BadModel(f"The network cannot be written as ONNX: {_first(error)}.") from None


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """torch's exporters print, log and warn about their own insides."""
    logging.disable(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()), torch.no_grad():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:150].rstrip(".")
