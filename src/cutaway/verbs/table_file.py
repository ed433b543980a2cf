"""A verb's table and the chart beside it: where they go, also while results are partial, and how rows are written."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cutaway.errors import must_be
from cutaway.verbs.out import must_be_writable

ENDINGS = (".csv", ".parquet", ".json")


def must_end_well(out: str) -> None:
    """What was typed for --out -> nothing. Raises BadInput for another ending and a folder that takes no file."""
    if out and (Path(out).suffix.lower() not in ENDINGS or Path(out).is_dir()):
        raise must_be("out", f"a file that ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}", out)
    must_be_writable(Path(out).parent if out else Path())


def partial_of(table: Path, ending: str) -> Path:
    """Table -> the file beside it that holds what is counted until it is done."""
    return table.with_name(f"{table.name}.partial{ending}")


def table_file(out: str, stem: str, partial: str, is_other: Callable[[Path], bool]) -> Path:
    """What was typed for --out, default stem, ending of partial results, whether those of a file are of another
    question -> the table's path: as asked, or the first free name; own partial results are no hindrance."""
    if out:
        Path(out).parent.mkdir(parents=True, exist_ok=True)
        return Path(out)
    names = (Path(f"{stem}{'' if n == 1 else f'-{n}'}.csv") for n in itertools.count(1))
    return next(path for path in names if _is_free(path, partial_of(path, partial), is_other))


def write_table(path: Path, rows: Sequence[dict[str, Any]], whole: dict[str, Any]) -> None:
    """Path, rows with the same keys, the result as a document -> the file: .json holds the document, else the rows."""
    ending = path.suffix.lower()
    if ending == ".json":
        path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    elif ending == ".parquet":
        import pyarrow as pa
        from pyarrow import parquet

        parquet.write_table(pa.Table.from_pylist(list(rows)), path)
    else:
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)


def _is_free(path: Path, partial: Path, is_other: Callable[[Path], bool]) -> bool:
    taken = path.exists() or path.with_suffix(".png").exists()
    return not taken and not (partial.exists() and is_other(partial))
