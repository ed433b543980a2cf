"""Model, photos and options -> explanations with their checks, the page, the file of maps."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from cutaway.dataset.loose import open_pictures
from cutaway.dataset.words import none_of, unique
from cutaway.engine.prepare import prepare
from cutaway.errors import BadInput, BadModel, BadPicture, CutawayError
from cutaway.events import Event, Note, Progress
from cutaway.explanation.checks import Controls, check, controls
from cutaway.explanation.explanation import Checks, Explanation, explained
from cutaway.explanation.method import Answer, settings_dict
from cutaway.explanation.question import Question, ask
from cutaway.explanation.target import class_name, class_named
from cutaway.image import Image
from cutaway.image.fit import fit_picture, target_px
from cutaway.model import Model
from cutaway.verbs.explain import ExplainedPicture, ExplainOptions, ExplainResult
from cutaway.verbs.explain_methods import Chosen, chosen_methods, refuse_methods_as_photos, refuse_without_gradient
from cutaway.verbs.explain_page import write_page
from cutaway.verbs.find import made_now
from cutaway.verbs.picture_file import picture_file

MOST_OF_FOLDER = 8
"""Photos of a folder or an archive; photos that are named are all explained."""
BATCH = 8
"""Photos in one question: the maps of more would not fit the processor's cache."""
TOP = 5


def npz_file(typed: str) -> Path | None:
    """What was typed for --npz -> the file, None for none. Raises BadInput where it cannot be written."""
    return picture_file(typed, "explain", "model", (".npz",)) if typed else None


@dataclass(frozen=True, slots=True, eq=False)
class _Asked:
    """One class to be explained on every photo: its index for each, and that of the class it is compared with."""

    classes: tuple[int, ...]
    against: tuple[int, ...] | None


def explain_of(
    options: ExplainOptions, model: Model, asked: Sequence[Image | str], path: Path | None, npz: Path | None
) -> Generator[Event, None, ExplainResult]:
    """Options, model, photos as typed or as they are, files to write (None: none) -> ExplainResult."""
    refuse_methods_as_photos(options, asked)
    chosen, left_out = chosen_methods(options)
    yield from made_now(options.model, model)
    pictures, unreadable = yield from _read(asked, model)
    pixels = np.stack([fit_picture(picture, model.contract) for picture in pictures])  # (N, H, W, 3)
    whole = ask(model, pixels[:1])
    logits = torch.cat(
        [whole.network(prepare(p, model.contract)).detach() for p in np.array_split(pixels, len(pixels))]
    )
    _must_be_finite(logits, pictures)
    targets = _targets(options, model, logits)
    left_out += refuse_without_gradient(chosen, whole, forced=bool(options.method))
    found: dict[tuple[int, int, int], Explanation] = {}
    stopped = False
    try:
        yield from _explanations(options, model, whole, pixels, pictures, chosen, targets, found, left_out)
    except KeyboardInterrupt:
        if not found:
            raise
        stopped = True
    if not found:
        name, why = left_out[0]
        raise BadInput(f"None of the methods can explain this model; the first, {name}: {why}")
    explanations = tuple(found[key] for key in sorted(found))
    result = ExplainResult(
        options.model, _told(pictures, model, logits), explanations, tuple(dict.fromkeys(left_out)), path, npz,
        unreadable, stopped,
    )  # fmt: skip
    if npz is not None:
        np.savez_compressed(npz, **result.named_maps)  # type: ignore[arg-type]
    if path is not None:
        if len(pictures) > MOST_OF_FOLDER:
            yield Note(f"The page shows the first {MOST_OF_FOLDER} of {len(pictures)} photos; --npz holds all maps.")
        write_page(path, result, pixels[:MOST_OF_FOLDER], model, several=len(targets) > 1)
    return result


def _explanations(
    options: ExplainOptions,
    model: Model,
    whole: Question,
    pixels: NDArray[np.uint8],
    pictures: Sequence[Image],
    chosen: list[Chosen],
    targets: Sequence[_Asked],
    found: dict[tuple[int, int, int], Explanation],
    left_out: list[tuple[str, str]],
) -> Generator[Event, None, None]:
    """Fills `found` by (photo, method, target) and `left_out`, batch by batch, so that a stop keeps what is done.

    What the checks hold every method against is measured once for a batch and a class.
    """
    whole.fast  # noqa: B018 - made once; the questions made of it share it
    parts = [np.arange(len(pixels))[i : i + BATCH] for i in range(0, len(pixels), BATCH)]
    total, done, dropped = len(chosen) * len(targets) * len(pixels), 0, set[int]()
    shared: Controls | None = None
    for (t, target), part in itertools.product(enumerate(targets), parts):
        question = _question(whole, model, pixels[part], target, part)
        if options.check:
            shared = yield from controls(question, shared.untrained if shared else None)
        for m, one in enumerate(chosen):
            if total > len(part):
                yield Progress("explain", done, total, "maps")
            done += len(part)
            if m in dropped:
                continue
            try:
                answer, seconds = yield from explained(one.method, question, one.settings)
            except CutawayError as error:
                if options.method or one.typed:
                    raise
                left_out.append((one.method.name, str(error)))
                dropped.add(m)
                continue
            checks = (yield from _checked(one, question, answer, shared)) if shared else [None] * len(part)
            for row, i in enumerate(part):
                made = _explanation(model, pictures[i], one, question, row, answer, checks[row])
                found[int(i), m, t] = dataclasses.replace(made, seconds=seconds / len(part))
    if total > min(BATCH, len(pixels)):
        yield Progress("explain", total, total, "maps")


