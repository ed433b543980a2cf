"""Report -> diagnoses: rules over measured numbers. Each says what they mean, which they are, and what to try next.

A rule only fires when the numbers carry it: every share measured on n pictures is compared through its 95 % interval,
so that six validation photos never accuse anyone. Each threshold is a constant below with its reason.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median

from cutaway.reports.command import again, data_of
from cutaway.reports.facts import (
    finite,
    is_majority,
    kept_epoch,
    last_phase,
    late_epochs,
    majority_accuracy,
    mode_of,
    number,
    pictures_in,
    setting,
)
from cutaway.reports.metrics import wilson
from cutaway.reports.report import Diagnosis, Report, Severity

MEMORISING_GAP = 0.05  # beyond noise; our choice: smaller gaps are seldom worth another run
STILL_IMPROVING = 0.05  # relative fall of validation loss over that third; our choice, not fitted to runs
UNDERFIT_SHARE = 0.5  # of the way from the majority class to 100 % on the training photos themselves
FEW_SCRATCH = 500  # photos per class; our rule of thumb (CIFAR-10 gives 5,000), not measured here
FEW_TRANSFER = 30  # photos per class; our rule of thumb for a new head on frozen features, not measured here
ENOUGH = 0.95  # when even the low end of the interval is this high, more photos are not what is missing
NOISE_WIDTH = 0.10  # a validation interval wider than 10 points: about n <= 140 at 90 % right
PERFECT = 0.995  # CNN and colour-and-edge baseline both here: the label is written in the background or the file
PERFECT_N = 50  # below, a perfect score proves little: 50 of 50 right still means as little as 92.9 %
JUMP = 0.02  # test above validation by this much beyond both intervals: the test photos are easier, or known
LABEL_SHARE = 0.02  # of photos with a likely wrong label; our choice: fewer cannot explain a plateau
PLATEAU = 0.05  # relative fall of training loss over the last third: below, training has stopped learning
UNLEARNED = 0.98  # training accuracy: above, there is nothing left that a wrong label could have held back
IMBALANCE = 3.0  # largest class over this one; our choice, and the class must also be found worse beyond noise
OVERCONFIDENT_ECE = 0.05  # 5 points of confidence that accuracy does not honour
STEPS = ("none", "light", "medium", "strong")

LEAK_KIND, LABEL_KIND = "leak", "label-error"  # as dataset.checks names them
LEAKS_LEFT_OUT = "copies across folds left out"  # recipe entry of runs that trained without them


def diagnose(report: Report) -> tuple[Diagnosis, ...]:
    """Report -> what its numbers say, gravest first; `healthy` alone when no rule fires.

    `report.diagnoses` is not read: `dataclasses.replace(report, diagnoses=diagnose(report))` completes a report.
    """
    fired = [found for rule in RULES if (found := rule(report)) is not None]
    order: dict[Severity, int] = {"stop": 0, "warn": 1, "info": 2}
    fired.sort(key=lambda d: order[d.severity])
    return tuple(fired) or _healthy(report)


def diverged(report: Report) -> Diagnosis | None:
    """A loss that is not a number."""
    lost = [e for e in report.epochs if not (math.isfinite(e.train_loss) and math.isfinite(e.val_loss))]
    if not lost:
        return None
    lr = max((e.lr for e in report.epochs), default=1e-3)
    text = (
        f"The loss stopped being a number in epoch {lost[0].epoch}: the steps are too large, and nothing measured "
        "after that means anything."
    )
    numbers = {"epoch": float(lost[0].epoch), "learning rate": lr}
    return Diagnosis("diverged", "stop", text, numbers, again(report.command, {"--lr": f"{lr / 10:.1g}"}))


def leak(report: Report) -> Diagnosis | None:
    """The same photos in two folds, a test score above validation beyond noise, or a shortcut anyone can take."""
    return _leaked_files(report) or _test_above_validation(report) or _shortcut(report)


def memorising(report: Report) -> Diagnosis | None:
    """Training accuracy above what validation can be, by more than MEMORISING_GAP, in the epoch that was kept."""
    kept, n = kept_epoch(report), pictures_in(report, "val")
    if kept is None or n == 0:
        return None
    low, high = wilson(round(kept.val_accuracy * n), n)
    gap = kept.train_accuracy - kept.val_accuracy
    if kept.train_accuracy - high <= MEMORISING_GAP:
        return None
    text = (
        f"It memorises: {_pc(kept.train_accuracy)} of the training photos right but {_pc(kept.val_accuracy)} of {n:,} "
        f"photos it never trained on (at best {_pc(high)}, 95 % interval)."
    )
    numbers = {"train accuracy": kept.train_accuracy, "validation accuracy": kept.val_accuracy, "gap": gap}
    numbers |= {"validation low": low, "validation high": high, "validation photos": float(n)}
    return Diagnosis("memorising", "warn", text, numbers, again(report.command, _more_variety(report)))


def still_improving(report: Report) -> Diagnosis | None:
    """The best epoch is the last and validation loss was still falling."""
    rows = last_phase(report)
    if len(rows) < 3 or not finite(rows) or kept_epoch(report) is not report.epochs[-1]:
        return None
    late = rows[-late_epochs(rows) - 1 :]
    fall = 1 - late[-1].val_loss / late[0].val_loss if late[0].val_loss > 0 else 0.0
    n = pictures_in(report, "val")
    arrived = n > 0 and wilson(round(late[-1].val_accuracy * n), n)[0] >= ENOUGH
    if fall < STILL_IMPROVING or arrived:
        return None
    epochs = len(report.epochs)
    text = (
        f"It was stopped while still learning: validation loss fell by {_pc(fall)} in the last {len(late) - 1} of "
        f"{epochs} epochs, and the last epoch was the best."
    )
    numbers = {"epochs": float(epochs), "relative fall of validation loss": fall}
    numbers |= {"validation loss": late[-1].val_loss, "validation accuracy": late[-1].val_accuracy}
    return Diagnosis("still-improving", "warn", text, numbers, again(report.command, {"--epochs": str(2 * epochs)}))


def underfitting(report: Report) -> Diagnosis | None:
    """Training and validation both nearer to the majority class than to 100 %, and no longer moving."""
    kept, n = kept_epoch(report), pictures_in(report, "val")
    if kept is None or n == 0 or still_improving(report) or not finite((kept,)):
        return None
    majority = majority_accuracy(report)
    reached = (kept.train_accuracy - majority) / (1 - majority) if majority < 1 else 1.0
    if reached >= UNDERFIT_SHARE or kept.train_accuracy - wilson(round(kept.val_accuracy * n), n)[1] > MEMORISING_GAP:
        return None
    text = (
        f"It under-fits: only {_pc(kept.train_accuracy)} of its own training photos right ({_pc(kept.val_accuracy)} of "
        f"validation), where always answering the commonest class gives {_pc(majority)}."
    )
    numbers = {"train accuracy": kept.train_accuracy, "validation accuracy": kept.val_accuracy, "majority": majority}
    return Diagnosis("under-fitting", "warn", text, numbers | {"share of the way": reached}, _stronger(report))


def too_little_data(report: Report) -> Diagnosis | None:
    """Few training photos per class, and a score that leaves room for more."""
    train = [c for c in report.counts.get("train", {}).values() if c]
    seen = report.test or report.val
    if not train or seen is None or seen.low >= ENOUGH:
        return None
    scratch = mode_of(report) == "scratch"
    few, each = (FEW_SCRATCH if scratch else FEW_TRANSFER), median(train)
    if each >= few:
        return None
    kind = "a network that starts from nothing" if scratch else "a network that starts from a trained backbone"
    text = (
        f"There is little to learn from: {each:.0f} training photos in the middle class, where {kind} wants at "
        f"least {few}; the result ({_pc(seen.low)} to {_pc(seen.high)} on {seen.n:,} {seen.fold} photos) leaves room "
        f"for more."
    )
    numbers = {"photos per class": float(each), "wanted": float(few), "low": seen.low, "high": seen.high}
    changes = TRANSFER if scratch else {"--augment": "strong"}
    return Diagnosis("too-little-data", "warn", text, numbers, again(report.command, changes))


def validation_noise(report: Report) -> Diagnosis | None:
    """A validation fold so small that its differences are luck."""
    kept, n = kept_epoch(report), pictures_in(report, "val")
    if kept is None or n == 0:
        return None
    low, high = wilson(round(kept.val_accuracy * n), n)
    if high - low <= NOISE_WIDTH:
        return None
    half = (high - low) / 2
    text = (
        f"Differences below {100 * half:.0f} points between two runs or two epochs are within the noise of {n:,} "
        f"validation photos: {_pc(kept.val_accuracy)} there means {_pc(low)} to {_pc(high)}."
    )
    numbers = {"validation photos": float(n), "validation accuracy": kept.val_accuracy, "low": low, "high": high}
    return Diagnosis("validation-noise", "info", text, numbers, again(report.command, {"--val": "0.3"}))


def label_noise(report: Report) -> Diagnosis | None:
    """Many likely wrong labels, and a training accuracy that stopped short."""
    suspects = {n for f in report.findings if f.kind == LABEL_KIND for n in f.names}
    total = sum(sum(fold.values()) for fold in report.counts.values())
    rows = last_phase(report)
    if not suspects or not total or len(suspects) / total < LABEL_SHARE or len(rows) < 3 or not finite(rows):
        return None
    early, last = rows[-late_epochs(rows) - 1], rows[-1]
    fall = 1 - last.train_loss / early.train_loss if early.train_loss > 0 else 0.0
    if fall >= PLATEAU or last.train_accuracy >= UNLEARNED:
        return None
    share = len(suspects) / total
    text = (
        f"Wrong labels are likely what holds it back: {len(suspects):,} of {total:,} photos ({_pc(share)}) look "
        f"mislabelled and training stopped improving at {_pc(last.train_accuracy)} of its own photos."
    )
    numbers = {"likely wrong labels": float(len(suspects)), "share": share, "train accuracy": last.train_accuracy}
    numbers["relative fall of training loss"] = fall
    return Diagnosis("label-noise", "warn", text, numbers, f"cutaway check {data_of(report.command)}")


def imbalance(report: Report) -> Diagnosis | None:
    """A rare class whose recall is below the whole beyond its interval."""
    counts, seen = report.counts.get("train", {}), report.test or report.val
    if not counts or seen is None:
        return None
    most = max(counts.values())
    hurt = [
        c for c in seen.classes if c.support and counts.get(c.name, 0) * IMBALANCE < most and c.recall_high < seen.low
    ]
    if not hurt:
        return None
    worst = min(hurt, key=lambda c: c.recall)
    text = (
        f"The rare class “{worst.name}” suffers: {counts.get(worst.name, 0)} training photos against {most} of the "
        f"commonest, and {_pc(worst.recall)} of its {worst.support:,} {seen.fold} photos found (at best "
        f"{_pc(worst.recall_high)}) while {_pc(seen.accuracy)} of all are; more photos of it help most."
    )
    numbers = {"train photos": float(counts.get(worst.name, 0)), "commonest class": float(most)}
    numbers |= {"recall": worst.recall, "recall high": worst.recall_high, "accuracy": seen.accuracy}
    return Diagnosis("imbalance", "warn", text, numbers, again(report.command, _more_variety(report)))


def not_better(report: Report) -> Diagnosis | None:
    """A baseline whose interval reaches the network's."""
    seen = report.test
    if seen is None or not report.baselines:
        return None
    rival = max(report.baselines, key=lambda b: b.accuracy)
    if seen.low > rival.high:
        return None
    behind = seen.accuracy <= rival.accuracy
    verdict = "is not better than" if behind else "is not shown to be better than"
    text = (
        f"The network {verdict} “{rival.name}”: {_pc(seen.accuracy)} ({_pc(seen.low)} to {_pc(seen.high)}) against "
        f"{_pc(rival.accuracy)} ({_pc(rival.low)} to {_pc(rival.high)}), which took {rival.seconds:.1f} s to fit."
    )
    numbers = {"accuracy": seen.accuracy, "low": seen.low, "high": seen.high, "baseline": rival.accuracy}
    numbers |= {"baseline low": rival.low, "baseline high": rival.high}
    return Diagnosis("not-better", "warn" if behind else "info", text, numbers, _stronger(report))


