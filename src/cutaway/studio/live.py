"""/api/live: the page says what it looks at, the newest request is computed, its maps and answer come as frames."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from numpy.typing import NDArray
from pydantic import ValidationError

from cutaway.errors import CutawayError, one_line
from cutaway.studio.desk import Desk, Ran
from cutaway.studio.frames import NOT_FINITE, ends, floats, packed, quantised, reduced
from cutaway.studio.schemas.about import Told
from cutaway.studio.schemas.live import AnswerHead, LiveRequest, MapHead, RefusedHead, Watch
from cutaway.studio.told import told

if TYPE_CHECKING:
    from cutaway.engine.node_cache import NodeCache
    from cutaway.model import Model

_log = logging.getLogger("cutaway.studio")
TOP = 12
MOST_CHARACTERS = 4_000_000
_UNKNOWN = 1003  # RFC 6455: data of a kind that is not taken
router = APIRouter()


@router.websocket("/api/live")
async def live(socket: WebSocket) -> None:
    """One page's connection. While one request is computed, of those that arrive only the last is kept."""
    await socket.accept()
    desk: Desk = socket.app.state.desk
    waiting: asyncio.Queue[str] = asyncio.Queue(1)
    reading = asyncio.create_task(_read(socket, waiting))
    try:
        while True:
            asked = asyncio.create_task(waiting.get())
            done, _ = await asyncio.wait({asked, reading}, return_when=asyncio.FIRST_COMPLETED)
            if asked not in done:
                asked.cancel()
                return
            for frame in await desk.compute(_answered, desk, asked.result()):
                await socket.send_bytes(frame)
    except (WebSocketDisconnect, RuntimeError):  # the page went away while frames were on their way
        return
    finally:
        reading.cancel()
        with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # where it went away by itself
            await socket.close(_UNKNOWN)


async def _read(socket: WebSocket, waiting: asyncio.Queue[str]) -> None:
    try:
        while True:
            text = await socket.receive_text()
            if waiting.full():
                waiting.get_nowait()
            waiting.put_nowait(text)
    except (WebSocketDisconnect, RuntimeError, KeyError):  # KeyError: a message of bytes, which the page never sends
        return


def _answered(desk: Desk, text: str) -> list[bytes]:
    """Text of a request -> all frames of its answer, one that tells why where it is refused."""
    seq = -1
    try:
        if len(text) > MOST_CHARACTERS:
            raise ValueError("the request is too large")
        request = LiveRequest.model_validate_json(text)
        seq = request.seq
        return list(frames(desk, request))
    except CutawayError as error:
        why = told(error)
    except (ValidationError, ValueError) as error:
        why = Told(
            kind="request", message=f"The page asked in a way the studio does not know: {one_line(str(error))[:300]}."
        )
    except Exception as error:  # a fault of ours must not end the connection: the page would ask the same again
        _log.error("A live request failed", exc_info=error)
        message = f"Cutaway failed at this ({type(error).__name__}); the terminal it was started in shows where."
        why = Told(kind="fault", message=message)
    return [packed(RefusedHead(seq=seq, told=why).model_dump())]


def frames(desk: Desk, request: LiveRequest) -> Iterator[bytes]:
    """Request -> a frame of maps for each watched layer in running order, then the answer. Raises CutawayError."""
    start = time.perf_counter()
    ran = desk.run(request, frozenset(watch.layer for watch in request.watch))
    order = {name: i for i, name in enumerate(ran.after.trace)}
    fresh = frozenset(ran.after.ran) if ran.after is not ran.before else frozenset()
    whole = True
    for watch in sorted(request.watch, key=lambda w: order.get(w.layer, -1)):
        frame, finite = _map_frame(request.seq, watch, ran, watch.layer in fresh)
        whole &= finite
        yield frame
    yield _answer_frame(desk, request, ran, len(fresh), start, whole)


def _map_frame(seq: int, watch: Watch, ran: Ran, changed: bool) -> tuple[bytes, bool]:
    """-> the frame, and whether every value of its channels is a number."""
    asked: dict[str, Any] = {"seq": seq, "key": watch.key, "layer": watch.layer, "view": watch.view}
    shown = _maps(ran, watch)
    if shown is None:
        nothing: dict[str, Any] = dict.fromkeys(("shape", "channels", "lo", "hi", "silent"), ())
        head = MapHead(**asked, **nothing, size=(0, 0), full_lo=None, full_hi=None, missing=True)
        return packed(head.model_dump()), True
    maps, shape, (full_lo, full_hi) = shown
    channels = _channels(ran, watch, len(maps))
    picked = maps[list(channels)]
    planes = quantised(reduced(picked, watch.edge))
    low, high = ends(picked)
    silent = tuple(c for c, same in zip(channels, low == high, strict=True) if same)
    head = MapHead(
        **asked, shape=shape, size=planes.data.shape[1:], channels=channels, lo=tuple(floats(planes.lo)),
        hi=tuple(floats(planes.hi)), full_lo=full_lo, full_hi=full_hi, silent=silent, changed=changed,
    )  # fmt: skip
    return packed(head.model_dump(), planes.data), NOT_FINITE not in planes.data


