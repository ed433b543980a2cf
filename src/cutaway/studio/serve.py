"""Serves the studio on this machine until Ctrl-C."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from pathlib import Path

from cutaway.errors import BadInput
from cutaway.studio.desk import Start

PORT = 8765
_TRIES = 20


def serve(
    start: Start, folder: Path, port: int | None, ready: Callable[[str], None], *, token: str | None = None
) -> None:
    """What to begin with, working folder, port (None: 8765 or the next free one; 0: any) -> serves until Ctrl-C.

    `ready` gets the address, token included, once the socket listens and what to begin with is open. Raises BadInput
    where the port is taken, and what opening a model or a picture raises.
    """
    import uvicorn

    from cutaway.studio.app import create, locked
    from cutaway.studio.security import new_token

    listening = _listen(port)
    token = token or new_token()
    app = create(start, folder)
    config = uvicorn.Config(
        locked(app, token), ws_per_message_deflate=False, log_level="warning", access_log=False,
        ws_max_size=8 * 2**20, timeout_graceful_shutdown=2, lifespan="on",
    )  # fmt: skip
    with listening:
        app.state.desk.begin()
        ready(f"http://127.0.0.1:{listening.getsockname()[1]}/?token={token}")
        uvicorn.Server(config).run(sockets=[listening])


def _listen(port: int | None) -> socket.socket:
    """Port -> a socket that listens on loopback only."""
    wanted = [port] if port is not None else list(range(PORT, PORT + _TRIES))
    for one in wanted:
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", one))
            listening.listen(128)
            return listening
        except OSError as error:
            listening.close()
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
    told = f"Port {port} is" if port is not None else f"Ports {PORT} to {PORT + _TRIES - 1} are"
    raise BadInput(f"{told} taken or not allowed; name another one with --port, or --port 0 for any.")
