"""edit: any part of a model changed, written as a model of its own; the first stays as it is."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

from cutaway.events import Event, Note
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from pathlib import Path

    from cutaway.model import Model
    from cutaway.surgery.edit import Edit
    from cutaway.surgery.history import History

Shape = tuple[int, ...]
_MOST_MENDED = 20


@dataclass(frozen=True, slots=True)
class EditOptions:
    """Change any part of a model and write the changed one: kernels, strides, activations, layers, input, classes.

    Order: --edits, --rewire, --insert, --remove, --set, --scale, --keep, --silence; each flag in the order given.
    Where the order matters: --do, which takes each of these in one text, comes last and as it is given.
    """

    model: str
    """Run, its name under runs/, last, or any model file."""
    set: tuple[str, ...] = ()
    """LAYER.SETTING=VALUE: conv1.kernel[3]=sobel_x, pool1.kind=avg, conv1.stride=2, relu1=gelu, input.size=160."""
    silence: tuple[str, ...] = ()
    """LAYER[5,7]: these channels give zero."""
    keep: tuple[str, ...] = ()
    """LAYER[0:4]: all other channels give zero."""
    scale: tuple[str, ...] = ()
    """LAYER[3]=2: the channel is multiplied; LAYER=0.5: all channels are."""
    remove: tuple[str, ...] = ()
    """LAYER: taken out."""
    insert: tuple[str, ...] = ()
    """LAYER=relu or LAYER=MaxPool2d(kernel_size=2): put behind the layer."""
    rewire: tuple[str, ...] = ()
    """LAYER=OTHER: reads what OTHER gives; LAYER[1]=OTHER: its second input does."""
    do: tuple[str, ...] = ()
    """An edit in one text, in the order given: "conv1.stride=2", "silence conv1[5,7]", "remove drop1"."""
    mend: bool = False
    """Where an edit is refused because the network would not work: make the first remedy that was found instead."""
    edits: str = ""
    """File whose edits come first: a list as JSON, or an edited model."""
    record: str = ""
    """File to write the list of edits to, as JSON with the model's hash."""
    out: str = ""
    """File to write, .safetensors; default edit-MODEL.safetensors in this folder."""


@dataclass(frozen=True, slots=True)
class Edited:
    """What was changed and written. `edits`: each in words, `texts`: as it is typed.

    `shapes`: (step, shape before, shape after, without the batch axis) where they differ, () for a step that is not
    there. `adapted`: what had to follow, in sentences. `untrained`: layer -> why it should learn again. `non_finite`:
    the first layer that gives NaN or infinity on a test picture, "" for none. `next`: the command to go on with.
    """

    model: str
    path: Path
    edits: tuple[str, ...]
    texts: tuple[str, ...]
    shapes: tuple[tuple[str, Shape, Shape], ...]
    steps: int
    parameters: tuple[int, int]
    multiply_adds: tuple[int, int]
    adapted: str
    untrained: dict[str, str]
    non_finite: str
    next: str
    record: str = ""

    def to_dict(self) -> dict[str, Any]:
        two = {key: {"before": v[0], "after": v[1]} for key, v in
               (("parameters", self.parameters), ("multiply_adds", self.multiply_adds))}  # fmt: skip
        shapes = [{"layer": name, "before": list(b), "after": list(a)} for name, b, a in self.shapes]
        return {
            "model": self.model, "path": str(self.path), "edits": list(self.edits), "texts": list(self.texts),
            "steps": self.steps, "shapes": shapes, **two, "adapted": self.adapted, "untrained": self.untrained,
            "non_finite": self.non_finite, "next": self.next, "record": self.record,
        }  # fmt: skip


class EditVerb(Verb[..., Edited]):
    """`edit(model, *edits)`: a Model gives a Model; what is typed on a command line gives what it prints."""

    __slots__ = ()

    @overload
    def __call__(self, model: Model, *edits: Edit | str) -> Model: ...
    @overload
    def __call__(self, model: str, *edits: Edit | str, **flags: Any) -> Edited: ...
    def __call__(self, model: Model | str, *edits: Edit | str, **flags: Any) -> Any:
        """Model, Edit objects or texts ("conv1.stride=2", "silence conv2[5,7]"), in order -> the edited Model.

        With a file's name instead of a Model, and the flags of the command line: the edited model is written, and
        what was done is told (Edited). Raises BadInput for an edit that cannot be read or does not fit.
        """
        from cutaway.model import Model

        if isinstance(model, Model):
            from cutaway.surgery.apply import apply
            from cutaway.surgery.language import read_edits

            if flags:
                raise TypeError(f"with a Model, edit takes edits only; got {', '.join(flags)}=")
            return apply(model, read_edits(model, edits))
        from cutaway.surgery.phrases import text_of

        texts = tuple(e if isinstance(e, str) else text_of(e) for e in edits)
        return super().__call__(model, **{**flags, "do": (*flags.get("do", ()), *texts)})


