"""The reference pages, written while the site is built: one for the verbs, one for each room of src/cutaway.

The verbs' pages are made of the options dataclasses that the command line is made of; a room's page is made of its
docstrings. A new room, module or option appears here by itself.
"""

from __future__ import annotations

import html
import inspect
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mkdocs.structure.files import File, Files

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig

SRC = Path(__file__).resolve().parents[1] / "src"
sys.path.insert(0, str(SRC))


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Add the reference pages to the navigation."""
    assert config.nav is not None
    if not any("Reference" in entry for entry in config.nav):
        config.nav.append({"Reference": [{title: uri} for uri, title, _ in reference()]})
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the reference pages to the site."""
    for uri, title, body in reference():
        files.append(File.generated(config, uri, content=f"---\ntitle: {title}\n---\n\n{body}\n"))
    return files


def reference() -> list[tuple[str, str, str]]:
    """-> (address, title, Markdown) of every reference page, the verbs first, then the rooms by name."""
    pages = [("reference/index.md", "Verbs", verbs_page())]
    pages += [(f"reference/{room}.md", room, room_page(room)) for room in rooms()]
    return pages


def rooms() -> list[str]:
    """-> names of the rooms: packages and single files of src/cutaway that hold something."""
    entries = sorted((SRC / "cutaway").iterdir())
    names = [p.stem for p in entries if p.suffix == ".py" or (p / "__init__.py").exists()]
    return [name for name in names if not name.startswith("_")]


def room_page(room: str) -> str:
    """Room -> Markdown that mkdocstrings fills with the docstrings of all its modules."""
    options = "      show_root_heading: false\n      show_root_toc_entry: false\n"
    return f"# `cutaway.{room}`\n\n::: cutaway.{room}\n    options:\n{options}"


def verbs_page() -> str:
    """-> Markdown: each verb with its sentence, how it is called from both doors, and a table of its options."""
    head = (
        "# Verbs\n\nEverything a person can ask for. Each is one function, and this page, `cutaway VERB --help` and "
        "the arguments in Python are made of the same options.\n"
    )
    return "\n\n".join([head, *(section(verb) for verb in verbs()), studio_section(), names_table()])


def verbs() -> list[Any]:
    """-> the verbs, in the order of `cutaway.verbs.VERBS`."""
    from cutaway.verbs import VERBS, verb

    return [verb(name) for name in VERBS]


def section(verb: Any) -> str:
    """Verb -> its heading, sentences, calls and table of options."""
    from cutaway.options import fields_of

    fields = fields_of(verb.options)
    needed = [f.name for f in fields if f.required]
    places = [(f.name.upper() if f.required else f"[{f.name.upper()}]") for f in fields if positional(f)]
    more = len(places) < len(fields)
    call = " ".join(["cutaway", verb.name, *places, *(["[OPTIONS]"] if more else [])])
    python = f"cutaway.{verb.name}({', '.join([*needed, *(['...'] if len(needed) < len(fields) else [])])})"
    about = "\n".join(line.strip() for line in (verb.options.__doc__ or "").strip().splitlines())
    rows = "\n".join(f"| {flag(f)} | {default(f)} | {text(f.help)} |" for f in fields)
    table = f"| option | default | what it does |\n|---|---|---|\n{rows}\n" if fields else ""
    return f"## {verb.name}\n\n{about}\n\n```text\n{call}\n{python} -> {result(verb)}\n```\n\n{table}"


def studio_section() -> str:
    """-> Markdown: the one command that is no verb, since it serves a page in place of giving a result."""
    from cutaway.cli.studio import HELP, studio

    rows = []
    for name, parameter in inspect.signature(studio).parameters.items():
        said = parameter.default
        shown = name.upper() if not said.param_decls and type(said).__name__ == "ArgumentInfo" else f"--{name}"
        rows.append(f"| `{shown}` | {text(said.help or '')} |")
    table = "\n".join(["| option | what it does |", "|---|---|", *rows])
    return f"## studio\n\n{HELP} No verb: it serves a page until Ctrl-C. [Guide](../guides/studio.md)\n\n{table}\n"


def names_table() -> str:
    """-> Markdown: what else `import cutaway` offers, each with its first sentence and a link to its room."""
    import cutaway
    from cutaway.verbs import VERBS

    rows = []
    for name in sorted(set(cutaway.__all__) - set(VERBS)):
        value = getattr(cutaway, name)
        room = str(value.__module__).split(".")[1]
        sentence = " ".join((inspect.getdoc(value) or "").split("\n\n")[0].split())
        rows.append(f"| `cutaway.{name}` | {text(sentence)} | [{room}]({room}.md) |")
    table = "\n".join(["| name | what it is | room |", "|---|---|---|", *rows])
    return f"## Other names in Python\n\n{table}\n"


def positional(field: Any) -> bool:
    """Whether the command line takes it without a flag; cutaway.cli.main decides the same way."""
    return field.required or field.name == "run"


def flag(field: Any) -> str:
    return f"`{field.name.upper()}`" if positional(field) else f"`--{field.name.replace('_', '-')}`"


def default(field: Any) -> str:
    if field.required:
        return "needed"
    if field.default is None or field.default is False or field.default in ((), ""):
        return ""
    if isinstance(field.default, tuple | list):
        return f"`{', '.join(map(str, field.default))}`"
    return f"`{field.default}`"


def text(sentence: str) -> str:
    return html.escape(sentence, quote=False).replace("|", "\\|")


def result(verb: Any) -> str:
    """Verb -> name of what it returns: the last part of its Generator[Event, None, Result]."""
    annotation = str(verb.run.__annotations__.get("return", ""))
    return annotation.rpartition("None, ")[2].removesuffix("]") or "result"
