"""Result files -> README's short table: one line for each promise, ours beside what it was measured against.

The whole tables stand in docs/measured.md; scripts/readme_results.py writes both. A line names the columns of its
benchmark, so a column that is renamed there and not here fails the test of README.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

Rows = list[dict[str, Any]]
Line = dict[str, str]
BEST_S, BEST_MS = "captum's best, s", "captum's best, ms"


def line(what: str, ours: str, beside: str, ratio: str, bar: str) -> Line:
    return {"what": what, "Cutaway": ours, "beside it": beside, "ratio": ratio, "bar": bar}


def transfer(rows: Rows) -> Iterator[Line]:
    command, once, every, ratio = rows
    yield line(
        "cats against dogs on a Teachable Machine backbone: the whole command, from cold",
        f"{command['seconds']:.0f} s, {command['accuracy']:.1%} of {command['of']}", "", "", "60 s, 95 %",
    )  # fmt: skip
    yield line(
        "20 epochs of a new head on a frozen backbone", f"{once['seconds']:.1f} s",
        f"backbone run every epoch: {every['seconds']:.0f} s", f"{ratio['seconds']:.0f}", "10",
    )  # fmt: skip


def tutorial_cifar(rows: Rows) -> Iterator[Line]:
    """The shortest of our schedules that reaches the peer's accuracy stands in the ratio's row."""
    peer, ratio, within = rows[0], rows[-2], rows[-1]
    ours = next(row for row in rows[1:] if row["test accuracy"] >= peer["test accuracy"])
    yield line(
        f"CIFAR-10 on the tutorial's network, to the {peer['test accuracy']:.1%} of three Keras epochs: training",
        f"{ours['fit, s']:.1f} s", f"Keras 3: {peer['fit, s']:.0f} s", f"{ratio['fit, s']:.1f}", "4",
    )  # fmt: skip
    yield line(
        "the same, the whole process", f"{ours['whole process, s']:.0f} s",
        f"Keras 3: {peer['whole process, s']:.0f} s", f"{ratio['whole process, s']:.1f}", "4",
    )  # fmt: skip
    yield line(
        "its accuracy in the time Keras takes for three epochs", f"{within['test accuracy']:.1%}",
        f"Keras 3: {peer['test accuracy']:.1%}", "", "",
    )  # fmt: skip


def open_file(rows: Rows) -> Iterator[Line]:
    slowest = max((row for row in rows if row.get("tf_keras, CPU s")), key=lambda row: row["ours, CPU s"])
    ours, theirs = slowest["ours, CPU s"], slowest["tf_keras, CPU s"]
    yield line(
        "open a Teachable Machine file (the slowest of four)", f"{ours:.2f} s of CPU", f"tf_keras: {theirs:.1f} s",
        f"{theirs / ours:.1f}", "0.3 s",
    )  # fmt: skip


def trace(rows: Rows) -> Iterator[Line]:
    worst = max(rows, key=lambda row: row["ratio"])
    yield line(
        f"a pass that keeps every feature map, {worst['network']} (the costliest of three)",
        f"{worst['Trace of all, ms']:.0f} ms",
        f"plain pass: {worst['plain forward, ms']:.0f} ms; torchlens: {worst['torchlens, ms']:,} ms",
        f"{worst['ratio']:.2f} of the plain pass", "1.3",
    )  # fmt: skip


def surgery_edits(rows: Rows) -> Iterator[Line]:
    row = rows[0]
    yield line(
        "an edit, until three layers' new maps and the answer are there as bytes (95 of 100 edits)",
        f"{row['p95, ms']:.0f} ms", "", "", f"{row['bar, ms']:.0f} ms",
    )  # fmt: skip


def surgery_rerun(rows: Rows) -> Iterator[Line]:
    row = next(row for row in rows if row["network"] == "mobilenet_v2")
    yield line(
        "run MobileNetV2 again after an edit in its middle, three layers' maps kept",
        f"{row['middle']:.2f} of a full pass", f"these layers alone: {row['middle, alone']:.2f}", "", "0.5",
    )  # fmt: skip


def surgery_rank(rows: Rows) -> Iterator[Line]:
    row = rows[0]
    yield line(
        f"what each of {row['channels']:,} channels is worth on {row['photos']} photos",
        f"{row['rank, CPU s']:,.0f} s of CPU", f"one run per channel: {row['once per channel, CPU s']:,.0f} s",
        f"{row['ratio']:.0f}", f"{row['bar']:.0f}",
    )  # fmt: skip


def studio(rows: Rows) -> Iterator[Line]:
    slowest = min(rows, key=lambda row: row["answers a second"])
    yield line(
        "the studio's page while a slider is dragged, 224 px",
        f"{slowest['answers a second']:.0f} painted answers a second", "", "", f"{slowest['bar']:.0f}",
    )  # fmt: skip


def occlusion(rows: Rows) -> Iterator[Line]:
    for row in rows:
        if row["precision"] == "float32":
            yield line(
                f"occlusion of 729 windows, exact, {row['network']}", f"{row['Cutaway, s']:.1f} s",
                f"captum: {row['captum, s']:.0f} s, at its best {row[BEST_S]:.1f} s",
                f"{row['over default']:.1f}, {row['over best']:.1f}", f"{row['bar']:.0f}, {row['bar of best']:.0f}",
            )  # fmt: skip


def cam(rows: Rows) -> Iterator[Line]:
    for row in rows:
        if row["network"] == "mobilenet_v2" and row["method"] in ("Grad-CAM", "Score-CAM"):
            peer, theirs = min(
                (row[key], key.removesuffix(", ms")) for key in ("captum, ms", "pytorch-grad-cam, ms") if row.get(key)
            )
            yield line(
                f"{row['method']}, mobilenet_v2", milliseconds(row["Cutaway, ms"]), f"{theirs}: {milliseconds(peer)}",
                f"{row['ratio']:.1f}", f"{row['bar']:g}",
            )  # fmt: skip


def integrated_gradients(rows: Rows) -> Iterator[Line]:
    for row in rows:
        if row["method"] == "integrated-gradients":
            yield line(
                f"Integrated Gradients in 50 steps, {row['network']}", milliseconds(row["Cutaway, ms"]),
                f"captum at its best: {milliseconds(row[BEST_MS])}", f"{row['ratio']:.2f}", f"{row['bar']:g}",
            )  # fmt: skip


def startup(rows: Rows) -> Iterator[Line]:
    for row in rows:
        if row["bar"] is not None:
            yield line(
                f"`{row['what']}`", f"{row['processor seconds']:.2f} s of CPU", "", "", f"{row['bar']:g} s",
            )  # fmt: skip


def milliseconds(value: float) -> str:
    return f"{value:.0f} ms" if value < 1000 else f"{value / 1000:.1f} s"


LINES: dict[str, Callable[[Rows], Iterator[Line]]] = {
    "transfer": transfer,
    "tutorial_cifar": tutorial_cifar,
    "open_file": open_file,
    "trace": trace,
    "surgery_edits": surgery_edits,
    "surgery_rerun": surgery_rerun,
    "surgery_rank": surgery_rank,
    "studio": studio,
    "occlusion": occlusion,
    "cam": cam,
    "integrated_gradients": integrated_gradients,
    "startup": startup,
}


def headlines(documents: dict[str, dict[str, Any]]) -> list[Line]:
    """Result files by name -> README's lines, in the order above; what was not measured has none."""
    return [found for name, of in LINES.items() if name in documents for found in of(documents[name]["rows"])]
