"""What a unit looks for, as long work of the page: its pictures are kept a while under names that the page asks for."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from cutaway.errors import BadInput, CutawayError
from cutaway.events import Event, Found
from cutaway.studio.desk import Desk, Pixels
from cutaway.studio.keep import Keep
from cutaway.studio.schemas.explain import UnitRequest
from cutaway.studio.uploads import path_of

if TYPE_CHECKING:
    from cutaway.verbs.neuron import NeuronOptions, NeuronUnit, Patch

PICTURES = 300
_kept: WeakKeyDictionary[Desk, Keep[bytes]] = WeakKeyDictionary()
_lock = threading.Lock()


def picture(desk: Desk, name: str) -> bytes:
    """A picture's name -> its PNG. Raises BadInput for one that is no longer kept."""

    def gone() -> bytes:
        raise BadInput("This picture is no longer kept; search again.")

    return _pictures(desk).get(name, gone)


def options_of(asked: UnitRequest) -> NeuronOptions:
    """Request -> the verb's options. Raises BadInput for what cannot be asked."""
    from cutaway.verbs.neuron import NeuronOptions

    units = (asked.unit,) if asked.unit.strip() else ()
    return NeuronOptions(
        asked.model, units, data=path_of(asked.data), patches=asked.patches, steps=asked.steps, most=asked.most,
        channels=asked.channels, seed=asked.seed,
    )  # fmt: skip


def units(desk: Desk, asked: UnitRequest) -> Generator[Event, None, dict[str, Any]]:
    """-> NeuronResult.to_dict() with the names of its pictures; tells of the made picture ("picture") as it grows."""
    from cutaway.verbs.neuron_run import units_of

    batch, grown = secrets.token_hex(6), list[tuple[str, Pixels]]()
    model = desk.model(asked)

    def told() -> Iterator[Event]:
        while grown:
            unit, pixels = grown.pop()
            grown.clear()
            yield Found("picture", unit, (_keep(desk, f"{batch}-{secrets.token_hex(4)}", pixels),))

    work = units_of(options_of(asked), model, None, lambda unit, pixels: grown.append((unit, pixels)))
    result = yield from _with(work, told)
    found: dict[str, Any] = result.to_dict()
    for document, unit in zip(found["units"], result.units, strict=True):
        document |= _drawn(desk, batch, unit) | {"here": _here(desk, asked, unit)}
    return found | {"size": list(model.contract.size)}


def _with(work: Generator[Event, None, Any], more: Callable[[], Iterator[Event]]) -> Generator[Event, None, Any]:
    """Work -> its events, after each of them those of `more`; a stop goes into the work."""
    try:
        event = next(work)
        while True:
            try:
                yield event
                yield from more()
            except KeyboardInterrupt as stop:
                event = work.throw(stop)
            else:
                event = next(work)
    except StopIteration as ended:
        return ended.value


def _drawn(desk: Desk, batch: str, unit: NeuronUnit) -> dict[str, Any]:
    """A unit -> the names of its pictures, and what of each it sees."""
    name = f"{batch}-{unit.name}"

    def patches(kind: str, found: tuple[Patch, ...]) -> list[dict[str, Any]]:
        return [
            patch.to_dict()
            | {"window": patch.window, "under": patch.under, "photo": _keep(desk, f"{name}-{kind}-{i}", patch.photo)}
            for i, patch in enumerate(found)
        ]

    made = None if unit.picture is None else _keep(desk, f"{name}-made", unit.picture.picture)
    return {
        "kind": unit.kind, "channel": unit.channel, "window": unit.window, "seen": unit.seen, "made": made,
        "strongest": patches("strong", unit.strongest), "weakest": patches("weak", unit.weakest),
    }  # fmt: skip


def _here(desk: Desk, asked: UnitRequest, unit: NeuronUnit) -> str | None:
    """Why the unit's map is as it is on the page's own picture, in a sentence; None without one, and for a class."""
    from cutaway.explanation.why_black import why_silent

    if not asked.picture or unit.target:
        return None
    try:
        model = desk.model(asked)
        return why_silent(model, unit.layer, unit.channel, desk.pixels(asked, model.contract)[None]).sentence
    except CutawayError as error:
        return str(error)


def _keep(desk: Desk, name: str, pixels: Pixels) -> str:
    from cutaway.image.write import to_png

    plain = "".join(c if c.isalnum() or c == "-" else "_" for c in name)
    _pictures(desk).get(plain, lambda: to_png(pixels))
    return plain


def _pictures(desk: Desk) -> Keep[bytes]:
    with _lock:
        return _kept.setdefault(desk, Keep(PICTURES))
