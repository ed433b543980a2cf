"""Writes src/cutaway/zoo/signatures.tsv: names and shapes of every network's weights, as hashes.

    .venv/bin/python scripts/signatures.py     # 10 minutes on one core

Networks are built without their weights. To be run after an upgrade of torchvision or timm, when
scripts/network_table.py has written their new names.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

from torch import nn

from cutaway.zoo import names
from cutaway.zoo.heads import outputs
from cutaway.zoo.signatures import TABLE, Signature, line_of, shapes_by_key, signature
from cutaway.zoo.sources import source_of
from cutaway.zoo.weightless import weightless

OUT = Path(__file__).resolve().parents[1] / "src" / "cutaway" / "zoo" / TABLE
CLASSES = 997  # a number that no other layer has


def signed(name: str) -> Signature:
    """Network's name -> its line."""
    source = source_of(names.meaning(name))
    with weightless():
        network = source.make(CLASSES, source.contract.size, 3, {})
    modules = dict(network.named_modules())
    heads = [path for path, module in modules.items() if outputs(module) == CLASSES]
    stems = [path for path, module in modules.items() if isinstance(module, nn.Conv2d) and module.in_channels == 3]
    return signature(name, shapes_by_key(network.state_dict()), heads, stems)


def main() -> None:
    warnings.simplefilter("ignore")
    lines = [names.versions()]
    asked = [row for row in names.rows() if row.held and row.library != "cutaway"]
    for number, row in enumerate(asked):
        try:
            lines.append(line_of(signed(row.name)))
        except Exception as error:  # a library's own code on "meta" can fail in any way
            print(f"\n{row.name} left out: {str(error).splitlines()[0][:120]}", file=sys.stderr)
        if sys.stderr.isatty() or number % 50 == 0:
            print(f"\r{number + 1} of {len(asked)}", end="", file=sys.stderr, flush=True)
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines) - 1} of {len(asked)} networks in {TABLE}, {OUT.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
