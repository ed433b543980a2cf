"""Report -> the page a person reads: one HTML file with everything that was measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cutaway.draw.charts import Interval, dot_whisker, reliability_diagram
from cutaway.draw.checks import gravest_first
from cutaway.draw.confusion import confusion_heatmap, worst
from cutaway.draw.curves import Line, line_chart
from cutaway.draw.html import Book, page
from cutaway.draw.scale import percent, plain, seconds, short_count
from cutaway.reports import Calibration, EpochRow, Measured, Report

FOLD_WORDS = {"val": "validation"}
SECTIONS = (
    ("verdict", "Verdict"), ("baselines", "Rivals"), ("classes", "Classes"), ("confusion", "Confusion"),
    ("mistakes", "Mistakes"), ("calibration", "Calibration"), ("curves", "Learning"), ("augmentation", "Augmentation"),
    ("data", "Photos"), ("network", "Network"), ("made", "Recipe"),
)  # fmt: skip
FINDING_PICTURES = 8
"""Pictures, or pairs of them, that a report shows of each finding."""


def report_page(report: Report, thumbnails: Mapping[str, bytes], pictures: Mapping[str, bytes] | None = None) -> str:
    """Report, small encoded pictures by sample name -> the text of one self-contained HTML file.

    `pictures["augmentation"]` is the sample of augmented photos; others are shown under their names. Names without a
    thumbnail are shown as text. Each distinct picture is embedded once.
    """
    book, seen, extra = Book(thumbnails), report.test or report.val, dict(pictures or {})
    augmentation = extra.pop("augmentation", b"")
    cells = {key: [[name, book.at(name)] for name in names] for key, names in seen.cells.items()} if seen else {}
    data = {"classes": report.classes, "confusion": seen.confusion if seen else (), "cells": cells}
    return page(
        "report.html.j2", book, data,
        title=report.title, sections=SECTIONS, footer=report.created, r=report, seen=seen,
        fold_words=words_for(seen.fold) if seen else "", lead=lead(report), facts=facts(report),
        chart=charts(report, seen), worst=worst(seen.confusion, report.classes) if seen else "none",
        calibration_words=calibration_words(seen) if seen and seen.calibration else "",
        calibration_pairs=calibration_pairs(seen.calibration) if seen and seen.calibration else (),
        curve_words=curve_words(report.epochs), timing_pairs=timing_pairs(report),
        looks_words=looks_words(report.looks),
        augmentation={"at": book.add(augmentation)} if augmentation else None,
        findings=gravest_first(report.findings), most=FINDING_PICTURES,
        others=[{"name": name, "at": book.add(data)} for name, data in extra.items() if data],
    )  # fmt: skip


def lead(report: Report) -> str:
    """Report -> its result in one sentence: accuracy, interval, photos, looks."""
    seen = report.test or report.val
    if seen is None:
        return "Nothing was measured in this run."
    right = (
        f"{percent(seen.accuracy, 1)} of {plain(seen.n)} {words_for(seen.fold)} photos right "
        f"(95 % interval {100 * seen.low:.1f}–{100 * seen.high:.1f})"
    )
    if report.test is None:
        return f"{right}; the test fold has not been looked at."
    return f"{right}, {report.looks} look{'' if report.looks == 1 else 's'} at the test fold."


def facts(report: Report) -> list[tuple[str, str, str]]:
    """Report -> the few numbers under the sentence: (name, value, small print)."""
    seen, rows = report.test or report.val, []
    rivals = [b for b in report.baselines if seen and report.test]
    if seen and rivals:
        best = max(rivals, key=lambda b: b.accuracy)
        rows.append(("against the best rival", f"{100 * (seen.accuracy - best.accuracy):+.1f} points", best.name))
    if seen:
        rows.append(("mean loss", f"{seen.loss:.3f} nats", f"guessing: {math.log(max(1, len(report.classes))):.2f}"))
    rows.append(("network", report.network_name, f"{short_count(report.parameters)} parameters"))
    if "train" in report.timings:
        rows.append(("training took", seconds(report.timings["train"]), f"{len(report.epochs)} epochs"))
    used = sum(sum(fold.values()) for fold in report.counts.values())
    if used:
        rows.append(("photos", plain(used), f"in {len(report.classes)} classes"))
    return rows


def charts(report: Report, seen: Measured | None) -> dict[str, Any]:
    """Report -> its drawings, marked as finished markup; empty text where there is nothing to draw."""
    from markupsafe import Markup

    made: dict[str, Any] = {"rivals": "", "confusion": "", "reliability": "", "curves": []}
    rows = [Interval(b.name, b.accuracy, b.low, b.high, note=b.note) for b in report.baselines]
    if report.test is not None:
        t = report.test
        rows.insert(0, Interval(report.network_name, t.accuracy, t.low, t.high, strong=True))
    if rows:
        made["rivals"] = Markup(dot_whisker(rows, title="Accuracy of the network and its rivals"))
    if seen is not None:
        drawn = confusion_heatmap(seen.confusion, report.classes, title="Confusion matrix", opens=seen.cells)
        made["confusion"] = Markup(drawn)
        if seen.calibration is not None:
            c = seen.calibration
            drawn = reliability_diagram(c.bin_count, c.bin_confidence, c.bin_accuracy, title="Reliability diagram")
            made["reliability"] = Markup(drawn)
    if report.epochs:
        made["curves"] = [Markup(svg) for svg in learning_curves(report.epochs)]
    return made


def learning_curves(epochs: tuple[EpochRow, ...]) -> tuple[str, str]:
    """Epochs -> (accuracy, loss) charts: training dashed, validation solid, the kept epoch marked, phases shaded."""
    xs = [float(i + 1) for i in range(len(epochs))]  # phases may count their epochs anew
    kept = next((x for x, e in zip(reversed(xs), reversed(epochs), strict=True) if e.best), None)
    best = None if kept is None else (kept, f"kept: epoch {plain(kept)}")

    def lines(train: list[float], val: list[float]) -> tuple[Line, Line]:
        return Line("training", xs, train, colour=2, dashed=True), Line("validation", xs, val)

    accuracy = line_chart(
        lines([e.train_accuracy for e in epochs], [e.val_accuracy for e in epochs]), title="Accuracy by epoch",
        x_label="epoch", y_label="accuracy", write=percent, ceiling=1.0, floor=0.0, best=best, phases=phases(epochs),
    )  # fmt: skip
    loss = line_chart(
        lines([e.train_loss for e in epochs], [e.val_loss for e in epochs]), title="Loss by epoch",
        x_label="epoch", y_label="mean cross-entropy (nats)", floor=0.0, best=best, phases=phases(epochs),
    )  # fmt: skip
    return accuracy, loss


def phases(epochs: tuple[EpochRow, ...]) -> list[tuple[float, float, str]]:
    """Epochs -> (start, end, name) of each stretch of one phase; none when there is only one."""
    found: list[tuple[float, float, str]] = []
    for i, e in enumerate(epochs):
        if found and found[-1][2] == e.phase:
            found[-1] = (found[-1][0], i + 1.0, e.phase)
        else:
            found.append((float(max(1, i)), i + 1.0, e.phase))
    return found if len(found) > 1 else []


def curve_words(epochs: tuple[EpochRow, ...]) -> str:
    """Epochs -> what the curves show, in a sentence."""
    kept = next((e for e in reversed(epochs) if e.best), None)
    if kept is None:
        return f"{len(epochs)} epochs."
    return (
        f"{len(epochs)} epochs in {seconds(sum(e.seconds for e in epochs))}; kept was the epoch with the least "
        f"validation loss: {percent(kept.train_accuracy, 1)} of the training photos right, "
        f"{percent(kept.val_accuracy, 1)} of the validation photos."
    )


def calibration_words(seen: Measured) -> str:
    """A fold with its calibration -> whether its confidence can be believed, in a sentence."""
    c = seen.calibration
    assert c is not None
    mean = mean_confidence(c)
    lean = "more" if mean > seen.accuracy else "less"
    return (
        f"On average it claims {percent(mean, 1)} and is right in {percent(seen.accuracy, 1)}: {lean} sure than right, "
        f"with {100 * c.ece:.1f} points of expected calibration error."
    )


def calibration_pairs(c: Calibration) -> list[tuple[str, str]]:
    """Calibration -> its numbers with their names."""
    temperature = "not fitted" if c.temperature == 1.0 else f"{c.temperature:.2f} (fitted on the validation photos)"
    rows = [("calibration error (ECE)", f"{100 * c.ece:.2f} points"), ("temperature", temperature)]
    if c.temperature != 1.0:
        rows.append(("ECE after temperature", f"{100 * c.ece_scaled:.2f} points"))
    return [*rows, ("mean confidence", percent(mean_confidence(c), 1))]


def mean_confidence(c: Calibration) -> float:
    return sum(n * p for n, p in zip(c.bin_count, c.bin_confidence, strict=True)) / max(1, sum(c.bin_count))


def timing_pairs(report: Report) -> list[tuple[str, str]]:
    """Report -> stages with their seconds, and the memory peak."""
    rows = [(stage, seconds(value)) for stage, value in report.timings.items()]
    return [*rows, ("peak memory", f"{plain(round(report.peak_memory_mb))} MB")] if report.peak_memory_mb else rows


def looks_words(looks: int) -> str:
    """Number of looks at the test fold -> what that means."""
    if looks == 0:
        return "None: the test fold is still sealed, and every number here comes from validation photos."
    if looks == 1:
        return "One, this report: nothing was chosen by it, so its number can be believed as it stands."
    return f"{looks}, this report included. What was chosen after an earlier look may lean on it."


def words_for(fold: str) -> str:
    return FOLD_WORDS.get(fold, fold)
