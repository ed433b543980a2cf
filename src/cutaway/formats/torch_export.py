"""torch.export's .pt2 archives -> Parts, read as the zip of JSON and raw numbers they are.

torch.export.load unpickles example inputs and what it calls custom objects, and says itself that it must not be used on
a stranger's file; nothing of that is read here. The operators become listed layers (graph.exported).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from cutaway.errors import BadModel
from cutaway.formats.about import SET_INPUT, About, about_of
from cutaway.formats.labels import class_names
from cutaway.formats.parts import FileView, OnlyView, Parts, ViewRow
from cutaway.formats.torch_archive import names_in_zip
from cutaway.formats.torch_tensors import ZIP_DAMAGE, Store, zip_store
from cutaway.graph.exported import Exported, Op, Ref, graph_of
from cutaway.graph.program import innermost
from cutaway.image import InputContract

_GRAPH = "models/model.json"
_MOST_JSON = 32_000_000
_MOST_OPS = 10_000
# Numbers of torch's own enum (torch._export.serde.schema.ScalarType).
_TYPES = {
    1: torch.uint8, 2: torch.int8, 3: torch.int16, 4: torch.int32, 5: torch.int64, 6: torch.float16, 7: torch.float32,
    8: torch.float64, 12: torch.bool, 13: torch.bfloat16,
}  # fmt: skip
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def matches(head: bytes, path: Path) -> bool:
    """First bytes and path -> whether it is a zip with a .pt2 archive's description of a network."""
    if not head.startswith(b"PK\x03\x04"):
        return False
    names = names_in_zip(path)
    return any(n.endswith(_GRAPH) for n in names) or "serialized_exported_program.json" in names


def read(path: Path) -> Parts:
    """Path of a .pt2 file -> Parts. Raises BadModel where it is damaged, OnlyView naming an operator that stops it."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if "serialized_exported_program.json" in names:
                raise BadModel(
                    f"{path.name} is in torch.export's format from before torch 2.8; load it there and write it again "
                    "with torch.export.save."
                )
            graph_name = min(n for n in names if n.endswith(_GRAPH))
            folder = graph_name.removesuffix(_GRAPH)
            document = _json(archive, graph_name, path)
            arrays = _arrays(archive, folder, path)
            about = _about(archive, f"{folder}extra/cutaway.json", path)
    except ZIP_DAMAGE as error:
        raise BadModel(
            f"{path.name} is a damaged .pt2 archive ({str(error)[:100]}); copy or download it again."
        ) from None
    try:
        exported = _exported(document, arrays)
        rows = _rows(document["graph_module"]["graph"])
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, RecursionError) as error:
        raise BadModel(
            f"{path.name} is damaged: its description of the network lacks something ({type(error).__name__}: "
            f"{str(error)[:80]})."
        ) from None
    parts = _parts(exported, document, rows, path)
    return about.put(parts) if about else parts


def _about(archive: zipfile.ZipFile, name: str, path: Path) -> About | None:
    """What an export of Cutaway says of itself, None in a file of another program."""
    return about_of(json.dumps(_json(archive, name, path))) if name in archive.namelist() else None


def _parts(exported: Exported, document: dict[str, Any], rows: tuple[ViewRow, ...], path: Path) -> Parts:
    try:
        graph = graph_of(exported)
    except BadModel as error:
        raise OnlyView(
            FileView("view-only", "torch.export .pt2", f"{path.name} cannot be run. {error}", rows)
        ) from None
    shape = exported.shapes[exported.input]
    if len(shape) != 4 or shape[1] not in (1, 3) or not all(0 < s <= 4096 for s in shape[2:]):
        reason = f"{path.name} takes an input of shape {shape}; Cutaway feeds one picture of 1 or 3 channels."
        raise OnlyView(FileView("view-only", "torch.export .pt2", reason, rows))
    contract = contract_assumed((shape[2], shape[3]), shape[1])
    notes = [ASSUMED_INPUT]
    if exported.batch is not None:
        notes.append(f"It was exported for {exported.batch} picture(s) at a time; Cutaway runs it for any number.")
    outputs = exported.shapes.get(exported.output, ())
    if len(outputs) != 2:
        reason = f"{path.name} gives an output of shape {tuple(outputs)}; a classifier gives one number per class."
        raise OnlyView(FileView("view-only", "torch.export .pt2", reason, rows))
    classes, more = class_names(path, outputs[1])
    probabilities = exported.ops[-1].kind in ("softmax", "_softmax")
    version = str(document.get("torch_version", ""))[:20]
    card = {"format": "torch.export .pt2", "producer": f"torch {version}".strip(), "notes": " ".join([*notes, *more])}
    return Parts(graph, contract, classes, probabilities, card)


ASSUMED_INPUT = (
    "The file does not say how pictures are scaled: ImageNet's mean and spread are assumed; where it was trained "
    f"otherwise: {SET_INPUT}."
)


def contract_assumed(size: tuple[int, int], channels: int) -> InputContract:
    """Size, channels -> ImageNet's contract at that size, its mean over the colours for gray."""
    mean, std = IMAGENET_MEAN, IMAGENET_STD
    if channels == 1:
        return InputContract(size, channels="gray", mean=(sum(mean) / 3,), std=(sum(std) / 3,))
    return InputContract(size, crop_fraction=0.875, mean=mean, std=std)


