"""Network -> skeleton: its convolutions and dense layers in running order, with nothing that files write differently.

Batch norms (exporters fold them away), padding (Keras writes it as a layer), names and weights are left out; a dense
layer and a 1 x 1 convolution are the same step. So one network has one skeleton, whatever file it lies in.
"""

from __future__ import annotations

import collections
import dataclasses
import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import fx, nn

from cutaway.graph.names import names_of, steps_of
from cutaway.graph.shapes import shapes_of

_WEIGHTED = nn.Conv1d | nn.Conv2d | nn.Linear
Step = tuple[int, int, int, int, int, int]
"""Channels in, channels out, kernel height and width, stride, groups."""
NORM = "normalisation"
_NORMS = ("BatchNorm", "LayerNorm", "GroupNorm", "InstanceNorm", "RMSNorm", "RmsNorm", "EvoNorm", "FilterResponseNorm")


@dataclass(frozen=True, slots=True)
class Bone:
    """One weighted layer. `wide`: it is used at more than one place of the picture (so it is no part of the head)."""

    step: Step
    wide: bool
    name: str = ""

    @property
    def form(self) -> tuple[object, ...]:
        """The step without its width."""
        inner, _, height, width, stride, groups = self.step
        grouped = "depthwise" if groups > 1 and groups == inner else "grouped" if groups > 1 else ""
        return height, width, stride, grouped, self.wide


@dataclass(frozen=True, slots=True)
class Skeleton:
    """`body`: up to the last layer that works place by place; `head`: the dense layers behind it, the classifier last.

    `activations`: how often each kind of activation is used; `norms`: how many normalisations there are.
    """

    body: tuple[Bone, ...]
    head: tuple[Bone, ...]
    activations: tuple[tuple[str, int], ...] = ()
    norms: int = 0
    last: str = ""
    """Name of the last step that still sees places, which the picture of the body ends with."""

    @property
    def weights(self) -> int:
        """Numbers in the body's kernels."""
        return sum(i * o * h * w // g for i, o, h, w, _, g in (b.step for b in self.body))

    @property
    def key(self) -> str:
        """Equal for equal bodies, in whatever order branches run."""
        return _hash(sorted(b.step for b in self.body))

    @property
    def form(self) -> str:
        """Equal for bodies that differ in width only."""
        return _hash(sorted((*map(str, b.form),) for b in self.body))

    @property
    def classes(self) -> int:
        return self.head[-1].step[1] if self.head else 0

    @property
    def hidden(self) -> tuple[int, ...]:
        """Units of the dense layers before the classifier."""
        return tuple(b.step[1] for b in self.head[:-1])


def skeleton_of(graph: fx.GraphModule, input_shape: tuple[int, int, int]) -> Skeleton:
    """Graph, (C, H, W) -> its skeleton, from one run on zeros. Raises BadModel where the graph cannot work on it."""
    shapes = shapes_of(graph, input_shape)
    bones, kinds = [], collections.Counter[str]()
    for name, node in names_of(graph).items():
        if node.op != "call_module" or node.name not in shapes:
            continue
        module = graph.get_submodule(str(node.target))
        if isinstance(module, _WEIGHTED):
            bones.append(bone(module, shapes[node.name], name))
        else:
            kinds[_counted(module)] += 1
    return dataclasses.replace(assembled(bones, kinds), last=_last_wide(graph, shapes))


def skeleton_of_plain(network: nn.Module, input_shape: tuple[int, int, int]) -> Skeleton:
    """Any nn.Module (on "meta" too), (C, H, W) -> its skeleton, by hooks during one run; functions are not seen."""
    bones: list[Bone] = []
    kinds = collections.Counter[str]()

    def seen(module: nn.Module, _: Any, out: Any) -> None:
        if isinstance(module, _WEIGHTED):
            bones.append(bone(module, tuple(out.shape)))
        else:
            kinds[_counted(module)] += 1

    # timm's normalisations hold their activation as a child
    steps = [m for m in network.modules() if not list(m.children()) or type(m).__name__.startswith(_NORMS)]
    hooks = [m.register_forward_hook(seen) for m in steps]
    like = next(network.parameters())
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, *input_shape, device=like.device))
    finally:
        for hook in hooks:
            hook.remove()
    return assembled(bones, kinds)


def _last_wide(graph: fx.GraphModule, shapes: dict[str, tuple[int, ...]]) -> str:
    wide = [
        name for name, node in steps_of(graph).items() if len(s := shapes.get(node.name, ())) == 4 and s[2] * s[3] > 1
    ]
    return wide[-1] if wide else ""


def assembled(bones: Sequence[Bone], kinds: collections.Counter[str]) -> Skeleton:
    """Bones in running order -> Skeleton: what follows the last wide one is the head."""
    last = max((i for i, b in enumerate(bones) if b.wide), default=-1)
    if last == len(bones) - 1:
        last -= 1  # SqueezeNet's classifier is a convolution, averaged over places afterwards
    del kinds[""]
    norms = kinds.pop(NORM, 0)
    # Squeeze-and-excitation layers of the last block are narrow too, but come before its last wide layer.
    return Skeleton(tuple(bones[: last + 1]), tuple(bones[last + 1 :]), tuple(sorted(kinds.items())), norms)


def bone(module: nn.Module, out: Sequence[int], name: str = "") -> Bone:
    """Weighted layer, its output's shape -> Bone."""
    if isinstance(module, nn.Linear):
        places = math.prod(out[1:]) // max(1, module.out_features)
        return Bone((module.in_features, module.out_features, 1, 1, 1, 1), places > 1, name)
    assert isinstance(module, nn.Conv1d | nn.Conv2d)
    size = (1, *module.kernel_size)[-2:]
    places = math.prod(out[2:])
    stride = max(module.stride) if math.prod(size) > 1 or max(module.stride) > 1 else 1
    return Bone(
        (module.in_channels, module.out_channels, size[0], size[1], int(stride), module.groups), places > 1, name
    )


def _counted(module: nn.Module) -> str:
    """What a layer without a kernel counts as: a normalisation, an activation of some kind, or nothing ("")."""
    kind, home = type(module).__name__, type(module).__module__
    if kind.startswith(_NORMS):
        return NORM
    if kind == "ClippedReLU":
        return {None: "ReLU", 6.0: "ReLU6"}.get(getattr(module, "top", None), kind)
    if home.startswith(("torch.nn.modules.activation", "timm.layers.activations")) and "Softmax" not in kind:
        return kind
    return ""


def _hash(rows: Iterable[Any]) -> str:
    return hashlib.sha256(repr(list(rows)).encode()).hexdigest()[:12]
