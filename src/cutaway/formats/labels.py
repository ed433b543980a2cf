"""labels.txt beside a model file -> class names in output order."""

from __future__ import annotations

import re
from pathlib import Path

from cutaway.errors import BadModel

_MOST_BYTES = 1_000_000
_MOST_CLASSES = 1_000_000
_NUMBERED = re.compile(r"(\d+)[ \t]+(.*\S)")


def class_names(beside: Path, count: int) -> tuple[tuple[str, ...], list[str]]:
    """Model file, number of outputs -> (names in output order, sentences of note).

    Reads labels.txt in the same folder ("0 Cat" lines, or plain names; UTF-8); "class 0", "class 1", ... where there is
    none or it does not fit. Raises BadModel for more outputs than classes can be told apart by name.
    """
    if count > _MOST_CLASSES:
        raise BadModel(f"{beside.name} claims {count:,} outputs; at most {_MOST_CLASSES:,} classes are accepted.")
    plain = tuple(f"class {n}" for n in range(count))
    places = (beside.with_name("labels.txt"), beside.resolve().with_name("labels.txt"))  # a link, and what it leads to
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return plain, [f"The file does not name its classes; they are called class 0 to class {count - 1}."]
    try:
        if path.stat().st_size > _MOST_BYTES:
            return plain, [f"labels.txt has more than {_MOST_BYTES:,} bytes and was not read."]
        names = parse_labels(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        return plain, [f"labels.txt beside the file could not be read ({type(error).__name__})."]
    if len(names) != count:
        return plain, [
            f"labels.txt beside the file names {len(names)} classes; the network has {count}, so it was not used."
        ]
    return names, []


def parse_labels(text: str) -> tuple[str, ...]:
    """Text of a labels.txt -> names. Numbers are dropped where every line has one, 0, 1, 2, ... in any order."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    found = [_NUMBERED.fullmatch(line) for line in lines]
    rows = sorted((int(m[1]), m[2]) for m in found if m and len(m[1]) < 9)
    if [number for number, _ in rows] != list(range(len(lines))):
        return tuple(lines)
    return tuple(name for _, name in rows)
