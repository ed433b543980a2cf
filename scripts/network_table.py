"""Writes src/cutaway/zoo/networks.tsv (what `cutaway networks` lists) and docs/networks.md (what can be taken apart).

    .venv/bin/python scripts/network_table.py     # 15 minutes on one core

Parameters are counted on networks built without memory. The smallest network of each family is built with random
weights, traced, saved, read back, and compared with the library's own module on one picture of noise.
"""

from __future__ import annotations

import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from cutaway.errors import BadModel, CutawayError
from cutaway.graph.document import from_document, tensors_of, to_document
from cutaway.graph.trace import trace
from cutaway.zoo import NetworkRow, libraries, names
from cutaway.zoo.sources import source_of

ROOT = Path(__file__).resolve().parents[1]
CLASSES = 7


@dataclass(frozen=True)
class Tried:
    """One network taken apart: how many steps it has and how far its output is from the library's, or why not."""

    row: NetworkRow
    steps: int = 0
    difference: float = 0.0
    reason: str = ""


def tried(row: NetworkRow) -> Tried:
    """Row -> what came of taking it apart, writing it down and reading it back."""
    torch.manual_seed(0)
    source = source_of(names.meaning(row.name))
    contract = source.contract
    network = source.make(CLASSES, contract.size, contract.in_channels, {}).eval()
    shaken(network)
    x = torch.randn(1, contract.in_channels, *contract.size)
    try:
        graph = trace(network, x)
        again = from_document(to_document(graph), tensors_of(graph))
    except CutawayError as error:
        return Tried(row, reason=str(error))
    with torch.inference_mode():
        wanted = network(x)
        worst = max(float((made(x) - wanted).abs().max()) for made in (graph, again))
    return Tried(row, len(graph.graph.nodes), worst)


def shaken(network: torch.nn.Module) -> None:
    """Scales and running statistics away from 0 and 1, so that no branch is silent."""
    with torch.no_grad():
        for value in network.parameters():
            if value.ndim <= 1:
                value.add_(torch.randn_like(value) * 0.1)
        for name, value in network.named_buffers():
            if name.endswith("running_mean"):
                value.normal_(0, 0.1)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 1.5)


def page(results: dict[str, tuple[Tried, int]]) -> str:
    held = {f: r for f, r in results.items() if not r[0].reason}
    refused = {f: r for f, r in results.items() if r[0].reason}
    lines = [
        "# Networks by name",
        "",
        f"`cutaway networks` lists {sum(n for _, n in results.values()):,} networks in {len(results)} families "
        f"({', '.join(names.versions().split(chr(9)))}). The smallest of each family was taken apart: {len(held)} "
        f"families give the library's own output, {len(refused)} are refused with a sentence.",
        "",
        "| family | networks | tried | parameters | pixels | steps | difference |",
        "|---|---:|---|---:|---:|---:|---:|",
    ]
    for family, (r, n) in held.items():
        size = " x ".join(map(str, r.row.size))
        lines.append(
            f"| {family} | {n} | {r.row.name} | {r.row.parameters:,} | {size} | {r.steps} | {r.difference:g} |"
        )
    lines += ["", "Refused:", "", "| family | networks | tried | why |", "|---|---:|---|---|"]
    lines += [f"| {family} | {n} | {r.row.name} | {r.reason.splitlines()[0]} |" for family, (r, n) in refused.items()]
    return "\n".join(lines) + "\n"


def main() -> None:
    rows = list(libraries.rows_now(count=True))
    results: dict[str, tuple[Tried, int]] = {}
    held: dict[str, bool] = {}
    for family, group in libraries.families(rows).items():
        result = tried(group[0])
        results[family] = (result, len(group))
        held |= {row.name: not result.reason for row in group}
        print(family, group[0].name, result.reason or f"difference {result.difference:g}", file=sys.stderr, flush=True)
        if result.difference:
            raise BadModel(f"{group[0].name} differs from the library's by {result.difference:g}.")
    table = [names.versions(), *(names.line_of(dataclasses.replace(row, held=held[row.name])) for row in rows)]
    (ROOT / "src/cutaway/zoo" / names.TABLE).write_text("\n".join(table) + "\n", encoding="utf-8")
    (ROOT / "docs/networks.md").write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
