"""Controls of the network as a whole: its input, its classes, one setting in every layer that has it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_args

from torch import nn

from cutaway.graph.names import names_of
from cutaway.image.contract import Fit, Interpolation
from cutaway.surgery.activations import ActivationName, _is_activation, _is_softmax
from cutaway.surgery.controls.control import (
    Choice,
    Control,
    Field,
    Place,
    help_of,
    menu,
    number,
    of_all,
    slider,
    worded,
)
from cutaway.surgery.controls.windows import pool_kind
from cutaway.surgery.filters import MOST_FILTERS
from cutaway.surgery.inputs import MOST_PX

_MEANT = {
    "fit": "How a photo is brought to the shape of the input.",
    "crop_fraction": "How much of the middle of a photo is kept, above 0 to 1.",
    "interpolation": "How a photo's pixels are made fewer or more.",
    "scale": "What the levels, 0 to 1, are multiplied by.",
    "offset": "What is added to them then: scale 2 and offset -1 give -1 to 1.",
    "channels": "Which colour comes first; a network trained on the other order sees oranges blue.",
}
INPUT, CLASSES, EVERY = "Input", "Classes", "Every layer"


def network(place: Place) -> Iterator[Control]:
    yield from _input(place)
    yield from _classes(place)
    yield from _every(place)


def _input(place: Place) -> Iterator[Control]:
    now = place.patient.contract
    size = of_all(now.size)
    sides = [("Side",)] if isinstance(size, int) else [("Height",), ("Width",)]
    fields = [
        number([("size",) if len(sides) == 1 else ("size", i)], label, now.size[i], 1, MOST_PX, unit="px")
        for i, (label,) in enumerate(sides)
    ]  # fmt: skip
    yield place.control({"edit": "set_input_size", "size": size}, "Size", INPUT, fields, common=True)
    fits = {"crop": "cut the middle out", "squash": "squash both sides", "pad": "all of it, white around"}
    settings: list[tuple[str, str, Field]] = [
        ("fit", "Fit", menu("fit", "A photo is", now.fit, [Choice(f, fits[f]) for f in get_args(Fit)])),
        ("crop_fraction", "Middle kept", slider("crop_fraction", "Share", now.crop_fraction, 0.2, 1, 0.005)),
        ("interpolation", "Resized", menu("interpolation", "By", now.interpolation, get_args(Interpolation))),
        ("scale", "Scale", slider("scale", "Times", now.scale, -4, 4, 0.05)),
        ("offset", "Offset", slider("offset", "Plus", now.offset, -2, 2, 0.05)),
    ]  # fmt: skip
    if now.channels != "gray":
        settings.append(("channels", "Colours", menu("channels", "Order", now.channels, ["RGB", "BGR"])))
    for name, title, field in settings:
        document = {"edit": "set_input", name: field.value}
        yield place.control(
            document,
            title,
            INPUT,
            [field],
            id_=f"set_input:{name}",
            meaning=_MEANT[name],
            common=name in ("channels", "fit"),
        )
    for name, title in (("mean", "Mean"), ("std", "Standard deviation")):
        numbers = [float(v) for v in getattr(now, name)]
        letters = "RGB" if len(numbers) == 3 else "L"
        low = -255.0 if name == "mean" else 0.001
        each = [
            slider([(name, i)], c, v, low if v < -2 else max(low, -2), 2, 0.005)
            for i, (c, v) in enumerate(zip(letters, numbers))
        ]
        yield place.control(
            {"edit": "set_input", name: numbers}, title, INPUT, each, id_=f"set_input:{name}",
            meaning=f"What is {'taken off' if name == 'mean' else 'divided by'}, colour by colour.",
        )  # fmt: skip


def _classes(place: Place) -> Iterator[Control]:
    names = list(place.patient.classes)
    if not names:
        return
    lines = Field((("names",),), "One class a line", "names", names, help=help_of("set_classes", "names"))
    yield place.control(
        {"edit": "set_classes", "names": names}, "Names", CLASSES, [lines], action="Rename", common=True
    )  # fmt: skip
    count = number("count", "Classes", len(names), 1, MOST_FILTERS)
    yield place.control(
        {"edit": "set_class_count", "count": len(names)},
        "Number of classes",
        CLASSES,
        [count],
        action="Renew the last layer",
    )


def _every(place: Place) -> Iterator[Control]:
    """One edit of each layer that has a setting, as one step."""
    patient = place.patient
    steps = names_of(patient.graph)
    acts = [name for name, node in steps.items() if _is_activation(patient, node) and not _is_softmax(patient, node)]
    if acts:
        choices = [Choice(None, "as it is"), *(Choice(n, worded(n)) for n in get_args(ActivationName))]
        each: list[dict[str, Any]] = [{"edit": "set_activation", "layer": name, "to": "relu"} for name in acts]
        yield _together(place, each, "to", "Every activation", choices, f"{_many(len(acts), 'activation')} at once.")
    pools = [(name, kind) for name in steps if (kind := pool_kind(patient, name)) is not None]
    if pools:
        choices = [Choice(None, "as it is"), Choice("max", "the largest of each window"), Choice("avg", "their mean")]
        each = [{"edit": "set_pooling", "layer": name, "to": kind} for name, kind in pools]
        yield _together(place, each, "to", "Every pool", choices, f"{_many(len(pools), 'pool')} at once.")
    weighted = [name for name, node in steps.items() if _weighs(patient, node)]
    if weighted:
        each = [{"edit": "round_weights", "layer": name, "bits": 16} for name in weighted]
        paths = [("edits", i, "bits") for i in range(len(each))]
        yield place.control(
            {"edit": "together", "edits": each}, "Round every weight", EVERY, [slider(paths, "Bits", 16, 2, 16, 1)],
            id_="together:bits", common=True, meaning=f"Round the weights of {_many(len(weighted), 'layer')}.",
        )  # fmt: skip


def _together(
    place: Place, each: Sequence[dict[str, Any]], key: str, title: str, choices: Sequence[Choice], meaning: str
) -> Control:
    paths = [("edits", i, key) for i in range(len(each))]
    field = Field(tuple(paths), "Becomes", "menu", None, choices=tuple(choices))
    document = {"edit": "together", "edits": list(each)}
    return place.control(document, title, EVERY, [field], id_=f"together:{title}", meaning=meaning, common=True)


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count != 1)}"


def _weighs(patient: Any, node: Any) -> bool:
    if node.op != "call_module":
        return False
    module = patient.graph.get_submodule(str(node.target))
    return isinstance(module, nn.Conv1d | nn.Conv2d | nn.ConvTranspose2d | nn.Linear)