Shown = tuple[NDArray[np.float32], tuple[int, ...], tuple[float | None, float | None]]


def _maps(ran: Ran, watch: Watch) -> Shown | None:
    """-> maps (C, H, W), the value's own shape, its range; None where the network has no such layer."""
    model, cache = (ran.base, ran.before) if watch.view == "before" else (ran.model, ran.after)
    values = value_of(model, cache, watch.layer)
    if values is None:
        return None
    shape = tuple(values.shape)
    if watch.view == "difference":
        earlier = value_of(ran.base, ran.before, watch.layer)
        values = values - earlier if earlier is not None and earlier.shape == values.shape else np.zeros_like(values)
    return as_maps(values), shape, _range(values)


def _range(values: NDArray[np.float32]) -> tuple[float | None, float | None]:
    """Smallest and largest of the finite values; None where there is none."""
    ends = np.array([values.min(), values.max()]) if values.size else np.empty(0)
    if not np.isfinite(ends).all():  # NaN takes both ends, so only then each value is looked at
        finite = values[np.isfinite(values)]
        ends = np.array([finite.min(), finite.max()]) if finite.size else np.empty(0)
    low, high = floats(ends) if ends.size else (None, None)
    return low, high


def value_of(model: Model, cache: NodeCache, layer: str) -> NDArray[np.float32] | None:
    """Model, its run, layer's name -> its value for the one picture, channels first; None where there is none."""
    from cutaway.engine.silent import channels_last
    from cutaway.engine.single import of_one_picture

    if layer not in cache.trace:
        return None
    last = channels_last(model.graph, _steps(model.graph)[layer])
    found: NDArray[np.float32] = of_one_picture(cache.trace[layer].detach().float().numpy(), last=last)
    return found


@functools.lru_cache(maxsize=2)
def _steps(graph: Any) -> Any:
    """Names of a network's steps, once for all maps of a request: the desk's networks stay as they are."""
    from cutaway.graph.names import names_of

    return names_of(graph)


def as_maps(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(C, H, W) as it is; a row of numbers (F,) -> one map of one row (1, 1, F); (L, C) -> one map (1, L, C)."""
    return values if values.ndim == 3 else values.reshape(1, -1, values.shape[-1])


def _channels(ran: Ran, watch: Watch, count: int) -> tuple[int, ...]:
    """Which channels: those asked for that are there, or those that vary most over the picture before the edits, so
    that the choice stays the same while an edit moves."""
    if watch.channels is not None:
        return tuple(c for c in watch.channels if 0 <= c < count)
    if watch.most >= count:
        return tuple(range(count))
    known = (watch.layer, watch.most)
    if known not in ran.picked or max(ran.picked[known], default=0) >= count:
        ran.picked[known] = _most_varied(ran, watch, count)
    return ran.picked[known]


def _most_varied(ran: Ran, watch: Watch, count: int) -> tuple[int, ...]:
    before = value_of(ran.base, ran.before, watch.layer)
    maps = as_maps(before) if before is not None and before.ndim == 3 and len(before) == count else None
    if maps is None:
        return tuple(range(watch.most))
    spread = np.nan_to_num(maps.reshape(count, -1).std(1), nan=-1)
    return tuple(sorted(int(c) for c in np.argsort(-spread, kind="stable")[: watch.most]))


def _answer_frame(desk: Desk, request: LiveRequest, ran: Ran, fresh: int, start: float, whole: bool) -> bytes:
    """`whole`: all that is watched is finite. Then all steps are run and looked through for NaN and infinity only where
    the answer is not: looking through them takes as long as running them."""
    from cutaway.surgery.effect import probabilities

    after = probabilities(ran.model, ran.after.trace.output)[0]
    before = probabilities(ran.base, ran.before.trace.output)[0] if ran.before is not ran.after else after
    if len(before) != len(after):
        before = np.full_like(after, np.nan)
    sound = whole and bool(np.isfinite(after).all())
    names = None if ran.model.classes == ran.base.classes else ran.model.classes
    top = tuple(int(i) for i in np.argsort(-after, kind="stable")[:TOP])
    head = AnswerHead(
        seq=request.seq, classes=len(after), names=names, top=top,
        ran=fresh, steps=ran.after.steps, ms=round((time.perf_counter() - start) * 1000, 2),
        non_finite="" if sound else desk.run(request).after.trace.non_finite,
    )  # fmt: skip
    return packed(head.model_dump(), np.stack([after, before]).astype("<f4"))
