"""How many filters a layer has, and how many classes the network: what comes after follows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import fx

from cutaway.errors import BadInput
from cutaway.surgery.dry import called, dry_run_of
from cutaway.surgery.edit import Edit
from cutaway.surgery.filters_of import seen
from cutaway.surgery.flow import MAKERS, NEW, Flow, Plan
from cutaway.surgery.follow import follow
from cutaway.surgery.groups import is_depthwise
from cutaway.surgery.made import gives
from cutaway.surgery.patient import Patient

MOST_FILTERS = 16384


@dataclass(frozen=True)
class SetFilters(Edit):
    """Set how many filters a convolution (or units a dense layer) has; the layers after it are adapted."""

    structural = True

    layer: str
    filters: int
    """How many. More: new ones with small random weights, which the layers after them ignore until they learn."""
    keep: Literal["strongest", "first"] = "strongest"
    """Which stay where there are fewer: those with the largest sum of absolute weights (Li et al. 2017), in order."""
    seed: int = 0
    """Which random weights new filters get."""

    def operate(self, patient: Patient) -> None:
        layer: Any = patient.layer(self.layer)
        if not isinstance(layer, MAKERS):
            raise BadInput(
                f"{self.layer} is a {type(layer).__name__}; only convolutions and dense layers have filters."
            )
        if is_depthwise(layer):
            source = patient.name(patient.node(self.layer).all_input_nodes[0])
            raise BadInput(
                f"{self.layer} is depthwise, one filter for each channel it gets from {source}; set the filters of the "
                "layer that makes those."
            )
        if not 1 <= self.filters <= MOST_FILTERS:
            raise BadInput(f"a layer has 1 to {MOST_FILTERS} filters. Got {self.filters}.")
        weight = seen(layer, layer.weight.detach())
        before, groups = weight.shape[0], getattr(layer, "groups", 1)
        if self.filters % groups:
            raise BadInput(
                f"{self.layer} works in {groups} groups; its filters must be a multiple. Got {self.filters}."
            )
        if self.filters == before:
            return
        shares = [range(g * before // groups, (g + 1) * before // groups) for g in range(groups)]
        take = [i for share in shares for i in self._chosen(weight, share, self.filters // groups)]
        changed = _spread(patient, self.layer, take, self.seed)
        which = f" (the {self.keep} stayed)" if self.filters < before else ""
        patient.notes.append(
            f"{self.layer} has {self.filters} filters instead of {before}{which}; {_followed(changed)}."
        )

    def _chosen(self, weight: torch.Tensor, share: Sequence[int], count: int) -> list[int]:
        """Filters of one group, how many there shall be -> which stay, NEW for each that comes."""
        if count >= len(share) or self.keep == "first":
            return [*share[:count], *[NEW] * (count - len(share))]
        rows = weight[share[0] : share[-1] + 1].flatten(1)
        strength = torch.linalg.vector_norm(rows, 1, dim=1)
        order = torch.argsort(strength, descending=True, stable=True)[:count]
        return sorted(share[int(i)] for i in order)

    @property
    def sentence(self) -> str:
        return f"set {self.layer}'s number of filters to {self.filters}"


@dataclass(frozen=True)
class SetClassCount(Edit):
    """Give the network another number of classes: its last layer keeps those that stay and gets new ones."""

    structural = True

    names: tuple[str, ...] = ()
    """The classes in their order: one that is called as before stays as it is, others are new and have to be learnt."""
    count: int = 0
    """Instead of names: how many, the first of the old ones and then "class 7", ..."""
    seed: int = 0
    """Which random weights new classes get."""

    def operate(self, patient: Patient) -> None:
        old = patient.classes
        names = self._names(old)
        head = head_of(patient)
        taken = {name: n for n, name in enumerate(old)}
        made = seen(patient.layer(head), patient.layer(head).weight).shape[0]  # type: ignore[arg-type]
        if made != len(old):
            raise BadInput(
                f"the last layer {head} makes {made} numbers for {len(old)} classes, so it cannot be renewed."
            )
        _spread(patient, head, [taken.get(name, NEW) for name in names], self.seed, to_the_end=True)
        if NEW in [taken.get(name, NEW) for name in names]:
            patient.untrained[head] = "it has new classes"
        patient.classes = names

    def _names(self, old: tuple[str, ...]) -> tuple[str, ...]:
        if bool(self.names) == bool(self.count):
            raise BadInput("give either the classes' names or their number.")
        count = self.count or len(self.names)
        if not 1 <= count <= MOST_FILTERS:
            raise BadInput(f"a network has 1 to {MOST_FILTERS} classes. Got {count}.")
        if self.count:
            names = old[:count]
            free = (name for n in range(len(old) + 1, 3 * MOST_FILTERS) if (name := f"class {n}") not in names)
            return (*names, *(next(free) for _ in range(count - len(names))))
        cleaned = tuple(name.strip() for name in self.names)
        for name in cleaned:
            if not name or not name.isprintable():
                raise BadInput(f"a class name is a text on one line. Got {name!r}.")
        if len(set(cleaned)) < len(cleaned):
            twice = next(name for name in cleaned if cleaned.count(name) > 1)
            raise BadInput(f"two classes cannot both be called {twice!r}.")
        return cleaned

    @property
    def sentence(self) -> str:
        return (
            f"set the classes to {', '.join(self.names)}"
            if self.names
            else f"set the number of classes to {self.count}"
        )


def head_of(patient: Patient) -> str:
    """-> name of the last layer with weights, which makes one number per class. Raises BadInput where none leads."""
    node: Any = next(n for n in patient.graph.graph.nodes if n.op == "output").args[0]
    while isinstance(node, fx.Node) and node.op != "placeholder":
        if node.op == "call_module" and isinstance(patient.graph.get_submodule(str(node.target)), MAKERS):
            return patient.name(node)
        if len(node.all_input_nodes) != 1:
            what = called(node) or str(node.target)
            raise BadInput(f"the network's answers come from {patient.name(node)} ({what}), not from one last layer.")
        node = node.all_input_nodes[0]
    raise BadInput("the network's answers do not come from one last layer.")


def _spread(patient: Patient, name: str, take: list[int], seed: int, *, to_the_end: bool = False) -> list[str]:
    """Gives the layer these of its filters and adapts what follows -> names of the steps that were adapted."""
    shapes = dry_run_of(patient).shapes
    if name not in shapes:
        raise BadInput(f"the network does not get as far as {name}; mend what comes before it first.")
    node = patient.node(name)
    axis = len(gives(name, shapes)) - 1 if type(patient.layer(name)).__name__ == "Linear" else 1
    flow = Flow(patient, shapes, to_the_end=to_the_end)
    flow.spread(node, Plan(axis, tuple(take)))
    return follow(patient, flow.plans, node, seed)


def _followed(names: list[str]) -> str:
    if not names:
        return "nothing after it had to be adapted"
    more = f" and {len(names) - 6} more" if len(names) > 6 else ""
    return f"adapted to it: {', '.join(names[:6])}{more}"
