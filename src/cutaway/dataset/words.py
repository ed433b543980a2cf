"""Names as people read them: natural order, picture endings, fold words, the nearest name to a mistyped one."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterable, Sequence

from cutaway.dataset.samples import Fold

PICTURE_ENDINGS = (
    ".jpg",
    ".jpeg",
    ".jfif",
    ".png",
    ".webp",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".avif",
    ".heic",
    ".heif",
)
HIDDEN_NAMES = {"__macosx", "@eadir", "thumbs.db", "desktop.ini", "$recycle.bin", "system volume information"}
FOLD_WORDS: dict[str, Fold] = {
    "train": "train",
    "training": "train",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "dev": "val",
    "test": "test",
    "testing": "test",
}
DIGITS = re.compile(r"([0-9]+)")
NaturalKey = tuple[tuple[tuple[str, int, str], ...], str]


def natural_key(text: str) -> NaturalKey:
    """Text -> a key that sorts numbers inside names by value: 1, 2, 10; case is ignored except to break ties."""
    parts = DIGITS.split(text.casefold())
    numbers = [p.lstrip("0") for p in parts[1::2]]
    pairs = zip(parts[::2], [*numbers, ""], strict=True)
    return tuple((word, len(number), number) for word, number in pairs), text


def is_picture_name(name: str) -> bool:
    """File name -> whether its ending is one that Cutaway decodes, in any case."""
    return name.lower().endswith(PICTURE_ENDINGS)


def is_hidden(name: str) -> bool:
    """One part of a path -> whether file managers hide it or put it there themselves."""
    return name.startswith(".") or name.lower() in HIDDEN_NAMES


def shown(path: str) -> str:
    """A path as the system gives it -> text that every terminal and table holds (undecodable bytes replaced)."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def class_name(folder: str) -> str:
    """Folder name or table cell -> class name; composed and decomposed accents are one name."""
    return unicodedata.normalize("NFC", shown(folder)).strip()


def spelled_as(classes: Sequence[str], photos: Sequence[str]) -> tuple[str, ...] | None:
    """A model's class names, those of photos -> the model's, spelled as the photos have them where only case, signs or
    a plural s differ ("Cat", "cats"); None where a name of the photos fits no class, or more than one."""
    known = {class_name(name) for name in classes}
    given: dict[int, str] = {}
    for name in photos:
        if name in known:
            continue
        alike = [i for i, own in enumerate(classes) if _bare(own) == _bare(name) and class_name(own) not in photos]
        if len(alike) != 1 or alike[0] in given:
            return None
        given[alike[0]] = name
    return tuple(given.get(i, own) for i, own in enumerate(classes))


def _bare(name: str) -> str:
    letters = "".join(c for c in class_name(name).casefold() if c.isalnum())
    return letters.removesuffix("s") or letters


def fold_of(word: str) -> Fold | None:
    """'training', 'Valid', 'test' -> the fold it means, None for any other word."""
    return FOLD_WORDS.get(word.strip().lower())


def unique(names: Iterable[str]) -> list[str]:
    """Names -> the same names, later repeats marked ' (2)', ' (3)'."""
    seen: dict[str, int] = {}
    taken: set[str] = set()
    found = []
    for name in names:
        mine = name
        while mine in taken:
            seen[name] = seen.get(name, 1) + 1
            mine = f"{name} ({seen[name]})"
        taken.add(mine)
        found.append(mine)
    return found


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """A mistyped word and the words there are -> ' Did you mean ...?' or nothing."""
    by_lower = {shown(c).lower(): shown(c) for c in choices}
    near = difflib.get_close_matches(word.lower(), by_lower, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(by_lower[n] for n in near)}?" if near else ""


def some(words: Iterable[str], most: int = 5) -> str:
    """Words -> 'a, b, c and 12 more'."""
    listed = list(words)
    rest = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {rest} more" if rest > 0 else "")


def none_of(number: int, noun: str) -> str:
    """3, 'picture' -> 'None of the 3 pictures'; of a single one 'Not even the one picture'."""
    return f"Not even the one {noun}" if number == 1 else f"None of the {count(number, noun)}"


def count(number: int, noun: str) -> str:
    """2, 'picture' -> '2 pictures'; plurals in -s and -es only."""
    ending = "" if number == 1 else "es" if noun.endswith("s") else "s"
    return f"{number:,} {noun}{ending}"
