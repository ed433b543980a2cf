"""One training run from the first file to the report, and the same run taken up again after a kill."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import fx, nn

from cutaway.dataset.identity import apply_folds, fingerprint, folds_document
from cutaway.dataset.places import cache_folder
from cutaway.dataset.quarantine import write_quarantine
from cutaway.errors import BadInput, BadModel
from cutaway.events import Event, Note
from cutaway.model import Model
from cutaway.model.backbone import with_head
from cutaway.reports import EpochRow
from cutaway.reports.codec import from_json
from cutaway.training.augment import Augment, preset
from cutaway.training.checkpoint import write_whole
from cutaway.training.device import World, join_world, leave_world
from cutaway.training.embed import embed
from cutaway.training.head import Standardised
from cutaway.training.log import MetricsLog
from cutaway.training.loop import CHECKPOINT_SECONDS, Fitted, Job, fit
from cutaway.training.recipe import head_recipe
from cutaway.training.run_folder import RunFolder, find_run, new_run
from cutaway.training.source import PictureSource, VectorSource
from cutaway.training.threads import fastest_threads
from cutaway.verbs.environment import Stopwatch, environment, use_threads
from cutaway.verbs.out import must_be_writable
from cutaway.verbs.plan import Plan, mirrors, plan
from cutaway.verbs.preview import augmentation_sheet
from cutaway.verbs.report_files import write_report
from cutaway.verbs.run import Run
from cutaway.verbs.survey import Survey, open_trainable, survey
from cutaway.verbs.train import TrainOptions
from cutaway.verbs.typed import typed_command


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """What every stage of a run needs to hand."""

    options: TrainOptions
    folder: RunFolder
    plan: Plan
    survey: Survey
    augment: Augment
    world: World
    watch: Stopwatch
    command: str
    checkpoint_seconds: float = CHECKPOINT_SECONDS


def start(options: TrainOptions) -> Generator[Event, None, Run]:
    """Options -> a new run, from files to report."""
    folder = new_run(options.data, options.out)
    must_be_writable(folder.path)
    return (yield from _train(options, folder, typed_command("train", options), stored=None))


def resume_run(typed: Path) -> Generator[Event, None, Run]:
    """Run folder or name -> the same run carried on from its last checkpoint to its report."""
    folder = find_run(str(typed))
    config = folder.read_json(folder.config)
    if folder.numbers.exists() and _ended(folder) != "stopped":
        raise BadInput(f"The run {folder.path} is finished; read {folder.report}, or train again with other options.")
    known = {f.name for f in dataclasses.fields(TrainOptions)}
    try:
        options = TrainOptions(**{k: v for k, v in config["options"].items() if k in known})
        command = str(config["command"])
    except (KeyError, TypeError, AttributeError) as error:
        raise BadModel(f"{folder.config} is damaged: it lacks or garbles {error}; train anew.") from None
    stored = folder.read_json(folder.data) if folder.data.exists() else None
    return (yield from _train(options, folder, command, stored=stored))


def _ended(folder: RunFolder) -> str:
    """A run with a report -> why its training ended; one that a person stopped can go on."""
    return from_json(folder.numbers.read_text(encoding="utf-8", errors="surrogateescape")).recipe.get("ended", "")


def _train(
    options: TrainOptions, folder: RunFolder, command: str, *, stored: dict[str, Any] | None
) -> Generator[Event, None, Run]:
    watch, world = Stopwatch(), join_world()
    use_threads(options.threads, world.size)
    try:
        desk = yield from _prepare(options, folder, command, world, watch, stored)
        if options.preview:
            return _preview(desk)
        graph, fitted = yield from _fit(desk)
        leads = world.leads
    finally:
        leave_world(world)
    if not leads:
        return Run(folder.path, None, fitted.ended)
    model = Model(graph, desk.plan.contract, desk.survey.dataset.classes, False, _card(desk))
    report = yield from write_report(desk, model, fitted)
    return Run(folder.path, report, fitted.ended)


def _prepare(
    options: TrainOptions,
    folder: RunFolder,
    command: str,
    world: World,
    watch: Stopwatch,
    stored: dict[str, Any] | None,
) -> Generator[Event, None, Desk]:
    dataset = open_trainable(options.data, options.exclude)
    planned = plan(options, dataset)
    for text in planned.notes:
        yield Note(text)
    watch.lap("open")
    seen = yield from survey(dataset, planned.contract, seed=options.seed, val=options.val, test=options.test)
    if stored is not None:
        seen = _as_stored(seen, stored, folder)
    watch.lap("read and check pictures")
    n = len(seen.at("train"))
    mirrored = mirrors(dataset) if options.flip is None else options.flip
    name, augment = preset(options.augment, n, epochs=planned.recipe.epochs, mirrored_classes=mirrored)
    if planned.recipe.mode == "frozen":
        name, augment = "none", Augment()
        if options.augment not in ("auto", "none"):
            yield Note("Augmentation has no part in frozen training (each picture is seen once); use --mode finetune.")
    elif not mirrored and options.flip is None:
        yield Note(
            "Augmentation leaves out mirroring: class names look like digits, letters or sides (--flip allows it)."
        )
    recipe = dataclasses.replace(planned.recipe, augment=name)
    planned = dataclasses.replace(planned, recipe=recipe)
    desk = Desk(options, folder, planned, seen, augment, world, watch, command)
    if world.leads and not options.preview:
        _write_beginning(desk)
    counts = ", ".join(f"{sum(c.values()):,} {fold}" for fold, c in seen.counts.items())
    yield Note(f"{len(seen.dataset):,} pictures of {len(dataset.classes)} classes: {counts}.")
    return desk


def _as_stored(seen: Survey, stored: dict[str, Any], folder: RunFolder) -> Survey:
    """The folds of then; refuses to go on with other pictures, which could not end with the same weights."""
    shas = seen.pixels.sha256s
    dataset = apply_folds(seen.dataset, shas, stored["folds"])
    folds = [s.fold for s in dataset.samples]
    if fingerprint(shas, dataset.labels, folds) != stored["fingerprint"]:
        raise BadInput(
            f"The pictures of {seen.dataset.root} have changed since the run {folder.path} began; "
            "put them back, or start a new run with cutaway train."
        )
    return dataclasses.replace(seen, dataset=dataset)


def _write_beginning(desk: Desk) -> None:
    folder, seen = desk.folder, desk.survey
    folder.make()
    shas = seen.pixels.sha256s
    print_ = fingerprint(shas, seen.dataset.labels, [s.fold for s in seen.dataset.samples])
    folder.write_json(
        folder.config,
        {
            "command": desk.command,
            "options": dataclasses.asdict(desk.options),
            "network": desk.plan.name,
            "recipe": desk.plan.recipe.to_dict(),
            "contract": desk.plan.contract.to_dict(),
            "classes": list(seen.dataset.classes),
            "environment": environment(),
        },
    )
    folder.write_json(
        folder.data,
        {"source": seen.dataset.root, "fingerprint": print_, "folds": folds_document(seen.dataset, shas)},
    )
    write_quarantine(folder.quarantine, seen.findings)


def _preview(desk: Desk) -> Run:
    sheet = augmentation_sheet(desk.survey, desk.augment, desk.plan.recipe.seed)
    path = desk.folder.path / "preview.png"
    desk.folder.make_plain()  # a picture alone makes no run: the same --out can be trained into next
    write_whole(path, lambda partial: partial.write_bytes(sheet))
    return Run(desk.folder.path, None, "preview")


def _fit(desk: Desk) -> Generator[Event, None, tuple[fx.GraphModule, Fitted]]:
    """Trains as the recipe's mode says -> the classifier's graph with its best weights, every epoch's row."""
    log = MetricsLog(desk.folder.path) if desk.world.leads else None
    rows: list[EpochRow] = []

    def on_epoch(row: EpochRow) -> None:
        rows.append(row)
        if log is not None:
            log.add(row)

    try:
        if desk.plan.graph is not None:
            fitted = yield from _fit_settled(desk, desk.plan.graph, _picture_job(desk, "train"), on_epoch)
            graph = desk.plan.graph
        else:
            graph, fitted = yield from _fit_head(desk, on_epoch)
            if desk.plan.recipe.mode == "finetune" and fitted.ended != "stopped":
                job = _picture_job(desk, "finetune", before=len(fitted.rows))
                rest = yield from _fit_settled(desk, graph, job, on_epoch)
                fitted = Fitted([*fitted.rows, *rest.rows], rest.ended, rest.best_epoch)
        if log is not None:
            log.end()
    finally:
        if log is not None:
            log.close()
    desk.watch.lap("train")
    return graph.to("cpu").eval(), fitted


