"""Does t-SNE help the classifier? Cats and dogs -> docs/coverage/tsne.json, then the tables of docs/guides/map.md.

.venv/bin/python scripts/tsne_study.py DATA BACKBONE   (DATA: a folder with train/ and test/ of cats and
dogs; BACKBONE: a model file, its head is replaced; about 10 minutes)
.venv/bin/python scripts/tsne_study.py                 (only the tables, from the results that are there)
"""

from __future__ import annotations

import csv
import json
import math
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "docs" / "coverage" / "tsne.json", ROOT / "docs" / "guides" / "map.md"
BEGIN, END = "<!-- {}: written by scripts/tsne_study.py -->\n", "<!-- /{} -->"
SEEDS = (0, 1, 2)
PLANTED = 0.1
"""Share of the training labels that is changed in the second half of the study."""
K = 10

# What a person saw, looking at each training photo that lies among the other class in the backbone's last vector.
_TOY = "no animal: a plush cat"
_BOTH = "a cat and a dog, or what looks like one, in one photo"
_HIDDEN = "the label is right, the animal small, blurred or behind bars"
_PLAIN = "the label is right, the animal plain to see"
_CATS = {
    _TOY: (92,), _BOTH: (166,), _HIDDEN: (235,), _PLAIN: (19, 121, 122, 155, 390, 404),
}  # fmt: skip
_DOGS = {
    _BOTH: (7,), _HIDDEN: (173, 316, 418),
    _PLAIN: (12, 26, 39, 58, 189, 200, 207, 217, 234, 237, 254, 313, 324, 347, 361, 391, 393, 395, 397, 443),
}  # fmt: skip
SEEN = {
    f"train/{kind}s/{kind}.{number}.jpg": words
    for kind, listed in (("cat", _CATS), ("dog", _DOGS))
    for words, numbers in listed.items()
    for number in numbers
}


def study(data: Path, backbone: Path) -> dict[str, Any]:
    """Photos with folds, a backbone -> everything the page says."""
    import cutaway as ca

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        clean = plant(data, work / "clean", ())
        base = trained(clean, backbone, work, "clean")
        mapped = ca.map(base["run"], str(clean), fold="train", out=str(work / "clean.html"))
        others = {
            m: ca.map(base["run"], str(clean), fold="test", method=m, out=str(work / f"{m}.html")) for m in METHODS
        }
        strangers = [s.to_dict() for s in mapped.strangers]
        names = [s["name"] for s in strangers]
        wrong = [name for name in names if SEEN.get(name) in (_TOY, _BOTH)]
        without = trained(clean, backbone, work, "without", exclude=names)
        without_wrong = trained(clean, backbone, work, "without-wrong", exclude=wrong) if wrong else base
        return {
            "version": ca.__version__, "backbone": "MobileNetV2 0.35 of a Teachable Machine export",
            "pictures": {"train": mapped.pictures, "test": others["tsne"].pictures}, "seeds": list(SEEDS),
            "layer": mapped.layer, "numbers": mapped.numbers,
            "maps": {m: {**o.quality.to_dict(), "wrong": o.wrong} for m, o in others.items()},
            "strangers": [{**s, "seen": SEEN.get(s["name"], "")} for s in strangers],
            "clean": rows(base), "without": {"left_out": len(names), **rows(without)},
            "without_wrong": {"left_out": len(wrong), **rows(without_wrong)},
            "planted": planted(data, backbone, work),
        }  # fmt: skip


METHODS = ("tsne", "umap", "pca")