def overconfident(report: Report) -> Diagnosis | None:
    """Mean confidence above accuracy beyond its interval, and an ECE that matters."""
    seen = report.test or report.val
    if seen is None or seen.calibration is None:
        return None
    c = seen.calibration
    confidence = sum(n * p for n, p in zip(c.bin_count, c.bin_confidence, strict=True)) / max(1, sum(c.bin_count))
    if c.ece < OVERCONFIDENT_ECE or confidence <= seen.high:
        return None
    remedy = (
        f"; dividing its logits by {c.temperature:.2f} brings the calibration error from {_pc(c.ece)} to "
        f"{_pc(c.ece_scaled)}"
        if c.ece_scaled < c.ece
        else ""
    )
    text = (
        f"It is over-confident: sure to {_pc(confidence)} on average, right in {_pc(seen.accuracy)} of {seen.n} "
        f"{seen.fold} photos{remedy}."
    )
    numbers = {"mean confidence": confidence, "accuracy": seen.accuracy, "ECE": c.ece, "temperature": c.temperature}
    numbers["ECE after temperature"] = c.ece_scaled
    smoothing = "0.2" if number(report, "label_smoothing") >= 0.1 else "0.1"
    return Diagnosis("over-confident", "warn", text, numbers, again(report.command, {"--label-smoothing": smoothing}))


