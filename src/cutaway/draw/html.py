"""Template and values -> one HTML file that asks nothing of any network: styles, script and pictures lie inside it."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cutaway.draw.scale import percent, plain
from cutaway.draw.svg import DARK, LIGHT, asset, variables

if TYPE_CHECKING:
    from jinja2 import Environment

SEVERITY_WORDS = {"stop": "stop", "warn": "look at this", "info": "note"}
SIGNATURES = ((b"\x89PNG", "image/png"), (b"RIFF", "image/webp"), (b"GIF8", "image/gif"), (b"\xff\xd8", "image/jpeg"))


class Book:
    """Pictures by name, each distinct one kept once: `at(name)` is its number in `pages`, -1 when there is none."""

    def __init__(self, pictures: Mapping[str, bytes]) -> None:
        self.pages: list[str] = []  # data: URIs
        self._known: dict[bytes, int] = {}
        self._source = pictures
        self.names = frozenset(pictures)

    def at(self, name: str) -> int:
        """Name -> number of its picture, taken into the book when first asked for."""
        data = self._source.get(name)
        return -1 if not data else self.add(data)

    def add(self, data: bytes) -> int:
        """Encoded picture -> its number."""
        digest = hashlib.sha256(data).digest()
        if digest not in self._known:
            self._known[digest] = len(self.pages)
            self.pages.append(f"data:{kind_of(data)};base64,{base64.b64encode(data).decode()}")
        return self._known[digest]


def kind_of(data: bytes) -> str:
    """First bytes of an encoded picture -> its media type; JPEG where they say nothing."""
    return next((kind for head, kind in SIGNATURES if data.startswith(head)), "image/jpeg")


def page(template: str, book: Book, data: Mapping[str, Any], **values: Any) -> str:
    """Template name, pictures, what the script needs, values -> the page. Every value is escaped by the template."""
    from markupsafe import Markup

    script = asset("page.js")
    common: dict[str, Any] = {"book": book, "words": SEVERITY_WORDS, "script": Markup(script), "style": Markup(style())}
    common["policy"] = policy(script)
    # rendered twice: the first pass tells which pictures the page shows, the second writes them at its end
    draft = environment().get_template(template)
    draft.render(**common, **values, data="{}")
    common["data"] = Markup(embedded({**data, "pictures": book.pages}))
    return draft.render(**common, **values).encode("utf-8", "replace").decode("utf-8")


def policy(script: str) -> str:
    """The page's one script -> a policy that lets it run and forbids every request."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )


def embedded(data: Any) -> str:
    """Value -> JSON that cannot end the element it stands in."""
    text = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def style() -> str:
    """-> the page's whole style: system colours, and the button's choice over them."""
    return (
        f":root{{{variables(LIGHT)}}}"
        f"@media (prefers-color-scheme:dark){{:root{{{variables(DARK)}}}}}"
        f":root[data-theme=light]{{{variables(LIGHT)}}}:root[data-theme=dark]{{{variables(DARK)}}}"
        f"{asset('page.css')}{asset('chart.css')}"
        f"@media print{{:root,:root[data-theme]{{{variables(LIGHT)}color-scheme:light}}}}"
    )


def tied(words: str) -> str:
    """Sentence -> the same with numbers and their units held on one line."""
    return re.sub(r"(?<=\d) (?=%|s\b|points|photos|nats)", "\u00a0", words)


@functools.cache
def environment() -> Environment:
    """-> the template engine: escapes everything, and a name that is not given is an error."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("cutaway.draw", "templates"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters["percent"] = functools.partial(percent, digits=1)
    made.filters["plain"] = plain
    made.filters["tied"] = tied
    return made
