"""cutaway VERB ...: one command per verb, flags from the verb's options; an error is one sentence and exit code 2."""

from __future__ import annotations

import errno
import inspect
import json
import os
import sys
from collections.abc import Callable, Container
from typing import Any

import typer

from cutaway import __version__
from cutaway.errors import CutawayError
from cutaway.options import Field, fields_of
from cutaway.verbs import VERBS, Verb, verb
from cutaway.verbs.plain import to_plain as to_plain

# What a full or closed disk or missing rights raise, anywhere in the work: a person can mend that.
_DISK = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EROFS, errno.EACCES, errno.EPERM, errno.EFBIG}

# Options that have a place of their own on the command line although they can be left out.
_PLACED = ("run", "pictures")

# Options that are also called by another name.
_ALSO = {"out": "-o", "method": "--methods"}


def main() -> None:
    """Runs the command line; ends the process with 0, 2 (a sentence on standard error) or 130 (stopped)."""
    words = sys.argv[1:] or ["--help"]
    try:
        code = make_app(_asked(words))(words, prog_name="cutaway", standalone_mode=False)
    except KeyboardInterrupt:  # before the verb began: there is nothing to keep
        _say("Stopped.")
        code = 130
    except SystemExit as ended:  # Rich and Typer end with 1 where the reader of our output is gone
        code = 0 if ended.code == 1 else ended.code
    except Exception as error:
        if not hasattr(error, "format_message"):  # what Typer raises for a bad command line has it
            raise
        _say(_usage(error))
        code = 2
    sys.exit(code or 0)


def _asked(words: list[str]) -> set[str] | None:
    """Words of the command line -> the verbs whose flags are needed; None: all, where a shell asks what can follow."""
    return None if "_CUTAWAY_COMPLETE" in os.environ else {w for w in words[:1] if not w.startswith("-")}


def make_app(read: Container[str] | None = None) -> typer.Typer:
    """Verbs whose flags are read (None: all; it takes time) -> the command line, with one command per verb."""
    app = typer.Typer(
        name="cutaway",
        add_completion=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help="Train a CNN on your photos, open any classifier, see every part work. Nothing leaves this machine.",
    )
    app.callback()(_top)
    for name in VERBS:
        if read is None or name in read:
            app.command(name, help=_help(verb(name)))(command_for(verb(name)))
        else:
            app.command(name, help=VERBS[name])(_unread)
    from cutaway.cli.studio import HELP, studio

    app.command("studio", help=HELP)(studio)
    return app


def _unread() -> None:
    """Stands for a verb that this command line does not ask for."""


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"cutaway {__version__}")
        raise typer.Exit


def _top(
    version: bool = typer.Option(
        False, "--version", help="Print the version and stop.", callback=_version, is_eager=True
    ),
) -> None: ...


def command_for(verb_: Verb[..., Any]) -> Callable[..., None]:
    """Verb -> the function Typer reads its flags from and calls."""

    def command(**given: Any) -> None:
        shapes = {name: given.pop(name, False) for name in ("as_json", "as_csv")}
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
        try:
            _run(verb_, given, **shapes)
            sys.stdout.flush()
        except CutawayError as error:
            _say(str(error))
            raise typer.Exit(2) from None
        except KeyboardInterrupt:
            _say("Stopped.")
            raise typer.Exit(130) from None
        except BrokenPipeError:
            # The reader of our output is gone (`cutaway networks | head`): nothing is wrong.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                _say(f"{str(error.filename)[:40]}... is longer than the name of a file can be; give a shorter one.")
                raise typer.Exit(2) from None
            if error.errno not in _DISK:
                raise
            what = f"{error.filename} cannot be written" if error.filename else "A file cannot be written"
            _say(f"{what} ({error.strerror}); make room or choose another place, and try again.")
            raise typer.Exit(2) from None

    flags = [_parameter(field) for field in fields_of(verb_.options)]
    json_flag = typer.Option(False, "--json", help="Print the result as JSON and nothing else.")
    flags.append(inspect.Parameter("as_json", inspect.Parameter.KEYWORD_ONLY, default=json_flag, annotation=bool))
    if verb_.name == "predict":
        csv_flag = typer.Option(False, "--csv", help="Print the result as CSV and nothing else.")
        flags.append(inspect.Parameter("as_csv", inspect.Parameter.KEYWORD_ONLY, default=csv_flag, annotation=bool))
    command.__signature__ = inspect.Signature(flags)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in flags}
    command.__name__ = verb_.name
    return command


def _help(verb_: Verb[..., Any]) -> str:
    return inspect.cleandoc(verb_.options.__doc__ or "")


def _parameter(field: Field) -> inspect.Parameter:
    many = getattr(field.type, "__origin__", None) is tuple
    kind = list[str] if many else field.type
    if field.required:
        default: Any = typer.Argument(..., help=field.help)
    elif field.name in _PLACED:
        default = typer.Argument(list(field.default) if many else field.default, help=field.help, show_default=False)
    else:
        value = list(field.default) if many else field.default
        also = _ALSO.get(field.name) if many or field.name == "out" else None
        names = (f"--{field.name}", also) if also else ()
        default = typer.Option(value, *names, help=field.help, show_default=value not in (None, "", []))
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)


def _run(verb_: Verb[..., Any], given: dict[str, Any], *, as_json: bool, as_csv: bool) -> None:
    from cutaway.cli.progress import watch

    events = verb_.events(verb_.options(**given))
    follows = os.environ.get("RANK", "0") != "0"  # of several processes only the first speaks
    result = watch(events, quiet=as_json or as_csv or follows)
    if as_json:
        typer.echo(json.dumps(to_plain(result), ensure_ascii=False, indent=1))
        return
    from cutaway.cli import show

    show.show(verb_.name, result, as_csv=as_csv)


def _usage(error: Any) -> str:
    """Typer's error about the command line -> one sentence that names the command and where to read on."""
    command = getattr(getattr(error, "ctx", None), "command_path", "cutaway")
    message = " ".join(error.format_message().split()).replace("Value error, ", "").rstrip(".")
    end = " See" if message.endswith("?") else "; see"
    return f"{command}: {message[:1].lower()}{message[1:]}{end} {command} --help."


def _say(sentence: str) -> None:
    one_line = " ".join(sentence.split())
    typer.secho(one_line, err=True, fg=typer.colors.RED if sys.stderr.isatty() else None)
