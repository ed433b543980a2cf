"""Who may speak to the studio: the three locks, the policy of every answer, files that lie outside."""

from __future__ import annotations

import os
import pickle
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from cutaway.studio.app import create, locked
from cutaway.studio.security import POLICY, cookie_name, new_token
from cutaway.studio.serve import _listen

TOKEN = "the-token-of-this-start"
BASE = "http://127.0.0.1:8765"


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[TestClient]:
    """The application behind its locks, asked by somebody who has no key."""
    with TestClient(locked(create(folder=tmp_path), TOKEN), base_url=BASE, follow_redirects=False) as asking:
        yield asking


@pytest.fixture
def let_in(guarded: TestClient) -> TestClient:
    guarded.get(f"/?token={TOKEN}")
    return guarded


def test_the_address_from_the_terminal_brings_a_cookie_and_leaves_the_address(guarded: TestClient) -> None:
    answer = guarded.get(f"/?token={TOKEN}&theme=dark")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?theme=dark")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"{cookie_name(8765)}={TOKEN};")
    assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert "Domain" not in cookie
    assert guarded.get("/api/hello").status_code == 200


@pytest.mark.parametrize("address", ["/", "/api/hello", "/assets/x.js", "/api/jobs", "/api/picture?picture=sample:cat"])
def test_without_the_token_nothing_is_told(guarded: TestClient, address: str) -> None:
    answer = guarded.get(address)
    assert answer.status_code == 403
    assert answer.json()["message"].startswith("This page is locked: open the address that `cutaway studio` printed")


@pytest.mark.parametrize("old", ["", "x", TOKEN + "x", "ü", "a" * 5000])
def test_the_token_of_an_earlier_start_is_refused(guarded: TestClient, old: str) -> None:
    answer = guarded.get("/", params={"token": old})
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers
    if old.isascii():
        assert guarded.get("/api/hello", headers={"cookie": f"{cookie_name(8765)}={old}"}).status_code == 403


def test_the_cookie_of_another_port_opens_nothing(guarded: TestClient) -> None:
    assert guarded.get("/api/hello", headers={"cookie": f"{cookie_name(8766)}={TOKEN}"}).status_code == 403


@pytest.mark.parametrize("cookie", ["", ";;;", "=", "cutaway-8765", 'a="', "\x7f=\x7f", "x" * 20_000])
def test_cookies_that_are_none_are_no_key(guarded: TestClient, cookie: str) -> None:
    assert guarded.get("/api/hello", headers={"cookie": cookie}).status_code == 403


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "localhost.evil.example:8765", "192.168.0.7:8765",
     "0.0.0.0:8765", "[::2]:8765", "", "127.0.0.1@evil.example", "[", "localhost:99999999"],
)  # fmt: skip
def test_a_foreign_host_is_refused_even_with_the_token(let_in: TestClient, host: str) -> None:
    """DNS rebinding: another site's name that points at this machine."""
    answer = let_in.get("/api/hello", headers={"host": host, "cookie": f"{cookie_name(8765)}={TOKEN}"})
    assert answer.status_code == 403
    assert answer.json()["kind"] == "locked"


@pytest.mark.parametrize("host", ["localhost:8765", "[::1]:8765", "LOCALHOST:8765"])
def test_this_machine_has_several_names(guarded: TestClient, host: str) -> None:
    answer = guarded.get("/api/hello", headers={"host": host, "cookie": f"{cookie_name(8765)}={TOKEN}"})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "https://127.0.0.1:8765", "http://127.0.0.1:8766", ""]
)
def test_a_foreign_origin_is_refused_over_http_and_the_socket(let_in: TestClient, origin: str) -> None:
    refused = let_in.post("/api/machine", json={"model": "zoo:lenet5"}, headers={"origin": origin})
    assert refused.status_code == 403
    assert "Only the studio's own page may ask" in refused.json()["message"]
    with pytest.raises(WebSocketDisconnect) as closed:
        open_socket(let_in, origin=origin)
    assert closed.value.code == 1008


def open_socket(client: TestClient, **headers: str) -> None:
    with client.websocket_connect("ws://127.0.0.1:8765/api/live", headers=headers):
        pass


def test_the_socket_wants_the_token_and_the_host_too(guarded: TestClient) -> None:
    with pytest.raises(WebSocketDisconnect):
        open_socket(guarded)
    guarded.get(f"/?token={TOKEN}")
    with pytest.raises(WebSocketDisconnect):
        open_socket(guarded, host="evil.example")
    open_socket(guarded, origin=BASE)