RULES: tuple[Callable[[Report], Diagnosis | None], ...] = (
    diverged, leak, not_better, memorising, still_improving, underfitting, label_noise, too_little_data, imbalance,
    overconfident, validation_noise,
)  # fmt: skip

TRANSFER: dict[str, str | None] = {"--network": None, "--backbone": "mobilenet_v2", "--mode": "frozen"}


def _healthy(report: Report) -> tuple[Diagnosis, ...]:
    seen, kept = report.test or report.val, kept_epoch(report)
    if seen is None:
        return ()
    text = (
        f"Nothing to object to: {_pc(seen.accuracy)} of {seen.n:,} {seen.fold} photos right ({_pc(seen.low)} to "
        f"{_pc(seen.high)}), and no rule about memorising, under-fitting, leaks, labels, balance or confidence fired."
    )
    numbers = {"accuracy": seen.accuracy, "low": seen.low, "high": seen.high}
    if kept is not None:
        numbers |= {"train accuracy": kept.train_accuracy, "validation accuracy": kept.val_accuracy}
    return (Diagnosis("healthy", "info", text, numbers, "cutaway predict RUN photo.jpg --top 3"),)


def _leaked_files(report: Report) -> Diagnosis | None:
    found = [f for f in report.findings if f.kind == LEAK_KIND]
    pairs = sum(len(f.pairs) or len(f.names) for f in found)
    if not pairs or setting(report, LEAKS_LEFT_OUT) == "yes":
        return None
    text = (
        f"{pairs} cop{'ies' if pairs > 1 else 'y'} of one photo in two folds at once: unless they were left out of "
        "training, part of the score is memory, so look at them first."
    )
    return Diagnosis("leak", "warn", text, {"copies": float(pairs)}, f"cutaway check {data_of(report.command)}")


