"""Where a verb's picture goes: the file asked for, or a fresh name in the current folder."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from cutaway.errors import must_be
from cutaway.verbs.out import must_be_writable


def picture_file(out: str, verb: str, model: str, endings: Sequence[str] = (".png", ".svg")) -> Path:
    """What was typed for --out ("": choose), verb, what was typed for the model -> the file to write.

    The default is VERB-MODEL.png in the current folder, with -2, -3, ... where that exists: nothing is overwritten
    unasked. Raises BadInput for another ending, and for a folder that cannot be written to.
    """
    if out:
        path = Path(out)
        if path.suffix.lower() not in endings or path.is_dir():
            raise must_be("out", f"a file that ends in {' or '.join(endings)}", out)
        must_be_writable(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path
    stem = f"{verb}-{Path(model).resolve().name if Path(model).is_dir() else Path(model).stem}"
    must_be_writable(Path())
    names = (Path(f"{stem}{'' if n == 1 else f'-{n}'}{endings[0]}") for n in itertools.count(1))
    return next(path for path in names if not path.exists())
