"""Model and labelled photos -> Evaluation and its page."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from cutaway.dataset import Dataset
from cutaway.dataset.cache import fill
from cutaway.dataset.identity import fold_fingerprint
from cutaway.dataset.ledger import look
from cutaway.dataset.scan import open_dataset
from cutaway.dataset.words import none_of
from cutaway.draw.page import report_page
from cutaway.errors import BadInput
from cutaway.evaluation.evaluate import answers, measured
from cutaway.events import Event, Note
from cutaway.graph.shapes import layer_table, network_text
from cutaway.model import Model
from cutaway.reports import Measured, Report
from cutaway.training.run_folder import RUNS, RunFolder
from cutaway.verbs.environment import Stopwatch, environment, peak_memory_mb
from cutaway.verbs.evaluate import EvaluateOptions, Evaluation
from cutaway.verbs.find import find_model, run_of
from cutaway.verbs.out import must_be_page
from cutaway.verbs.report_files import shown_names, thumbnails
from cutaway.verbs.survey import Survey
from cutaway.verbs.typed import typed_command


def evaluate_on(options: EvaluateOptions) -> Generator[Event, None, Evaluation]:
    """Options -> the Evaluation; a look at a test fold is entered in the ledger of the runs here.

    Where the data has no folds and the model is a run that was trained on it, the folds are those of that run.
    """
    watch = Stopwatch()
    model = find_model(options.model)
    run = run_of(options.model)
    stem = re.sub(r"[^\w.-]+", "-", Path(options.data.rstrip("/")).name).strip("-.") or "photos"
    page = Path(options.out or f"evaluation-{stem}.html")
    must_be_page(page)
    dataset = open_dataset(options.data, classes=model.classes)
    own_folds = any(s.fold for s in dataset.samples)
    fold = options.fold
    if own_folds:
        dataset, fold = _fold(dataset, options)
    pixels = yield from fill(dataset, model.contract)
    keep = np.nonzero(pixels.ok)[0].tolist()
    if len(keep) < len(dataset):
        yield Note(f"{len(dataset) - len(keep)} of {len(dataset):,} pictures could not be read and were left out.")
    if not keep:
        raise BadInput(f"{none_of(len(dataset), 'picture')} of {options.data} can be read; nothing was measured.")
    seen = Survey(dataset.take(keep), pixels.take(keep), (), ())
    learnt = _folds_of_run(seen, run)
    if not own_folds:
        seen, fold = _by_folds_of_run(seen, learnt, options)
    yield from _told(seen, learnt, fold)
    at = np.arange(len(seen.dataset))
    logits = yield from answers(model, seen.pixels.rows, at)
    result = measured(fold, model, seen.names(at), seen.labels(at), logits)
    looks = 0
    if fold == "test":
        print_ = fold_fingerprint(seen.dataset, seen.pixels.sha256s, "test")
        looks = look(run.ledger if run else Path(RUNS) / "test-looks.jsonl", print_, f"evaluate {options.model}")
    watch.lap("measure")
    report = _report(options, model, result, looks, watch)
    text = report_page(report, thumbnails(seen, shown_names(report)))
    RunFolder(page.parent).make_plain()
    RunFolder(page.parent).write_text(page, text)
    return Evaluation(options.model, options.data, result, looks, str(page))


def _fold(dataset: Dataset, options: EvaluateOptions) -> tuple[Dataset, str]:
    folds = {s.fold for s in dataset.samples}
    fold = options.fold
    if fold == "auto":
        fold = "test" if "test" in folds else "all"
    if fold == "all":
        return dataset, "all"
    part = dataset.where(lambda s: s.fold == fold)
    if not len(part):
        there = ", ".join(sorted(str(f) for f in folds if f)) or "no folds"
        raise BadInput(f"{options.data} has no {fold} fold ({there}); use --fold all.")
    return part, fold


def _folds_of_run(seen: Survey, run: RunFolder | None) -> list[str | None]:
    """The fold that each picture had when the run was trained, by its content; None for pictures new to it."""
    if run is None or not run.data.exists():
        return [None] * len(seen.dataset)
    pictures = run.read_json(run.data).get("folds", {}).get("pictures", {})
    return [pictures.get(sha, {}).get("fold") for sha in seen.pixels.sha256s]


def _by_folds_of_run(seen: Survey, learnt: list[str | None], options: EvaluateOptions) -> tuple[Survey, str]:
    """Pictures without folds of their own -> those asked for, by the folds of the run that was trained on them."""
    named = zip(seen.dataset.samples, learnt, strict=True)
    dataset = dataclasses.replace(
        seen.dataset,
        samples=tuple(dataclasses.replace(s, fold=f) for s, f in named),  # type: ignore[arg-type]
    )
    part, fold = _fold(dataset, options)
    kept = {s.name for s in part.samples}
    at = [i for i, s in enumerate(dataset.samples) if s.name in kept]
    return dataclasses.replace(seen, dataset=part, pixels=seen.pixels.take(at)), fold


def _told(seen: Survey, learnt: list[str | None], fold: str) -> Generator[Event, None, None]:
    """What a reader must know of pictures that the run has seen before."""
    known = sum(f in ("train", "val") for f in learnt)
    if known and fold == "test" and len(seen.dataset) < len(learnt):
        yield Note(
            f"This run was trained on {known:,} of these {len(learnt):,} pictures: measured are the "
            f"{len(seen.dataset):,} of its test fold; --fold all measures every picture."
        )
    elif known and fold in ("all", "test"):
        yield Note(f"This run has learnt from {known:,} of these pictures, so the result flatters it.")


def _report(options: EvaluateOptions, model: Model, result: Measured, looks: int, watch: Stopwatch) -> Report:
    table = layer_table(model.graph, (model.contract.in_channels, *model.contract.size))
    tally = {score.name: score.support for score in result.classes}
    return Report(
        title=f"{options.model} on {options.data}",
        created=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        command=typed_command("evaluate", options),
        recipe=dict(model.card),
        network=network_text(table),
        network_name=model.card.get("network", options.model),
        parameters=sum(row.parameters for row in table),
        trainable=0,
        contract=model.contract.describe(),
        classes=model.classes,
        counts={result.fold: tally},
        findings=(),
        epochs=(),
        val=None,
        test=result,
        looks=looks,
        baselines=(),
        diagnoses=(),
        environment=environment(),
        timings={**watch.laps, "total": watch.total()},
        peak_memory_mb=peak_memory_mb(),
    )