def _run(options: EditOptions) -> Generator[Event, None, Edited]:
    from cutaway.errors import BadInput
    from cutaway.model import save_model
    from cutaway.surgery.apply import apply_or_tell_all
    from cutaway.surgery.history import History
    from cutaway.surgery.language import read_edits
    from cutaway.surgery.phrases import text_of
    from cutaway.surgery.refusal import Refusal
    from cutaway.verbs.find import find_model
    from cutaway.verbs.picture_file import picture_file

    path = picture_file(options.out, "edit", options.model, (".safetensors",))
    model = find_model(options.model)
    given = _history(options.edits, model) if options.edits else None
    if given is not None and given.model and given.model != History.of(model).model:
        yield Note("These edits were made on another model; they are tried on this one.")
    edits = read_edits(model, [*(given.edits if given else ()), *_typed(options)])
    if not edits:
        raise BadInput("Name what to change, for example --set conv1.stride=2 or --silence conv1[5,7].")
    if options.mend:
        edits = yield from _mended(model, edits)
    try:
        after = apply_or_tell_all(model, edits)
    except Refusal as refused:
        offer = " With --mend the first of these is made." if any(made for _, made in refused.remedies) else ""
        raise BadInput(f"{refused}{offer}") from None
    save_model(after, path)
    if options.record:
        History.of(model, edits).save(options.record)
    return _told(options, path, model, after, tuple(e.sentence for e in edits), tuple(map(text_of, edits)))


def _mended(model: Model, edits: tuple[Edit, ...]) -> Generator[Event, None, tuple[Edit, ...]]:
    """Edits -> the same with the first remedy in the place of each that is refused; it is said."""
    from cutaway.surgery.apply import apply
    from cutaway.surgery.refusal import Refusal

    for _ in range(_MOST_MENDED):
        try:
            apply(model, edits)
            break
        except Refusal as refused:
            words, remedy = next(((words, made) for words, made in refused.remedies if made), ("", ()))
            if not remedy:
                raise
            at = edits.index(refused.edit)
            edits = (*edits[:at], *_one_step(remedy), *edits[at + 1 :])
            yield Note(f"{refused.edit.sentence} alone would not work at {refused.layer}; also: {words}.")
    return edits


def _one_step(remedy: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """Edits of a remedy: only what comes out of all of them has to work."""
    from cutaway.surgery.edit import edit_of

    if len(remedy) == 1:
        return remedy
    return (edit_of({"edit": "together", "edits": [e.to_dict() for e in remedy]}),)


def _typed(options: EditOptions) -> list[str]:
    """Flags -> texts of the language, in the order of their meaning."""
    words = ("rewire", "insert", "remove", "set", "scale", "keep", "silence")
    return [*(f"{word} {text}" for word in words for text in getattr(options, word)), *options.do]


def _history(file: str, model: Model) -> History:
    """A JSON list of edits, or a model that holds its own -> History. Raises BadInput, BadModel."""
    from pathlib import Path

    from cutaway.surgery.history import History, read_history

    if Path(file).suffix.lower() != ".safetensors":
        return read_history(file)
    import json

    from cutaway.errors import BadInput
    from cutaway.model import open_model
    from cutaway.surgery.edit import edit_of

    card = open_model(file).card
    if "edits" not in card:
        raise BadInput(f"{file} is a model that no edits were made on.")
    del model
    return History("", tuple(map(edit_of, json.loads(card["edits"]))))


def _told(
    options: EditOptions, path: Path, before: Model, after: Model, sentences: tuple[str, ...], texts: tuple[str, ...]
) -> Edited:
    import json
    import shlex

    from cutaway.engine.prepare import prepare
    from cutaway.engine.trace import first_non_finite
    from cutaway.model.golden import golden_picture

    one, two = (_sizes(m) for m in (before, after))
    names = [*two.shapes, *(n for n in one.shapes if n not in two.shapes)]
    shapes = tuple(
        (n, one.shapes.get(n, ()), two.shapes.get(n, ())) for n in names if one.shapes.get(n) != two.shapes.get(n)
    )
    untrained = json.loads(after.card.get("untrained", "{}"))
    data = " DATA" if untrained else ""
    command = f"cutaway heal {shlex.quote(str(path))}{data} --epochs 2" if untrained else (
        f"cutaway effect {shlex.quote(options.model)} {shlex.quote(str(path))} PHOTO"
    )  # fmt: skip
    bad = first_non_finite(after.graph, prepare(golden_picture(after.contract), after.contract))
    return Edited(
        options.model, path, sentences, texts, shapes, len(two.shapes), (one.parameters, two.parameters),
        (one.work, two.work), after.card.get("adapted", ""), untrained, bad, command, options.record,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Sizes:
    shapes: dict[str, Shape]
    parameters: int
    work: int


def _sizes(model: Model) -> _Sizes:
    from cutaway.graph.names import steps_of
    from cutaway.graph.shapes import multiply_adds, shapes_of

    shapes = shapes_of(model.graph, (model.contract.in_channels, *model.contract.size))
    steps = {name: node for name, node in steps_of(model.graph).items() if node.name in shapes}
    work = sum(multiply_adds(model.graph, node, shapes) for node in steps.values())
    own = {name: tuple(shapes[node.name][1:]) for name, node in steps.items()}
    return _Sizes(own, sum(p.numel() for p in model.graph.parameters()), work)


edit = EditVerb("edit", EditOptions, _run)
