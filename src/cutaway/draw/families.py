"""Kind of a layer -> its family: what a diagram colours alike and what a person asks for in one word ("conv")."""

from __future__ import annotations

import re

_ACTIVATIONS = """
    relu relu6 leakyrelu leaky_relu prelu elu selu celu gelu silu mish sigmoid tanh softplus softsign hardtanh hardswish
    hardsigmoid logsigmoid swish hard_swish hard_sigmoid clamp squaredrelu
"""
_MERGES = "add sub mul cat stack concatenate maximum minimum matmul truediv div addcmul"
_SHAPES = """
    flatten reshape view permute transpose unsqueeze squeeze getitem getattr size chunk split unbind contiguous pad
    unflatten identity channelshuffle pixelshuffle expand repeat
"""

FAMILIES = ("conv", "dense", "norm", "activation", "pool", "merge", "softmax", "attention", "shape", "dropout", "other")
WORDS = {
    "conv": "convolution", "dense": "dense", "norm": "normalisation", "activation": "activation", "pool": "pooling",
    "merge": "add, concatenate", "softmax": "softmax", "attention": "attention", "shape": "shape, padding",
    "dropout": "dropout", "other": "input, other",
}  # fmt: skip


def family_of(kind: str) -> str:
    """ "Conv2d" -> "conv"; "relu" -> "activation"; "AdaptiveAvgPool2d" -> "pool"; what is not known: "other"."""
    plain = kind.lower()
    if plain in _ACTIVATIONS.split():
        return "activation"
    if plain in _MERGES.split():
        return "merge"
    if plain in _SHAPES.split() or "pad" in plain:
        return "shape"
    for word, family in (
        ("softmax", "softmax"), ("conv", "conv"), ("linear", "dense"), ("dense", "dense"), ("norm", "norm"),
        ("dropout", "dropout"), ("droppath", "dropout"), ("stochasticdepth", "dropout"), ("attention", "attention"),
    ):  # fmt: skip
        if word in plain:
            return family
    if "pool" in plain or plain in ("mean", "amax"):
        return "pool"
    return "activation" if re.search(r"relu|swish|sigmoid", plain) else "other"
