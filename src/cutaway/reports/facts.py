"""What the rules of diagnosis read from a Report: the kept epoch, the baselines, the settings."""

from __future__ import annotations

import math

from cutaway.reports.report import Baseline, EpochRow, Measured, Report

LATE_SHARE = 1 / 3  # "the end of the run": its last third


def is_majority(baseline: Baseline) -> bool:
    """True for the baseline that always answers the commonest class."""
    return "majority" in baseline.name.lower()


def majority_accuracy(report: Report) -> float:
    """-> accuracy of always answering the commonest class: as measured, else from the counts."""
    measured = [b.accuracy for b in report.baselines if is_majority(b)]
    if measured:
        return measured[0]
    counts = report.counts.get("train", {})
    total = sum(counts.values())
    return max(counts.values()) / total if total else 1 / max(1, len(report.classes))


def kept_epoch(report: Report) -> EpochRow | None:
    """-> the epoch whose weights were kept: the last one marked best."""
    best = [e for e in report.epochs if e.best and math.isfinite(e.val_loss)]
    return best[-1] if best else None


def last_phase(report: Report) -> tuple[EpochRow, ...]:
    return tuple(e for e in report.epochs if e.phase == report.epochs[-1].phase)


def late_epochs(rows: tuple[EpochRow, ...]) -> int:
    return min(len(rows) - 1, max(1, round(len(rows) * LATE_SHARE)))


def finite(rows: tuple[EpochRow, ...]) -> bool:
    return all(math.isfinite(e.train_loss) and math.isfinite(e.val_loss) for e in rows)


def pictures_in(report: Report, fold: str) -> int:
    seen: Measured | None = report.val if fold == "val" else report.test
    return seen.n if seen is not None else sum(report.counts.get(fold, {}).values())


def setting(report: Report, name: str) -> str:
    return report.recipe.get(name, report.recipe.get(name.replace("_", "-"), ""))


def number(report: Report, name: str) -> float:
    try:
        return float(setting(report, name))
    except ValueError:
        return 0.0


def mode_of(report: Report) -> str:
    return setting(report, "mode") or ("scratch" if report.trainable == report.parameters else "frozen")
