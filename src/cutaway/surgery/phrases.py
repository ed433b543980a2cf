"""Edit -> the text that a person types for it, which `language.read_edits` reads back to the same Edit."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from cutaway.surgery.edit import Edit
from cutaway.surgery.edits import (
    AddNoise,
    FlipKernels,
    FoldNorm,
    FreezeStatistics,
    KeepOnly,
    RandomiseWeights,
    Remove,
    RemoveNorm,
    ResetStatistics,
    Rewire,
    RotateKernels,
    RoundWeights,
    ScaleBias,
    ScaleChannels,
    ScaleWeights,
    SetActivation,
    SetBias,
    SetClasses,
    SetDilation,
    SetDropout,
    SetEpsilon,
    SetFilters,
    SetGroups,
    SetInput,
    SetInputSize,
    SetKernel,
    SetKernelSize,
    SetPadding,
    SetPooling,
    SetStride,
    SetWeight,
    Silence,
    SwapChannels,
    Together,
    ZeroWeights,
)


def text_of(edit: Edit) -> str:
    """Edit -> its text; "do {...}" with its JSON for an edit that has no shorter one."""
    phrase = _PHRASES.get(type(edit), lambda _: "")(edit)
    return phrase or f"do {json.dumps(edit.to_dict(), ensure_ascii=False)}"


def _kernel(edit: SetKernel) -> str:
    if edit.channel is None and edit.input is not None:
        return ""
    if not isinstance(edit.to, str):
        to, plain = json.dumps(edit.to), edit.keep_energy
    else:
        to, plain = edit.to if edit.keep_energy else f"{edit.to}(as_is)", True
    place = ",".join(str(n) for n in (edit.channel, edit.input) if n is not None)
    return f"{edit.layer}.kernel{f'[{place}]' if place else ''}={to}" if plain else ""


def _worked(edit: Any, how: str) -> str:
    """Weights of chosen outputs and inputs; a text names ranges only, so others are told as JSON."""
    out, into = _axis(edit.channels), _axis(getattr(edit, "inputs", ()))
    if out is None or into is None:
        return ""
    place = f"{out or ':'},{into}" if into else out
    return f"{edit.layer}.weight{f'[{place}]' if place else ''}={how}"


def _axis(channels: Sequence[int]) -> str | None:
    """(3,) -> "3", (2, 3, 4) -> "2:5", () -> ""; None where it is no range."""
    if not channels:
        return ""
    if tuple(channels) != tuple(range(channels[0], channels[-1] + 1)):
        return None
    return str(channels[0]) if len(channels) == 1 else f"{channels[0]}:{channels[-1] + 1}"


def _listed(channels: Sequence[int]) -> str:
    return f"[{','.join(map(str, channels))}]" if channels else ""


def _activation(edit: SetActivation) -> str:
    return f"{edit.layer}.activation={edit.to}{'' if edit.parameter is None else f'({edit.parameter!r})'}"


def _dropout(edit: SetDropout) -> str:
    return "" if edit.seed else f"{edit.layer}.{'always' if edit.at_prediction else 'rate'}={edit.rate!r}"


def _input_size(edit: SetInputSize) -> str:
    return f"input.size={_size(edit.size)}"


def _input(edit: SetInput) -> str:
    """One setting a text; an edit of several is told as JSON."""
    given = {k: v for k, v in edit.to_dict().items() if k != "edit" and v is not None}
    if len(given) != 1:
        return ""
    ((name, value),) = given.items()
    return f"input.{name}={','.join(map(repr, value)) if isinstance(value, list) else value}"


def _size(size: int | tuple[int, ...]) -> str:
    return str(size) if isinstance(size, int) else "x".join(map(str, size))


def _classes(edit: SetClasses) -> str:
    odd = any(c in name for name in edit.names for c in ",()[]{}'\"") or any(
        n != n.strip() or not n for n in edit.names
    )
    return "" if odd else f"classes={','.join(edit.names)}"


_PHRASES: dict[type[Edit], Callable[[Any], str]] = {
    SetKernel: _kernel,
    SetWeight: lambda e: (
        f"{e.layer}.{e.which}{_listed(e.index)}={e.value!r}"
        if e.which in ("weight", "running_mean", "running_var") and e.index
        else ""
    ),
    ZeroWeights: lambda e: _worked(e, "zero"),
    ScaleWeights: lambda e: _worked(e, f"times({e.factor!r})"),
    AddNoise: lambda e: _worked(e, f"noise({e.amount!r},{e.seed})"),
    RandomiseWeights: lambda e: _worked(e, f"random({e.seed})"),
    RoundWeights: lambda e: _worked(e, f"bits({e.bits})"),
    RotateKernels: lambda e: _worked(e, f"rotate({e.degrees!r})"),
    FlipKernels: lambda e: _worked(e, f"flip({e.axis})"),
    SetBias: lambda e: f"{e.layer}.bias{_listed(e.channels)}={e.value!r}",
    ScaleBias: lambda e: f"{e.layer}.bias{_listed(e.channels)}=times({e.factor!r})",
    SwapChannels: lambda e: f"{e.layer}.swap={e.first},{e.second}",
    Silence: lambda e: f"silence {e.layer}{_listed(e.channels)}",
    KeepOnly: lambda e: f"keep {e.layer}{_listed(e.channels)}",
    ScaleChannels: lambda e: f"scale {e.layer}{_listed(e.channels)}={e.factor!r}",
    SetActivation: _activation,
    RemoveNorm: lambda e: f"{e.layer}=removed",
    FoldNorm: lambda e: f"{e.layer}=folded",
    FreezeStatistics: lambda e: f"{e.layer}={'frozen' if e.frozen else 'thawed'}",
    ResetStatistics: lambda e: f"{e.layer}=reset",
    SetEpsilon: lambda e: f"{e.layer}.eps={e.eps!r}",
    SetDropout: _dropout,
    SetInputSize: _input_size,
    SetClasses: _classes,
    SetInput: _input,
    SetStride: lambda e: f"{e.layer}.stride={_size(e.stride)}",
    SetPadding: lambda e: f"{e.layer}.padding={e.padding if isinstance(e.padding, str) else _size(e.padding)}",
    SetDilation: lambda e: f"{e.layer}.dilation={_size(e.dilation)}",
    SetGroups: lambda e: f"{e.layer}.groups={e.groups}",
    SetKernelSize: lambda e: f"{e.layer}.size={_size(e.size)}",
    SetFilters: lambda e: "" if e.seed or e.keep != "strongest" else f"{e.layer}.filters={e.filters}",
    SetPooling: lambda e: f"{e.layer}.kind={e.to}",
    Remove: lambda e: "" if e.bridge else f"remove {e.layer}",
    Rewire: lambda e: f"rewire {e.layer}[{e.input}]={e.to}",
    Together: lambda e: "" if len(e.edits) < 2 else f"together {'; '.join(map(text_of, e.edits))}",
}
