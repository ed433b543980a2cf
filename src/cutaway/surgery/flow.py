"""Channels that come and go in one place, followed through the network: which steps' channels change with them.

A Plan says for one value along one axis which old channel each new one was; NEW marks a new one. Plans spread forward
to all that read the value and, where values are added or multiplied, back into the other branch, until nothing moves.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import fx, nn

from cutaway.engine.run import layer_at
from cutaway.errors import BadInput
from cutaway.graph import extra
from cutaway.surgery.dry import JOINS, Shape, called
from cutaway.surgery.groups import is_depthwise
from cutaway.surgery.patient import Patient

NEW = -1


@dataclass(frozen=True, slots=True)
class Plan:
    """`take[i]`: number of the old channel that new channel i was, or NEW; along `axis` of a value with batch axis."""

    axis: int
    take: tuple[int, ...]

    def along(self, axis: int) -> Plan:
        return Plan(axis, self.take)


MAKERS = (
    nn.Conv1d | nn.Conv2d | nn.Conv3d | nn.ConvTranspose1d | nn.ConvTranspose2d | nn.Linear
)  # what they take and what they give are independent of one another
PER_CHANNEL = (
    nn.BatchNorm1d | nn.BatchNorm2d | nn.InstanceNorm2d | nn.GroupNorm | nn.PReLU | extra.ScaleChannels | extra.Rescale
)
_ANYWHERE = """
    ReLU ReLU6 LeakyReLU ELU SELU CELU GELU SiLU Mish Sigmoid Tanh Softplus Softsign Hardtanh Hardswish Hardsigmoid
    LogSigmoid ClippedReLU Dropout Dropout1d Dropout2d AlphaDropout AlwaysDropout Identity StochasticDepth DropPath
    Softmax LogSoftmax
"""
_MAPS = """
    MaxPool1d MaxPool2d AvgPool1d AvgPool2d AdaptiveAvgPool1d AdaptiveAvgPool2d AdaptiveMaxPool1d AdaptiveMaxPool2d
    AvgPool2dSame SamePool2d ZeroPad2d ConstantPad2d ReflectionPad2d ReplicationPad2d SamePad2d Upsample
    LocalResponseNorm
"""
_CALLS = """
    neg clamp sqrt rsqrt exp interpolate softmax torch_softmax relu sigmoid tanh softplus max_pool2d avg_pool2d
    adaptive_avg_pool2d adaptive_max_pool2d abs contiguous float to square log pad normalize
