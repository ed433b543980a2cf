"""A Keras model's JSON -> a tree of layers. Knows the spellings of Keras 2.2 to 3; builds nothing, reads no weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cutaway.errors import BadModel

_DEEPEST = 16
_MOST_LAYERS = 5_000
_CONSTANT = "_CONSTANT_VALUE"
_FUNCTIONAL = ("Functional", "Model")


@dataclass(frozen=True, slots=True)
class Ref:
    """The value that call number `call` of the layer `layer` made."""

    layer: str
    call: int


Operand = Ref | float
Call = tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer as the file describes it: `kind` is Keras' class, `settings` its config.

    `calls` says what it is applied to, once per use (None inside a Sequential: the layer before it). Containers have
    `layers`; a functional one also `inputs` and `outputs`.
    """

    name: str
    kind: str
    settings: dict[str, Any]
    calls: tuple[Call, ...] | None = None
    layers: tuple[Layer, ...] = ()
    inputs: tuple[Ref, ...] = ()
    outputs: tuple[Ref, ...] = ()

    @property
    def is_container(self) -> bool:
        return self.kind == "Sequential" or self.kind in _FUNCTIONAL

    def leaves(self) -> Iterator[Layer]:
        """Every layer that is no container, in the file's order."""
        if not self.is_container:
            yield self
        for layer in self.layers:
            yield from layer.leaves()


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
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise BadModel(f"The file's description of the network is damaged ({type(error).__name__}: {error}).") from None
    if sum(1 for _ in tree.leaves()) > _MOST_LAYERS:
        raise BadModel(f"The network has more than {_MOST_LAYERS} layers, the most that are accepted.")
    return tree


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
    calls = _calls(entry["inbound_nodes"], name) if "inbound_nodes" in entry else None
    _must_be_standard(entry, name)
    if kind != "Sequential" and kind not in _FUNCTIONAL:
        return Layer(name, kind, settings, calls)
    if "layers" not in settings:
        raise BadModel(
            f"The model {shown(name)!r} inside the file is a class written in Python; its layers are not in the file."
        )
    layers = tuple(_layer(child, depth + 1) for child in settings["layers"])
    others = {k: v for k, v in settings.items() if k != "layers"}
    if kind == "Sequential":
        return Layer(name, kind, others, calls, layers)
    ends = [_ends(settings[key]) for key in ("input_layers", "output_layers")]
    return Layer(name, kind, others, calls, layers, *ends)


def _must_be_standard(entry: dict[str, Any], name: str) -> None:
    """A class of the author's own may carry a standard name; Keras marks it "package>name"."""
    mark = entry.get("registered_name")
    if isinstance(mark, str) and ">" in mark and not mark.startswith(("Keras>", "keras")):
        raise BadModel(
            f"Layer {shown(name)} is of the kind {shown(mark)}, a class written in Python "
            "that the file does not hold; nothing was run."
        )


def _ends(value: Any) -> tuple[Ref, ...]:
    """[["input_1", 0, 0], ...], {"name": [...]} or ["input_1", 0, 0] -> refs."""
    if isinstance(value, dict):
        value = list(value.values())
    rows = [value] if value and isinstance(value[0], str) else value
    return tuple(Ref(str(row[0]), int(row[1])) for row in rows)


def _calls(nodes: Any, name: str) -> tuple[Call, ...]:
    return tuple(_keras_3_call(node, name) if isinstance(node, dict) else _keras_2_call(node, name) for node in nodes)


def _keras_2_call(node: Any, name: str) -> Call:
    """[["conv", 0, 0, {}], ...], or ["conv", 0, 0, {"y": 2.0}] where a bare function was called."""
    if isinstance(node, dict):
        node = list(node.values())
    operands: list[Operand] = []
    for row in [node] if isinstance(node[0], str) else node:
        operands.append(float(row[2]) if row[0] == _CONSTANT else _ref(row, name))
        for value in (row[3] if len(row) > 3 else {}).values():
            if isinstance(value, list) and len(value) >= 3 and isinstance(value[0], str):
                operands.append(float(value[2]) if value[0] == _CONSTANT else _ref(value, name))
            elif _is_number(value):
                operands.append(float(value))
    return tuple(operands)


def _ref(row: list[Any], name: str) -> Ref:
    if int(row[2]) != 0:
        raise BadModel(
            f"Layer {shown(name)} reads output {row[2]} of {shown(str(row[0]))}; only first outputs are known."
        )
    return Ref(str(row[0]), int(row[1]))


def _keras_3_call(node: dict[str, Any], name: str) -> Call:
    """{"args": [{"class_name": "__keras_tensor__", "config": {"keras_history": ["conv", 0, 0]}}], "kwargs": {}}"""
    return tuple(_operands([node["args"], list(node.get("kwargs", {}).values())], name, 0))


def _operands(value: Any, name: str, depth: int) -> Iterator[Operand]:
    if depth > _DEEPEST:
        raise BadModel(f"Layer {shown(name)} is applied to a list nested more than {_DEEPEST} deep.")
    if isinstance(value, list):
        for item in value:
            yield from _operands(item, name, depth + 1)
    elif isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
        yield _ref(value["config"]["keras_history"], name)
    elif _is_number(value):
        yield float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def shown(text: str) -> str:
    """Text out of a file -> at most 60 characters of it that any terminal can print."""
    printable = "".join(c if c.isprintable() else "?" for c in text[:61])
    return printable if len(printable) <= 60 else printable[:57] + "..."
