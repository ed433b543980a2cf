"""A TFLite file -> Parts: what kind it is and how exactly it is met, contract, class names, card.

What is built computes with floating-point numbers. Files whose activations are integers too (or whose weights are, with
float activations: TFLite then rounds those as well) are therefore met approximately, and the card says how well.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from cutaway.formats.labels import class_names
from cutaway.formats.parts import Parts
from cutaway.formats.tflite_build import build_network
from cutaway.formats.tflite_contract import contract_of, is_teachable_machine
from cutaway.formats.tflite_metadata import Metadata, read_metadata
from cutaway.formats.tflite_tables import Tables, damage_named, shown

_FOLDED = ("CONV_2D", "DEPTHWISE_CONV_2D")
_PRODUCERS = {"MLIR Converted.": "TensorFlow Lite converter", "TOCO Converted.": "TensorFlow Lite converter (TOCO)"}
_APPROXIMATE = {
    "dynamic range": (
        "Weights are stored in 8 bits. TensorFlow Lite also rounds what flows between layers to 8 bits, Cutaway does "
        "not: outputs are approximate (measured on ten Keras networks: probabilities up to 0.016 off)."
    ),
    "integers": (
        "The file computes with 8-bit integers, Cutaway with the numbers they stand for: outputs are approximate "
        "(measured on a Teachable Machine file: the same top class on 7 of 7 photos, probabilities up to 0.13 off)."
    ),
    "float16": "Weights are stored in 16 bits, rounded by the converter.",
}


def tflite_parts(path: Path) -> Parts:
    """Path of a .tflite file -> its Parts, as tflite_file.read says."""
    tables = Tables(path)
    with damage_named(tables.name), np.errstate(all="ignore"):
        kind, format_name = _kind(tables)
        network = build_network(tables, format_name)
        metadata = read_metadata(tables)
        notes = [_APPROXIMATE[kind]] if kind in _APPROXIMATE else []
        if any(step.kind in _FOLDED for step in tables.operators):
            notes.append("Batch normalisation that followed a convolution was merged into it by the converter.")
        notes += network.notes
        contract = contract_of(tables, network.input_shape, metadata, notes)
        classes = _classes(path, network.output_shape, metadata, notes)
        card = _card(tables, format_name, metadata)
    return Parts(network.graph, contract, classes, network.probabilities, {**card, "notes": " ".join(notes)})


def _kind(tables: Tables) -> tuple[str, str]:
    """-> (key of what is approximate about it, words for the format)."""
    weights = {
        tables.tensor(step.inputs[1]).type
        for step in tables.operators
        if step.kind in (*_FOLDED, "FULLY_CONNECTED", "TRANSPOSE_CONV") and len(step.inputs) > 1 and step.inputs[1] >= 0
    }
    between = {
        tables.tensor(step.outputs[0]).type
        for step in tables.operators
        if step.kind not in ("QUANTIZE", "DEQUANTIZE", "SHAPE", "GATHER", "PACK", "STRIDED_SLICE") and step.outputs
    }
    integers = between & {"int8", "uint8", "int16"}
    if integers:
        return "integers", f"TFLite {sorted(integers)[0]}"
    if weights & {"int8", "uint8", "int4"}:
        return "dynamic range", "TFLite dynamic range (8-bit weights)"
    halves = any(
        tables.tensor(step.inputs[0]).type == "float16"
        for step in tables.operators
        if step.kind == "DEQUANTIZE" and step.inputs and step.inputs[0] >= 0
    )
    return ("float16", "TFLite float16 weights") if halves else ("float32", "TFLite float32")


def _classes(path: Path, output_shape: tuple[int, ...], metadata: Metadata | None, notes: list[str]) -> tuple[str, ...]:
    """Names inside the file come first, then labels.txt beside it."""
    if metadata:
        notes += metadata.notes
    if len(output_shape) != 1:
        return ()
    if metadata and len(metadata.labels) == output_shape[0]:
        return metadata.labels
    if metadata and metadata.labels:
        notes.append(f"The file names {len(metadata.labels)} classes; the network has {output_shape[0]}.")
    classes, more = class_names(path, output_shape[0])
    notes += more
    return classes


def _card(tables: Tables, format_name: str, metadata: Metadata | None) -> dict[str, str]:
    made_by = _PRODUCERS.get(tables.description, shown(tables.description)) or "unknown"
    if is_teachable_machine(tables):
        made_by = f"Teachable Machine ({made_by})"
    card = {"format": format_name, "producer": made_by}
    said = {"name": metadata.name, "author": metadata.author, "licence": metadata.licence} if metadata else {}
    return {**card, **{key: text for key, text in said.items() if text}}
