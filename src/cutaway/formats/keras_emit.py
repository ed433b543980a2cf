"""What a layer's builder works with: values with their shapes, checked settings and weights, the graph so far."""

from __future__ import annotations

import keyword
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from cutaway.errors import BadModel
from cutaway.formats.keras_calls import shown
from cutaway.formats.keras_settings import Settings
from cutaway.formats.keras_tree import Layer
from cutaway.formats.keras_weights import Stored, roles
from cutaway.graph.build import GraphBuilder, safe_name

MOST_NUMBERS = 2**26
"""The most numbers one layer may make of one picture (2 GiB of float32)."""


@dataclass(frozen=True, slots=True)
class Value:
    """What a node makes. `shape` is Keras': channels last, without the batch; the graph itself is channels first."""

    node: fx.Node
    shape: tuple[int, ...]
    made_by: str = ""
    """Kind of the layer that made it ("Softmax"); "" for a function's value."""
    picked: int | None = None
    """This channel of what `node` makes, cut out by x[..., 2]; only stacking such channels again is known."""

    @property
    def channels(self) -> int:
        return self.shape[-1]


Operand = Value | float | tuple[float, ...]
"""What a layer is applied to: a value; for bare functions also a number, or one for every channel."""


class Emit:
    """One layer being built. `keras` is the major version whose rules apply, `named` settings of this use alone."""

    def __init__(
        self,
        layer: Layer,
        builder: GraphBuilder,
        arrays: Callable[[], Sequence[Stored]],
        keras: int,
        named: Mapping[str, Any] | None = None,
    ) -> None:
        self.nodes: list[fx.Node] = []
        self.name = layer_name(layer.name)
        self.kind = layer.kind
        self.keras = keras
        self.where = f"Layer {shown(layer.name)} ({shown(layer.kind)})"
        self.settings = Settings({**layer.settings, **(named or {})}, self.where)
        self._roles = () if layer.is_function else roles(layer.kind, layer.settings)
        self.is_function = layer.is_function
        self._builder = builder
        self._arrays = arrays

    def layer(self, module: nn.Module, x: Value, shape: Sequence[int], suffix: str = "") -> Value:
        """Adds `module` on `x`; it makes `shape`. Named after the Keras layer, `suffix` appended."""
        node = self._builder.layer(self._named(suffix), module, x.node)
        self.nodes.append(node)
        passed_on = isinstance(module, nn.Identity | nn.Dropout | nn.Flatten)
        return Value(node, self._checked(shape), x.made_by if passed_on else type(module).__name__)

    def call(
        self, function: Callable[..., Any], *args: Any, shape: Sequence[int], suffix: str = "", **kwargs: Any
    ) -> Value:
        """Adds a listed function; its Value arguments become their nodes."""
        plain = [_plain(a) for a in args]
        node = self._builder.call(self._named(suffix), function, *plain, **kwargs)
        self.nodes.append(node)
        return Value(node, self._checked(shape))

    @property
    def has_weights(self) -> bool:
        return bool(self._roles)

    @property
    def takes_picked(self) -> bool:
        return self.kind == "Stack" or self.settings.raw("function") == "stack"

    def refuse(self, why: str) -> BadModel:
        return BadModel(f"{self.where}: {why}")

    def rank(self, x: Value, *allowed: int) -> int:
        """Number of axes without the batch, which must be among `allowed`."""
        if len(x.shape) not in allowed:
            raise self.refuse(f"it gets a value of shape {x.shape}, which it cannot take.")
        return len(x.shape)

    def weights(self, **shapes: tuple[int, ...]) -> dict[str, np.ndarray[Any, np.dtype[np.float32]]]:
        """Shape by role as the settings ask -> float32 arrays of the roles this layer has.

        Raises BadModel naming the layer, the role and both shapes before anything large is read.
        """
        arrays = self._arrays()
        made = {}
        for at, role in enumerate(self._roles):
            asked = shapes[role]
            if at >= len(arrays):
                held = ", ".join(str(a.shape) for a in arrays) or "none"
                raise self.refuse(
                    f"its settings ask for a {role} of shape {asked}; the file has no such weights (found: {held})."
                )
            if tuple(arrays[at].shape) != asked:
                raise self.refuse(
                    f"its settings ask for a {role} of shape {asked}; the file has {tuple(arrays[at].shape)}."
                )
        if len(arrays) > len(self._roles) and self.kind != "Normalization":  # Keras 2 keeps a count there
            raise self.refuse(f"the file has {len(arrays)} arrays for it; its settings ask for {len(self._roles)}.")
        for role, stored in zip(self._roles, arrays, strict=False):
            array = stored.read()
            if array.dtype.kind not in "fiu":
                raise self.refuse(f"its {role} holds {array.dtype}, not numbers.")
            made[role] = np.asarray(array, dtype=np.float32)
        return made

    def _named(self, suffix: str) -> str:
        return f"{self.name}_{suffix}" if suffix else self.name

    def _checked(self, shape: Sequence[int]) -> tuple[int, ...]:
        if any(n < 1 for n in shape):
            raise self.refuse(
                f"it would make a value of shape {tuple(shape)}: its input is too small for its settings."
            )
        total = 1
        for n in shape:
            total *= n
        if total > MOST_NUMBERS:
            raise self.refuse(f"it would make {total:,} numbers of one picture; at most {MOST_NUMBERS:,} are accepted.")
        return tuple(shape)


def filled(module: nn.Module, **arrays: np.ndarray[Any, Any] | None) -> nn.Module:
    """Module made on torch's meta device, arrays by parameter name -> the module holding them; None is left out."""
    for name, array in arrays.items():
        if array is None:
            continue
        tensor = torch.from_numpy(np.array(array, dtype=np.float32, order="C"))
        if name in dict(module.named_buffers(recurse=False)):
            setattr(module, name, tensor)
        else:
            setattr(module, name, nn.Parameter(tensor))
    if "num_batches_tracked" in dict(module.named_buffers(recurse=False)):
        module.num_batches_tracked = torch.zeros((), dtype=torch.long)
    return module


_TAKEN = frozenset(dir(nn.Module())) | frozenset(dir(fx.GraphModule)) | frozenset(("graph", "code"))


def layer_name(name: str) -> str:
    """Keras layer name -> a name for the graph: no dot (it would nest), no Python word, no attribute of nn.Module."""
    safe = safe_name(name)[:120].replace(".", "_")
    return f"{safe}_layer" if safe in _TAKEN or keyword.iskeyword(safe) else safe


def _plain(argument: Any) -> Any:
    if isinstance(argument, Value):
        return argument.node
    if isinstance(argument, list):
        return [_plain(a) for a in argument]
    return argument
