"""Whether a network still fits together after an edit: the first step that does not, told with what it gets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import fx

from cutaway.errors import BadModel
from cutaway.graph.names import names_of
from cutaway.graph.shapes import shapes_of
from cutaway.surgery.dry import JOINS, Break, Dry, Shape, called, dry_run, dry_run_of
from cutaway.surgery.patient import Patient


def first_break(patient: Patient) -> Break | None:
    """Patient -> the first step that cannot work on what it gets, None where all can.

    Seen too: values of different sizes that PyTorch would add all the same by repeating one of them, and another number
    of answers than classes. Costs no forward pass, but for one where a step failed that only PyTorch itself can judge.
    """
    dry = dry_run_of(patient)
    if dry.broken is not None:
        return dry.broken if dry.broken.kind != "other" or not _runs(patient) else None
    return _spread(patient, dry) or _answers(patient, dry)


def before_of(patient: Patient) -> Dry:
    """The dry run of the model that the patient was made from."""
    model = patient.original
    return dry_run(model.graph, (model.contract.in_channels, *model.contract.size))


def _runs(patient: Patient) -> bool:
    """A real run on zeros: what has no shapes of its own on tensors without numbers may still work."""
    try:
        shapes_of(patient.graph, (patient.contract.in_channels, *patient.contract.size))
    except BadModel:
        return False
    return True


def _spread(patient: Patient, dry: Dry) -> Break | None:
    """The first step whose inputs had the same size along an axis and have it no more, and that runs all the same."""
    names = {node: name for name, node in names_of(patient.graph).items()}
    uneven = [n for n in names if called(n) in JOINS and _differing(_shapes_in(n, names, dry.shapes))]
    if not uneven:
        return None
    known, was = names_of(patient.original.graph), before_of(patient)
    old_names = {node: name for name, node in known.items()}
    for node in uneven:
        old = known.get(names[node])
        before = _differing(_shapes_in(old, old_names, was.shapes)) if old is not None else None
        now = _differing(_shapes_in(node, names, dry.shapes))
        if before is None or now <= before:
            continue
        given = tuple((names[n], dry.shapes[names[n]][1:]) for n in node.all_input_nodes if names[n] in dry.shapes)
        why = "they are of different sizes, and the smaller would be repeated without a word"
        return Break(names[node], "spread", why, given)
    return None


def _shapes_in(node: fx.Node, names: Mapping[fx.Node, str], shapes: Mapping[str, Shape]) -> list[Shape]:
    return [shapes[names[n]] for n in node.all_input_nodes if names.get(n) in shapes]


def _differing(shapes: list[Shape]) -> set[int]:
    """Shapes -> axes, counted from the last as -1, along which they are of different sizes."""
    most = max(map(len, shapes), default=0)
    return {-a for a in range(1, most + 1) if len({s[-a] if a <= len(s) else 0 for s in shapes}) > 1}


def _answers(patient: Patient, dry: Dry) -> Break | None:
    """Where the network gave one number per class before and does not now."""
    classes = len(patient.classes)
    now, then = _answer(patient.graph, dry.shapes), ("", (1, classes))
    if not classes or now is None or now[1] == then[1]:
        return None
    was = _answer(patient.original.graph, before_of(patient).shapes)
    if was is None or was[1] != (1, len(patient.original.classes)):
        return None
    why = f"the network's answer must be {classes} number{'s' * (classes > 1)}, one for each class"
    return Break(now[0], "output", why, (now_given(now),))


def now_given(answer: tuple[str, Shape]) -> tuple[str, Shape]:
    return answer[0], answer[1][1:]


def _answer(graph: fx.GraphModule, shapes: Mapping[str, Shape]) -> tuple[str, Shape] | None:
    last: Any = next(n for n in graph.graph.nodes if n.op == "output").args[0]
    name = next((name for name, node in names_of(graph).items() if node is last), "")
    return (name, shapes[name]) if name in shapes else None
