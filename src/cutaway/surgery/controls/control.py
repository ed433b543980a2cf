"""Control: one edit of one place as something to move, choose or press, with its values as they are now."""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from torch import nn

from cutaway.options import fields_of
from cutaway.surgery.dry import Dry, dry_run_of
from cutaway.surgery.edit import KINDS, Edit, edit_of
from cutaway.surgery.patient import Patient

FieldKind = Literal["slider", "number", "menu", "checkbox", "grid", "names"]
Path = tuple[str | int, ...]
Document = dict[str, Any]
_HAIR = 1e-9


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of a menu: what goes into the edit, and what is read."""

    value: Any
    label: str


@dataclass(frozen=True, slots=True)
class Field:
    """One value of an edit. `paths`: where it goes in the edit's JSON; `value`: what it is now.

    A slider and a number lie between `low` and `high`, `step` apart (`log`: by equal factors); at `rest` a slider
    changes nothing. `grid`: rows of numbers, `names`: lines of text.
    """

    paths: tuple[Path, ...]
    label: str
    kind: FieldKind
    value: Any
    help: str = ""
    low: float | None = None
    high: float | None = None
    step: float | None = None
    rest: float | None = None
    unit: str = ""
    log: bool = False
    choices: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Control:
    """An edit that fits a place. `document`: its JSON with the values as they are now; `fields`: those to change.

    `at`: the edit of the list that this control made before and goes on changing, None where it adds one. `action`:
    what its button says; without one it acts as soon as a field changes. `common`: shown first.
    """

    id: str
    edit: str
    title: str
    meaning: str
    group: str
    document: Document
    fields: tuple[Field, ...] = ()
    at: int | None = None
    action: str = ""
    common: bool = False


@dataclass(frozen=True)
class Place:
    """Where the controls act: a step of the patient, chosen output channels and inputs; edits made before."""

    patient: Patient
    layer: str
    channels: tuple[int, ...] = ()
    inputs: tuple[int, ...] = ()
    edits: tuple[Edit, ...] = ()

    @cached_property
    def module(self) -> nn.Module | None:
        if not self.layer or self.patient.node(self.layer).op != "call_module":
            return None
        return self.patient.layer(self.layer)

    @cached_property
    def dry(self) -> Dry:
        return dry_run_of(self.patient)

    def shape(self, name: str) -> tuple[int, ...]:
        """Step -> its value's shape with the batch axis, () where it has none."""
        return self.dry.shapes.get(name, ())

    def control(
        self,
        document: Document,
        title: str,
        group: str,
        fields: Sequence[Field] = (),
        *,
        free: Sequence[str] = (),
        action: str = "",
        common: bool = False,
        id_: str = "",
        meaning: str = "",
        fresh: bool = False,
    ) -> Control:
        """An edit's JSON with the values as they are, what it is called, what can be changed -> the Control.

        Where the list holds the same edit of the same place already, it goes on from that one's values (`fresh`: keeps
        the place, not the values). `free`: other entries in which that one may differ.
        """
        kind = document["edit"]
        whole = edit_of(document).to_dict()
        paths: list[Path] = [path for field in fields for path in field.paths] + [(name,) for name in free]
        at = None if action or not fields else self._made(whole, paths)
        if at is not None and not fresh:
            whole = self.edits[at].to_dict()
            fields = [_with(field, _at(whole, field.paths[0])) for field in fields]
        said = meaning or (KINDS[kind].__doc__ or "").splitlines()[0]
        return Control(id_ or kind, kind, title, said, group, whole, tuple(fields), at, action, common)

    def _made(self, document: Document, paths: Sequence[Path]) -> int | None:
        """Which edit of the list is this one with other values, None for none and where later ones build on it."""
        wanted = _blank(document, paths)
        for at in range(len(self.edits) - 1, -1, -1):
            one = self.edits[at]
            if one.kind == document["edit"] and _blank(one.to_dict(), paths) == wanted:
                return None if any(_builds_on(later, one) for later in self.edits[at + 1 :]) else at
        return None


def slider(
    paths: str | Sequence[Path], label: str, value: float, low: float, high: float, step: float, **more: Any
) -> Field:
    """A value that is moved: its range is widened to hold what it is now, and ends at whole steps."""
    low, high = min(low, value), max(high, value)
    if not more.get("log"):
        whole = isinstance(step, int)
        low, high = (round(n) * step if whole else rounded(round(n) * step) for n in _whole(low / step, high / step))
    return Field(_paths(paths), label, "slider", value, low=low, high=high, step=step, **more)


