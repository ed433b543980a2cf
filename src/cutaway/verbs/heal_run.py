"""An edited model and photos -> the same model with the layers trained again that its edits left untrained."""

from __future__ import annotations

import copy
import dataclasses
import json
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import fx, nn

from cutaway.dataset import Fold
from cutaway.dataset.identity import fold_fingerprint
from cutaway.dataset.ledger import look
from cutaway.dataset.scan import must_be_trainable, open_dataset
from cutaway.engine.threads import threads as using
from cutaway.errors import BadInput
from cutaway.evaluation.evaluate import answers, measured
from cutaway.events import Event, Note
from cutaway.graph.names import names_of
from cutaway.model import Model, save_model
from cutaway.reports import Measured
from cutaway.reports.metrics import fit_temperature
from cutaway.surgery.ablation import WEIGHTED
from cutaway.training.augment import Augment, preset
from cutaway.training.device import World
from cutaway.training.loop import Fitted, Job, fit
from cutaway.training.recipe import recipe_for
from cutaway.training.run_folder import RUNS
from cutaway.training.source import PictureSource
from cutaway.verbs.find import find_model
from cutaway.verbs.heal import HealOptions, HealResult
from cutaway.verbs.picture_file import picture_file
from cutaway.verbs.plan import mirrors
from cutaway.verbs.survey import Survey, survey

_TINY = 1e-12
_STATISTICS = nn.modules.batchnorm._BatchNorm | nn.modules.instancenorm._InstanceNorm


class Learner(nn.Module):
    """A model's graph as it heals: gives logits, and keeps every layer that does not learn as it is.

    `learning`: paths of the modules that learn, None for all. Frozen normalisations keep their statistics.
    """

    def __init__(self, model: Model, learning: frozenset[str] | None) -> None:
        super().__init__()
        self.graph: fx.GraphModule = copy.deepcopy(model.graph)
        self._probabilities = model.probabilities
        self._frozen: list[nn.Module] = []
        for weight in self.graph.parameters():
            weight.requires_grad_(learning is None)
        for path, module in self.graph.named_modules():
            if learning is not None and path in learning:
                for weight in module.parameters(recurse=False):
                    weight.requires_grad_(True)
            elif learning is not None and isinstance(module, _STATISTICS):
                self._frozen.append(module)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.graph(x)
        return torch.log(out.clamp_min(_TINY)) if self._probabilities else out

    def train(self, mode: bool = True) -> Learner:
        super().train(mode)
        for module in self._frozen:
            module.eval()
        return self

    @property
    def weights(self) -> int:
        return sum(p.numel() for p in self.graph.parameters() if p.requires_grad)


def untrained(model: Model) -> dict[str, str]:
    """Model -> its layers that edits left untrained, and why; as its card says."""
    try:
        found = json.loads(model.card.get("untrained", "{}"))
    except ValueError:
        found = {}
    return {str(name): str(why) for name, why in found.items()} if isinstance(found, dict) else {}


def what_learns(model: Model) -> tuple[dict[str, str], list[str]]:
    """Model -> layers that learn and why (the marked ones that have weights, and the last), marked ones gone since.

    Raises BadInput for a network without a layer with weights.
    """
    steps = names_of(model.graph)
    marked, gone = {}, []
    for name, why in untrained(model).items():
        node = steps.get(name)
        if node is None or node.op != "call_module":
            gone.append(name)
        elif any(True for _ in model.graph.get_submodule(str(node.target)).parameters()):
            marked[name] = why
    weighted = [
        name for name, node in steps.items()
        if node.op == "call_module" and isinstance(model.graph.get_submodule(str(node.target)), WEIGHTED)
    ]  # fmt: skip
    if not weighted:
        raise BadInput("The network has no layer with weights that could learn.")
    marked.setdefault(weighted[-1], "it gives the answer")
    return marked, gone


@dataclass(frozen=True, slots=True, eq=False)
class Healing:
    """What came of it: the model, the training's rows, how many numbers learned."""

    model: Model
    fitted: Fitted
    weights: int


