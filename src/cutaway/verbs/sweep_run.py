"""Settings -> one short training each, remembered in a journal so that a stopped sweep goes on where it was."""

from __future__ import annotations

import csv
import dataclasses
import functools
import io
import itertools
import json
import re
import time
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from cutaway.dataset.pixels import PixelSet
from cutaway.draw.svg import standalone
from cutaway.draw.sweep import Trial, sweep_charts, sweep_page
from cutaway.events import Epoch, Event, Note, Progress
from cutaway.image import InputContract
from cutaway.reports.metrics import wilson
from cutaway.training.augment import Augment, preset
from cutaway.training.device import World
from cutaway.training.loop import Job, fit, infer
from cutaway.training.recipe import Recipe, recipe_for
from cutaway.training.run_folder import RunFolder
from cutaway.training.source import PictureSource
from cutaway.verbs.environment import environment, use_threads
from cutaway.verbs.knobs import parse_knobs
from cutaway.verbs.out import must_be_writable
from cutaway.verbs.plan import mirrors, own_size
from cutaway.verbs.survey import Survey, open_trainable, survey
from cutaway.verbs.sweep import SweepOptions, SweepResult
from cutaway.verbs.typed import typed_command
from cutaway.zoo import build

RECIPE_KNOBS = frozenset(
    {"epochs", "batch_size", "lr", "optimizer", "weight_decay", "label_smoothing", "warmup", "augment", "patience"}
)
NETWORK_KNOBS = {
    "small-cnn": frozenset({"depth", "filters", "kernel_size", "dropout"}),
    "tutorial-cats-dogs": frozenset({"dropout"}),
}


def sweep_over(options: SweepOptions) -> Generator[Event, None, SweepResult]:
    """Options -> trials on the same folds; the test fold is not looked at: a sweep selects."""
    known = RECIPE_KNOBS | NETWORK_KNOBS.get(options.network, frozenset())
    knobs = parse_knobs(options.vary, known)
    stem = re.sub(r"[^\w.-]+", "-", Path(options.data.rstrip("/")).name).strip("-.") or "photos"
    folder = RunFolder(Path(options.out or f"sweeps/{stem}"))
    must_be_writable(folder.path)
    dataset = open_trainable(options.data, None)
    use_threads(options.threads)
    size = (options.size, options.size) if options.size else own_size(options.network, dataset)
    named = functools.partial(build, options.network, classes=dataset.classes, size=size)
    for name, values in knobs.items():
        for value in values:
            _must_work(name, value, named)
    first = {name: values[0] for name, values in knobs.items() if name not in RECIPE_KNOBS}
    contract = named(**first).contract  # type: ignore[arg-type]
    seen = yield from survey(dataset, contract, seed=options.seed, val=0.15, test=0.15)
    seen = dataclasses.replace(seen, pixels=seen.pixels.held())
    folder.make_plain()
    study = _study(folder.path, knobs, options)
    every = [dict(zip(knobs, values, strict=True)) for values in itertools.product(*knobs.values())]
    wanted = min(len(every), options.trials or len(every))
    if len(_finished(study)) < wanted:
        _warm_up(seen, contract, named(**first).graph, options)  # type: ignore[arg-type]
    try:
        while len(_finished(study)) < wanted:
            yield Progress("sweep", len(_finished(study)), wanted, "settings")
            asked = _next(study, knobs, every, picks=wanted < len(every))
            settings = dict(asked.params)
            trial = yield from _train_one(settings, seen, contract_size=contract.size, options=options)
            for name in ("low", "high", "seconds", "parameters"):
                asked.set_user_attr(name, getattr(trial, name))
            study.tell(asked, trial.accuracy)
            yield Note(f"{trial.name}: {trial.accuracy:.1%} of validation pictures, {trial.seconds:.1f} s")
    except KeyboardInterrupt:
        yield Note(f"Stopped; finished settings are kept. Go on: the same command with --out {folder.path}.")
    trials = tuple(_trial(t) for t in _finished(study))
    _write(folder, trials, len(seen.at("val")), options)
    return SweepResult(str(folder.path), trials)


def _warm_up(seen: Survey, contract: InputContract, network: torch.nn.Module, options: SweepOptions) -> None:
    """What only the first training of a process pays for (libraries, kernels chosen) is no cost of the first setting:
    a few steps of a network that is thrown away."""
    steps = fit(network, _job(seen, contract, recipe_for("scratch", seed=options.seed, epochs=1)))
    next(steps)
    steps.close()


def _must_work(name: str, value: Any, network: Callable[..., Any]) -> None:
    """A knob's value -> nothing where it can be trained with: told before the first trial, not after the fifth."""
    if name in RECIPE_KNOBS:
        preset(recipe_for("scratch", **{name: value}).augment, 1)
    else:
        network(**{name: value})