def _whole(low: float, high: float) -> tuple[float, float]:
    return math.floor(low + _HAIR), math.ceil(high - _HAIR)


def number(paths: str | Sequence[Path], label: str, value: float, low: float, high: float, **more: Any) -> Field:
    return Field(_paths(paths), label, "number", value, low=low, high=high, **{"step": 1, **more})


def menu(paths: str | Sequence[Path], label: str, value: Any, choices: Sequence[Any], **more: Any) -> Field:
    """`choices`: Choice, or plain values; the present value is put first where it is not among them."""
    given = [c if isinstance(c, Choice) else Choice(c, worded(c)) for c in choices]
    if all(c.value != value for c in given):
        given.insert(0, Choice(value, worded(value)))
    return Field(_paths(paths), label, "menu", value, choices=tuple(given), **more)


def checkbox(path: str, label: str, value: bool, **more: Any) -> Field:
    return Field(_paths(path), label, "checkbox", value, **more)


def help_of(kind: str, field: str) -> str:
    """Edit, its field -> the sentence under the field."""
    return next((f.help for f in fields_of(_class(kind)) if f.name == field), "")


def _class(kind: str) -> type:
    return KINDS[kind]


def worded(value: Any) -> str:
    """A setting's value as it is read: (2, 1) -> "2 x 1", "leaky_relu" -> "leaky relu"."""
    if isinstance(value, tuple | list):
        return " × ".join(map(str, value))
    return "none" if value is None else str(value).replace("_", " ")


def rounded(value: float) -> float:
    """Seven digits, which is what a float32 holds."""
    return float(f"{value:.7g}")


def of_all(value: Any) -> Any:
    """(2, 2) -> 2: one number where all axes have the same; else a list."""
    if isinstance(value, tuple | list):
        return value[0] if len(set(value)) == 1 else list(value)
    return value


def _paths(paths: str | Sequence[Path]) -> tuple[Path, ...]:
    return ((paths,),) if isinstance(paths, str) else tuple(paths)


def _with(field: Field, value: Any) -> Field:
    low, high = field.low, field.high
    if low is not None and high is not None and isinstance(value, int | float):
        low, high = min(low, value), max(high, value)
    choices = field.choices
    if choices and all(c.value != value for c in choices):
        choices = (Choice(value, worded(value)), *choices)
    return dataclasses.replace(field, value=value, choices=choices, low=low, high=high)


def _at(document: Any, path: Path) -> Any:
    for part in path:
        document = document[part]
    return document


def _blank(document: Document, paths: Sequence[Path]) -> Any:
    """The JSON without what is at the paths."""
    kept: Any = copy.deepcopy(document)
    for path in paths:
        inner = kept
        try:
            for part in path[:-1]:
                inner = inner[part]
            inner[path[-1]] = None
        except (KeyError, IndexError, TypeError):  # another edit of the kind, with fewer parts
            return None
    return kept


# What of a layer an edit touches: those that touch different things may be done in either order.
_TOUCHES = {
    **dict.fromkeys(("set_kernel", "set_weight", "scale_weights", "zero_weights", "add_noise", "randomise_weights",
                     "round_weights", "rotate_kernels", "flip_kernels"), "weights"),
    **dict.fromkeys(("set_bias", "scale_bias"), "bias"),
    **dict.fromkeys(("silence", "keep_only", "scale_channels"), "given"),
    **{kind: kind for kind in ("set_stride", "set_padding", "set_dilation", "set_activation", "set_dropout",
                               "set_epsilon", "set_pooling")},
}  # fmt: skip


def _builds_on(later: Edit, one: Edit) -> bool:
    """Whether an edit that was made afterwards may depend on what this one left."""
    both = (_TOUCHES.get(later.kind), _TOUCHES.get(one.kind))
    if not one.layers and not later.layers:  # of the network as a whole
        return later.kind == one.kind
    if later.layers and one.layers and not set(later.layers) & set(one.layers):
        return False
    if None in both:
        return bool(set(later.layers) & set(one.layers))
    if both[0] != both[1]:
        return False
    first, then = _which(later), _which(one)
    return not first or not then or bool(first & then)


def _which(edit: Edit) -> set[int]:
    """Output channels that an edit names; none: all."""
    index = getattr(edit, "index", ())[:1]
    one = getattr(edit, "channel", None)
    return {*getattr(edit, "channels", ()), *index, *(() if one is None else (one,))}
