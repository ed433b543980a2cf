"""Model and photos -> TrustResult, its table and chart; until it is done, what was measured lies beside the table."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator
from typing import Any

import numpy as np

from cutaway.dataset.pixels import PixelSet
from cutaway.draw.scene import Scene
from cutaway.draw.trust import Column, Dot, Row, trust_chart
from cutaway.engine.threads import threads as using
from cutaway.errors import BadInput, CutawayError, Stopped
from cutaway.events import Event, Note
from cutaway.explanation.method import METHODS, Method, method_named, names_typed, settings_dict, settings_of
from cutaway.explanation.question import ask
from cutaway.explanation.target import class_name, class_named
from cutaway.explanation.trust import Standing, Tally, trusting
from cutaway.explanation.verdict import HARDLY_CHANGED, UNSTABLE
from cutaway.graph.digest import digest
from cutaway.model import Model
from cutaway.verbs.explain_methods import Chosen, given_settings, refuse_without_gradient
from cutaway.verbs.find import find_model, made_now
from cutaway.verbs.model_name import data_title, stem_of, title_of
from cutaway.verbs.photos import gathered, open_photos
from cutaway.verbs.table_file import must_end_well, partial_of, table_file, write_table
from cutaway.verbs.trust import Trust, TrustOptions, TrustResult
from cutaway.verbs.trust_partial import question_of, save, taken_up

CHECKS = ("over_lot", "over_edges", "randomised", "shifted", "completeness", "deletion", "insertion",
          "deletion_random", "insertion_random", "deletion_edges", "insertion_edges", "edges")  # fmt: skip
COLUMNS = {
    "over_lot": Column("Better than chance", "share of probability, against random pixels", 0.0, "below", 0, 0.5),
    "over_edges": Column("Better than edges", "the same against an edge detector", 0.0, "below", 0, 0.5),
    "randomised": Column("Kept by random weights", "rank correlation: low is good", HARDLY_CHANGED, "above", 0, 1),
    "shifted": Column("Moves with the picture", "rank correlation, one pixel: high is good", UNSTABLE, "below", 0, 1),
}


def trust_on(options: TrustOptions) -> Generator[Event, None, TrustResult]:
    """Options -> the TrustResult. A stopped measurement of the same question goes on where it stood."""
    must_end_well(options.out)
    methods, left_out = chosen(options.method)
    given = given_settings(options.set, options.layer, methods)
    settings = {m.name: settings_of(m, given[m.name]) for m in methods}
    model = find_model(options.model)
    yield from made_now(options.model, model)
    found = open_photos(options.data, model.classes)
    photos = yield from gathered((found[0], False, ""), options.data, [model.contract], options.fold, options.most)
    pixels = photos.pixels[model.contract.pixel_key]
    methods, target = _possible(options, model, methods, pixels, left_out)
    question = _question(model, [(m.name, settings[m.name]) for m in methods], target, pixels)
    stem = f"trust-{stem_of(options.model)}"
    path = table_file(options.out, stem, ".json", lambda partial: question_of(partial) != question)
    partial = partial_of(path, ".json")
    start = taken_up(partial, question)
    if start is not None:
        yield Note(f"Going on from {partial}: {start.done:,} of {len(photos):,} pictures were through.")
    order = np.arange(len(photos))

    def keep(standing: Standing) -> None:
        save(partial, question, standing)

    with using(options.threads):
        standing = yield from trusting(model, methods, pixels.rows, order, target, start, keep, settings)
    stopped = standing.done < len(photos)
    if stopped and not standing.done:
        raise Stopped(
            f"Stopped before the first picture was through; what is measured lies in {partial}, and the same command "
            "goes on from there."
        )
    if not standing.tallies:
        name, why = next(iter((left_out | standing.left_out).items()))
        raise BadInput(f"No method can explain {options.model}; {name}: {why}")
    rows = tuple(_row(m, standing.tallies[m.name]) for m in methods if m.name in standing.tallies)
    named = class_name(target, model.classes) if target is not None else ""
    result = TrustResult(
        options.model, options.data, named, len(photos), standing.done, rows,
        tuple((left_out | standing.left_out).items()), photos.unreadable, stopped,
        partial if stopped else path, None if stopped else path.with_suffix(".png"),
    )  # fmt: skip
    if not stopped:
        _write(result)
        partial.unlink(missing_ok=True)
    return result


def chosen(typed: tuple[str, ...]) -> tuple[tuple[Method, ...], dict[str, str]]:
    """Names as typed ("all": every one, none: every one that is not slow) -> methods in the order of METHODS, and
    why some of those that nobody named are left out. Raises BadInput, MissingExtra for a named one."""
    names = names_typed(typed)
    if names and "all" not in names:
        found = {method.name: method for method in map(method_named, names)}
        return tuple(found[name] for name in METHODS if name in found), {}
    methods, left_out = [], {}
    for name in METHODS:
        try:
            method = method_named(name)
        except CutawayError as refused:
            left_out[name] = str(refused)
            continue
        if method.cost != "slow" or names:
            methods.append(method)
    return tuple(methods), left_out


def _possible(
    options: TrustOptions, model: Model, methods: tuple[Method, ...], pixels: PixelSet, left_out: dict[str, str]
) -> tuple[tuple[Method, ...], int | None]:
    """-> the methods that this model allows (why others do not work goes into `left_out`), and the class typed.

    Raises BadInput for a named method that needs a gradient the model has not, and for a class that is not there.
    """
    question = ask(model, pixels.rows(np.arange(1)))
    target = None
    if options.target:
        target = class_named(options.target, model.classes, question.logits(question.x).shape[1])
    there = [Chosen(method, method.settings(), False) for method in methods]
    left_out |= dict(refuse_without_gradient(there, question, forced=bool(options.method)))
    return tuple(one.method for one in there), target


def _question(model: Model, methods: list[tuple[str, Any]], target: int | None, pixels: PixelSet) -> str:
    """-> a hash of all that the figures depend on: network, contract, pictures, methods with their settings."""
    sha = hashlib.sha256(digest(model.graph).encode())
    asked = [[name, settings_dict(settings)] for name, settings in methods]
    sha.update(json.dumps([asked, target, pixels.sha256s, model.contract.to_dict()]).encode())
    return sha.hexdigest()


def _row(method: Method, tally: Tally) -> Trust:
    verdict, n = tally.verdict(method.title), sum(tally.levels.values())
    means = {name: tally.sums[name].told() if name in tally.sums else None for name in CHECKS}
    return Trust(
        method.name, method.title, tally.layer, means, verdict.level, verdict.sentence, tally.levels["passes"],
        tally.levels["doubtful"], tally.levels["fails"], tally.seconds / n, tally.with_checks / n,
    )  # fmt: skip


def _write(result: TrustResult) -> None:
    write_table(result.path, [_flat(row) for row in result.rows], result.to_dict())
    assert result.chart is not None
    result.chart.write_bytes(_chart(result).png())


def _flat(row: Trust) -> dict[str, Any]:
    """A method -> one row of a table."""
    found: dict[str, Any] = {"method": row.name, "verdict": row.level, "layer": row.layer}
    for name, mean in row.checks.items():
        told = mean.to_dict() if mean else {"mean": None, "low": None, "high": None}
        found |= {name: told["mean"], f"{name}_low": told["low"], f"{name}_high": told["high"]}
    return found | {
        "pictures": row.passes + row.doubtful + row.fails, "passes": row.passes, "doubtful": row.doubtful,
        "fails": row.fails, "seconds": round(row.seconds, 3), "seconds_with_checks": round(row.with_checks, 3),
        "sentence": row.sentence,
    }  # fmt: skip


def _chart(result: TrustResult) -> Scene:
    n = result.pictures
    about = f"the class {result.target}" if result.target else "each photo's likeliest class"
    words = [
        f"{n:,} photo{'s' * (n != 1)} of {data_title(result.data)}, explained for {about}; dots are means, lines "
        "their 95 % intervals.",
        "Only a map that beats chance, changes with the weights and moves with the picture tells of reasons.",
    ]
    rows = [Row(row.title, row.level, [_dot(row, name) for name in COLUMNS]) for row in result.rows]
    title = f"Which explanations of {title_of(result.model)} can be believed"
    return trust_chart(rows, tuple(COLUMNS.values()), title=title, words=words)


def _dot(row: Trust, name: str) -> Dot | None:
    mean = row.checks[name]
    if mean is None:
        return None
    low, high = (None if v is None else min(max(v, -1.0), 1.0) for v in (mean.low, mean.high))
    return Dot(mean.value, low, high)
