"""Names of networks: the list, what a name means, and the near ones for a name that does not exist. Needs no torch.

The list is networks.tsv (written by scripts/network_table.py) as long as the installed torchvision and timm are those
it was written with; otherwise the libraries are asked, which takes their import (seconds).
"""

from __future__ import annotations

import difflib
import functools
from dataclasses import dataclass
from importlib import metadata
from importlib.resources import files

from cutaway.errors import BadInput
from cutaway.zoo.named import Library, NetworkRow

TABLE = "networks.tsv"


@dataclass(frozen=True, slots=True)
class Meant:
    """What a name means: its name in the list, the library, the name there, the tag of its weights ("": default)."""

    asked: str
    listed: str
    library: Library
    network: str
    tag: str = ""


def networks(search: str = "") -> tuple[NetworkRow, ...]:
    """Part of a name -> the networks whose name holds it, as `build` takes them: Cutaway's, torchvision's, timm's.

    Words are searched each for itself ("mobile small"); upper and lower case, - and _ are the same.
    """
    words = _plain(search).split()
    return tuple(row for row in rows() if all(word in _plain(row.name) for word in words))


def meaning(name: str) -> Meant:
    """A network's name -> what it means. Raises BadInput that lists the nearest names for one that does not exist.

    Plain names are Cutaway's, then torchvision's, then timm's; "timm/NAME" and "torchvision/NAME" say whose; timm's
    weights are chosen with a tag ("resnet50.a1_in1k"), torchvision's too ("resnet50.IMAGENET1K_V1").
    """
    bare, _, tag = name.partition(".")
    for row in rows():
        if row.name == bare:
            return Meant(name, row.name, row.library, bare.rpartition("/")[2], tag)
    library, _, inner = bare.partition("/")
    for row in rows():
        if row.library == library and row.name == inner:
            return Meant(name, row.name, row.library, inner, tag)
    raise BadInput(
        f"There is no network {name!r}; near: {', '.join(near(bare))}. `cutaway networks --search` lists all."
    )


def near(name: str, *, held: bool = False, count: int = 4) -> tuple[str, ...]:
    """A name -> the names of networks that are written most alike; with `held`, only those Cutaway can take apart."""
    names = {_plain(row.name): row.name for row in rows() if row.held or not held}
    wanted = _plain(name)
    alike = difflib.get_close_matches(wanted, names, n=count, cutoff=0.5)
    starts = [n for n in names if n.startswith(wanted[:4])] if len(wanted) >= 4 else []
    found = dict.fromkeys(names[n] for n in [*alike, *starts])
    return tuple([*found, *(n for n in ("mobilenet_v2", "resnet18", "small-cnn") if n not in found)][:count])


@functools.cache
def rows() -> tuple[NetworkRow, ...]:
    """Every network that `build` takes by name."""
    text = files("cutaway.zoo").joinpath(TABLE).read_text(encoding="utf-8")
    head, *lines = text.splitlines()
    if head == versions():
        return tuple(map(_row, lines))
    from cutaway.zoo.libraries import rows_now

    held = {row.name: row.held for row in map(_row, lines)}
    return tuple(rows_now(held))


def versions() -> str:
    """The first line of the table: which torchvision and timm it was written with."""
    return "\t".join(f"{name} {metadata.version(name).partition('+')[0]}" for name in ("torchvision", "timm"))


def line_of(row: NetworkRow) -> str:
    """Row -> its line of the table."""
    size = "x".join(map(str, row.size))
    parameters = "" if row.parameters is None else str(row.parameters)
    return "\t".join([row.name, row.library, size, parameters, row.weights, "yes" if row.held else "no", row.note])


def _row(line: str) -> NetworkRow:
    name, library, size, parameters, weights, held, note = line.split("\t")
    height, width = map(int, size.split("x"))
    count = int(parameters) if parameters else None
    return NetworkRow(name, library, (height, width), count, weights, held == "yes", note)  # type: ignore[arg-type]


def _plain(name: str) -> str:
    return name.lower().replace("-", "_")
