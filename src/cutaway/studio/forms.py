"""A verb's options dataclass -> the fields of a form: the same words as on the command line."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Any

from cutaway.errors import BadInput, one_line
from cutaway.options import Field, fields_of
from cutaway.studio.schemas.verbs import VerbField, VerbForm
from cutaway.verbs import VERBS, verb
from cutaway.verbs.plain import to_plain

_KINDS = {int: "whole", float: "number", bool: "yes-no", str: "text"}


def form_of(name: str) -> VerbForm:
    """Name of a verb -> its form. Raises BadInput for a name that is none."""
    if name not in VERBS:
        raise BadInput(f"There is no verb {one_line(name, 40)!r}; there are {', '.join(VERBS)}.")
    found = verb(name)
    fields = fields_of(found.options)
    return VerbForm(name=name, sentence=found.sentence, fields=tuple(_field(name, field) for field in fields))


def _field(verb_name: str, field: Field) -> VerbField:
    kind, choices, empty = _kind(field.type)
    default = None if field.default is dataclasses.MISSING else to_plain(field.default)
    return VerbField.model_validate({
        "name": field.name, "label": field.name.replace("_", " "), "help": field.help, "kind": kind,
        "required": field.required, "empty": empty or default == "", "default": default, "choices": choices,
        "suggested": _suggested(verb_name, field.name),
    })  # fmt: skip


def _kind(declared: Any) -> tuple[str, tuple[str, ...], bool]:
    """Type of an option -> how it is asked for, its choices, whether None is one of its values."""
    inner = typing.get_args(declared)
    if typing.get_origin(declared) in (types.UnionType, typing.Union):
        kinds = [one for one in inner if one is not types.NoneType]
        kind, choices, _ = _kind(kinds[0]) if len(kinds) == 1 else ("text", (), False)
        return kind, choices, types.NoneType in inner
    if typing.get_origin(declared) is typing.Literal:
        return "choice", tuple(map(str, inner)), False
    if typing.get_origin(declared) is tuple:
        return "list", (), False
    return _KINDS.get(declared, "text"), (), False


def _suggested(verb_name: str, option: str) -> tuple[str, ...]:
    """What may be typed for an option that takes any text: the room that reads it knows the words."""
    if option == "data":
        from cutaway.dataset.named import dataset_names

        return dataset_names()
    if verb_name not in ("train", "sweep"):
        return ()
    if option in ("network", "backbone"):
        from cutaway.studio.routes.home import NETWORKS

        return NETWORKS
    if option == "augment":
        from cutaway.training.augment import PRESETS

        return ("auto", *PRESETS)
    return _WORDS.get(option, ())


_WORDS = {
    "mode": ("scratch", "frozen", "finetune"),
    "optimizer": ("muon", "adamw", "sgd"),
    "precision": ("auto", "float32", "bfloat16"),
    "compile": ("auto", "on", "off"),
}  # as training.recipe has them; any other word is refused there in one sentence
