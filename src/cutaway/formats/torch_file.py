"""PyTorch .pt/.pth files (state_dict, checkpoint, whole pickled module) -> BareWeights. Nothing in the file is run.

The pickle is read as data (pickle_data): a state_dict gives exactly what torch.load(weights_only=True) gives, and a
whole pickled module gives its weights without its code, for which the matching network has to be known.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from cutaway.errors import BadModel
from cutaway.formats.parts import BareWeights
from cutaway.formats.pickle_data import Call
from cutaway.formats.torch_archive import Saved, is_old_layout, names_in_zip, read_old, read_zip, walk

# Where checkpoints keep the weights, the averaged ones first: they are what a training program evaluates.
_PLACES = (
    "state_dict_ema", "model_ema", "ema_state_dict", "ema", "params_ema", "state_dict", "model_state_dict", "model",
    "net", "network", "weights", "params", "module", "student", "teacher",
)  # fmt: skip
_NOT_WEIGHTS = ("optim", "sched", "scaler", "loss", "hyper", "args", "config", "rng", "callbacks")
_DEEPEST = 40
_MOST_MODULES = 20_000


def matches(head: bytes, path: Path) -> bool:
    """First bytes and path -> whether torch.save wrote it (TorchScript archives have a reader of their own)."""
    if is_old_layout(head):
        return True
    if not head.startswith(b"PK\x03\x04"):
        return False
    ends = {name.rpartition("/")[2] for name in names_in_zip(path)}
    return "data.pkl" in ends and "constants.pkl" not in ends


def read(path: Path) -> BareWeights:
    """Path -> its weights by name. Raises BadModel: damaged, cut short, no weights in it."""
    with path.open("rb") as file:
        saved = read_zip(path) if file.read(4) == b"PK\x03\x04" else read_old(path)
    found = dict(_places(saved.tree))
    whole = not found and isinstance(saved.tree, Call)
    where, flat = _chosen(found) if found else ("", dict(module_tensors(saved.tree)))
    tensors, left = _tensors(saved, flat)
    if not tensors:
        raise BadModel(f"{path.name} is a PyTorch file without weights by layer name: it holds {_held(saved.tree)}.")
    notes = _notes(found, where, left)
    card = {"format": "PyTorch state_dict" if not whole else "PyTorch pickled module"}
    if saved.layout == "older":
        card["format"] += " (older layout)"
    module = _module_class(found.get(where) if found else saved.tree)
    if module:
        card["class"] = module
        notes.append(
            f"The file is a pickled object of the class {module}; its weights were read, its code was not run."
        )
    card |= _named_network(saved.tree)
    return BareWeights(tensors, {**card, "notes": " ".join(notes)})


def _places(tree: Any) -> Iterator[tuple[str, Any]]:
    """Tree -> path ("", "model", "ema.module"): each dict of tensors, or module, in it."""
    waiting: list[tuple[str, Any, int]] = [("", tree, 0)]
    seen: set[int] = set()
    while waiting:
        where, value, depth = waiting.pop(0)
        held = contents(value)
        if held is None or depth > 4 or id(value) in seen:
            continue
        seen.add(id(value))
        if (is_module(value) and where) or (any(_is_tensor(v) for v in held.values()) and not is_module(value)):
            yield where, value
        elif not is_module(value):
            inner = [(k, v) for k, v in held.items() if isinstance(k, str) and not k.lower().startswith(_NOT_WEIGHTS)]
            waiting += [(f"{where}.{k}".lstrip("."), v, depth + 1) for k, v in inner[:1000]]


def _chosen(found: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    def rank(where: str) -> tuple[int, int]:
        parts = where.lower().split(".")
        best = min((_PLACES.index(p) for p in parts if p in _PLACES), default=len(_PLACES))
        return best, -len(contents(found[where]) or ())

    where = min(found, key=rank)
    value = found[where]
    if is_module(value):
        return where, dict(module_tensors(value))
    return where, {str(k): v for k, v in (contents(value) or {}).items()}


def contents(value: Any) -> dict[Any, Any] | None:
    """A dict or what stands for an OrderedDict (or a subclass of dict) -> its items, None for anything else."""
    if isinstance(value, dict):
        return value
    if isinstance(value, Call):
        if value.items:
            return value.items
        if value.name.endswith((".OrderedDict", ".defaultdict")):
            return value.items
        if is_module(value):
            return dict(value.state)
    return None


def is_module(value: Any) -> bool:
    """Whether a pickle's note is of an nn.Module: its state has _modules and _parameters."""
    return isinstance(value, Call) and isinstance(value.state, dict) and {"_modules", "_parameters"} <= set(value.state)


def module_tensors(module: Any) -> Iterator[tuple[str, Any]]:
    """A pickled module's note -> name: note of each parameter and buffer, as its state_dict() would list them."""
    waiting = [("", module, 0)]
    for _ in range(_MOST_MODULES):
        if not waiting:
            return
        prefix, module, depth = waiting.pop()
        if not is_module(module) or depth > _DEEPEST:
            continue
        yield from _own_tensors(module, prefix)
        inner = (contents(module.state["_modules"]) or {}).items()
        waiting += reversed([(f"{prefix}{name}.", child, depth + 1) for name, child in inner])
    raise BadModel(f"The pickled module is made of more than {_MOST_MODULES:,} modules; nothing more was read.")


def _own_tensors(module: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for group in ("_parameters", "_buffers"):
        for name, value in (contents(module.state.get(group)) or {}).items():
            if value is not None:
                yield f"{prefix}{name}", value


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Call) and value.name.startswith("torch._utils._rebuild_")


def _tensors(saved: Saved, flat: dict[str, Any]) -> tuple[dict[str, torch.Tensor], list[str]]:
    tensors: dict[str, torch.Tensor] = {}
    left: list[str] = []
    for name, made in flat.items():
        if not _is_tensor(made):
            continue
        tensor = saved.store.tensor(made, name)
        if tensor is None:
            left.append(name)
        else:
            tensors[name] = tensor
    return tensors, left


def _notes(found: dict[str, Any], where: str, left: list[str]) -> list[str]:
    notes = []
    if where:
        others = [w for w in found if w != where]
        beside = f"; it also holds {', '.join(repr(o[:40]) for o in others[:4])}" if others else ""
        notes.append(f"The weights are those under {where!r} of the checkpoint{beside}.")
    if left:
        notes.append(f"{len(left)} tensors of a kind that is not read were left out (first {left[0][:60]!r}).")
    return notes


def _module_class(value: Any) -> str:
    return value.name[:100] if is_module(value) else ""


def _named_network(tree: Any) -> dict[str, str]:
    """What a checkpoint says of its network's name (timm's "arch", torchvision's args.model)."""
    held = contents(tree) or {}
    args = held.get("args")
    said = [held.get("arch"), held.get("architecture"), held.get("model_name")]
    if isinstance(args, Call) and isinstance(args.state, dict):
        said += [args.state.get("model"), args.state.get("arch")]
    name = next((s for s in said if isinstance(s, str) and 0 < len(s) < 80), "")
    return {"architecture": name} if name else {}


def _held(tree: Any) -> str:
    held = contents(tree)
    if held is not None:
        return "a dict with " + (", ".join(repr(str(k)[:30]) for k in list(held)[:5]) or "nothing in it")
    if isinstance(tree, Call):
        return f"an object of {tree.name[:80] or 'a computed class'}, which can only be made by running code"
    if any(isinstance(v, Call) for v in walk(tree)):
        return "objects that can only be made by running code"
    return f"a {type(tree).__name__}"