def planted(data: Path, backbone: Path, work: Path) -> dict[str, Any]:
    """The same with a tenth of the training labels changed: who finds them, and what acting on it is worth."""
    import pyarrow.parquet as pq

    import cutaway as ca

    files = sorted((data / "train").glob("*/*.jpg"))
    rng = np.random.default_rng(0)
    flipped = {str(files[i].relative_to(data)) for i in rng.permutation(len(files))[: round(PLANTED * len(files))]}
    tree = plant(data, work / "planted", flipped)
    moved = {_moved(name) for name in flipped}
    before = trained(tree, backbone, work, "planted")
    mapped = ca.map(before["run"], str(tree), fold="train", out=str(work / "planted.html"))
    table = pq.read_table(mapped.table).to_pydict()
    in_layer = {s.name for s in mapped.strangers}
    checked = ca.check(str(tree), backbone=str(backbone), out=str(work / "check"))
    doubted = {name for f in checked.findings if f.kind == "label-error" for name in f.names}
    doubted = {name for name in doubted if name.startswith("train/")}
    left_out = trained(tree, backbone, work, "left-out", exclude=sorted(in_layer))
    corrected = plant(data, work / "corrected", flipped, put_back=in_layer)
    put_right = trained(corrected, backbone, work, "corrected")
    return {
        "changed": len(flipped),
        "found": {
            "its neighbours in the layer": found(in_layer, moved),
            "its neighbours on the t-SNE map": found(_strangers_on_map(table), moved),
            "`cutaway check` (out-of-fold predictions)": found(doubted, moved),
        },
        "before": rows(before),
        "left_out": rows(left_out),
        "corrected": rows(put_right),
    }


def plant(data: Path, root: Path, flipped: Iterable[str], put_back: Iterable[str] = ()) -> Path:
    """Photos, where to, which get the other class's folder (and which of those back) -> a tree of links to them."""
    moved, back = set(flipped), set(put_back)
    for file in sorted(data.glob("*/*/*.jpg")):
        name = str(file.relative_to(data))
        name = _moved(name) if name in moved else name
        name = _moved(name) if name in back else name
        link = root / name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file.resolve())
    return root


def _moved(name: str) -> str:
    fold, kind, file = name.split("/")
    return f"{fold}/{'dogs' if kind == 'cats' else 'cats'}/{file}"


def trained(tree: Path, backbone: Path, work: Path, name: str, exclude: Iterable[str] = ()) -> dict[str, Any]:
    """Photos, names to leave out -> the first run and, for each seed, test photos right and of how many."""
    import cutaway as ca

    listed, counts, run = list(exclude), [], ""
    file = work / f"{name}.csv"
    with file.open("w", newline="", encoding="utf-8") as handle:
        lines = csv.writer(handle)
        lines.writerow(("name", "action", "kind", "reason", "suggestion"))
        lines.writerows((one, "exclude", "label-error", "lies among another class", "") for one in listed)
    for seed in SEEDS:
        made = ca.train(
            str(tree), backbone=str(backbone), mode="frozen", seed=seed, out=str(work / "runs" / f"{name}-{seed}"),
            exclude=str(file) if listed else None,
        )  # fmt: skip
        assert made.report is not None
        assert made.report.test is not None
        counts.append((made.report.test.correct, made.report.test.n))
        run = run or str(made.folder)
    return {"run": run, "counts": counts}


def rows(result: Mapping[str, Any]) -> dict[str, Any]:
    return {"counts": [list(c) for c in result["counts"]]}


def found(names: set[str], truth: set[str]) -> dict[str, Any]:
    """Photos pointed at, photos whose label was changed -> how many, how many of them rightly."""
    return {"pointed_at": len(names), "right": len(names & truth), "changed": len(truth)}


def _strangers_on_map(table: Mapping[str, list[Any]]) -> set[str]:
    """The map's places alone -> photos most of whose 10 nearest there carry the other label."""
    from cutaway.dataset.steps import result_of
    from cutaway.explanation.neighbours import nearest, voted

    places = np.column_stack([table["x"], table["y"]])
    near, _ = result_of(nearest(places, K))
    kinds, labels = np.unique(table["label"], return_inverse=True)
    other = voted(labels[near], len(kinds)) != labels
    return {name for name, is_other in zip(table["name"], other, strict=True) if is_other}


