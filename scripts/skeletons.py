"""Every convolutional network of the zoo -> src/cutaway/zoo/skeletons.tsv, by which `recognise` finds a family.

    .venv/bin/python scripts/skeletons.py

Networks are made without memory ("meta") and run once on shapes; what cannot be run so is left out and named. To be
run after an upgrade of torchvision or timm, when scripts/network_table.py has written their new names.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from cutaway.zoo.known import line_of
from cutaway.zoo.names import rows, versions
from cutaway.zoo.recognise import reference

TABLE = Path(__file__).resolve().parents[1] / "src" / "cutaway" / "zoo" / "skeletons.tsv"


def main() -> None:
    lines = kept()
    have = {line.partition("\t")[0] for line in lines}
    names = [row for row in rows() if row.held]
    for number, row in enumerate(names):
        if row.name in have:
            continue
        try:
            found = reference(row)
        except Exception as error:  # a library's own code on "meta" can fail in any way
            print(f"\n{row.name} left out: {str(error).splitlines()[0][:120]}", file=sys.stderr)
            continue
        if any(b.step[2] > 1 for b in found.body):
            lines.append(line_of(row.name, found))
        if sys.stderr.isatty():
            print(f"\r{number + 1} of {len(names)}", end="", file=sys.stderr)
    order = {row.name: i for i, row in enumerate(names)}
    lines[1:] = sorted(lines[1:], key=lambda line: order[line.partition("\t")[0]])
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines) - 1} of {len(names)} networks in {TABLE.name}")


def kept() -> list[str]:
    """Lines of a table that was written with the same libraries; a fresh table's first line otherwise."""
    if TABLE.exists() and (lines := TABLE.read_text(encoding="utf-8").splitlines())[0] == versions():
        return lines
    return [versions()]


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