def _json(archive: zipfile.ZipFile, name: str, path: Path) -> dict[str, Any]:
    info = archive.getinfo(name)
    if info.file_size > min(_MOST_JSON, 1000 * max(info.compress_size, 1)):
        raise BadModel(f"{path.name} claims {info.file_size:,} bytes for {name[-40:]}; nothing was read.")
    try:
        found = json.loads(archive.read(info))
    except (ValueError, RecursionError) as error:
        raise BadModel(f"{path.name}: {name[-40:]} is no readable JSON ({str(error)[:80]}).") from None
    if not isinstance(found, dict):
        raise BadModel(f"{path.name}: {name[-40:]} is a JSON {type(found).__name__}, not an object.")
    return found


def _arrays(archive: zipfile.ZipFile, folder: str, path: Path) -> dict[str, torch.Tensor]:
    """Path in the state_dict -> tensor, for weights and constants stored as raw numbers."""
    found: dict[str, torch.Tensor] = {}
    names = set(archive.namelist())
    for kind in ("weights", "constants"):
        index = f"{folder}data/{kind}/model_{kind}_config.json"
        if index not in names:
            continue
        store = zip_store(path, archive, f"{folder}data/{kind}/")
        config = _json(archive, index, path).get("config")
        for name, entry in (config if isinstance(config, dict) else {}).items():
            tensor = _array(store, str(name), entry)
            if tensor is not None:
                found[str(name)] = tensor
    return found


def _array(store: Store, name: str, entry: Any) -> torch.Tensor | None:
    if not isinstance(entry, dict) or entry.get("use_pickle") or not isinstance(entry.get("tensor_meta"), dict):
        return None  # pickled: never read; an operator that needs it is named
    meta = entry["tensor_meta"]
    kind = meta.get("dtype")
    dtype = _TYPES.get(kind) if type(kind) is int else None
    size, stride = _ints(meta.get("sizes")), _ints(meta.get("strides"))
    offset = _ints([meta.get("storage_offset", {"as_int": 0})])
    if dtype is None or size is None or stride is None or offset is None:
        return None
    return store.strided(str(entry.get("path_name")), dtype, offset[0], size, stride, name)


def _ints(values: Any) -> tuple[int, ...] | None:
    if not isinstance(values, list):
        return None
    found = tuple(v.get("as_int") if isinstance(v, dict) else None for v in values)
    return found if all(type(v) is int and v >= 0 for v in found) else None  # type: ignore[return-value]


