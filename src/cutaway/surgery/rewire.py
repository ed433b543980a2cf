"""A step that reads another step than before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import fx

from cutaway.errors import BadInput
from cutaway.graph.names import names_of
from cutaway.surgery.edit import Edit
from cutaway.surgery.patient import Patient


@dataclass(frozen=True)
class Rewire(Edit):
    """Let a step read another step's value in place of one of its inputs; what nobody reads any more is taken out."""

    structural = True

    layer: str
    to: str
    """The step whose value it reads from now on; it must not depend on `layer`."""
    input: int = 0
    """Which of its inputs, from 0."""

    def operate(self, patient: Patient) -> None:
        node, other = patient.node(self.layer), patient.node(self.to)
        count = len(_inputs(node))
        if not count:
            raise BadInput(f"{self.layer} reads nothing, so it cannot be rewired.")
        if not 0 <= self.input < count:
            raise BadInput(f"{self.layer} has {count} inputs, 0 to {count - 1}. Got {self.input}.")
        if other is node or other in _after(node):
            raise BadInput(f"{self.to} is computed from {self.layer}, so {self.layer} cannot read it.")
        known = set(names_of(patient.graph))
        _replace_input(node, self.input, other)
        in_order(patient.graph.graph)
        patient.changed.add(self.layer)
        patient.graph.graph.eliminate_dead_code()
        gone = [name for name in known if name not in names_of(patient.graph)]
        for name in gone:
            patient.untrained.pop(name, None)
        if gone:
            more = f" and {len(gone) - 5} more" if len(gone) > 5 else ""
            patient.notes.append(f"Nobody reads {', '.join(sorted(gone)[:5])}{more} any more; taken out.")

    @property
    def sentence(self) -> str:
        which = f"'s input {self.input}" if self.input else ""
        return f"rewire {self.layer}{which} to {self.to}"


def _inputs(node: fx.Node) -> list[fx.Node]:
    """The nodes a node reads, in order; one that is read twice counts twice."""
    found: list[fx.Node] = []
    fx.map_arg((node.args, node.kwargs), lambda n: found.append(n) or n)  # type: ignore[func-returns-value]
    return found


def _replace_input(node: fx.Node, which: int, other: fx.Node) -> None:
    at = -1

    def other_for(n: fx.Node) -> Any:
        nonlocal at
        at += 1
        return other if at == which else n

    args, kwargs = fx.map_arg((node.args, node.kwargs), other_for)
    node.args, node.kwargs = args, kwargs


def _after(node: fx.Node) -> set[fx.Node]:
    """All that depends on a node."""
    found: set[fx.Node] = set()
    waiting = [node]
    while waiting:
        for user in waiting.pop().users:
            if user not in found:
                found.add(user)
                waiting.append(user)
    return found


def in_order(graph: fx.Graph) -> None:
    """Puts each node behind all that it reads, otherwise leaving the order as it is."""
    done: set[fx.Node] = set()
    nodes = list(graph.nodes)
    last: fx.Node | None = None

    def place(node: fx.Node) -> None:
        nonlocal last
        waiting = [node]
        while waiting:
            top = waiting[-1]
            missing = [n for n in top.all_input_nodes if n not in done]
            if missing:
                waiting.append(missing[0])
                continue
            waiting.pop()
            if top not in done:
                if last is not None:
                    last.append(top)
                done.add(top)
                last = top

    for node in nodes:
        if node not in done:
            place(node)
