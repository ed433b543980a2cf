"""A Keras model's JSON -> a tree of layers. Knows the spellings of Keras 2.2 to 3; builds nothing, reads no weights."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cutaway.errors import BadModel
from cutaway.formats.keras_calls import Call, Ref, parse_calls, shown

_DEEPEST = 16
_MOST_LAYERS = 5_000
_MOST_READ = 100_000
_MOST_TEXT = 20_000_000
_KERAS = ("keras", "tf_keras", "tensorflow", "keras_core")
_FUNCTIONAL = ("Functional", "Model")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer as the file describes it: `kind` is Keras' class, `settings` its config.

    `calls` says what it is applied to, once per use (None inside a Sequential: the layer before it). Containers have
    `layers`; a functional one also `inputs` and `outputs`. `refusal`: the sentence why it cannot be built, "" if it
    may. `is_function`: a bare function of Keras 3, which may share its class name with a layer.
    """

    name: str
    kind: str
    settings: dict[str, Any]
    calls: tuple[Call, ...] | None = None
    layers: tuple[Layer, ...] = ()
    inputs: tuple[Ref, ...] = ()
    outputs: tuple[Ref, ...] = ()
    refusal: str = ""
    is_function: bool = False

    @property
    def is_container(self) -> bool:
        return self.kind == "Sequential" or self.kind in _FUNCTIONAL

    def leaves(self) -> Iterator[Layer]:
        """Every layer that is no container, in the file's order."""
        if not self.is_container:
            yield self
        for layer in self.layers:
            yield from layer.leaves()


def model_json(text: str | bytes, name: str) -> Any:
    """The model's description and its file's name -> Python data. Raises BadModel where it is no readable JSON."""
    if len(text) > _MOST_TEXT:
        raise BadModel(f"{name}: the description of the network has {len(text):,} letters; at most {_MOST_TEXT:,}.")
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadModel(f"{name}: the description of the network is no readable JSON ({str(error)[:100]}).") from None


def short_version(text: Any) -> str:
    """A version out of a file -> at most 20 characters of it, or words where it is none."""
    found = re.match(r"[\w.+-]{1,20}", text) if isinstance(text, str) else None
    return found[0] if found else "of an unknown version"


def parse_model(document: Any) -> Layer:
    """The model's JSON as Python data -> its tree. Raises BadModel where it is no Sequential or functional model."""
    if not isinstance(document, dict) or not isinstance(document.get("class_name"), str):
        raise BadModel("The file's description of the network is damaged: it names no kind of model.")
    kind = document["class_name"]
    if kind not in ("Sequential", *_FUNCTIONAL):
        raise BadModel(
            f"The network is a {shown(kind)}, a class written in Python that the file does not hold; "
            "only Sequential and functional models can be opened without running code."
        )
    try:
        tree = _layer(document, 0)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise BadModel(f"The file's description of the network is damaged ({type(error).__name__}: {error}).") from None
    if sum(1 for _ in tree.leaves()) > _MOST_LAYERS:
        raise BadModel(f"The network has more than {_MOST_LAYERS} layers, the most that are accepted.")
    if sum(len(call.operands) for layer in _all(tree) for call in layer.calls or ()) > _MOST_READ:
        raise BadModel(f"The network's layers read more than {_MOST_READ:,} values, the most that are accepted.")
    return tree


def _all(layer: Layer) -> Iterator[Layer]:
    yield layer
    for child in layer.layers:
        yield from _all(child)


def _layer(entry: dict[str, Any], depth: int) -> Layer:
    if depth > _DEEPEST:
        raise BadModel(f"The network nests models more than {_DEEPEST} deep, the most that is accepted.")
    kind, settings = entry["class_name"], entry["config"]
    if kind == "Sequential" and isinstance(settings, list):  # before Keras 2.2.3
        settings = {"layers": settings}
    if not isinstance(kind, str) or not isinstance(settings, dict):
        raise BadModel("The file's description of the network is damaged: a layer has no kind or no settings.")
    name = settings.get("name", entry.get("name", kind.lower()))
    if not isinstance(name, str):
        raise BadModel(f"The file's description of the network is damaged: a {shown(kind)} layer has no name.")
    calls = parse_calls(entry["inbound_nodes"], name, kind) if "inbound_nodes" in entry else None
    refusal = _not_standard(entry, name)
    if kind != "Sequential" and kind not in _FUNCTIONAL:
        is_function = str(entry.get("module", "")).startswith(("keras.src.ops", "keras.ops"))
        return Layer(name, kind, settings, calls, refusal=refusal, is_function=is_function)
    if "layers" not in settings:
        why = f"The model {shown(name)!r} inside the file is a class written in Python; its layers are not in the file."
        return Layer(name, kind, settings, calls, refusal=why)
    layers = tuple(_layer(child, depth + 1) for child in settings["layers"])
    others = {k: v for k, v in settings.items() if k != "layers"}
    if kind == "Sequential":
        return Layer(name, kind, others, calls, layers, refusal=refusal)
    inputs, outputs = _ends(settings["input_layers"]), _ends(settings["output_layers"])
    return Layer(name, kind, others, calls, layers, inputs, outputs, refusal)


def _not_standard(entry: dict[str, Any], name: str) -> str:
    """A class of the author's own may carry a standard name; Keras tells its module, or marks it "package>name"."""
    mark, module = entry.get("registered_name"), entry.get("module")
    if isinstance(module, str) and module.partition(".")[0] not in _KERAS:
        mark = f"{module}>{entry['class_name']}"
    if isinstance(mark, str) and ">" in mark and not mark.startswith(("Keras>", "keras")):
        return (
            f"Layer {shown(name)} is of the kind {shown(mark)}, a class written in Python "
            "that the file does not hold; nothing was run."
        )
    return ""


def _ends(value: Any) -> tuple[Ref, ...]:
    """[["input_1", 0, 0], ...], {"name": [...]} or ["input_1", 0, 0] -> refs."""
    if isinstance(value, dict):
        value = list(value.values())
    rows = [value] if value and isinstance(value[0], str) else value
    return tuple(Ref(str(row[0]), int(row[1])) for row in rows)
