"""The tutorials' notebook on real cats and dogs -> docs/coverage/tutorial.json, the pictures and tables of its page.

python scripts/tutorial_study.py DATA RUN           (DATA: a folder with train/ and test/ of two classes; RUN: where the
                                                    network is trained, used as it is where it is there)
python scripts/tutorial_study.py DATA RUN pooling   (some of its parts: layers, changes, pooling, pictures)
python scripts/tutorial_study.py                    (only the tables, from the results that are there)

The cat is scikit-image's (public domain); photos of other people stay out of the repository.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from cutaway.reports.metrics import wilson

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "docs" / "coverage" / "tutorial.json", ROOT / "docs" / "tutorial.md"
ASSETS = ROOT / "docs" / "assets"
BEGIN, END = "<!-- {}: written by scripts/tutorial_study.py -->\n", "<!-- /{} -->"
EPOCHS, HEAL = 12, 3
MOVED, STEPS = 400, 9
"""Held-out photos that are moved, and to how many places each."""
PARTS = ("layers", "changes", "pooling", "pictures")
WATCHED = "conv1,relu1,pool1,relu2,pool2,relu3,pool3,relu4"
DRAWN = {
    "sigmoid for ReLU": ("sigmoid", "relu1,relu3"),
    "average for max pooling": ("average", "pool1,pool3"),
    "one edge kernel by hand in conv1": ("edge", "conv1,pool3"),
    "one layer fewer: conv3 and its ReLU": ("shorter", "relu3,pool3"),
}
"""Change -> its picture's name, and the layers that are drawn."""


