"""Lists the benchmarks, or runs some.

python -m benchmarks [NAME ... | all] [--quick] [--repeats N] [--data DIR] [--out DIR]
"""

from __future__ import annotations

import argparse
import ast
import importlib
import sys
from pathlib import Path

from benchmarks.bench import (
    DATA,
    RESULTS,
    Missing,
    Outcome,
    Settings,
    document,
    load,
    machine,
    processors,
    table,
    write,
)
from benchmarks.processes import Failed

# In the order in which `all` runs them: the quick ones first.
NAMES = (
    "startup",
    "decode",
    "open_file",
    "trace",
    "stream",
    "map_page",
    "studio",
    "cam",
    "integrated_gradients",
    "occlusion",
    "surgery_rerun",
    "surgery_edits",
    "surgery_rank",
    "cache",
    "warm_start",
    "transfer",
    "tutorial_cifar",
    "gpu_airbench",
)


def main(argv: list[str] | None = None) -> int:
    """Arguments -> exit code: 0 (also where one was left out for what it lacks), 1 where one failed, 130 stopped."""
    asked = arguments(argv)
    if not asked.names:
        print("\n".join(f"{name:<16}{sentence(name)}" for name in NAMES))
        print("\npython -m benchmarks NAME ... runs some of them, `all` every one; --quick only sees that they work.")
        return 0
    settings = Settings(asked.data.resolve(), 1 if asked.quick else asked.repeats, asked.quick)
    out = asked.out or (None if asked.quick else RESULTS)
    if load() > 0.5 * processors() and not asked.quick:
        print(f"This machine is busy (load {load():.1f}): seconds measured now are worth little.", file=sys.stderr)
    failed = 0
    for name in NAMES if "all" in asked.names else asked.names:
        try:
            failed += not run(name, settings, out)
        except KeyboardInterrupt:
            print(f"\nStopped during {name}; what was measured before is kept.", file=sys.stderr)
            return 130
    return 1 if failed else 0


def run(name: str, settings: Settings, out: Path | None) -> bool:
    """One benchmark -> its table printed and its result file written; False where it failed."""
    print(f"== {name}: {sentence(name)}", flush=True)
    try:
        outcome: Outcome = importlib.import_module(f"benchmarks.{name}").measure(settings)
    except Missing as lack:
        print(f"Left out: {lack}\n", flush=True)
        return True
    except Failed as failure:
        print(f"Failed: {failure}\n", file=sys.stderr, flush=True)
        return False
    found = document(name, outcome)
    print(f"\n{table(outcome.rows)}\n")
    print(
        "\n".join(filter(None, [outcome.note, machine(), ", ".join(f"{k} {v}" for k, v in outcome.versions.items())]))
    )
    if out is not None:
        print(write(found, out))
    print(flush=True)
    return True


def sentence(name: str) -> str:
    """Benchmark's name -> the first sentence of its file, read without running it."""
    source = (Path(__file__).parent / f"{name}.py").read_text(encoding="utf-8")
    return (ast.get_docstring(ast.parse(source)) or "").splitlines()[0]


def arguments(argv: list[str] | None) -> argparse.Namespace:
    options = argparse.ArgumentParser(prog="python -m benchmarks", description="Cutaway measured beside its peers.")
    options.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run, or all")
    options.add_argument(
        "--quick", action="store_true", help="tiny inputs, one round: shows that it works, writes nothing"
    )
    options.add_argument("--repeats", type=int, default=3, help="times each side runs; the median counts (default 3)")
    options.add_argument("--data", type=Path, default=DATA, help="folder of the real inputs (default ../shared/data)")
    options.add_argument("--out", type=Path, help="folder for NAME.json (default benchmarks/results)")
    asked = options.parse_args(argv)
    if unknown := set(asked.names) - {*NAMES, "all"}:
        options.error(f"there is no benchmark {min(unknown)!r}; there are {', '.join(NAMES)} and all")
    if asked.repeats < 1:
        options.error("--repeats must be at least 1")
    return asked


if __name__ == "__main__":
    sys.exit(main())
