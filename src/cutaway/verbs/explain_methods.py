"""Which methods explain, with which settings: what was asked for, what this model and this installation allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from cutaway.errors import BadInput, CutawayError
from cutaway.explanation.method import METHODS, Method, method_named, name_of, names_typed, settings_of
from cutaway.explanation.question import Question
from cutaway.image import Image
from cutaway.options import fields_of
from cutaway.verbs.explain import ExplainOptions

FEW = ("gradcam", "integrated-gradients", "occlusion")
"""What is drawn without being asked for: one method of each kind (maps of a layer, gradients, covering)."""
_ROUNDING = frozenset(
    {"round", "floor", "ceil", "trunc", "sign", "fake_quantize_per_tensor_affine", "gt", "ge", "lt", "le"}
)


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """A method with its settings; `typed`: whether a setting of it was typed, so that its refusal is an error."""

    method: Method
    settings: Any
    typed: bool


def refuse_methods_as_photos(options: ExplainOptions, photos: Sequence[Image | str]) -> None:
    """`--method gradcam occlusion photo.jpg` leaves `occlusion` among the photos: raises BadInput that says how
    several methods are named."""
    typed = [photo for photo in photos if isinstance(photo, str)]
    strays = [word for word in typed if name_of(word) and not Path(word).exists()]
    if strays:
        together = ",".join(dict.fromkeys((*names_typed(options.method), *strays)))
        raise BadInput(f"{strays[0]} is a method and no photo; several methods go together: --method {together}.")


def chosen_methods(options: ExplainOptions) -> tuple[list[Chosen], list[tuple[str, str]]]:
    """Options -> the methods with their settings, and (method, why) for those that are not installed.

    Raises BadInput for a method, a setting or a layer that is not there.
    """
    names = names_typed(options.method) or (
        tuple(METHODS) if options.all else [n for n in FEW if n in METHODS] or tuple(METHODS)[:3]
    )
    methods: list[Method] = []
    left_out: list[tuple[str, str]] = []
    for name in names:
        try:
            method = method_named(name)
        except CutawayError as error:
            if options.method:
                raise
            left_out.append((name, str(error)))
            continue
        if method not in methods:
            methods.append(method)
    given = given_settings(options.set, options.layer, methods)
    return [
        Chosen(method, settings_of(method, {**given[method.name], **_seed(options, method)}), bool(given[method.name]))
        for method in methods
    ], left_out


def refuse_without_gradient(chosen: list[Chosen], question: Question, *, forced: bool) -> list[tuple[str, str]]:
    """Takes the methods that need a gradient out of `chosen` where the model has none -> (method, why) for each.

    `forced`: they were named, so it raises BadInput with the methods that work without.
    """
    needing = [one for one in chosen if one.method.needs_gradient]
    if not needing or not (why := _without_gradient(question)):
        return []
    if forced:
        without = ", ".join(name for name in METHODS if _works_without(name))
        raise BadInput(f"{needing[0].method.title} needs a gradient, and {why}; methods that need none: {without}.")
    for one in needing:
        chosen.remove(one)
    return [(one.method.name, f"It needs a gradient, and {why}.") for one in needing]


def _works_without(name: str) -> bool:
    try:
        return not method_named(name).needs_gradient
    except CutawayError:  # not installed
        return False


def _without_gradient(question: Question) -> str:
    """Question -> why the answer has no gradient with respect to the picture, "" where it has one."""
    x = question.x[:1].clone().requires_grad_()
    value = question.row(0).values(question.network(x)).sum()
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value, x, allow_unused=True)
        if gradient is not None and bool((gradient != 0).any()):
            return ""
    steps = [node.name for node in question.network.graph.nodes if _rounds(node)]
    behind = f" behind {', '.join(steps[:3])}, which rounds" if steps else ""
    return f"the answer of this network has none{behind}: it stays the same under every small change of the picture"


def _rounds(node: Any) -> bool:
    target = node.target if isinstance(node.target, str) else getattr(node.target, "__name__", "")
    return node.op in ("call_function", "call_method") and target in _ROUNDING


def _seed(options: ExplainOptions, method: Method) -> dict[str, int]:
    has = any(field.name == "seed" for field in fields_of(method.settings))
    return {"seed": options.seed} if has and options.seed is not None else {}


def given_settings(typed: Sequence[str], layer: str, methods: Sequence[Method]) -> dict[str, dict[str, str]]:
    """NAME=VALUE as typed, a layer, methods -> method: what was typed for it. Raises BadInput for a setting or a layer
    that no asked method has."""
    given: dict[str, dict[str, str]] = {method.name: {} for method in methods}
    for text in typed:
        name, _, value = (part.strip() for part in text.partition("="))
        whose, dot, knob = name.rpartition(".")
        if dot:
            method = method_named(whose)
            if method.name not in given:
                raise BadInput(f"--set {text}: {method.name} is not among the methods asked for ({', '.join(given)}).")
            settings_of(method, {knob: value})
            given[method.name][knob] = value
            continue
        having = [method for method in methods if any(f.name == name for f in fields_of(method.settings))]
        if not having:
            raise BadInput(f"None of the methods has a setting {name!r}; {_settings_told(methods)}.")
        for method in having:
            given[method.name][name] = value
    if layer:
        layered = [method for method in methods if method.layered]
        if not layered:
            them = ", ".join(n for n in METHODS if _layered(n)) or "none"
            raise BadInput(f"{methods[0].title} weighs no layer, so --layer {layer} has no meaning; with one: {them}.")
        for method in layered:
            given[method.name]["layer"] = layer
    return given


def _layered(name: str) -> bool:
    try:
        return method_named(name).layered
    except CutawayError:
        return False


def _settings_told(methods: Sequence[Method]) -> str:
    told = [f"{m.name}: {', '.join(f.name for f in fields_of(m.settings)) or 'none'}" for m in methods]
    return "; ".join(told)
