"""The end of a run: the model file, the one look at the test fold, the rivals, the report."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator, Iterable
from datetime import UTC, datetime
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cutaway.dataset.identity import fold_fingerprint
from cutaway.dataset.ledger import look
from cutaway.dataset.linear import stratified_rows
from cutaway.draw.page import FINDING_PICTURES, report_page
from cutaway.draw.sheet import thumbnail
from cutaway.evaluation.baselines import classical, majority
from cutaway.evaluation.evaluate import answers, measured
from cutaway.events import Event, Note
from cutaway.graph.shapes import layer_table, network_text
from cutaway.model import Model, save_model
from cutaway.reports import Baseline, Finding, Measured, Report
from cutaway.reports.codec import to_json
from cutaway.reports.diagnosis import LEAKS_LEFT_OUT, diagnose
from cutaway.reports.metrics import fit_temperature
from cutaway.training.loop import Fitted
from cutaway.verbs.environment import environment, peak_memory_mb
from cutaway.verbs.look_over import classical_features
from cutaway.verbs.preview import augmentation_sheet
from cutaway.verbs.survey import Survey

if TYPE_CHECKING:
    from cutaway.verbs.training_run import Desk

RIVAL_TRAIN, RIVAL_TEST = 4_000, 2_000  # pictures the classical rival learns from and is asked
THUMBNAIL_PX = 128
MOST_THUMBNAILS = 600  # 600 x 5 kB keeps the page under 5 MB


def write_report(desk: Desk, model: Model, fitted: Fitted) -> Generator[Event, None, Report]:
    """Trained model -> model.safetensors with its temperature, report.json and report.html; returns the Report."""
    seen = desk.survey
    val_at, test_at = seen.at("val"), seen.at("test")
    val_logits = yield from answers(model, seen.pixels.rows, val_at, "validate")
    model = dataclasses.replace(model, temperature=fit_temperature(val_logits, seen.labels(val_at)))
    save_model(model, desk.folder.model)
    val = measured("val", model, seen.names(val_at), seen.labels(val_at), val_logits)
    test, looks = None, 0
    if len(test_at):
        looks = look(
            desk.folder.ledger, fold_fingerprint(seen.dataset, seen.pixels.sha256s, "test"), desk.folder.path.name
        )
        test_logits = yield from answers(model, seen.pixels.rows, test_at, "test")
        test = measured("test", model, seen.names(test_at), seen.labels(test_at), test_logits)
    desk.watch.lap("measure")
    rivals = yield from _rivals(seen)
    desk.watch.lap("rivals")
    report = _report(desk, model, fitted, val, test, looks, rivals)
    pictures = {} if not desk.augment.active else {"augmentation": _sheet(desk)}
    page = report_page(report, thumbnails(seen, shown_names(report)), pictures)
    desk.folder.write_text(desk.folder.report, page)
    desk.folder.write_text(desk.folder.numbers, to_json(report))
    yield Note(f"Report: {desk.folder.report}")
    return report


def _sheet(desk: Desk) -> bytes:
    return augmentation_sheet(desk.survey, desk.augment, desk.plan.recipe.seed)


def _rivals(seen: Survey) -> Generator[Event, None, tuple[Baseline, ...]]:
    """The majority class, and a classical classifier, both measured on the test fold (else the validation fold)."""
    train_at = seen.at("train")
    asked_at = seen.at("test") if len(seen.at("test")) else seen.at("val")
    plain = majority(seen.labels(train_at), seen.labels(asked_at))
    learnt_at = train_at[stratified_rows(seen.labels(train_at), RIVAL_TRAIN)]
    asked_at = asked_at[stratified_rows(seen.labels(asked_at), RIVAL_TEST)]
    both = yield from classical_features(seen.pixels, np.concatenate([learnt_at, asked_at]))
    learnt, asked = both[: len(learnt_at)], both[len(learnt_at) :]
    return plain, classical(learnt, seen.labels(learnt_at), asked, seen.labels(asked_at))


def _report(
    desk: Desk,
    model: Model,
    fitted: Fitted,
    val: Measured,
    test: Measured | None,
    looks: int,
    rivals: tuple[Baseline, ...],
) -> Report:
    table = layer_table(model.graph, (model.contract.in_channels, *model.contract.size))
    parameters = sum(row.parameters for row in table)
    trained = [r.parameters for r in table if r.name.startswith("head.")] if desk.plan.recipe.mode == "frozen" else []
    recipe = {name: str(value) for name, value in desk.plan.recipe.to_dict().items()}
    report = Report(
        title=f"{desk.plan.name} on {Path(desk.survey.dataset.root).name or desk.survey.dataset.root}",
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        command=desk.command,
        recipe={**recipe, "ended": fitted.ended, LEAKS_LEFT_OUT: "yes"},
        network=network_text(table),
        network_name=desk.plan.name,
        parameters=parameters,
        trainable=sum(trained) or parameters,
        contract=model.contract.describe(),
        classes=model.classes,
        counts=desk.survey.counts,
        findings=desk.survey.findings,
        epochs=tuple(fitted.rows),
        val=val,
        test=test,
        looks=looks,
        baselines=rivals,
        diagnoses=(),
        environment=environment(),
        timings={**desk.watch.laps, "total": desk.watch.total()},
        peak_memory_mb=peak_memory_mb(),
    )
    found = diagnose(report)
    named = tuple(dataclasses.replace(d, next=d.next.replace(" RUN ", f" {desk.folder.path} ")) for d in found)
    return dataclasses.replace(report, diagnoses=named)


def shown_names(report: Report) -> list[str]:
    """Names a report page shows as pictures: what stands on it first, then what a click on the confusion matrix opens,
    each cell's first picture before any cell's second."""
    seen = report.test or report.val
    names: list[str] = []
    if seen is not None:
        names += [m.name for m in seen.mistakes]
    names += finding_names(report.findings, FINDING_PICTURES)
    if seen is not None:
        ranks = zip_longest(*seen.cells.values())
        names += [name for rank in ranks for name in rank if name is not None]
    return list(dict.fromkeys(names))[:MOST_THUMBNAILS]


def finding_names(findings: Iterable[Finding], most: int) -> list[str]:
    """Findings -> the names of the first `most` pictures, or pairs of them, of each."""
    return [name for f in findings for name in (*f.names[:most], *(n for pair in f.pairs[:most] for n in pair))]


def thumbnails(seen: Survey, names: list[str]) -> dict[str, bytes]:
    """Sample names -> small encoded pictures of those that can be read, from the pixel cache."""
    where = {s.name: i for i, s in enumerate(seen.dataset.samples)}
    at = [where[n] for n in names if n in where and seen.pixels.ok[where[n]]]
    rows: NDArray[np.uint8] = seen.pixels.rows(np.array(at, np.int64))
    return {seen.dataset.samples[i].name: thumbnail(picture, THUMBNAIL_PX) for i, picture in zip(at, rows, strict=True)}