def _test_above_validation(report: Report) -> Diagnosis | None:
    val, test = report.val, report.test
    if val is None or test is None or test.low - val.high <= JUMP:
        return None
    text = (
        f"The test photos look too easy: {_pc(test.accuracy)} right there (at least {_pc(test.low)}) but "
        f"{_pc(val.accuracy)} in validation (at most {_pc(val.high)}); copies or one photo session may be on both "
        "sides."
    )
    numbers = {"test accuracy": test.accuracy, "test low": test.low, "validation accuracy": val.accuracy}
    numbers["validation high"] = val.high
    return Diagnosis("leak", "warn", text, numbers, f"cutaway check {data_of(report.command)}")


def _shortcut(report: Report) -> Diagnosis | None:
    test = report.test
    rivals = [b for b in report.baselines if not is_majority(b)]
    if test is None or test.n < PERFECT_N or not rivals:
        return None
    rival = max(rivals, key=lambda b: b.accuracy)
    if min(test.accuracy, rival.accuracy) < PERFECT or majority_accuracy(report) >= PERFECT:
        return None
    text = (
        f"Too good to be true: {_pc(test.accuracy)} of {test.n:,} test photos right, and “{rival.name}” reaches "
        f"{_pc(rival.accuracy)} too, so the classes may differ in background, camera or file rather than in what is "
        "shown."
    )
    numbers = {"accuracy": test.accuracy, "baseline": rival.accuracy, "test photos": float(test.n)}
    return Diagnosis("leak", "warn", text, numbers, f"cutaway check {data_of(report.command)}")


def _more_variety(report: Report) -> dict[str, str | None]:
    """-> flags against memorising: the next step of augmentation, then dropout, then weight decay."""
    augment = setting(report, "augment").replace("auto", "medium")
    if mode_of(report) != "frozen" and augment in STEPS[:-1]:
        return {"--augment": STEPS[STEPS.index(augment) + 1]}
    if number(report, "dropout") < 0.5:
        return {"--dropout": "0.5"}
    return {"--weight-decay": "0.1" if number(report, "weight_decay") < 0.1 else "0.3"}


def _stronger(report: Report) -> str:
    """-> the command that gives the network more to work with: a trained backbone, then all of it, then a sweep."""
    mode = mode_of(report)
    if mode == "scratch":
        return again(report.command, TRANSFER)
    if mode == "frozen":
        return again(report.command, {"--mode": "finetune"})
    return f"cutaway sweep {data_of(report.command)} --vary lr=0.0003,0.001,0.003"


def _pc(share: float) -> str:
    """0.9725 -> "97.2 %"; 1.0 -> "100 %"."""
    return f"{100 * share:.1f} %".replace(".0 %", " %") if share in (0.0, 1.0) else f"{100 * share:.1f} %"