def _exported(document: dict[str, Any], arrays: dict[str, torch.Tensor]) -> Exported:
    module = document["graph_module"]
    graph, signature = module["graph"], module["signature"]
    named: dict[str, tuple[str, torch.Tensor]] = {}
    inputs: list[str] = []
    for spec in signature["input_specs"]:
        ((kind, said),) = spec.items()
        if kind == "user_input":
            inputs += [said["arg"]["as_tensor"]["name"]] if "as_tensor" in said["arg"] else []
            continue
        path = next((said[k] for k in ("parameter_name", "buffer_name", "tensor_constant_name") if k in said), None)
        if path in arrays:
            named[said["arg"]["name"]] = (path, arrays[path])
    (output,) = [s["user_output"]["arg"]["as_tensor"]["name"] for s in signature["output_specs"] if "user_output" in s]
    if not isinstance(output, str):
        raise TypeError("the output's name is no text")
    if len(graph["nodes"]) > _MOST_OPS:
        raise BadModel(f"The network has {len(graph['nodes']):,} operators; at most {_MOST_OPS:,} are accepted.")
    shapes = {name: _shape(value) for name, value in graph["tensor_values"].items()}
    ops = [_op(node) for node in graph["nodes"]]
    batch = shapes[inputs[0]][0]
    return Exported(inputs[0], output, ops, named, batch if batch > 0 else None, shapes)


def _shape(value: dict[str, Any]) -> tuple[int, ...]:
    return tuple(size["as_int"] if isinstance(size.get("as_int"), int) else -1 for size in value["sizes"])


def _op(node: dict[str, Any]) -> Op:
    parts = str(node["target"]).split(".")
    kind = parts[-2] if parts[:2] == ["torch", "ops"] and len(parts) >= 4 else parts[-1]
    args = {(i["name"] or f"arg{n}"): _value(i["arg"]) for n, i in enumerate(node["inputs"])}
    outputs = tuple(_outputs(node["outputs"]))
    stack = str(node.get("metadata", {}).get("nn_module_stack", ""))
    module, leaf = _module(stack)
    name = outputs[0] if len(outputs) == 1 else str(node.get("name") or outputs[0])
    return Op(name, kind, args, module, leaf, outputs if len(outputs) > 1 or _is_list(node["outputs"]) else ())


def _is_list(outputs: list[Any]) -> bool:
    return any("as_tensors" in output for output in outputs)


def _outputs(outputs: list[dict[str, Any]]) -> Iterator[str]:
    for output in outputs:
        ((kind, said),) = output.items()
        if kind in ("as_tensor", "as_sym_int", "as_sym_bool", "as_sym_float"):
            yield _text(said["name"] if "name" in said else said["as_name"])
        elif kind == "as_tensors":
            yield from (_text(one["name"]) for one in said)


_TO_TORCH = {"as_scalar_type", "as_device", "as_memory_format", "as_layout"}


def _value(arg: dict[str, Any]) -> Any:
    """One argument of the JSON -> a Ref, a number, a text or a list of them."""
    ((kind, said),) = arg.items()
    if kind == "as_tensor":
        return Ref(_text(said["name"]))
    if kind in ("as_tensors", "as_optional_tensors"):
        return [Ref(_text(one["name"])) if "name" in one else _value(one) for one in said]
    if kind in ("as_sym_int", "as_sym_float", "as_sym_bool"):
        return Ref(_text(said["as_name"])) if "as_name" in said else next(iter(said.values()))
    if kind in ("as_sym_ints", "as_sym_floats"):
        return [Ref(_text(one["as_name"])) if "as_name" in one else next(iter(one.values())) for one in said]
    if kind == "as_none" or kind in _TO_TORCH:
        return None
    return said


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"a name is a {type(value).__name__}")
    return value


def _module(stack: str) -> tuple[str, bool]:
    """ "key,path,type;key,path,type" -> the innermost module's path and whether it is one layer of torch.nn."""
    if not stack:
        return "", False
    last = stack.split(";")[-1].split(",")
    return innermost(last[1], last[2]) if len(last) >= 3 else ("", False)


def _rows(graph: dict[str, Any]) -> tuple[ViewRow, ...]:
    rows = []
    for node in graph["nodes"][:_MOST_OPS]:
        op = _op(node)
        value = graph["tensor_values"].get(op.name)
        rows.append(ViewRow(op.name, op.kind, _shape(value) if value else None, 0, op.module))
    return tuple(rows)