def _fit_settled(desk: Desk, network: nn.Module, job: Job, on_epoch: Any) -> Generator[Event, None, Fitted]:
    """`fit` with the threads that suit this machine now, noted in config.json: a resumed run takes as many."""
    before = torch.get_num_threads()
    if desk.options.threads is None and desk.world.leads:
        config = desk.folder.read_json(desk.folder.config)
        settled = config.setdefault("threads", {})
        if job.phase not in settled:
            settled[job.phase] = fastest_threads(network, job)
            desk.folder.write_json(desk.folder.config, config)
        torch.set_num_threads(settled[job.phase])
        if settled[job.phase] < before:
            yield Note(f"Training uses {settled[job.phase]} of {before} threads, which is faster on this machine now.")
    try:
        return (yield from fit(network, job, on_epoch=on_epoch))
    finally:
        torch.set_num_threads(before)


def _fit_head(desk: Desk, on_epoch: Any) -> Generator[Event, None, tuple[fx.GraphModule, Fitted]]:
    backbone, seen, recipe = desk.plan.backbone, desk.survey, desk.plan.recipe
    assert backbone is not None
    train_at, val_at = seen.at("train"), seen.at("val")
    both = [*train_at, *val_at]
    shas = [str(seen.pixels.sha256s[i]) for i in both]
    pictures = seen.pixels.take(both)
    vectors = torch.from_numpy(
        (yield from embed(backbone, pictures.rows, shas, cache=cache_folder(), device=desk.world.device))
    )
    desk.watch.lap("embed")
    train, val = vectors[: len(train_at)], vectors[len(train_at) :]
    head = head_recipe(recipe)
    job = Job(
        VectorSource(train, torch.from_numpy(seen.labels(train_at))),
        VectorSource(val, torch.from_numpy(seen.labels(val_at))),
        head,
        head.epochs,
        dataclasses.replace(desk.world, device=torch.device("cpu")),
        phase="head",
        checkpoint=desk.folder.checkpoint("head"),
        checkpoint_seconds=desk.checkpoint_seconds,
    )
    network = Standardised(train, len(seen.dataset.classes), recipe)
    fitted = yield from _fit_settled(desk, network, job, on_epoch)
    return with_head(backbone, network.folded()), fitted


def _picture_job(desk: Desk, phase: str, before: int = 0) -> Job:
    seen, contract, device = desk.survey, desk.plan.contract, desk.world.device
    pixels = seen.pixels.held()  # many passes: from memory where they fit

    def source(fold: Any, how: Augment) -> PictureSource:
        at = seen.at(fold)
        labels = torch.from_numpy(seen.labels(at))
        return PictureSource(pixels.rows, at, labels, contract, how, device)

    return Job(
        source("train", desk.augment),
        source("val", Augment()),
        desk.plan.recipe,
        desk.plan.recipe.epochs,
        desk.world,
        phase=phase,
        epochs_before=before,
        layered=phase == "finetune",
        checkpoint=desk.folder.checkpoint(phase),
        checkpoint_seconds=desk.checkpoint_seconds,
    )


def _card(desk: Desk) -> dict[str, str]:
    return {
        "network": desk.plan.name,
        "mode": desk.plan.recipe.mode,
        "trained on": desk.survey.dataset.root,
        "pictures": str(len(desk.survey.at("train"))),
        "made by": desk.command,
    }
