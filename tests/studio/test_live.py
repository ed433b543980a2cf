"""The socket's answers: the newest request wins, views of before and after, a choice of channels that stays."""

from __future__ import annotations

import json
import struct
import time
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from numpy.typing import NDArray

from cutaway.studio.desk import Desk
from cutaway.studio.live import as_maps, frames
from cutaway.studio.schemas.live import LiveRequest, Watch

NET, LAYER = "zoo:tutorial-cifar", "conv1"
DOUBLED = ({"edit": "scale_weights", "layer": LAYER, "factor": 2.0},)


@pytest.fixture(scope="module")
def desk() -> Any:
    made = Desk()
    yield made
    made.close()


def asked(desk: Desk, *watch: Watch, **more: Any) -> list[tuple[dict[str, Any], bytes]]:
    request = LiveRequest(seq=5, model=NET, picture="sample:cat", watch=watch, **more)
    found = []
    for frame in frames(desk, request):
        (length,) = struct.unpack("<I", frame[:4])
        found.append((json.loads(frame[4 : 4 + length]), frame[4 + length :]))
    return found


def values(head: dict[str, Any], data: bytes) -> NDArray[np.float64]:
    planes = np.frombuffer(data, np.uint8).reshape(len(head["channels"]), *head["size"]).astype(np.float64)
    lo, hi = (np.array(head[name], np.float64)[:, None, None] for name in ("lo", "hi"))
    found: NDArray[np.float64] = lo + planes / 254 * (hi - lo)
    return found


def test_before_after_and_difference_say_what_an_edit_does(desk: Desk) -> None:
    watches = [
        Watch(key=view, layer=LAYER, channels=(0, 3), edge=64, view=view) for view in ("before", "after", "difference")
    ]
    *maps, (answer, data) = asked(desk, *watches, edits=DOUBLED)
    before, after, difference = (
        values(*one) for one in sorted(maps, key=lambda m: ["before", "after", "difference"].index(m[0]["key"]))
    )
    level = np.ptp(after) / 100
    assert np.abs(after - before - difference).max() < level
    assert answer["ran"] > 0
    assert answer["kind"] == "answer"
    p, was = np.frombuffer(data, "<f4").reshape(2, -1)
    assert p.sum() == pytest.approx(1, abs=1e-5)
    assert was.sum() == pytest.approx(1, abs=1e-5)
    assert not np.array_equal(p, was)
    (plain, data) = asked(desk)[-1]
    same, unedited = np.frombuffer(data, "<f4").reshape(2, -1)
    assert np.array_equal(same, was)
    assert np.array_equal(same, unedited)
    assert plain["ran"] == 0


def test_the_channels_that_are_shown_stay_the_same_while_an_edit_moves(desk: Desk) -> None:
    watch = Watch(layer=LAYER, most=4)
    chosen = {
        tuple(
            asked(desk, watch, edits=({"edit": "scale_channels", "layer": "relu1", "channels": [0], "factor": f},))[0][
                0
            ]["channels"]
        )
        for f in (0.0, 0.5, 9.0)
    }
    assert chosen == {tuple(asked(desk, watch)[0][0]["channels"])}
    assert len(chosen.pop()) == 4


def test_silent_channels_are_named_and_maps_come_in_running_order(desk: Desk) -> None:
    off = ({"edit": "silence", "layer": LAYER, "channels": [2]},)
    *maps, _ = asked(desk, Watch(layer="dense2"), Watch(layer=LAYER, channels=(1, 2)), edits=off)
    assert [head["layer"] for head, _ in maps] == [LAYER, "dense2"]
    assert [head["changed"] for head, _ in maps] == [False, True]  # what silences stands behind the layer
    row = maps[1][0]
    assert (row["shape"], row["size"]) == ([10], [1, 10])
    after = asked(desk, Watch(layer="relu1", channels=(1, 2)), edits=off)[0][0]
    assert 2 in after["silent"]


def test_a_row_of_numbers_is_a_map_of_one_row() -> None:
    assert as_maps(np.zeros(7, np.float32)).shape == (1, 1, 7)
    assert as_maps(np.zeros((3, 7), np.float32)).shape == (1, 3, 7)
    assert as_maps(np.zeros((3, 7, 2), np.float32)).shape == (3, 7, 2)


def test_of_requests_that_wait_only_the_newest_is_answered(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    from cutaway.studio import live

    def slow(desk: Desk, request: LiveRequest) -> Any:
        time.sleep(0.25)
        return frames(desk, request)

    monkeypatch.setattr(live, "frames", slow)
    body = {"model": NET, "picture": "sample:cat"}
    with client.websocket_connect("ws://127.0.0.1:8765/api/live") as ws:
        ws.send_text(json.dumps({"seq": 0, **body}))
        time.sleep(0.1)
        for seq in range(1, 30):
            ws.send_text(json.dumps({"seq": seq, **body}))
        seen = []
        while 29 not in seen:
            frame = ws.receive_bytes()
            (length,) = struct.unpack("<I", frame[:4])
            seen.append(json.loads(frame[4 : 4 + length])["seq"])
    assert seen == [0, 29]
