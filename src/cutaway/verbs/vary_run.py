"""Model, knobs, photos -> VaryResult: every setting an edited model, what none of them changes run once."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from cutaway.draw.vary import VaryPoint, vary_page
from cutaway.errors import BadModel, CutawayError
from cutaway.events import Event, Note
from cutaway.model import Model
from cutaway.reports.metrics import softmax
from cutaway.surgery.apply import apply
from cutaway.surgery.edit import Edit
from cutaway.surgery.effect_data import Logits, all_answers, data_effect, must_be_finite
from cutaway.surgery.knobs import Knob, settings_of
from cutaway.surgery.language import read_edits
from cutaway.verbs.model_name import data_title, title_of
from cutaway.verbs.photos import Photos, gathered, open_photos
from cutaway.verbs.vary import VaryOptions, VaryResult, VaryRow


def vary_over(
    options: VaryOptions, model: Model, knobs: Sequence[Knob], path: Path | None, table: Path | None
) -> Generator[Event, None, VaryResult]:
    """Options, model, knobs, where plot and figures go (None: nowhere) -> VaryResult.

    A setting that the network refuses is a row that says why; one that cannot be read is told before the work.
    """
    settings = settings_of(knobs)
    edits = [_edits(model, knobs, s) for s in settings]
    found = open_photos(options.data, model.classes)
    made = [_made(model, e) for e in edits]
    if all(isinstance(m, CutawayError) for m in made):
        raise made[0]  # type: ignore[misc]
    models = [model, *(m for m in made if isinstance(m, Model))]
    contracts = list(dict.fromkeys(m.contract for m in models))
    photos = yield from gathered(found, options.data, contracts, options.fold)
    logits = yield from all_answers(models, photos.rows(contracts), len(photos), "vary")
    answered = iter(zip(models[1:], logits[1:], strict=True))
    base = (model, logits[0])
    rows = [_row({}, base, base, photos)]
    for setting, one in zip(settings, made, strict=True):
        if isinstance(one, CutawayError):
            rows.append(VaryRow(setting, None, None, error=str(one)))
            yield Note(f"{rows[-1].name}: {one}")
        else:
            rows.append(_row(setting, base, next(answered), photos))
    result = VaryResult(
        options.model, options.data, len(photos), photos.labels is not None, tuple(rows), path, table, photos.unreadable
    )
    if table is not None:
        table.write_text(_figures(result, knobs, table.suffix.lower()), encoding="utf-8")
    if path is not None:
        _plot(result, knobs, path)
    return result


def _edits(model: Model, knobs: Sequence[Knob], setting: dict[str, str]) -> tuple[Edit, ...]:
    return read_edits(model, [text for knob in knobs for text in knob.texts(setting[knob.name])])


def _made(model: Model, edits: Sequence[Edit]) -> Model | CutawayError:
    try:
        return apply(model, edits)
    except CutawayError as error:
        return error


def _row(setting: dict[str, str], base: tuple[Model, Logits], one: tuple[Model, Logits], photos: Photos) -> VaryRow:
    model, z = one
    untrained = tuple(json.loads(model.card.get("untrained", "{}")))
    parameters = sum(p.numel() for p in model.graph.parameters())
    try:
        must_be_finite(model, z, photos.rows([model.contract])[model.contract], photos.names, "This setting")
    except BadModel as error:
        return VaryRow(setting, None, None, "", parameters, untrained, str(error))
    found = data_effect(photos.typed, (base[0], model), (base[1], z), photos.names, photos.labels)
    shares = softmax(z / model.temperature)
    top = base[1].argmax(1)
    share = float(shares[np.arange(len(top)), top].mean())
    answer = ""
    if len(top) == 1:
        best = int(shares[0].argmax())
        answer = f"{model.classes[best] if model.classes else f'class {best}'} {shares[0, best]:.1%}"
    return VaryRow(setting, found, share, answer, parameters, untrained)


def _figures(result: VaryResult, knobs: Sequence[Knob], ending: str) -> str:
    if ending == ".json":
        return json.dumps(result.to_dict(), ensure_ascii=False, indent=1) + "\n"
    rows = [row.to_dict() for row in result.rows]
    names = [knob.name for knob in knobs]
    columns = [key for key in rows[0] if key != "settings"]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*names, *columns])
    for row in rows:
        cells = ["; ".join(row[key]) if key == "untrained" else row[key] for key in columns]
        writer.writerow([*(row["settings"].get(name, "") for name in names), *cells])
    return out.getvalue()


def _plot(result: VaryResult, knobs: Sequence[Knob], path: Path) -> None:
    indices = knobs[0].name.startswith(("silence ", "keep "))  # which channel is no amount
    numbers = knobs[0].numbers if len(knobs) == 1 and not indices else None
    places: list[float | None] = [None, *(numbers or [None] * (len(result.rows) - 1))]
    points = [_point(row, place, result.labelled) for row, place in zip(result.rows, places, strict=True)]
    network = title_of(result.model)
    data = data_title(result.data)
    seen = f"{result.pictures:,} photos of {data}" if result.pictures != 1 else f"the photo {data}"
    if result.labelled:
        what = "accuracy"
        said = "Dot: share of the photos answered rightly; line: its 95 % interval; grey: the model as it is."
    else:
        what = "probability of the first answer"
        said = "Dot: mean probability of the class that the model as it is finds likeliest; grey: the model as it is."
    title = f"{', '.join(k.name for k in knobs)}: {what}"
    scene = vary_page(points, title=title, subtitle=(f"{network} on {seen}. {said}",), what=what,
                      knob=knobs[0].name if numbers else "")  # fmt: skip
    if path.suffix.lower() == ".svg":
        path.write_text(scene.svg(), encoding="utf-8")
    else:
        path.write_bytes(scene.png())


def _point(row: VaryRow, place: float | None, labelled: bool) -> VaryPoint:
    name = ", ".join(row.settings.values()) or "as it is"
    found: Any = row.effect
    if found is None:
        return VaryPoint(name, place, None, None, None, None, row.error)
    note = f"{len(found.flips):,} other answers" if found.n > 1 else row.answer
    if row.untrained:
        note = f"{note}; untrained"
    if not labelled:
        return VaryPoint(name, place, row.share, None, None, None, note)
    after = found.after
    return VaryPoint(name, place, after.accuracy, after.low, after.high, after.loss, note)