def study(data: str, run: str, parts: Sequence[str]) -> dict[str, Any]:
    """Labelled photos with a test fold, run folder, what to do -> what the page's tables hold; pictures are written."""
    import cutaway as ca

    if not Path(run).exists():
        ca.train(data, network="tutorial-cats-dogs", epochs=EPOCHS, out=run)
    model = ca.open_model(run)
    known = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.exists() else {}
    found: dict[str, Any] = {
        **known, "version": ca.__version__, "network": "tutorial-cats-dogs", "epochs": EPOCHS, "heal_epochs": HEAL
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        if "layers" in parts:
            found["layers"] = layers(model)
            found["answer"] = answer(run, model)
        if "pictures" in parts:
            pictures(run, model, Path(folder))
        if "pooling" in parts:
            found["pooling"] = pooling(model, data)
        if "changes" in parts:
            found["changes"] = [changed(name, model, edits, data, Path(folder)) for name, edits in changes().items()]
    return found


def pictures(run: str, model: Any, folder: Path) -> None:
    """The page's pictures: what each layer keeps of the cat, then each change before and after."""
    import cutaway as ca

    ca.watch(run, "sample:cat", layers=WATCHED, channels=8, out=f"{folder}/tutorial-layers.png")
    cat = ca.sample_picture("cat")
    for name, edits in changes().items():
        if edits:
            short, shown = DRAWN[name]
            ca.effect(model, ca.edit(model, *edits), cat, layers=shown, out=f"{folder}/tutorial-{short}.png")
    for file in folder.glob("tutorial-*.png"):
        with Image.open(file) as sheet:
            sheet.reduce(2).quantize(256, kmeans=2).save(ASSETS / file.name, optimize=True)


def answer(run: str, model: Any) -> dict[str, Any]:
    """-> what the network says to the cat, and how often it is right on the test fold of its run."""
    import cutaway as ca

    shares = model.predict([ca.sample_picture("cat")])[0]
    test = json.loads(Path(run, "report.json").read_text(encoding="utf-8"))["test"]
    return {
        "class": model.classes[int(shares.argmax())], "share": round(float(shares.max()), 4),
        "right": [test["accuracy"], test["low"], test["high"]], "photos": test["n"],
    }  # fmt: skip


def pooling(model: Any, data: str) -> dict[str, Any]:
    """Max, average and stride, trained alike -> invariance, kept answers and accuracy of each on moved photos."""
    import cutaway as ca

    rows = ca.compare_pooling(model, data, epochs=HEAL, pictures=MOVED, steps=STEPS)
    kinds = [{"name": r.name, "invariance": r.invariance, "kept": r.kept, "accuracy": r.accuracy} for r in rows]
    return {"pictures": MOVED, "steps": STEPS, "kinds": kinds}


def changes() -> dict[str, tuple[Any, ...]]:
    """What is changed, in the words of the page -> the edits."""
    import cutaway as ca

    relus, pools = ("relu1", "relu2", "relu3", "relu4"), ("pool1", "pool2", "pool3")
    return {
        "nothing": (),
        "sigmoid for ReLU": tuple(ca.SetActivation(name, "sigmoid") for name in relus),
        "average for max pooling": tuple(ca.SetPooling(name, "avg") for name in pools),
        "one edge kernel by hand in conv1": (ca.SetKernel("conv1", channel=0, to="vertical_edge"),),
        "one layer fewer: conv3 and its ReLU": (ca.Remove("conv3"), ca.Remove("relu3"), ca.FitInput("dense1")),
    }


def changed(name: str, model: Any, edits: tuple[Any, ...], data: str, folder: Path) -> dict[str, Any]:
    """A change -> accuracy on the test fold at once and after a short re-training of all layers; photos that flip."""
    import cutaway as ca

    other = ca.edit(model, *edits) if edits else model
    path = folder / f"{len(list(folder.glob('*.safetensors')))}.safetensors"
    ca.save_model(other, path)
    healed = ca.heal(str(path), data, epochs=HEAL, all=True, out=str(path.with_name(f"healed-{path.name}")))
    flips = ca.effect(model, other, data).data[0].flips if edits else ()
    before, after = healed.before, healed.after
    return {
        "change": name,
        "pictures": after.n,
        "flipped": len(flips),
        "before": [before.accuracy, before.low, before.high],
        "after": [after.accuracy, after.low, after.high],
    }


def layers(model: Any) -> list[dict[str, Any]]:
    """What each layer keeps of one cat: its maps, what a number sees of the picture, how many channels are silent."""
    import numpy as np

    import cutaway as ca
    from cutaway.graph.shapes import layer_table

    cat = ca.sample_picture("cat")
    trace = model.trace([cat])
    height, width = model.contract.size
    rows = layer_table(model.graph, (model.contract.in_channels, height, width))
    found = []
    for row in rows:
        if row.kind not in ("Conv2d", "ReLU", "MaxPool2d", "Linear"):
            continue
        values = trace[row.name][0].float().numpy()
        maps = values.reshape(len(values), -1)
        found.append(
            {
                "layer": row.name,
                "shape": " x ".join(map(str, values.shape)),
                "sees": row.receptive.text if row.receptive else "",
                "numbers": int(values.size),
                "zero": round(float((values == 0).mean()), 4),
                "silent": int((np.ptp(maps, 1) == 0).sum()) if maps.shape[1] > 1 else int((maps == 0).sum()),
            }
        )
    return found


def tables(found: dict[str, Any]) -> dict[str, str]:
    """Results -> the page's tables by name."""
    kept = [
        "| layer | gives | each number sees | numbers | of them zero | silent channels |",
        "|---|---|---|---:|---:|---:|",
    ]
    for row in found["layers"]:
        zero = f"{100 * row['zero']:.0f} %"
        cells = (f"`{row['layer']}`", row["shape"], row["sees"], f"{row['numbers']:,}", zero, str(row["silent"]))
        kept.append(f"| {' | '.join(cells)} |")
    made = [
        f"| what was changed | right at once | photos that flip | after {found['heal_epochs']} epochs more |",
        "|---|---|---:|---|",
    ]
    for row in found["changes"]:
        made.append(f"| {row['change']} | {share(row['before'])} | {row['flipped']} | {share(row['after'])} |")
    calm = ["| in place of the pool | invariance | answer kept | right, photos not moved |", "|---|---:|---:|---|"]
    words = {"max": "max pooling, as it was", "average": "average pooling", "stride": "a stride of 2, no pooling"}
    moved = found["pooling"]
    for row in moved["kinds"]:
        right = wilson(round(row["accuracy"] * moved["pictures"]), moved["pictures"])
        cells = (words[row["name"]], f"{row['invariance']:.3f}", f"{100 * row['kept']:.1f} %")
        calm.append(f"| {' | '.join(cells)} | {share([row['accuracy'], *right])} |")
    told = found["answer"]
    said = [
        f"Its answer to this cat is “{told['class']}”, with {100 * told['share']:.0f} %. It is right on "
        f"{share(told['right'])} of the {told['photos']} held-out photos."
    ]
    made_of = {"layers": kept, "answer": said, "changes": made, "pooling": calm}
    return {name: "\n".join(lines) + "\n" for name, lines in made_of.items()}


def share(told: list[float]) -> str:
    """Accuracy, low, high -> "81.0 % (76.9 to 84.5)"."""
    return f"{told[0]:.1%} ({100 * told[1]:.1f} to {100 * told[2]:.1f})".replace("%", " %", 1)


def renewed(page: str, made: dict[str, str]) -> str:
    """Page, tables -> the page with each between its marks."""
    for name, table in made.items():
        begin, end = BEGIN.format(name), END.format(name)
        head, _, rest = page.partition(begin)
        page = head + begin + table + end + rest.partition(end)[2]
    return page


def main() -> None:
    if sys.argv[1:]:
        data, run, *parts = sys.argv[1:]
        RESULTS.write_text(json.dumps(study(data, run, parts or PARTS), indent=1) + "\n", encoding="utf-8")
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), tables(found)), encoding="utf-8")


if __name__ == "__main__":
    main()
