"""check: what is wrong with these files, before any training."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cutaway.events import Event, Found
from cutaway.verbs.verb import Verb

if TYPE_CHECKING:
    from cutaway.reports import Finding


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """Find what is wrong with photos before training: damaged files, copies, leaks, imbalance, doubtful labels."""

    data: str
    """Folder, zip, tar, CSV, Parquet, or a data set's name."""
    out: str | None = None
    """Folder for quarantine.csv and check.html; default check-NAME here."""
    backbone: str | None = None
    """Trained network whose view of the pictures judges labels; default: colour histograms and edges."""
    seed: int = 0
    """Starting point of every random choice."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was found; `quarantine` and `page` are the files that were written, `counts` pictures by fold and class."""

    data: str
    pictures: int
    classes: tuple[str, ...]
    findings: tuple[Finding, ...]
    counts: dict[str, dict[str, int]]
    quarantine: str
    page: str


def _run(options: CheckOptions) -> Generator[Event, None, CheckResult]:
    import re
    from datetime import UTC, datetime
    from pathlib import Path

    import numpy as np

    from cutaway.dataset import FOLDS
    from cutaway.dataset.cache import fill
    from cutaway.dataset.places import cache_folder
    from cutaway.dataset.quarantine import write_quarantine
    from cutaway.dataset.scan import open_dataset
    from cutaway.draw.checks import FINDING_PICTURES, check_page
    from cutaway.draw.sheet import thumbnail
    from cutaway.image import InputContract
    from cutaway.training.embed import embed
    from cutaway.training.run_folder import RunFolder
    from cutaway.verbs.look_over import SMALL_PX, look_over
    from cutaway.verbs.out import must_be_writable
    from cutaway.verbs.plan import open_backbone
    from cutaway.verbs.report_files import THUMBNAIL_PX, finding_names

    stem = re.sub(r"[^\w.-]+", "-", Path(options.data.rstrip("/")).name).strip("-.") or "photos"
    folder = RunFolder(Path(options.out or f"check-{stem}"))
    must_be_writable(folder.path)
    dataset = open_dataset(options.data)
    seen = yield from fill(dataset, InputContract((SMALL_PX, SMALL_PX), fit="squash"))
    features = None
    if options.backbone is not None:
        backbone, _ = open_backbone(options.backbone)
        fitted = yield from fill(dataset, backbone.contract)
        good = np.nonzero(fitted.ok)[0]
        features = np.zeros((len(dataset), backbone.features), np.float32)
        pictures = fitted.take(good)
        shas = [str(s) for s in pictures.sha256s]
        features[good] = yield from embed(backbone, pictures.rows, shas, cache=cache_folder())
    findings = (yield from look_over(dataset, seen, options.seed, features)).findings
    for finding in findings:
        yield Found(finding.kind, finding.text, finding.names)

    folder.make_plain()
    write_quarantine(folder.quarantine, findings)
    tally = Counter((s.fold or "all", s.label) for s in dataset.samples if s.label is not None)
    counts: dict[str, dict[str, int]] = {}
    for (fold, label), number in sorted(tally.items(), key=lambda row: ((*FOLDS, "all").index(row[0][0]), row[0][1])):
        counts.setdefault(fold, {})[dataset.classes[label]] = number
    where = {s.name: i for i, s in enumerate(dataset.samples)}
    at = [
        where[n] for n in dict.fromkeys(finding_names(findings, FINDING_PICTURES)) if n in where and seen.ok[where[n]]
    ]
    shown = zip(at, seen.rows(np.array(at, np.int64)), strict=True)
    thumbs = {dataset.samples[i].name: thumbnail(picture, THUMBNAIL_PX) for i, picture in shown}
    page = folder.path / "check.html"
    created = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    folder.write_text(page, check_page(options.data, findings, thumbs, counts, created=created))
    return CheckResult(options.data, len(dataset), dataset.classes, findings, counts, str(folder.quarantine), str(page))


check = Verb("check", CheckOptions, _run)