"""
_ANY_LAYERS, _MAP_LAYERS, _PASS_CALLS = (frozenset(names.split()) for names in (_ANYWHERE, _MAPS, _CALLS))
_REDUCES = frozenset(("mean", "sum", "amax", "amin"))
_MOVES = frozenset(("permute", "transpose", "swapaxes"))
_RESHAPES = frozenset(("flatten", "view", "reshape", "squeeze", "unsqueeze"))


class Flow:
    """`plans`: value's node -> its Plan, complete after `spread`."""

    def __init__(self, patient: Patient, shapes: Mapping[str, Shape], *, to_the_end: bool = False) -> None:
        """`to_the_end`: the channels may be the network's answers."""
        self._to_the_end = to_the_end
        self._patient = patient
        self._graph = patient.graph
        self._shapes = {patient.node(name): shape for name, shape in shapes.items()}
        self._order = {node: n for n, node in enumerate(patient.graph.graph.nodes)}
        self._waiting: list[tuple[int, fx.Node]] = []
        self._told: set[fx.Node] = set()
        self.plans: dict[fx.Node, Plan] = {}

    def spread(self, start: fx.Node, plan: Plan) -> None:
        """Raises BadInput naming the step through which the change cannot be followed."""
        self._set(start, plan)
        while self._waiting:  # in running order, so that a concatenation knows all its parts before it is followed
            _, node = heapq.heappop(self._waiting)
            if node in self._told:
                continue
            self._told.add(node)
            if node is not start:
                self._backward(node)
            for user in node.users:
                self._forward(user, node)
        for node in list(self.plans):
            if called(node) == "cat":
                self._cat(node)  # still what its parts say

    def _set(self, node: fx.Node, plan: Plan, *, parts: bool = False) -> None:
        """`parts`: of a concatenation whose parts are becoming known one by one."""
        known = self.plans.get(node)
        if known == plan:
            return
        if known is not None and (not parts or node in self._told):
            raise BadInput(f"{self._name(node)} would have to follow two different changes of its channels.")
        if node.op == "placeholder":
            raise BadInput(f"{self._name(node)} is the picture, whose channels cannot follow.")
        self.plans[node] = plan
        heapq.heappush(self._waiting, (self._order[node], node))

    # -- from what a step gets to what it gives

    def _forward(self, node: fx.Node, source: fx.Node) -> None:
        plan = self.plans[source]
        if node.op == "output" and self._to_the_end:
            return
        if node.op == "output":
            raise BadInput("its channels reach the network's answer, one per class; set the number of classes instead.")
        if node not in self._shapes:  # a size, or a tuple of parts
            if called(node) in ("size", "getattr", "dim"):
                return
            raise self._stuck(node)
        if node.op == "call_module":
            self._through_layer(node, source, plan)
        elif called(node) == "cat":
            self._cat(node)
        elif called(node) in JOINS:
            self._joined(node, source, plan)
        else:
            self._through_call(node, source, plan)

    def _through_layer(self, node: fx.Node, source: fx.Node, plan: Plan) -> None:
        layer = layer_at(self._graph, str(node.target))
        last = len(self._shapes[source]) - 1
        if is_depthwise(layer) and plan.axis == 1:
            many = self._many(layer)
            self._set(node, Plan(1, tuple(t * many + i if t != NEW else NEW for t in plan.take for i in range(many))))
        elif isinstance(layer, MAKERS):
            if plan.axis != (last if isinstance(layer, nn.Linear) else 1):
                raise self._stuck(node)
        elif isinstance(layer, nn.Flatten | extra.ChannelsLastFlatten):
            self._flat(node, source, plan, isinstance(layer, extra.ChannelsLastFlatten))
        elif isinstance(layer, nn.GroupNorm) and len(plan.take) % layer.num_groups:
            groups, count = layer.num_groups, len(plan.take)
            raise BadInput(
                f"{self._name(node)} normalises its channels in {groups} groups; {count} channels do not fall into "
                "them evenly."
            )
        elif self._passes(layer, plan.axis, last):
            self._set(node, plan)
        else:
            raise self._stuck(node)

    def _passes(self, layer: nn.Module, axis: int, last: int) -> bool:
        if isinstance(layer, nn.LayerNorm | nn.RMSNorm):
            return len(layer.normalized_shape) == 1 and axis == last
        if isinstance(layer, extra.ScaleChannels):
            return axis == layer.dim % (last + 1)
        kind = type(layer).__name__
        return kind in _ANY_LAYERS or (axis == 1 and (isinstance(layer, PER_CHANNEL) or kind in _MAP_LAYERS))

    def _through_call(self, node: fx.Node, source: fx.Node, plan: Plan) -> None:
        name, before, after = called(node), self._shapes[source], self._shapes[node]
        normed = name == "layer_norm" and plan.axis == len(before) - 1 and len(node.args[1]) == 1  # type: ignore[arg-type]
        if normed or (name in _PASS_CALLS and before[: plan.axis + 1] == after[: plan.axis + 1]):
            self._set(node, plan)
        elif name in _REDUCES:
            self._reduced(node, plan, len(before), len(after))
        elif name in _MOVES:
            self._set(node, plan.along(_moved(node, len(before)).index(plan.axis)))
        elif name in _RESHAPES:
            self._flat(node, source, plan, False)
        else:
            raise self._stuck(node)

    def _reduced(self, node: fx.Node, plan: Plan, before: int, after: int) -> None:
        dims = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else None)
        if dims is None:
            return
        gone: set[int] = {d % before for d in ([dims] if isinstance(dims, int) else dims)}  # type: ignore[union-attr,operator,misc]
        if plan.axis not in gone:  # a mean over the channels gives the same shape for fewer of them
            self._set(node, plan.along(plan.axis - sum(d < plan.axis for d in gone) * (before != after)))

    def _flat(self, node: fx.Node, source: fx.Node, plan: Plan, last: bool) -> None:
        """Maps (N, C, H, W) -> rows (N, C * H * W), or (N, H * W * C) with `last`; (N, C) <-> (N, C, 1, 1)."""
        before, after = self._shapes[source], self._shapes[node]
        if plan.axis == 1 and before[:2] == after[:2]:
            self._set(node, plan)
            return
        if plan.axis != 1 or len(after) != 2 or before[0] != after[0]:
            raise self._stuck(node)
        places, channels = math.prod(before[2:]), before[1]
        if last:
            take = [t if t == NEW else p * channels + t for p in range(places) for t in plan.take]
        else:
            take = [t if t == NEW else t * places + p for t in plan.take for p in range(places)]
        self._set(node, Plan(1, tuple(take)))

    def _cat(self, node: fx.Node) -> None:
        """Values behind one another: what each of them takes, behind one another."""
        parts: Any = node.args[0] if node.args else node.kwargs["tensors"]
        axis = node.kwargs.get("dim", node.args[1] if len(node.args) > 1 else 0)
        dim = int(axis) % len(self._shapes[node])  # type: ignore[arg-type]
        plans = {p: self.plans[p] for p in parts if p in self.plans}
        if any(plan.axis != dim for plan in plans.values()):
            for part in parts:
                self._set(part, next(iter(plans.values())))
            self._set(node, next(iter(plans.values())))
            return
        take: list[int] = []
        start = 0
        for part in parts:
            count = self._shapes[part][dim]
            own = plans[part].take if part in plans else range(count)
            take += [t if t == NEW else start + t for t in own]
            start += count
        self._set(node, Plan(dim, tuple(take)), parts=True)

    def _joined(self, node: fx.Node, source: fx.Node, plan: Plan) -> None:
        """Values added or multiplied place by place: the others' channels follow; what is spread over all does not."""
        out = len(self._shapes[node])
        axis = plan.axis + out - len(self._shapes[source])
        for other in node.all_input_nodes:
            shape = self._shapes.get(other, ())
            own = axis - (out - len(shape))
            if own >= 0 and (shape[own] > 1 or self._shapes[node][axis] == 1):
                self._set(other, plan.along(own))
        self._set(node, plan.along(axis))

    # -- from what a step must give to what it must get

    def _backward(self, node: fx.Node) -> None:
        plan = self.plans[node]
        if node.op == "get_attr":
            return  # a stored factor, which is cut to fit
        if node.op == "call_module":
            layer = layer_at(self._graph, str(node.target))
            (source,) = node.all_input_nodes
            if is_depthwise(layer):
                many = self._many(layer)
                firsts = plan.take[::many]
                wanted = tuple(t * many + i if t != NEW else NEW for t in (f // many if f != NEW else f for f in firsts)
                               for i in range(many))  # fmt: skip
                if wanted != plan.take:
                    raise self._stuck(node)
                self._set(source, Plan(1, tuple(f // many if f != NEW else NEW for f in firsts)))
            elif not isinstance(layer, MAKERS):
                self._set_same(node, source, plan)
        elif called(node) in JOINS:
            for source in node.all_input_nodes:
                if source in self._shapes:
                    shape, out = self._shapes[source], len(self._shapes[node])
                    own = plan.axis - (out - len(shape))
                    if own >= 0 and (shape[own] > 1 or self._shapes[node][plan.axis] == 1):
                        self._set(source, plan.along(own))
        elif called(node) == "cat":
            if not any(p in self.plans for p in node.all_input_nodes):
                raise self._stuck(node)
        else:
            self._set_same(node, node.all_input_nodes[0], plan)

    def _set_same(self, node: fx.Node, source: fx.Node, plan: Plan) -> None:
        """A step that keeps channels in their place: what it must give is what it must get."""
        if source in self.plans:
            return  # it came from there
        before, after = self._shapes[source], self._shapes[node]
        if called(node) in _MOVES:
            self._set(source, plan.along(_moved(node, len(before))[plan.axis]))
            return
        if len(before) <= plan.axis:
            raise self._stuck(node)
        if before[plan.axis] != after[plan.axis]:
            raise self._stuck(node)
        self._set(source, plan)

    def _many(self, layer: Any) -> int:
        return int(layer.out_channels // layer.in_channels)

    def _name(self, node: fx.Node) -> str:
        return self._patient.name(node)

    def _stuck(self, node: fx.Node) -> BadInput:
        what = called(node) or type(layer_at(self._graph, str(node.target))).__name__
        return BadInput(
            f"{self._name(node)} ({what}) gets these channels and mixes or divides them, so the layers after it cannot "
            "be adapted; choose a layer whose channels do not go there."
        )


def _moved(node: fx.Node, axes: int) -> list[int]:
    """A step that reorders axes -> for each axis of what it gives the one it was."""
    given: Any = node.args[1:]
    if called(node) == "permute":
        dims = given[0] if isinstance(given[0], tuple | list) else given
        return [int(d) % axes for d in dims]
    order = list(range(axes))
    one, two = (int(d) % axes for d in given)
    order[one], order[two] = two, one
    return order
