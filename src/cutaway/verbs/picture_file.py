"""Where a verb's picture goes: the file asked for, or a fresh name in the current folder."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

from cutaway.errors import BadInput, must_be
from cutaway.verbs.model_name import stem_of
from cutaway.verbs.out import must_be_writable


def picture_file(out: str, verb: str, model: str, endings: Sequence[str] = (".png", ".svg")) -> Path:
    """What was typed for --out ("": choose), verb, what was typed for the model -> the file to write.

    The default is VERB-MODEL.png in the current folder, with -2, -3, ... where that exists: nothing is overwritten
    unasked. Raises BadInput for another ending, and for a file or folder that cannot be written to.
    """
    if out:
        path = Path(out)
        if path.suffix.lower() not in endings:
            raise must_be("out", f"a file that ends in {' or '.join(endings)}", out)
        _must_take_bytes(path)
        return path
    stem = f"{verb}-{stem_of(model)}"
    must_be_writable(Path())
    names = (Path(f"{stem}{'' if n == 1 else f'-{n}'}{endings[0]}") for n in itertools.count(1))
    return next(path for path in names if not path.exists())


def _must_take_bytes(path: Path) -> None:
    """Makes the file's folder, opens the file as the result will be, and leaves what was there. Raises BadInput."""
    try:
        must_be_writable(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        new = not path.exists()
        with path.open("ab"):
            pass
        if new:
            path.unlink()
    except OSError as error:
        raise BadInput(f"Results cannot go to {path} ({error.strerror}); choose another --out.") from None
