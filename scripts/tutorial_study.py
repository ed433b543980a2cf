"""The tutorials' notebook on real cats and dogs -> docs/coverage/tutorial.json, then the tables of docs/tutorial.md.

.venv/bin/python scripts/tutorial_study.py DATA   (DATA: a folder with train/ and test/ of two classes; about 6 minutes)
.venv/bin/python scripts/tutorial_study.py        (only the tables, from the results that are there)
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
RESULTS, PAGE = ROOT / "docs" / "coverage" / "tutorial.json", ROOT / "docs" / "tutorial.md"
BEGIN, END = "<!-- {}: written by scripts/tutorial_study.py -->\n", "<!-- /{} -->"
EPOCHS, HEAL = 12, 3


def study(data: str) -> dict[str, Any]:
    """Labelled photos with a test fold -> what the page's tables hold."""
    import cutaway as ca

    with tempfile.TemporaryDirectory() as folder:
        run = ca.train(data, network="tutorial-cats-dogs", epochs=EPOCHS, out=f"{folder}/run")
        model = run.model
        return {
            "version": ca.__version__,
            "network": "tutorial-cats-dogs",
            "epochs": EPOCHS,
            "heal_epochs": HEAL,
            "layers": layers(model),
            "changes": [changed(name, model, edits, data, Path(folder)) for name, edits in changes().items()],
        }


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
    return {"layers": "\n".join(kept) + "\n", "changes": "\n".join(made) + "\n"}


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
        RESULTS.write_text(json.dumps(study(sys.argv[1]), indent=1) + "\n", encoding="utf-8")
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    PAGE.write_text(renewed(PAGE.read_text(encoding="utf-8"), tables(found)), encoding="utf-8")


if __name__ == "__main__":
    main()