def healing(
    model: Model, seen: Survey, learning: frozenset[str] | None, options: HealOptions
) -> Generator[Event, None, Healing]:
    """Model, survey of labelled photos, names of the layers that learn (None: all) -> Healing.

    The model itself stays as it is. The best epoch's weights by validation loss; Ctrl-C keeps the best so far.
    """
    asked = {name: getattr(options, name) for name in ("epochs", "lr", "batch_size", "seed")}
    recipe = recipe_for("finetune", **asked)
    torch.manual_seed(recipe.seed)
    paths = None
    if learning is not None:
        steps = names_of(model.graph)
        tops = {str(steps[name].target) for name in learning}
        paths = frozenset(
            path for path, _ in model.graph.named_modules() if any(path == t or path.startswith(t + ".") for t in tops)
        )
    network = Learner(model, paths)
    learnt = network.weights
    if not learnt:
        raise BadInput("None of the layers that should learn has weights; let every layer learn with --all.")
    mirrored = mirrors(seen.dataset) if options.flip is None else options.flip
    _, augment = preset(options.augment, len(seen.at("train")), epochs=recipe.epochs, mirrored_classes=mirrored)
    world = World(0, 1, torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    pixels = seen.pixels.held()

    def source(fold: Fold, how: Augment) -> PictureSource:
        at = seen.at(fold)
        labels = torch.from_numpy(seen.labels(at))
        return PictureSource(pixels.rows, at, labels, model.contract, how, world.device)

    job = Job(
        source("train", augment), source("val", Augment()), recipe, recipe.epochs, world, phase="heal",
        layered=learning is None,
    )  # fmt: skip
    fitted = yield from fit(network, job)
    graph = network.to("cpu").graph.eval()
    for weight, original in zip(graph.parameters(), model.graph.parameters(), strict=True):
        weight.requires_grad_(original.requires_grad)
    return Healing(dataclasses.replace(model, graph=graph), fitted, learnt)


def heal_on(options: HealOptions) -> Generator[Event, None, HealResult]:
    """Options -> the healed model's file and its accuracy before and after, on pictures that it did not learn from."""
    path = picture_file(options.out, "heal", options.model, (".safetensors",))
    recipe_for("finetune", epochs=options.epochs, lr=options.lr, batch_size=options.batch_size, seed=options.seed)
    model = find_model(options.model)
    if not model.classes:
        raise BadInput(f"{options.model} has no class names, so photos cannot teach it which answer is right.")
    learning, gone = what_learns(model)
    if gone:
        yield Note(f"No longer in the network, so nothing to heal: {', '.join(gone)}.")
    if options.all:
        learning = {**learning, **{name: "--all" for name in _weighted(model) if name not in learning}}
    elif len(learning) == 1 and not untrained(model):
        yield Note("No edit left a layer untrained: only the last layer learns; --all lets every layer learn.")
    dataset = open_dataset(options.data, classes=model.classes)
    must_be_trainable(dataset)
    with using(options.threads):
        seen = yield from survey(dataset, model.contract, seed=options.seed, val=options.val, test=options.test)
        before = yield from _held_out(model, seen, "before")
        healed = yield from healing(model, seen, None if options.all else frozenset(learning), options)
        val_at = seen.at("val")
        logits = yield from answers(healed.model, seen.pixels.rows, val_at, "validate")
        better = dataclasses.replace(
            healed.model,
            temperature=fit_temperature(logits, seen.labels(val_at)),
            card=_card(model, learning, options, healed.fitted),
        )
        after = yield from _held_out(better, seen, "after")
    if after.fold == "test":
        print_ = fold_fingerprint(seen.dataset, seen.pixels.sha256s, "test")
        look(Path(RUNS) / "test-looks.jsonl", print_, f"heal {options.model}")
    save_model(better, path)
    rows = tuple(healed.fitted.rows)
    return HealResult(
        options.model, options.data, tuple(learning.items()), healed.weights, rows, healed.fitted.best_epoch,
        healed.fitted.ended, before, after, len(seen.at("train")), path,
    )  # fmt: skip


def _held_out(model: Model, seen: Survey, task: str) -> Generator[Event, None, Measured]:
    """The test fold, or where there is none the validation fold."""
    fold: Any = "test" if len(seen.at("test")) else "val"
    at = seen.at(fold)
    if not len(at):
        raise BadInput(f"{seen.dataset.root} leaves no picture to measure on; give more photos, or a larger --val.")
    logits: np.ndarray[Any, Any] = yield from answers(model, seen.pixels.rows, at, task)
    return measured(fold, model, seen.names(at), seen.labels(at), logits)


def _weighted(model: Model) -> list[str]:
    return [
        name for name, node in names_of(model.graph).items()
        if node.op == "call_module" and any(True for _ in model.graph.get_submodule(str(node.target)).parameters())
    ]  # fmt: skip


def _card(model: Model, learning: dict[str, str], options: HealOptions, fitted: Fitted) -> dict[str, str]:
    """The model's card: what learned is no longer untrained."""
    left = {name: why for name, why in untrained(model).items() if name not in learning and not options.all}
    card = {k: v for k, v in model.card.items() if k != "untrained"}
    if left:
        card["untrained"] = json.dumps(left)
    learnt = "every layer" if options.all else ", ".join(learning)
    card["healed"] = f"{learnt} on {options.data}, {len(fitted.rows)} epochs, ended: {fitted.ended}"
    return card