def _next(study: Any, knobs: dict[str, Any], every: list[dict[str, Any]], *, picks: bool) -> Any:
    """The study's next trial, of settings not tried yet; `picks`: Optuna chooses, else they come in order."""
    done = [t.params for t in _finished(study)]
    missing = [settings for settings in every if settings not in done]
    if not picks or not done:
        study.enqueue_trial(missing[0])
    asked = _ask(study, knobs)
    while asked.params in done:
        study.tell(asked, state=_pruned())
        study.enqueue_trial(missing[len(done) % len(missing)])
        asked = _ask(study, knobs)
    return asked


def _ask(study: Any, knobs: dict[str, Any]) -> Any:
    asked = study.ask()
    for name, values in knobs.items():
        asked.suggest_categorical(name, list(values))
    return asked


def _pruned() -> Any:
    from optuna.trial import TrialState

    return TrialState.PRUNED


def _study(folder: Path, knobs: dict[str, Any], options: SweepOptions) -> Any:
    import optuna
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    grid = {name: list(values) for name, values in knobs.items()}
    sampler = optuna.samplers.TPESampler(seed=options.seed, n_startup_trials=max(4, (options.trials or 10) // 3))
    name = json.dumps([grid, options.network, options.epochs, options.size, options.seed, options.data])
    return optuna.create_study(
        study_name=name, storage=storage, sampler=sampler, direction="maximize", load_if_exists=True
    )


def _finished(study: Any) -> list[Any]:
    from optuna.trial import TrialState

    return [t for t in study.get_trials(deepcopy=False) if t.state == TrialState.COMPLETE]


def _trial(finished: Any) -> Trial:
    a = finished.user_attrs
    settings = {name: str(value) for name, value in finished.params.items()}
    return Trial(settings, finished.value, a["low"], a["high"], a["seconds"], int(a["parameters"]))


def _train_one(
    settings: dict[str, Any], seen: Survey, *, contract_size: tuple[int, int], options: SweepOptions
) -> Generator[Event, None, Trial]:
    network_knobs = {k: v for k, v in settings.items() if k not in RECIPE_KNOBS}
    asked = {"epochs": options.epochs, **{k: v for k, v in settings.items() if k in RECIPE_KNOBS}}
    recipe = recipe_for("scratch", seed=options.seed, **asked)
    torch.manual_seed(options.seed)
    named = build(options.network, classes=seen.dataset.classes, size=contract_size, **network_knobs)
    job = _job(seen, named.contract, recipe)
    began = time.perf_counter()
    fitted = yield from _quiet(fit(named.graph, job))
    seconds = time.perf_counter() - began
    if fitted.ended == "stopped":
        raise KeyboardInterrupt
    right = int((infer(named.graph, job.val, job.world.device).argmax(1) == job.val.labels).sum())
    n = len(job.val.labels)
    low, high = wilson(right, n)
    parameters = sum(p.numel() for p in named.graph.parameters())
    return Trial({k: str(v) for k, v in settings.items()}, right / n, low, high, round(seconds, 2), parameters)


def _quiet(events: Generator[Event, None, Any]) -> Generator[Event, None, Any]:
    """The trial's steps, or where they are quick its epochs, as progress; the sweep's own line tells the result."""
    by_step = False
    try:
        event = next(events)
        while True:
            if isinstance(event, Progress):
                by_step = True
                yield event
            elif isinstance(event, Epoch) and not by_step:
                yield Progress("train", event.number, event.of, "epochs")
            event = next(events)
    except StopIteration as end:
        return end.value


def _job(seen: Survey, contract: InputContract, recipe: Recipe) -> Job:
    pixels: PixelSet = seen.pixels
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    _, how = preset(recipe.augment, len(seen.at("train")), epochs=recipe.epochs, mirrored_classes=mirrors(seen.dataset))

    def source(fold: Any, augment: Augment) -> PictureSource:
        at = seen.at(fold)
        return PictureSource(pixels.rows, at, torch.from_numpy(seen.labels(at)), contract, augment, device)

    return Job(source("train", how), source("val", Augment()), recipe, recipe.epochs, World(0, 1, device))


def _write(folder: RunFolder, trials: tuple[Trial, ...], photos: int, options: SweepOptions) -> None:
    if not trials:
        return
    knobs = list(trials[0].settings)
    table = io.StringIO()
    rows = csv.writer(table)
    rows.writerow([*knobs, "val_accuracy", "low", "high", "seconds", "parameters"])
    for t in trials:
        rows.writerow([*(t.settings[k] for k in knobs), t.accuracy, t.low, t.high, t.seconds, t.parameters])
    folder.write_text(folder.path / "results.csv", table.getvalue())
    document = {"environment": environment(), "photos": photos, "trials": [dataclasses.asdict(t) for t in trials]}
    folder.write_json(folder.path / "results.json", document)
    created = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    page = sweep_page(
        trials,
        title=f"{options.network} on {options.data}",
        photos=photos,
        command=typed_command("sweep", options),
        created=created,
    )
    folder.write_text(folder.path / "sweep.html", page)
    for name, svg in zip(("accuracy-seconds", "accuracy-parameters"), sweep_charts(trials), strict=True):
        folder.write_text(folder.path / f"{name}.svg", standalone(svg))