def _question(
    whole: Question, model: Model, pixels: NDArray[np.uint8], target: _Asked, part: NDArray[np.int64]
) -> Question:
    classes = torch.tensor([target.classes[i] for i in part])
    against = None if target.against is None else torch.tensor([target.against[i] for i in part])
    return whole.with_(pixels=pixels, x=prepare(pixels, model.contract), classes=classes, against=against)


def _checked(
    one: Chosen, question: Question, answer: Answer, shared: Controls
) -> Generator[Event, None, Sequence[Checks | None]]:
    try:
        return (yield from check(one.method, question, one.settings, answer, shared))
    except CutawayError as error:
        yield Note(f"{one.method.title} could not be checked: {error}")
        return [None] * len(question)


def _explanation(
    model: Model, picture: Image, one: Chosen, question: Question, row: int, answer: Answer, checks: Checks | None
) -> Explanation:
    against = None if question.against is None else int(question.against[row])
    return Explanation(
        map=answer.maps[row], method=one.method.name,
        target=class_name(int(question.classes[row]), model.classes),
        against="" if against is None else class_name(against, model.classes),
        layer=answer.layer, settings=settings_dict(one.settings), value=float(question.value[row]),
        base=None if answer.base is None else float(answer.base[row]), picture=picture.name, sha256=picture.sha256,
        seconds=0.0, notes=answer.notes, checks=checks,
    )  # fmt: skip


# -- photos and classes


def _read(
    asked: Sequence[Image | str], model: Model
) -> Generator[Event, None, tuple[list[Image], tuple[tuple[str, str], ...]]]:
    px = target_px(model.contract)
    found: list[Image] = []
    unreadable: list[BadPicture] = []
    for one in asked:
        if isinstance(one, Image):
            found.append(one if one.name else dataclasses.replace(one, name="picture"))
            continue
        dataset = open_pictures((one,))
        if len(dataset) > MOST_OF_FOLDER:
            yield Note(f"{one} holds {len(dataset):,} photos; the first {MOST_OF_FOLDER} are explained.")
        for i in range(min(len(dataset), MOST_OF_FOLDER)):
            try:
                found.append(dataclasses.replace(dataset.read(i, px), name=dataset.samples[i].name))
            except BadPicture as error:
                unreadable.append(error)
    if not found:
        if len(unreadable) == 1:
            raise unreadable[0]
        raise BadInput(f"{none_of(len(unreadable), 'photo')} can be read (the first: {unreadable[0]}).")
    names = unique(picture.name for picture in found)
    pictures = [
        dataclasses.replace(p, name=name, sha256=p.sha256 or hashlib.sha256(p.pixels.tobytes()).hexdigest())
        for p, name in zip(found, names, strict=True)
    ]
    return pictures, tuple((e.name, f"{e.code}: {e.detail}") for e in unreadable)


def _must_be_finite(logits: torch.Tensor, pictures: Sequence[Image]) -> None:
    bad = (~torch.isfinite(logits).all(1)).nonzero()
    if len(bad):
        name = pictures[int(bad[0])].name
        raise BadModel(
            f"The network's answer to {name} is not finite, so there is nothing to explain; `cutaway watch` names the "
            "layer where that begins."
        )


def _targets(options: ExplainOptions, model: Model, logits: torch.Tensor) -> list[_Asked]:
    """Options, logits (N, K) -> the classes to explain, for each photo. Raises BadInput."""
    n, answers = logits.shape
    if not options.against:
        named = dict.fromkeys(class_named(t, model.classes, answers) for t in options.target)
        if not named:
            return [_Asked(tuple(logits.argmax(1).tolist()), None)]
        return [_Asked((k,) * n, None) for k in named]
    against = class_named(options.against, model.classes, answers)
    if answers == 1:
        raise BadInput(
            "The network gives one answer only, so there is no second class to compare; leave --against out."
        )
    if not options.target:
        others = logits.clone()
        others[:, against] = -torch.inf
        return [_Asked(tuple(others.argmax(1).tolist()), (against,) * n)]
    named = dict.fromkeys(class_named(t, model.classes, answers) for t in options.target)
    if against in named:
        raise BadInput(
            f"--target and --against name the same class, {class_name(against, model.classes)}; name two others."
        )
    return [_Asked((k,) * n, (against,) * n) for k in named]


def _told(pictures: Sequence[Image], model: Model, logits: torch.Tensor) -> tuple[ExplainedPicture, ...]:
    shares = _probabilities(model, logits)
    found = []
    for picture, row, scores in zip(pictures, shares, logits, strict=True):
        order = scores.argsort(descending=True, stable=True)[:TOP]  # probabilities may be equal where these are not
        top = tuple((class_name(int(i), model.classes), float(row[i])) for i in order)
        found.append(ExplainedPicture(picture.name, picture.sha256, top))
    return tuple(found)


def _probabilities(model: Model, logits: torch.Tensor) -> NDArray[np.float32]:
    """Logits (N, K) -> probabilities (N, K) as `predict` gives them; of one answer alone its sigmoid."""
    z = logits.float() / model.temperature
    found: NDArray[np.float32] = (torch.sigmoid(z) if z.shape[1] == 1 else torch.softmax(z, 1)).numpy()
    return found
