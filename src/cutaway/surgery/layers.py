"""Layers and blocks taken out, put in, and put in the place of others."""

from __future__ import annotations

import inspect
from dataclasses import dataclass, field
from typing import Any

from torch import fx, nn

from cutaway.errors import BadInput
from cutaway.graph.blocks import blocks_of
from cutaway.graph.build import safe_name
from cutaway.graph.kinds import kind_class, settings_of
from cutaway.graph.kinds import kind_of as kind_name
from cutaway.graph.names import names_of, step_named
from cutaway.surgery.bridge import bridge
from cutaway.surgery.dry import Shape, dry_run_of
from cutaway.surgery.edit import Edit
from cutaway.surgery.made import as_identity, gets, gives, listed, made
from cutaway.surgery.patient import Patient
from cutaway.surgery.windows import layers_that

RANDOM = "its weights are new and random"


@dataclass(frozen=True)
class Remove(Edit):
    """Take a layer or a whole block out; what it got goes on to what came after it."""

    structural = True

    layer: str
    """A step, or a block ("layer1.0", "block_6")."""
    bridge: bool = False
    """Put a 1 x 1 convolution or a pool in its place where the maps before and after it are of different shapes."""

    def operate(self, patient: Patient) -> None:
        into, out = ends(patient, self.layer)
        known = set(names_of(patient.graph))
        if self.bridge:
            self._bridged(patient, into, out)
        else:
            patient.bypass(patient.name(out), patient.name(into))
        left = set(names_of(patient.graph))
        for name in known - left:
            patient.untrained.pop(name, None)
        if len(gone := sorted(known - left - {self.layer})) and self.layer in known:
            patient.notes.append(f"With {self.layer} went what only it read: {', '.join(gone)}.")

    def _bridged(self, patient: Patient, into: fx.Node, out: fx.Node) -> None:
        shapes = dry_run_of(patient).shapes
        at, first = patient.name(out), None
        for layer in bridge(gives(patient.name(into), shapes), gives(at, shapes)):
            fresh = patient.insert_after(at, f"{self.layer}_bridge", layer)
            at, first = patient.name(fresh), first or fresh
            if next(layer.parameters(), None) is not None:
                patient.untrained[at] = RANDOM
        if first is None:
            patient.bypass(at, patient.name(into))
            return
        first.replace_input_with(out, into)
        patient.graph.graph.eliminate_dead_code()

    @property
    def sentence(self) -> str:
        return f"remove {self.layer}" + (" and bridge the gap" if self.bridge else "")


def ends(patient: Patient, name: str) -> tuple[fx.Node, fx.Node]:
    """Step or block -> the node that it reads, and the one of it that others read.

    Raises BadInput for a name that is neither and for one with several inputs or outputs.
    """
    inside = _inside(patient, name)
    into = list(dict.fromkeys(n for node in inside for n in node.all_input_nodes if n not in inside and _flows(n)))
    out = [node for node in inside if any(user not in inside for user in node.users)]
    if len(into) != 1:
        names = ", ".join(patient.name(n) for n in into)
        raise BadInput(
            f"{name} joins {len(into)} values ({names}), so it is not clear which should go on; rewire what reads it "
            "to the one that is meant."
        )
    if len(out) != 1:
        raise BadInput(f"{name} gives {len(out)} values to others; take out its parts one by one.")
    return into[0], out[0]


def _inside(patient: Patient, name: str) -> set[fx.Node]:
    """Step or block -> its nodes."""
    steps = names_of(patient.graph)
    if name in steps:
        if steps[name].op == "placeholder":
            raise BadInput(f"{name} is the picture, which cannot be taken out.")
        return {steps[name]}
    members = {steps[step] for step, blocks in blocks_of(patient.graph).items() if name in blocks}
    return members or {step_named(patient.graph, name)}  # raises with the nearest names


def _flows(node: fx.Node) -> bool:
    """Whether a value comes from the picture, not from what the network stores."""
    return node.op == "placeholder" or bool(node.all_input_nodes)


