"""Edits as a person types them <-> Edit objects: "conv1.kernel[3]=sobel_x", "silence conv2[5,7]", "remove block_6".

    LAYER.SETTING=VALUE       set conv1.stride=2, pool1.kind=avg, conv1.weight[3,0,1,1]=0.5, drop.rate=0.5
    LAYER=VALUE               relu3=gelu, bn1=removed, conv3=Conv2d(out_channels=8, kernel_size=3)
    all.SETTING=VALUE         the same for each layer that has the setting: all.activation=sigmoid
    input.SETTING=VALUE       input.size=160, input.channels=BGR
    classes=NAMES             classes=cat,dog
    silence LAYER[5,7]        keep LAYER[0:4]        scale LAYER[3]=2
    remove LAYER              insert LAYER=relu (after it)        rewire LAYER[1]=OTHER
    together conv1.stride=2; conv2.stride=2        one step: only what comes out of both has to work
    do {"edit": "silence", ...}        any edit as its JSON

Channels count from 0; 0:4 are 0, 1, 2 and 3. A setting's words lie in `settings`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence

from cutaway.errors import BadInput, CutawayError
from cutaway.graph.names import names_of, step_named
from cutaway.model import Model
from cutaway.surgery.apply import apply_or_tell_all
from cutaway.surgery.edit import Edit, edit_of
from cutaway.surgery.edits import KeepOnly, ScaleChannels, Silence
from cutaway.surgery.patient import Patient
from cutaway.surgery.phrases import text_of as text_of
from cutaway.surgery.settings import SETTINGS, Target, offered, read_alone, read_classes, read_input
from cutaway.surgery.values import channels_of, layer_of, number_of, split_outside, whole_of

Edits = tuple[Edit, ...]
EVERY = "all"
"""Stands for each layer that has the setting."""
_TARGET = re.compile(r"(?P<path>[^\[\]]+?)\s*(?:\[(?P<index>[^\[\]]*)\])?")


def read_edits(model: Model, texts: Sequence[str | Edit]) -> Edits:
    """Model, edits as texts or objects, in order -> the Edits. Each may name what those before it have made.

    Raises BadInput in one sentence: the text, the part of it that cannot be read, and what the layer offers.
    """
    patient = Patient(model)
    found: list[Edit] = []
    waiting: Edits = ()  # the last ones need not be done: nothing is read after them
    for text in texts:
        if isinstance(text, Edit):
            read: Edits = (text,)
        else:
            _operate(patient, waiting, model, found)
            read, waiting = read_edit(patient, text), ()
        waiting += read
        found += read
    return tuple(found)


def _operate(patient: Patient, edits: Edits, model: Model, found: list[Edit]) -> None:
    """The edits on the patient. Raises BadInput that tells of all found so far which do not fit the model."""
    for edit in edits:
        try:
            patient.undergo(edit)
        except CutawayError as error:
            apply_or_tell_all(model, found)  # tells which edit broke the network that this one does not fit, too
            raise BadInput(f"{edit.sentence}: {error}") from None


def read_edit(patient: Patient, text: str) -> Edits:
    """Patient as it is now, one text -> its Edits: one, or several where the text names several kernels or layers."""
    word, _, rest = text.strip().partition(" ")
    read = _VERBS.get(word, _set)
    try:
        return read(patient, (rest if word in _VERBS else text).strip())
    except CutawayError as error:
        raise BadInput(f"{text.strip()}: {error}") from None


def _set(patient: Patient, text: str) -> Edits:
    left, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not value or not left:
        raise BadInput("an edit reads LAYER.SETTING=VALUE, such as conv1.stride=2 or relu1=gelu.")
    if left == "classes":
        return read_classes(patient, value)
    path, index = _place(left)
    if path.startswith("input.") and path not in names_of(patient.graph):
        return read_input(path.removeprefix("input."), value)
    if path.startswith(f"{EVERY}."):
        return _everywhere(patient, path.removeprefix(f"{EVERY}."), index, value)
    if value == "removed" and path not in names_of(patient.graph):
        return _remove(patient, path)  # a block of layers has no step of its name
    layer, setting = _layer_and_setting(patient, path)
    return _read_setting(Target(patient, layer, index), setting, value)


def _place(left: str) -> tuple[str, str | None]:
    """ "conv1.kernel[3,0]" -> ("conv1.kernel", "3,0")."""
    found = _TARGET.fullmatch(left)
    if found is None:
        raise BadInput(f"{left!r} is no place; it reads LAYER, LAYER.SETTING or LAYER.SETTING[3,0].")
    return found["path"], found["index"]


def _layer_and_setting(patient: Patient, path: str) -> tuple[str, str]:
    """The layer a path names, and what comes behind it; layer names hold dots themselves."""
    names = names_of(patient.graph)
    if path in names:
        return path, ""
    layer, _, setting = path.rpartition(".")
    if layer in names:
        return layer, setting
    step_named(patient.graph, layer if setting in SETTINGS else path)  # raises with the nearest names
    raise AssertionError("a name that is there was found above")


def _read_setting(target: Target, setting: str, value: str) -> Edits:
    if not setting:
        if target.index is not None:
            raise BadInput(f"which numbers of {target.layer}? Write {target.layer}.kernel[{target.index}]=... or so.")
        return read_alone(target, value)
    offers = offered(target.patient, target.layer)
    if setting not in offers:
        has = f"it has {', '.join(offers)}" if offers else "it can only be removed or rewired"
        raise BadInput(f"{target.layer} ({target.kind}) has no setting {setting!r}; {has}.")
    return SETTINGS[setting](target, value)


def _everywhere(patient: Patient, setting: str, index: str | None, value: str) -> Edits:
    if setting not in SETTINGS:
        raise BadInput(f"there is no setting {setting!r}; there are {', '.join(SETTINGS)}.")
    names = [name for name in names_of(patient.graph) if setting in offered(patient, name, own=True)]
    if not names:
        raise BadInput(f"no layer has the setting {setting!r}.")
    return tuple(edit for name in names for edit in SETTINGS[setting](Target(patient, name, index), value))


def _channels(patient: Patient, text: str) -> tuple[str, tuple[int, ...]]:
    """ "conv2[5,7]" or "conv2=5" -> layer, channels."""
    left, _, right = (part.strip() for part in text.partition("="))
    path, index = _place(left)
    step_named(patient.graph, path)
    if (index is None) == (not right):
        raise BadInput(f"which channels of {path}? Write {path}[5,7] or {path}[0:4].")
    return path, channels_of(right if index is None else index)


def _silence(patient: Patient, text: str) -> Edits:
    return (Silence(*_channels(patient, text)),)


def _keep(patient: Patient, text: str) -> Edits:
    return (KeepOnly(*_channels(patient, text)),)


def _scale(patient: Patient, text: str) -> Edits:
    left, _, value = (part.strip() for part in text.partition("="))
    if not value:
        raise BadInput(f"by how much? Write {left or 'conv2[3]'}=2.")
    path, index = _place(left)
    step_named(patient.graph, path)
    return (ScaleChannels(path, number_of(value, "the factor"), () if index is None else channels_of(index)),)


def _remove(patient: Patient, text: str) -> Edits:
    del patient  # a block of layers has no step of its name: the edit itself looks
    return (edit_of({"edit": "remove", "layer": text}),)


def _insert(patient: Patient, text: str) -> Edits:
    left, equals, value = (part.strip() for part in text.partition("="))
    if not equals or not value:
        raise BadInput(f"insert what? Write {left or 'conv1'}=relu or {left or 'conv1'}=MaxPool2d(kernel_size=2).")
    step_named(patient.graph, left)
    kind, settings = layer_of(value)
    return (edit_of({"edit": "insert", "after": left, "kind_of": kind, "settings": settings}),)


def _rewire(patient: Patient, text: str) -> Edits:
    left, equals, other = (part.strip() for part in text.partition("="))
    if not equals or not other:
        raise BadInput(
            f"rewire to what? Write {left or 'add'}=OTHER, or {left or 'add'}[1]=OTHER for its second input."
        )
    path, index = _place(left)
    step_named(patient.graph, path)
    step_named(patient.graph, other)
    which = 0 if index is None else whole_of(index, "the input's number")
    return (edit_of({"edit": "rewire", "layer": path, "input": which, "to": other}),)


def _together(patient: Patient, text: str) -> Edits:
    parts = split_outside(text, ";")
    if len(parts) < 2:
        raise BadInput("edits that belong together are separated by ';', such as conv1.stride=2; conv2.stride=2.")
    edits = [edit.to_dict() for part in parts for edit in read_edit(patient, part)]
    return (edit_of({"edit": "together", "edits": edits}),)


def _json(patient: Patient, text: str) -> Edits:
    del patient
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"this is no JSON ({str(error)[:60]}).") from None
    return (edit_of(document),)


_VERBS: dict[str, Callable[[Patient, str], Edits]] = {
    "set": _set,
    "silence": _silence,
    "keep": _keep,
    "scale": _scale,
    "remove": _remove,
    "insert": _insert,
    "rewire": _rewire,
    "together": _together,
    "do": _json,
}
