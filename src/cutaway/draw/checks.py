"""Findings of `cutaway check` -> a page with the pictures they are about, copies side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cutaway.draw.charts import bar_chart
from cutaway.draw.html import Book, page
from cutaway.draw.scale import plain
from cutaway.reports import Finding

GRAVITY = {"stop": 0, "warn": 1, "info": 2}
FINDING_PICTURES = 24
"""Pictures, or pairs of them, that the page shows of each finding."""


def check_page(
    dataset_name: str,
    findings: Sequence[Finding],
    thumbnails: Mapping[str, bytes],
    counts: Mapping[str, Mapping[str, int]],
    *,
    created: str = "",
) -> str:
    """Name, findings, encoded thumbnails by sample name, counts[fold][class] -> one self-contained HTML file."""
    from markupsafe import Markup

    classes = list(dict.fromkeys(name for fold in counts.values() for name in fold))
    totals = [float(sum(fold.get(name, 0) for fold in counts.values())) for name in classes]
    bars = bar_chart(classes, totals, title="Pictures by class", x_label="pictures") if len(classes) <= 40 else ""
    return page(
        "check.html.j2", Book(thumbnails), {},
        title=dataset_name, sections=(("findings", "Findings"), ("counts", "Counts")), footer=created, created=created,
        lead=lead(findings, int(sum(totals)), len(classes)), counts=counts, classes=classes, bars=Markup(bars),
        findings=gravest_first(findings), most=FINDING_PICTURES,
    )  # fmt: skip


def gravest_first(findings: Sequence[Finding]) -> list[Finding]:
    """Findings -> stop, warn, info; order kept within each."""
    return sorted(findings, key=lambda f: GRAVITY[f.severity])


def lead(findings: Sequence[Finding], pictures: int, classes: int) -> str:
    """Findings -> the outcome in one sentence."""
    what = f"{plain(pictures)} picture{'' if pictures == 1 else 's'} in {classes} class{'' if classes == 1 else 'es'}"
    stops, warns = (sum(f.severity == s for f in findings) for s in ("stop", "warn"))
    if stops:
        return f"{what}: {stops} thing{'s' if stops > 1 else ''} to put right before training."
    if warns:
        return f"{what}: {warns} thing{'s' if warns > 1 else ''} to look at before training."
    return f"{what}: nothing stands in the way of training."