@dataclass(frozen=True)
class Insert(Edit):
    """Put a new layer after a step; everything that read the step reads the new layer."""

    structural = True

    after: str
    kind_of: str
    """conv, norm, max_pool, avg_pool, global_pool, dense, dropout, an activation (relu, ...), or a listed layer
    ("Conv2d"). A convolution or dense layer that keeps the number of channels begins as the identity."""
    settings: dict[str, Any] = field(default_factory=dict)
    """As the layer's constructor names them; what is left out follows from the maps that it gets."""
    name: str = ""
    """What it is called; nothing: after what it follows and its kind."""
    reader: str = ""
    """The only step that reads the new layer instead; nothing: all of them."""
    seed: int = 0

    def operate(self, patient: Patient) -> None:
        node = patient.node(self.after)
        shapes = dry_run_of(patient).shapes
        if self.reader and patient.node(self.reader) not in node.users:
            readers = ", ".join(patient.name(u) for u in node.users if u.op != "output")
            raise BadInput(f"{self.reader} does not read {self.after}; these do: {readers or 'none'}.")
        self._must_be_free(patient)
        layer = made(self.kind_of, self.settings, gives(self.after, shapes), self.seed)
        identity = as_identity(layer)
        fresh = patient.insert_after(self.after, self.name or f"{self.after}_{self.kind_of}", layer, self.reader)
        if not identity:
            patient.untrained[patient.name(fresh)] = RANDOM

    def _must_be_free(self, patient: Patient) -> None:
        """A name "conv1.new" would put the layer inside conv1, which the original shares."""
        *parents, _ = safe_name(self.name or "new").split(".")
        for length in range(1, len(parents) + 1):
            if (inside := ".".join(parents[:length])) in layers_that(patient, lambda _: True):
                raise BadInput(f"{inside} is a layer, not a block, so nothing can be called {self.name}.")

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.after,)

    @property
    def sentence(self) -> str:
        where = f"between {self.after} and {self.reader}" if self.reader else f"after {self.after}"
        return f"insert {_kind_words(self.kind_of, self.settings)} {where}"


@dataclass(frozen=True)
class Replace(Edit):
    """Put a new layer in the place of one; what is not said of it is taken from the old one."""

    structural = True

    layer: str
    kind_of: str
    """As for insert."""
    settings: dict[str, Any] = field(default_factory=dict)
    seed: int = 0

    def operate(self, patient: Patient) -> None:
        node = patient.node(self.layer)
        if node.op == "placeholder":
            raise BadInput(f"{self.layer} is the picture, which cannot be replaced.")
        shape = gets(patient, self.layer, dry_run_of(patient).shapes)
        old = patient.layer(self.layer) if node.op == "call_module" else None
        settings = {**_taken_over(old, self.kind_of, self.settings, shape), **self.settings}
        layer = made(self.kind_of, settings, shape, self.seed)
        patient.put(self.layer, layer)
        patient.untrained.pop(self.layer, None)
        if next(layer.parameters(), None) is not None:
            patient.untrained[self.layer] = RANDOM

    @property
    def sentence(self) -> str:
        return f"replace {self.layer} by {_kind_words(self.kind_of, self.settings)}"


_TAKEN_OVER = """
    out_channels out_features kernel_size stride padding dilation bias eps p output_size ceil_mode
"""


def _taken_over(old: nn.Module | None, kind_of: str, said: dict[str, Any], shape: Shape) -> dict[str, Any]:
    """Old layer, kind and settings of the new one -> what the new one takes from the old."""
    kind = listed(kind_of, shape)
    if old is None or kind_name(old) is None or not kind:
        return {}
    known = set(inspect.signature(kind_class(kind).__init__).parameters)
    taken = {k: v for k, v in settings_of(old).items() if k in _TAKEN_OVER.split() and k in known}
    if {"kernel_size", "dilation"} & set(said):
        taken.pop("padding", None)  # it was made for the old window
    return taken


def _kind_words(kind_of: str, settings: dict[str, Any]) -> str:
    given = ", ".join(f"{name} {value}" for name, value in settings.items())
    article = "an" if kind_of[:1].lower() in "aeiou" else "a"
    return f"{article} {kind_of}" + (f" ({given})" if given else "")
