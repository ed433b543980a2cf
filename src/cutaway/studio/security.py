"""Who may speak to the studio: this machine's browser, by its own address, from its own page, with this start's token.

A page of another site that a person has open can send requests to 127.0.0.1 too. Three locks keep it out: the Host
header must be a loopback name (against DNS rebinding), an Origin header must be the studio's own (against forms,
scripts and sockets of other pages), and a cookie must hold the token that only the address in the terminal brings.
"""

from __future__ import annotations

import hmac
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "[::1]", "::1")
POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'; "
    "connect-src 'self'; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'self'"
)
WRITTEN_PAGE = (
    "sandbox allow-scripts allow-downloads; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
"""For pages that verbs wrote (a report, a map): script and style lie inside them. They run as nobody: no cookie, no
request to the studio or to anyone, whatever stands in the file."""
_CLOSED = 1008  # RFC 6455: the message goes against a policy


def new_token() -> str:
    """() -> 256 random bits, as text for an address."""
    return secrets.token_urlsafe(32)


def cookie_name(port: int) -> str:
    """Cookies of one host are shared by all its ports: each studio has its own name."""
    return f"cutaway-{port}"


class Guard:
    """ASGI application behind the three locks. Refusals are 403 with one sentence; sockets are closed unopened."""

    def __init__(self, app: ASGIApp, token: str) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        refused = _host_refused(host) or _origin_refused(headers.get("origin"), host)
        if refused is None and scope["type"] == "http" and scope["path"] == "/":
            given = parse_qs(scope["query_string"].decode("latin-1"))
            if "token" in given:
                await self._enter(given, host)(scope, receive, send)
                return
        if refused is None and not self._knows(headers.get("cookie", ""), host):
            refused = "This page is locked: open the address that `cutaway studio` printed, with its token."
        if refused is None:
            await self._app(scope, receive, _with_policy(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": _CLOSED, "reason": refused[:120]})
        else:
            await JSONResponse({"kind": "locked", "message": refused}, 403)(scope, receive, send)

    def _enter(self, given: dict[str, list[str]], host: str) -> Response:
        """The address from the terminal -> a cookie, and the same address without the token."""
        if not self._same(given.pop("token")[0]):
            message = "The token is not this studio's: it was started anew since; open the address it printed last."
            return JSONResponse({"kind": "locked", "message": message}, 403)
        rest = urlencode(given, doseq=True)
        answer = RedirectResponse("/" + (f"?{rest}" if rest else ""), 303)
        answer.set_cookie(cookie_name(_port(host)), self._token, httponly=True, samesite="strict", path="/")
        return answer

    def _knows(self, cookies: str, host: str) -> bool:
        try:
            found = SimpleCookie(cookies).get(cookie_name(_port(host)))
        except CookieError:
            return False
        return found is not None and self._same(found.value)

    def _same(self, given: str) -> bool:
        return hmac.compare_digest(given.encode(), self._token.encode())


def _host_refused(host: str) -> str | None:
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:  # a bracket that is not closed
        name = ""
    if name in LOOPBACK:
        return None
    return f"The studio answers on this machine only, at 127.0.0.1 or localhost; it was called {host[:80]!r}."


def _origin_refused(origin: str | None, host: str) -> str | None:
    if origin is None or origin == f"http://{host}":
        return None
    return f"Only the studio's own page may ask; this came from {origin[:80]!r}."


def _port(host: str) -> int:
    try:
        return urlsplit(f"//{host}").port or 80
    except ValueError:
        return 0


def _with_policy(send: Send) -> Send:
    """Every answer says what a page may load (nothing from elsewhere; a narrower policy of its own stays) and that
    nobody may guess its type."""
    from starlette.types import Message

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            own = list(message.get("headers", []))
            if not any(name.lower() == b"content-security-policy" for name, _ in own):
                own.append((b"content-security-policy", POLICY.encode()))
            message["headers"] = [
                *own,
                (b"x-content-type-options", b"nosniff"),
                (b"referrer-policy", b"no-referrer"),
            ]
        await send(message)

    return sending
