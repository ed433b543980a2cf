"""cutaway studio: the local page, until Ctrl-C."""

from __future__ import annotations

import sys
import webbrowser
from pathlib import Path

import typer

from cutaway.errors import CutawayError

HELP = (
    "Open the studio in the browser: the network cut open, every layer at work on your picture, to look at and change."
)


def studio(
    model: str = typer.Argument(
        "", metavar="MODEL", help="Model file, run, last, or zoo:NAME to begin with; none: choose in the page."
    ),
    picture: str = typer.Option("", help="A photo, sample:NAME, or digits:17, to begin with."),
    data: str = typer.Option("", help="Labelled photos for accuracy and maps: a folder, archive, table or name."),
    port: int | None = typer.Option(
        None, min=0, max=65535, help="Port on 127.0.0.1; default 8765 or the next free one, 0 for any."
    ),
    browser: bool = typer.Option(True, help="Open the page in the browser."),
) -> None:
    """Serves until Ctrl-C; the address with its token is printed first. What cannot be opened is told before that."""
    from cutaway.studio.desk import Start
    from cutaway.studio.serve import serve

    def ready(address: str) -> None:
        typer.echo(f"The studio runs at {address}\nIt listens on this machine only. Ctrl-C ends it.")
        if browser:
            webbrowser.open(address)

    try:
        serve(Start(model, picture, data), Path.cwd(), port, ready)
    except CutawayError as error:
        typer.secho(" ".join(str(error).split()), err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
        raise typer.Exit(2) from None
    except KeyboardInterrupt:
        raise typer.Exit(0) from None
