"""A convolution and the ReLU behind it in one pass over the map: for networks that run many times on a processor.

oneDNN's own fusion, which torch.compile makes use of too; the benchmarks `occlusion` and `cam` time it. It also takes
1 x 1 convolutions on one thread, which torch otherwise gives to a matrix product whose answer lies channel by channel
and has to be turned round.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import torch
import torch.nn.functional as F
from torch import fx, nn
from torch.autograd.function import once_differentiable

from cutaway.engine.fast import uses

_TAKES = (torch.float32, torch.bfloat16)
_RELU6 = [0.0, 6.0]


class FusedConv(nn.Module):
    """Equal to a convolution with zeros around the map and the ReLU or ReLU6 behind it, within rounding; its weights
    stay, and autograd goes back to its map.

    Where oneDNN cannot take them (another device or kind of numbers, an empty batch) both are done one by one. Its ReLU
    makes 0 of what is not a number: not for networks that may have diverged.
    """

    weight: torch.Tensor
    bias: torch.Tensor | None
    padding_mode = "zeros"

    def __init__(self, conv: nn.Conv2d, after: type[nn.Module] | None) -> None:
        super().__init__()
        padding = conv.padding
        assert not isinstance(padding, str)
        self.padding, self.stride, self.dilation, self.groups = padding, conv.stride, conv.dilation, conv.groups
        self.kernel_size, self.after = conv.kernel_size, after
        self.register_buffer("weight", conv.weight.detach())
        self.register_buffer("bias", None if conv.bias is None else conv.bias.detach())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, H, W) -> (N, O, H', W')."""
        rows, columns = self.padding
        return self.inside(x, rows, columns)

    def inside(self, x: torch.Tensor, rows: int = 0, columns: int = 0) -> torch.Tensor:
        """Map, zeros above and below, left and right of it -> (N, O, H', W')."""
        padding = (rows, columns)
        if x.device.type != "cpu" or x.dtype not in _TAKES or not x.numel():
            return self._after(F.conv2d(x, self.weight, self.bias, self.stride, padding, self.dilation, self.groups))
        if torch.is_grad_enabled() and x.requires_grad:
            found: torch.Tensor = _WithGradient.apply(x, self, padding)
            return found
        return _convolved(x, self, padding)

    def _after(self, x: torch.Tensor) -> torch.Tensor:
        if self.after is None:
            return x
        return F.relu(x) if self.after is nn.ReLU else F.relu6(x)


class _WithGradient(torch.autograd.Function):
    """Keeps the outcome alone, where a ReLU made it; torch's own convolution keeps its input too."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, layer: FusedConv, padding: tuple[int, int]) -> torch.Tensor:
        ctx.layer, ctx.padding, ctx.size = layer, padding, x.shape[2:]
        found = _convolved(x, layer, padding)
        ctx.save_for_backward(*(() if layer.after is None else (found,)))
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        layer: FusedConv = ctx.layer
        if layer.after is nn.ReLU:
            gradient = torch.ops.aten.threshold_backward(gradient, *ctx.saved_tensors, 0)
        elif layer.after is not None:
            gradient = torch.ops.aten.hardtanh_backward(gradient, *ctx.saved_tensors, *_RELU6)
        behind = [
            (side + 2 * zeros - step * (kernel - 1) - 1) % stride
            for side, zeros, step, kernel, stride in zip(
                ctx.size, ctx.padding, layer.dilation, layer.kernel_size, layer.stride, strict=True
            )
        ]
        back = torch.ops.mkldnn._convolution_transpose_pointwise(
            gradient,
            layer.weight,
            None,
            ctx.padding,
            behind,
            layer.stride,
            layer.dilation,
            layer.groups,
            "none",
            [],
            "",
        )
        return back, None, None


def _convolved(x: torch.Tensor, layer: FusedConv, padding: tuple[int, int]) -> torch.Tensor:
    name = "none" if layer.after is None else "relu" if layer.after is nn.ReLU else "hardtanh"
    bounds = _RELU6 if name == "hardtanh" else []
    found: torch.Tensor = torch.ops.mkldnn._convolution_pointwise(
        x, layer.weight, layer.bias, padding, layer.stride, layer.dilation, layer.groups, name, bounds, ""
    )
    return found


def fused(twin: fx.GraphModule, keep: Collection[str] = ()) -> fx.GraphModule:
    """A twin of a graph, with layers of its own -> the same, its convolutions fused with the ReLU behind each.

    Nodes named in `keep` stay nodes of their own with their values. On a machine without oneDNN nothing is changed.
    """
    if not there():
        return twin
    for node in list(twin.graph.nodes):
        conv = twin.get_submodule(str(node.target)) if node.op == "call_module" else None
        if not isinstance(conv, nn.Conv2d) or not _fits(conv):
            continue
        relu = None if node.name in keep or uses(twin, node) > 1 else _relu_behind(twin, node)
        kind = None if relu is None else type(twin.get_submodule(str(relu.target)))
        parent, _, name = str(node.target).rpartition(".")
        setattr(twin.get_submodule(parent), name, FusedConv(conv, kind))
        if relu is not None:
            relu.target, relu.args = node.target, node.args
            twin.graph.erase_node(node)
    twin.delete_all_unused_submodules()
    twin.recompile()
    return twin


def there() -> bool:
    """Whether this build of torch has oneDNN's fused convolution."""
    return torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_convolution_pointwise")


def _fits(conv: nn.Conv2d) -> bool:
    """Not one map alone: where that is one cell, torch 2.15 gets answers of several pictures wrong."""
    zeros = type(conv) is nn.Conv2d and conv.padding_mode == "zeros" and not isinstance(conv.padding, str)
    return zeros and conv.out_channels > 1 and conv.weight.dtype in _TAKES and conv.weight.device.type == "cpu"


def _relu_behind(twin: fx.GraphModule, node: fx.Node) -> fx.Node | None:
    """The one step that reads the node, where it is a ReLU or ReLU6."""
    (*_, last) = node.users
    alone = len(node.users) == 1 and last.op == "call_module" and not last.kwargs
    return last if alone and type(twin.get_submodule(str(last.target))) in (nn.ReLU, nn.ReLU6) else None
