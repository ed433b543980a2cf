"""What a page, a second tab or a stranger can throw at the studio: it answers in a sentence and lives on."""

from __future__ import annotations

import json
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from cutaway.studio import uploads
from cutaway.studio.uploads import uploads_folder
from tests.studio import kit

LIVE = "ws://127.0.0.1:8765/api/live"
NET = "zoo:lenet5"
CONV = "c1"


def request(seq: int, **more: Any) -> str:
    return json.dumps({"seq": seq, "model": NET, "picture": "sample:cat", "watch": [], **more})


def head(frame: bytes) -> dict[str, Any]:
    (length,) = struct.unpack("<I", frame[:4])
    found: dict[str, Any] = json.loads(frame[4 : 4 + length])
    return found


def last(ws: Any) -> dict[str, Any]:
    """Frames up to the one that ends an answer -> its head."""
    while True:
        found = head(ws.receive_bytes())
        if found["kind"] in ("answer", "refused"):
            return found


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "The page asked in a way the studio does not know"),
        ("no json", "The page asked in a way the studio does not know"),
        ("[]", "The page asked in a way the studio does not know"),
        ("[" * 50_000, "The page asked in a way the studio does not know"),
        ('{"seq": 1}', "The page asked in a way the studio does not know"),
        (request(1, model=""), "The page asked in a way the studio does not know"),
        (request(1, more=1), "The page asked in a way the studio does not know"),
        (request(1, watch=[{"layer": CONV, "edge": 0}]), "The page asked in a way the studio does not know"),
        (request(1, watch=[{"layer": CONV, "most": 10**9}]), "The page asked in a way the studio does not know"),
        (request(1, watch=[{"layer": CONV}] * 601), "The page asked in a way the studio does not know"),
        (request(1, model="x" * 5000), "The page asked in a way the studio does not know"),
        (" " * 5_000_000, "the request is too large"),
        (request(1, model="nothing.h5"), "There is no model file nothing.h5"),
        (request(1, model="a\x00b"), ""),
        (request(1, model="/dev/zero"), "There is no run"),
        (request(1, model="/"), "is a folder"),
        (request(1, picture="nowhere.png"), "nowhere.png is no file"),
        (request(1, picture="/dev/zero"), ""),
        (request(1, picture="a\x00b"), ""),
        (request(1, picture="\ud800"), ""),
        (request(1, picture=""), "No picture is chosen yet"),
        (request(1, edits=[{"edit": "magic"}]), "magic"),
        (request(1, edits=[{}]), ""),
        (request(1, edits=[{"edit": "scale_weights", "layer": "conv9", "factor": 1}]), "conv9"),
        (request(1, edits=[{"edit": "scale_weights", "layer": CONV, "factor": "much"}]), ""),
        (request(1, edits=[{"edit": "scale_weights", "layer": CONV, "factor": float("nan")}]), ""),
        (request(1, shift=[{"kind": "rotate", "amount": 1e9}]), ""),
        (request(1, shift=[{"kind": "zoom", "amount": 0}]), ""),
    ],
)
def test_junk_on_the_socket_is_told_and_the_next_request_is_answered(client: TestClient, text: str, why: str) -> None:
    with client.websocket_connect(LIVE) as ws:
        ws.send_text(text)
        found = last(ws)
        assert found["kind"] == "refused"
        assert why in found["told"]["message"]
        assert found["told"]["message"]
        assert "Traceback" not in found["told"]["message"]
        assert found["told"]["kind"] != "fault"
        ws.send_text(request(2))
        assert last(ws)["seq"] == 2


def test_unknown_layers_and_channels_that_are_not_there_are_left_out(client: TestClient) -> None:
    with client.websocket_connect(LIVE) as ws:
        ws.send_text(request(1, watch=[{"layer": "nowhere"}, {"layer": CONV, "channels": [-1, 0, 10**6]}]))
        missing, maps = (head(ws.receive_bytes()) for _ in range(2))
        assert missing["missing"]
        assert maps["channels"] == [0]
        assert last(ws)["seq"] == 1


def test_bytes_end_the_connection_and_nothing_else(client: TestClient) -> None:
    with client.websocket_connect(LIVE) as ws:
        ws.send_bytes(b"\x00" * 1000)
        with pytest.raises(WebSocketDisconnect):
            ws.receive_bytes()
    with client.websocket_connect(LIVE) as ws:
        ws.send_text(request(1))
        assert last(ws)["seq"] == 1


def test_fifty_rapid_reconnects(client: TestClient) -> None:
    for number in range(50):
        with client.websocket_connect(LIVE) as ws:
            if number % 2:
                ws.send_text(request(number))
    with client.websocket_connect(LIVE) as ws:
        ws.send_text(request(99))
        assert last(ws)["seq"] == 99


def test_two_tabs_get_each_their_own(client: TestClient) -> None:
    with client.websocket_connect(LIVE) as one, client.websocket_connect(LIVE) as two:
        for seq in range(4):
            one.send_text(request(seq))
            two.send_text(request(100 + seq, picture="sample:coffee", model="zoo:tutorial-cifar"))
            assert last(two)["seq"] == 100 + seq
            assert last(one)["seq"] == seq


