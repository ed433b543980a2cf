"""Recipe: every knob of a training run, with its unit and where its default comes from."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from cutaway.errors import BadInput, must_be

Mode = Literal["scratch", "frozen", "finetune"]
Optimizer = Literal["adamw", "sgd", "muon"]
Precision = Literal["auto", "float32", "bfloat16"]
Compile = Literal["auto", "on", "off"]
MODES: tuple[Mode, ...] = ("scratch", "frozen", "finetune")

_WHOLE = (("epochs", 1), ("batch_size", 1), ("hidden", 0), ("patience", 0), ("head_epochs", 1), ("seed", 0))


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one network is trained. Values are checked when it is made; a wrong one is a BadInput sentence."""

    mode: Mode = "scratch"
    epochs: int = 20
    """Passes over the training fold."""
    batch_size: int = 128
    """Pictures per step; all workers together."""
    optimizer: Optimizer = "adamw"
    """adamw (Loshchilov & Hutter 2019), sgd with Nesterov momentum 0.9, or muon: kernels by Muon, the rest by AdamW."""
    lr: float = 3e-3
    """Highest learning rate of the one-cycle schedule (Smith & Topin 2018), per step."""
    warmup: float = 0.25
    """Share of the steps in which the rate climbs; it falls to 0 in the rest."""
    weight_decay: float = 0.02
    """Decoupled from the gradient; not applied to biases and normalisation."""
    label_smoothing: float = 0.0
    """Share of the target spread over all classes (Szegedy et al. 2016)."""
    dropout: float = 0.2
    """Probability of dropping a feature before a new head."""
    hidden: int = 0
    """Units of a hidden layer in a new head; 0: none (Teachable Machine has 100)."""
    augment: str = "auto"
    """none, light, medium, strong, or auto: by the number of training pictures."""
    patience: int = 0
    """Epochs without a better validation loss before stopping; 0: a third of the epochs."""
    head_epochs: int = 10
    """finetune: passes for the new head alone before the rest is unfrozen."""
    early_lr: float = 0.01
    """finetune: the first layers' rate as a share of the last layers' (fastai's 1/100), geometric in between."""
    precision: Precision = "auto"
    """auto: bfloat16 where the processor multiplies it natively, else float32."""
    compile: Compile = "auto"
    """torch.compile; auto: on a GPU, for runs long enough to earn back the half minute it takes."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise must_be("mode", "scratch, frozen or finetune", self.mode)
        for name, low in _WHOLE:
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < low:
                raise must_be(name, f"a whole number, at least {low}", value)
        if not (_is_number(self.lr) and 0 < self.lr <= 10):
            raise must_be("lr", "above 0 and at most 10", self.lr)
        for name in ("warmup", "label_smoothing", "dropout", "early_lr"):
            if not (_is_number(getattr(self, name)) and 0 <= getattr(self, name) < 1):
                raise must_be(name, "at least 0 and below 1", getattr(self, name))
        if not (_is_number(self.weight_decay) and 0 <= self.weight_decay <= 1000):
            raise must_be("weight_decay", "at least 0 and at most 1000", self.weight_decay)
        if self.optimizer not in ("adamw", "sgd", "muon"):
            raise must_be("optimizer", "adamw, sgd or muon", self.optimizer)
        if self.precision not in ("auto", "float32", "bfloat16"):
            raise must_be("precision", "auto, float32 or bfloat16", self.precision)
        if self.compile not in ("auto", "on", "off"):
            raise must_be("compile", "auto, on or off", self.compile)

    @property
    def patience_epochs(self) -> int:
        """Patience in epochs, always shorter than the run."""
        wanted = self.patience or max(2, -(-self.epochs // 3))
        return min(wanted, max(1, self.epochs - 1))

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


# Where scratch, frozen and finetune differ from the dataclass's defaults. A head on standardised feature vectors is
# logistic regression: SGD with a strong L2 pull ends where a solver would, Adam gives every noisy feature the same
# step (cats and dogs, Teachable Machine's backbone, 10 folds of the training photos: 96.6 % against 96.1 %). finetune
# follows fastai's `fine_tune`: one rate for the head, a hundredth of it for the first layers. From scratch Muon learns
# more from each picture than AdamW (training/muon.py has figures); digits end alike with both.
_BY_MODE: dict[Mode, dict[str, Any]] = {
    "scratch": {"optimizer": "muon"},
    "frozen": {"epochs": 30, "batch_size": 64, "optimizer": "sgd", "lr": 3e-3, "weight_decay": 0.5},
    "finetune": {"epochs": 5, "batch_size": 32, "lr": 1e-3, "weight_decay": 0.02},
}
_WITH_HIDDEN_LAYER = {"optimizer": "adamw", "lr": 1e-3, "weight_decay": 0.1}


def recipe_for(mode: Mode, **asked: Any) -> Recipe:
    """Mode and the knobs that were asked for (None: not asked) -> the recipe."""
    if mode not in MODES:
        raise must_be("mode", "scratch, frozen or finetune", mode)
    known = {f.name for f in dataclasses.fields(Recipe)}
    unknown = set(asked) - known
    if unknown:
        raise BadInput(f"There is no training knob {sorted(unknown)[0]!r}; there are {', '.join(sorted(known))}.")
    given = {name: value for name, value in asked.items() if value is not None}
    hidden = _WITH_HIDDEN_LAYER if mode == "frozen" and given.get("hidden") else {}
    return Recipe(**{"mode": mode, **_BY_MODE[mode], **hidden, **given})


def head_recipe(recipe: Recipe) -> Recipe:
    """A run's recipe -> the one for its new head on frozen features: its own, or finetune's first phase."""
    if recipe.mode == "frozen":
        return dataclasses.replace(recipe, precision="float32")
    kept = {name: getattr(recipe, name) for name in ("label_smoothing", "dropout", "hidden", "patience", "seed")}
    return recipe_for("frozen", **{**kept, "epochs": recipe.head_epochs, "precision": "float32"})