@pytest.mark.parametrize("address", ["/", "/api/hello", "/api/nothing", "/api/picture?picture=sample:cat", "/theme.js"])
def test_every_answer_carries_the_policy(let_in: TestClient, address: str) -> None:
    headers = let_in.get(address).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    assert "unsafe-eval" not in POLICY
    assert "http" not in POLICY
    assert "default-src 'self'" in POLICY
    assert "frame-ancestors" in POLICY


@pytest.mark.parametrize(
    "path",
    ["/../app.py", "/..%2fapp.py", "/%2e%2e/%2e%2e/app.py", "/assets/../../app.py", "/assets/..%2f..%2fapp.py",
     "//etc/passwd", "/%2fetc%2fpasswd", "/etc/passwd", "/..%5capp.py", "/app.py%00.js", "/" + "x" * 5000],
)  # fmt: skip
def test_nothing_outside_the_built_page_is_served(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, let_in: TestClient, path: str
) -> None:
    static = tmp_path / "studio" / "static"
    (static / "assets").mkdir(parents=True)
    (static / "index.html").write_text("<h1>the page</h1>")
    (static.parent / "app.py").write_text("secret")
    (static / "assets" / "way-out").symlink_to(static.parent / "app.py")
    monkeypatch.setenv("CUTAWAY_STATIC", str(static))
    for one in (path, "/assets/way-out"):
        answer = let_in.get(one)
        assert "secret" not in answer.text
        assert "root:" not in answer.text
        assert (answer.status_code, answer.text) == (200, "<h1>the page</h1>")


@pytest.mark.parametrize(
    "address",
    ["upload:" + "0" * 64 + "/../../x", "upload:../../etc/passwd", "upload:" + "0" * 64 + "/a\x00b", "upload:",
     "upload:" + "0" * 63 + "/x", "upload:" + "0" * 64 + "/" + "x" * 300, "frame:../x", "frame:", "frame:" + "0" * 64],
)  # fmt: skip
def test_an_upload_address_leads_nowhere_else(let_in: TestClient, address: str) -> None:
    for path, body in (
        ("/api/machine", {"model": address}),
        ("/api/input", {"model": "zoo:lenet5", "picture": address}),
    ):
        answer = let_in.post(path, json=body)
        assert answer.status_code == 400
        assert "no longer kept" in answer.json()["message"] or "webcam picture" in answer.json()["message"]


def test_the_socket_listens_on_loopback_only() -> None:
    with _listen(0) as listening:
        assert listening.family == socket.AF_INET
        assert listening.getsockname()[0] == "127.0.0.1"


def test_tokens_are_long_and_never_the_same() -> None:
    assert len({new_token() for _ in range(100)}) == 100
    assert all(len(new_token()) >= 43 for _ in range(20))


class Trap:
    """What a pickle would run when it is loaded."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("name", ["model.pth", "model.h5", "photo.png", "model.zip"])
def test_an_uploaded_pickle_is_never_executed(let_in: TestClient, tmp_path: Path, name: str) -> None:
    sprung = tmp_path / "sprung"
    data = pickle.dumps(Trap(str(sprung)), protocol=2)
    kept = let_in.post("/api/uploads", content=data, headers={"X-File-Name": name}).json()["address"]
    bundle = let_in.post("/api/bundles", json={"addresses": [kept]})
    answers = [
        let_in.post("/api/machine", json={"model": kept}),
        let_in.get("/api/picture", params={"picture": kept}),
        let_in.post("/api/input", json={"model": "zoo:lenet5", "picture": kept}),
    ]
    assert bundle.status_code == 200
    assert [a.status_code for a in answers] == [400, 400, 400]
    assert all("Traceback" not in a.text for a in answers)
    assert not sprung.exists()


def test_a_fault_of_ours_is_one_sentence_without_its_traceback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from cutaway.studio.routes import home

    def broken(_: object) -> None:
        raise ZeroDivisionError("inside")

    monkeypatch.setattr(home, "_hello", broken)
    app = locked(create(folder=tmp_path), TOKEN)
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as asking:
        asking.get(f"/?token={TOKEN}", follow_redirects=False)
        answer = asking.get("/api/hello")
    assert answer.status_code == 500
    assert answer.json()["message"].startswith("Cutaway failed at this (ZeroDivisionError)")
    assert "inside" not in answer.text
    assert "ZeroDivisionError" in caplog.text
