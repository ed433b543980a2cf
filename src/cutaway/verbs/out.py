"""Where results go: found out before the work, not after it."""

from __future__ import annotations

import os
from pathlib import Path

from cutaway.errors import BadInput


def must_be_writable(folder: Path) -> None:
    """A folder that results will go to -> nothing where it can be made or written into; nothing is made yet.

    Raises BadInput where a file is in the way or the rights are missing.
    """
    there = next(p for p in (folder, *folder.absolute().parents) if p.exists() or p.is_symlink())
    if not there.is_dir():
        raise BadInput(f"Results cannot go to {folder}: {there} is a file, not a folder; choose another --out.")
    if not os.access(there, os.W_OK | os.X_OK):
        raise BadInput(f"Results cannot go to {folder}: you may not write into {there}; choose another --out.")


def must_be_page(page: Path) -> None:
    """A file that a page will be written to -> nothing where that is possible. Raises BadInput."""
    if page.is_dir():
        raise BadInput(
            f"The page cannot be written to {page}, which is a folder; give a file such as {page}/page.html."
        )
    must_be_writable(page.parent)
