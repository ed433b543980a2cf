"""What was typed for a class -> its index in the model's answer."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from cutaway.errors import BadInput


def class_named(typed: str, classes: Sequence[str], answers: int) -> int:
    """Name or number from 0, class names, width of the answer -> index.

    Capitals do not matter where only one class is meant. A name wins over a number. Raises BadInput with the nearest
    names where no class is meant.
    """
    word = typed.strip()
    if word in classes:
        return list(classes).index(word)
    same = [i for i, name in enumerate(classes) if name.casefold() == word.casefold()]
    if len(same) == 1:
        return same[0]
    if word.isdecimal() and int(word) < answers:
        return int(word)
    raise BadInput(f"The model has no class {typed!r}. {_instead(word, classes, answers)}")


def class_name(index: int, classes: Sequence[str]) -> str:
    """Index -> the class's name, "class 7" where the model does not know it."""
    return classes[index] if index < len(classes) else f"class {index}"


def _instead(word: str, classes: Sequence[str], answers: int) -> str:
    if not classes:
        return f"Its classes have no names; give a number from 0 to {answers - 1}."
    lower = {name.casefold(): name for name in classes}
    near = [lower[n] for n in difflib.get_close_matches(word.casefold(), lower, 3, 0.5)]
    near += [name for name in classes if word and word.casefold() in name.casefold() and name not in near][:3]
    if near:
        return f"Nearest: {', '.join(near[:4])}."
    some = ", ".join(classes[:6]) + (f" and {len(classes) - 6:,} more" if len(classes) > 6 else "")
    return f"It has {some}."
