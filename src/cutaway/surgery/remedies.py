"""An edit that broke the network -> further edits near the break that mend it, each tried before it is told."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import fx, nn

from cutaway.errors import CutawayError
from cutaway.graph.kinds import settings_of
from cutaway.surgery.bridge import resize
from cutaway.surgery.dry import Break, Shape, called, dry_run_of, shape_text
from cutaway.surgery.edit import Edit
from cutaway.surgery.filters_of import CONVOLUTIONS
from cutaway.surgery.fit import FitInput
from cutaway.surgery.fits import before_of, first_break
from cutaway.surgery.inputs import MOST_PX, SetInputSize
from cutaway.surgery.layers import Insert, Remove
from cutaway.surgery.patient import Patient
from cutaway.surgery.strides import SetPadding, SetStride
from cutaway.surgery.windows import POOLS, layers_that, per_axis

Remedy = tuple[str, tuple[Edit, ...]]
LEAVE_OUT: Remedy = ("leave the edit out", ())
MOST_TOLD = 3
MOST_TRIED = 16
MOST_REMOVED = 6
_MOST_FITTED = 24


def remedies_for(patient: Patient, at: int, broken: Break) -> tuple[Remedy, ...]:
    """Patient, number of the edit that broke it, where -> what works in its place; the last: leaving it out.

    Edits made after it are made after the remedy too.
    """
    found: list[Remedy] = []
    for sentence, instead in itertools.islice(_candidates(patient, patient.done[at], broken), MOST_TRIED):
        if len(found) >= MOST_TOLD:
            break
        if _works_instead(patient, at, instead):
            found.append((sentence, instead))
    return (*found, LEAVE_OUT)


def _candidates(patient: Patient, edit: Edit, broken: Break) -> Iterator[Remedy]:
    if isinstance(edit, Remove) and not edit.bridge:
        yield f"put a bridge in the place of {edit.layer}", (dataclasses.replace(edit, bridge=True),)
    for sentence, extra in _Near(patient, broken).candidates():
        yield sentence, (edit, *extra)


def works(patient: Patient, extra: Sequence[Edit]) -> bool:
    """Whether a patient works after these edits too; it is left as it is."""
    trial = patient.copied()
    try:
        for edit in extra:
            trial.undergo(edit)
    except CutawayError:
        return False
    return first_break(trial) is None


def _works_instead(patient: Patient, at: int, instead: Sequence[Edit]) -> bool:
    """Whether these edits work in the place of one, with those made before and after it."""
    before, edit, after = patient.done[:at], patient.done[at], patient.done[at + 1 :]
    if not after and instead[0] is edit:  # the patient is there already
        return works(patient, instead[1:])
    return works(Patient(patient.original), [*before, *instead, *after])


@dataclass(frozen=True)
class _Side:
    """One input of the step that broke: the step it comes from and the maps it brings."""

    name: str
    shape: Shape  # (C, H, W)


class _Near:
    """Candidates near a break; whether they work is for others to try."""

    def __init__(self, patient: Patient, broken: Break) -> None:
        self._patient, self._broken = patient, broken
        self._edited = list(dict.fromkeys(name for edit in patient.done for name in edit.layers))
        self._was = before_of(patient).shapes
        self._step = patient.node(broken.step)
        self._sides = [_Side(name, shape) for name, shape in broken.given if len(shape) == 3]

    def candidates(self) -> Iterator[Remedy]:
        if self._broken.kind in ("joined", "spread"):
            yield from self._even()
        elif self._broken.kind == "small":
            yield from self._roomier()
        elif self._broken.kind == "output":
            yield from self._one_a_class()
        else:
            yield from self._fitting()

    # -- values of different sizes that meet

    def _even(self) -> Iterator[Remedy]:
        if len(self._sides) < 2:
            return
        for name in self._edited[-4:]:
            same = SetPadding(name, "same")
            yield same.sentence, (same,)
        changed = [s for s in self._sides if self._was.get(s.name, ())[1:] != s.shape]
        kept = [s for s in self._sides if s not in changed]
        if not changed or not kept:
            least = min(s.shape[1] * s.shape[2] for s in self._sides)
            changed = [s for s in self._sides if s.shape[1] * s.shape[2] == least]
            kept = [s for s in self._sides if s not in changed]
        if not kept:
            kept = changed[1:]
        yield from self._strides(kept, changed[0].shape)
        yield from self._strides(changed, kept[0].shape)
        if called(self._step) != "cat":
            yield from self._same_channels(changed, kept[0].shape)
            yield from self._same_channels(kept, changed[0].shape)
        yield from self._resized(min)
        yield from self._resized(max)

    def _strides(self, sides: Sequence[_Side], goal: Shape) -> Iterator[Remedy]:
        """Other strides in the branches of these sides, so that their maps get the goal's height and width."""
        options = [self._stride_options(side, goal) for side in sides if side.shape[1:] != goal[1:]]
        if not options or not all(options):
            return
        for n in range(max(map(len, options))):
            edits = tuple(own[min(n, len(own) - 1)] for own in options)
            yield " and ".join(edit.sentence for edit in edits), edits

    def _stride_options(self, side: _Side, goal: Shape) -> list[SetStride]:
        found = []
        for name in self._branch(side):
            layer: Any = self._patient.layer(name)
            now = per_axis(layer, layer.stride)
            if len(now) == 2 and (stride := _towards(now, side.shape[1:], goal[1:])) not in (None, now):
                assert stride is not None
                found.append(SetStride(name, stride[0] if len(set(stride)) == 1 else stride))
        return found

    def _branch(self, side: _Side) -> list[str]:
        """Convolutions and pools that only this side goes through, the last first; not those of the edit itself."""
        shared = set().union(*(_before(self._patient.node(o.name)) for o in self._sides if o.name != side.name))
        found, node = [], self._patient.node(side.name)
        while node not in shared and node.all_input_nodes:
            if node.op == "call_module" and isinstance(
                self._patient.graph.get_submodule(str(node.target)), CONVOLUTIONS | POOLS
            ):
                found.append(self._patient.name(node))
            node = node.all_input_nodes[0]
        return [name for name in found if name not in self._edited]

    def _same_channels(self, sides: Sequence[_Side], goal: Shape) -> Iterator[Remedy]:
        wrong = [s for s in sides if s.shape[0] != goal[0]]
        edits = []
        for side in wrong:
            settings = {"kernel_size": 1, "out_channels": goal[0]}
            edits.append(Insert(side.name, "conv", settings, reader=self._broken.step))
        if edits:
            names = " and ".join(s.name for s in wrong)
            yield f"put a 1 x 1 convolution with new weights behind {names}", tuple(edits)

    def _resized(self, which: Callable[[Iterable[int]], int]) -> Iterator[Remedy]:
        """Pools on the larger sides, or the smaller ones enlarged, just for the step that broke."""
        goal = (which(s.shape[1] for s in self._sides), which(s.shape[2] for s in self._sides))
        edits = []
        for side in self._sides:
            for layer in resize(side.shape[1:], goal):
                kind, settings = type(layer).__name__, settings_of(layer)
                edits.append(Insert(side.name, kind, settings, reader=self._broken.step))
        if edits:
            what = self._called([edit.after for edit in edits])
            verb = "pool" if which is min else "enlarge"
            yield f"{verb} {what} to {shape_text(goal)} before {self._broken.step}", tuple(edits)

    def _called(self, names: list[str]) -> str:
        """ "what comes from conv1 and conv2", "the shortcut from conv1" where it is added to what was made of it."""
        others = [self._patient.node(s.name) for s in self._sides if s.name not in names]
        short = len(names) == 1 and all(self._patient.node(names[0]) in _before(other) for other in others)
        return f"{'the shortcut' if short and called(self._step) == 'add' else 'what comes'} from {' and '.join(names)}"

    # -- no place left

    def _roomier(self) -> Iterator[Remedy]:
        height, width = self._patient.contract.size
        for factor in (2, 4, 8, 16):
            size = SetInputSize((factor * height, factor * width))
            if factor * max(height, width) <= MOST_PX and works(self._patient, (size,)):
                yield size.sentence, (size,)
                break
        for name in self._strided_before():
            stride = SetStride(name, 1)
            yield stride.sentence, (stride,)
        pools = [name for name in layers_that(self._patient, _is_pool) if name not in self._edited]
        for n in range(1, 1 + min(len(pools), MOST_REMOVED)):
            gone = tuple(map(Remove, pools[-n:]))
            if works(self._patient, gone):
                yield f"remove {' and '.join(pools[-n:])}", gone
                break
        same = SetPadding(self._broken.step, "same")
        yield same.sentence, (same,)

    def _strided_before(self) -> list[str]:
        """The nearest convolutions and pools before the break that make maps smaller, the last first."""
        found: list[str] = []
        node = self._step
        while node.all_input_nodes and len(found) < 4:
            node = node.all_input_nodes[0]
            layer: Any = self._patient.graph.get_submodule(str(node.target)) if node.op == "call_module" else None
            if isinstance(layer, CONVOLUTIONS | POOLS) and any(s > 1 for s in per_axis(layer, layer.stride)):
                found.append(self._patient.name(node))
        return [name for name in found if name not in self._edited]

    def _layer(self) -> Any:
        return self._patient.graph.get_submodule(str(self._step.target)) if self._step.op == "call_module" else None

    # -- other channels, other numbers

    def _fitting(self) -> Iterator[Remedy]:
        if self._broken.kind == "numbers":
            yield from self._pooled_as_before()
            if self._sides and isinstance(self._layer(), nn.Linear):
                flat = Insert(self._sides[0].name, "flatten", reader=self._broken.step)
                yield from self._fitted((flat,), f"{flat.sentence} and ")
        yield from self._fitted((), "")

    def _pooled_as_before(self) -> Iterator[Remedy]:
        """A pool to the old height and width where the maps become rows."""
        shapes, node = dry_run_of(self._patient).shapes, self._step
        while node.all_input_nodes and len(shapes.get(self._patient.name(node), ())) != 4:
            reader, node = node, node.all_input_nodes[0]
            name = self._patient.name(node)
            now, then = shapes.get(name, ()), self._was.get(name, ())
            if len(now) == len(then) == 4 and now[2:] != then[2:]:
                pool = Insert(name, "AdaptiveAvgPool2d", {"output_size": then[2:]}, reader=self._patient.name(reader))
                yield f"pool {name} to {shape_text(then[2:])} as before", (pool,)

    def _fitted(self, start: tuple[Edit, ...], said: str) -> Iterator[Remedy]:
        """Each layer in turn that does not fit what it gets, made anew for it."""
        trial = self._patient.copied()
        fits: list[FitInput] = []
        try:
            for edit in start:
                trial.undergo(edit)
            while (broken := first_break(trial)) is not None and len(fits) < _MOST_FITTED:
                if broken.kind not in ("channels", "numbers"):
                    return
                fits.append(FitInput(broken.step))
                trial.undergo(fits[-1])
        except CutawayError:
            return
        names = [fit.layer for fit in fits]
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        if names:
            gets = "it gets" if len(names) == 1 else "they get"
            yield f"{said}make {', '.join(names[:3])}{more} anew for what {gets}", (*start, *fits)

    # -- answers

    def _one_a_class(self) -> Iterator[Remedy]:
        ((name, shape),) = self._broken.given
        if len(shape) == 3 and shape[0] == len(self._patient.classes):
            pool = Insert(name, "global_pool", name=f"{name}_mean")
            flat = Insert(f"{name}_mean", "flatten")
            yield f"take the mean of {name} over all places", (pool, flat)


def _towards(stride: tuple[int, ...], now: Shape, goal: Shape) -> tuple[int, ...] | None:
    """Stride, size of the maps it leads to, size wanted -> the stride that leads there, None for no whole one."""
    found = []
    for s, n, g in zip(stride, now, goal):
        down, up = round(n / g), round(g / n)
        if up > 1 and s % up:
            return None
        found.append(s // up if up > 1 else s * max(down, 1))
    return tuple(found)


def _is_pool(layer: nn.Module) -> bool:
    return isinstance(layer, POOLS)


def _before(node: fx.Node) -> set[fx.Node]:
    """A node and all that it depends on."""
    found, waiting = {node}, [node]
    while waiting:
        for source in waiting.pop().all_input_nodes:
            if source not in found:
                found.add(source)
                waiting.append(source)
    return found