def tables(told: dict[str, Any]) -> dict[str, str]:
    """Results -> the page's tables by name."""
    kept = [
        "| map | trustworthiness | neighbours kept | 10 nearest right, on the map | in the layer |",
        "|---|---:|---:|---:|---:|",
    ]
    words = {"tsne": "t-SNE", "umap": "UMAP", "pca": "PCA"}
    for name, q in told["maps"].items():
        kept.append(
            f"| {words[name]} | {q['trustworthiness']:.3f} | {percent(q['kept'])} | {percent(q['knn_map'])} "
            f"| {percent(q['knn_layer'])} |"
        )
    real = [f"| training photos | test photos right, mean of {len(told['seeds'])} seeds | each seed |", "|---|---|---|"]
    real.append(f"| all {told['pictures']['train']:,} | {mean(told['clean'])} | {each(told['clean'])} |")
    real.append(
        f"| without the {told['without']['left_out']} among the other class | {mean(told['without'])} "
        f"| {each(told['without'])} |"
    )
    real.append(
        f"| without the {told['without_wrong']['left_out']} of them that a person finds wrong "
        f"| {mean(told['without_wrong'])} | {each(told['without_wrong'])} |"
    )
    p = told["planted"]
    points = [
        "| who points at them | photos pointed at | with a changed label | of the changed ones found |",
        "|---|---:|---:|---:|",
    ]
    for name, f in p["found"].items():
        points.append(
            f"| {name} | {f['pointed_at']} | {f['right']} ({percent(f['right'] / max(1, f['pointed_at']))}) "
            f"| {percent(f['right'] / f['changed'])} |"
        )
    acted = [
        f"| training labels | test photos right, mean of {len(told['seeds'])} seeds | each seed |",
        "|---|---|---|",
    ]
    acted.append(
        f"| {p['changed']} of {told['pictures']['train']:,} changed | {mean(p['before'])} | {each(p['before'])} |"
    )
    acted.append(f"| photos among the other class left out | {mean(p['left_out'])} | {each(p['left_out'])} |")
    acted.append(f"| photos among the other class given its label | {mean(p['corrected'])} | {each(p['corrected'])} |")
    acted.append(f"| none changed | {mean(told['clean'])} | {each(told['clean'])} |")
    seen: dict[str, int] = {}
    for s in told["strangers"]:
        seen[s["seen"] or "not looked at"] = seen.get(s["seen"] or "not looked at", 0) + 1
    eyes = [
        "| what a person sees | photos |",
        "|---|---:|",
        *(f"| {w} | {n} |" for w, n in sorted(seen.items(), key=lambda r: -r[1])),
    ]
    made = {"maps": kept, "seen": eyes, "real": real, "found": points, "acted": acted}
    return {name: "\n".join(lines) + "\n" for name, lines in made.items()}


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def mean(result: Mapping[str, Any]) -> str:
    """Counts of all seeds -> "95.8 % (93.4 to 97.4)": the mean, and the 95 % interval of one test fold of that size."""
    right, n = (sum(c[i] for c in result["counts"]) / len(result["counts"]) for i in (0, 1))
    share, z = right / n, 1.96
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return f"{percent(share)} ({100 * (centre - half):.1f} to {100 * (centre + half):.1f})"


def each(result: Mapping[str, Any]) -> str:
    return ", ".join(percent(right / n) for right, n in result["counts"])


def renewed(page: str, made: dict[str, str]) -> str:
    """Page, tables -> the page with each between its marks."""
    for name, table in made.items():
        begin, end = BEGIN.format(name), END.format(name)
        head, _, rest = page.partition(begin)
        page = head + begin + table + end + rest.partition(end)[2]
    return page


def main() -> None:
    if len(sys.argv) == 3:
        told = study(Path(sys.argv[1]), Path(sys.argv[2]))
        RESULTS.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    told = json.loads(RESULTS.read_text(encoding="utf-8"))
    if PAGE.exists():
        PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), tables(told)), encoding="utf-8")


if __name__ == "__main__":
    main()