def kept_files() -> set[Path]:
    folder = uploads_folder()
    return {p for p in folder.rglob("*") if p.is_file()} if folder.is_dir() else set()


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("cat.png", "cat.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\dog.jpg", "dog.jpg"),
        ("a\x00b\x1b[31mc\r\nd.h5", None),
        ("..", "file"),
        (".", "file"),
        ("/", "file"),
        ("x" * 500 + ".h5", "x" * 80 + ".h5"),
        ("größe ✂ 100%.png", "größe _ 100_.png"),
        ("con.png", None),
    ],
)
def test_a_dropped_files_name_is_only_a_name(client: TestClient, name: str, kept: str | None) -> None:
    from urllib.parse import quote

    data = name.encode() * 3
    answer = client.post("/api/uploads", content=data, headers={"X-File-Name": quote(name)})
    assert answer.status_code == 200
    found = answer.json()
    assert found["bytes"] == len(data)
    assert kept is None or found["name"] == kept
    assert found["name"].isprintable()
    path = Path(uploads.path_of(found["address"]))
    assert path.read_bytes() == data
    assert path.parent.parent == uploads_folder()


def test_what_is_empty_too_large_or_cut_off_leaves_nothing(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    before = kept_files()
    empty = client.post("/api/uploads", content=b"", headers={"X-File-Name": "a.h5"})
    assert (empty.status_code, empty.json()["message"]) == (400, "a.h5 is empty; choose another file.")
    monkeypatch.setattr(uploads.keep_upload, "__defaults__", (2**20,))
    large = client.post("/api/uploads", content=b"x" * (2**20 + 1), headers={"X-File-Name": "a.h5"})
    assert (large.status_code, large.json()["message"]) == (400, "a.h5 has more than 1 MiB, the most the studio takes.")
    assert client.post("/api/uploads", content=b"x").status_code == 422  # no name
    frame = client.post("/api/frames", content=b"x" * (5 * 2**20))
    assert "A webcam picture has" in frame.json()["message"]
    assert "has 0 bytes" in client.post("/api/frames", content=b"").json()["message"]
    assert kept_files() == before


@pytest.fixture(scope="module")
def plain_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[kit.Studio]:
    with kit.studio(tmp_path_factory.mktemp("plain"), NET, "--picture", "sample:cat") as running:
        yield running


def test_an_upload_that_breaks_off_leaves_nothing(plain_server: kit.Studio) -> None:
    before = kept_files()
    parts = urlsplit(plain_server.address)
    token = parts.query.removeprefix("token=")
    port = int(parts.port or 0)
    with socket.create_connection(("127.0.0.1", port), timeout=10) as half:
        half.sendall(
            f"POST /api/uploads HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: cutaway-{port}={token}\r\n"
            f"X-File-Name: half.h5\r\nContent-Length: 100000\r\n\r\n".encode()
            + b"x" * 5000
        )
        time.sleep(0.3)
        half.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    deadline = time.time() + 5
    while kept_files() != before and time.time() < deadline:
        time.sleep(0.05)
    assert kept_files() == before


def test_the_real_server_answers_on_loopback_only(plain_server: kit.Studio) -> None:
    port = int(urlsplit(plain_server.address).port or 0)
    listening = Path("/proc/net/tcp")
    if not listening.exists():
        pytest.skip("this system does not list its sockets in /proc/net/tcp")
    rows = [line.split() for line in listening.read_text().splitlines()[1:]]
    mine = {row[1].split(":")[0] for row in rows if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}
    assert mine == {"0100007F"}  # 127.0.0.1, little-endian


def test_maps_decode_to_the_trace_of_the_engine(client: TestClient) -> None:
    """lo + byte / 254 (hi - lo) is the true value within (hi - lo) / 508."""
    from cutaway.dataset.sample_pictures import sample_picture
    from cutaway.engine.prepare import prepare
    from cutaway.engine.trace import trace_steps
    from cutaway.image.fit import fit_picture
    from cutaway.verbs.find import find_model

    model = find_model(NET)
    pixels = fit_picture(sample_picture("cat"), model.contract)[np.newaxis]
    true = trace_steps(model.graph, prepare(pixels, model.contract))[CONV][0].numpy()
    with client.websocket_connect(LIVE) as ws:
        ws.send_text(request(1, watch=[{"layer": CONV, "most": 64, "edge": 512}]))
        frame = ws.receive_bytes()
        about = head(frame)
        data = np.frombuffer(frame[-int(np.prod([len(about["channels"]), *about["size"]])) :], np.uint8)
    planes = data.reshape(len(about["channels"]), *about["size"]).astype(np.float64)
    lo, hi = (np.array(about[name])[:, None, None] for name in ("lo", "hi"))
    assert about["shape"] == list(true.shape)
    assert np.abs(lo + planes / 254 * (hi - lo) - true[about["channels"]]).max() <= ((hi - lo) / 508).max() * 1.001
