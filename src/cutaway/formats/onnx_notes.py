"""What is worth saying of an opened ONNX file: what its exporter merged, what was assumed, what was left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from torch import nn

from cutaway.formats.onnx_contract import Feed
from cutaway.formats.onnx_graph import Reader
from cutaway.formats.onnx_values import Step

_MERGED = re.compile(r"onnx::Conv_\d+|.*(fused_?bn|FusedBatchNorm|BatchNorm|_bn_fold).*", re.IGNORECASE)


def notes_of(outputs: tuple[str, int], steps: Sequence[Step], reader: Reader, size_open: bool, feed: Feed) -> list[str]:
    """Sentences for the card."""
    notes = []
    merged = merged_norms(steps)
    if merged:
        some_left = any(isinstance(s.target, nn.BatchNorm2d) for s in steps)
        notes.append(
            f"Batch normalisation was merged into {merged} convolution{'s' * (merged > 1)} by the exporter"
            + ("." if some_left else "; the file has no such layers any more.")
        )
    if size_open:
        notes.append(
            f"The file leaves the picture's size open; {feed.size[0]} x {feed.size[1]} px was taken, and the graph is "
            "made for it."
        )
    kinds = sorted(reader.arrays.converted)
    if kinds:
        notes.append(f"Its {' and '.join(kinds)} weights were turned into float32.")
    if reader.quantised:
        notes.append(
            "Its weights were stored as whole numbers and turned back into float32; values between layers are cut to "
            "their range but not rounded: results are approximate."
        )
    if outputs[1] > 1:
        notes.append(f"The file has {outputs[1]} outputs; {shown_text(outputs[0], 60)!r} is used.")
    return notes


def merged_norms(steps: Sequence[Step]) -> int:
    """Convolutions that show that a batch normalisation was folded into them."""
    return sum(isinstance(s.target, nn.Conv1d | nn.Conv2d | nn.Conv3d) and _is_merged(s) for s in steps)


def _is_merged(step: Step) -> bool:
    for entry in getattr(step.node, "metadata_props", ()):
        if entry.key == "pkg.onnxscript.rewriter.rule_name" and "FuseBatchNorm" in entry.value:
            return True
    names = [value.origin[:300] for value in step.weights.values()] + [n[:300] for n in step.node.output]
    return any(_MERGED.fullmatch(name) for name in names)


def producer_of(model: Any) -> str:
    name, version = shown_text(model.producer_name, 60), shown_text(model.producer_version, 40)
    return f"{name} {version}".strip() or "unknown"


def shown_text(text: str, most: int = 500) -> str:
    """Text of a file -> the same without characters that do not print, cut to `most`."""
    return "".join(c if c.isprintable() else " " for c in text[:most]).strip()
