"""The plot of a knob: rows always, curves where its settings are numbers."""

from __future__ import annotations

from cutaway.draw.scene import Box, Line, Words
from cutaway.draw.vary import VaryPoint, vary_page

BASE = VaryPoint("as it is", None, 0.8, 0.7, 0.9, 0.4)


def test_rows() -> None:
    points = [BASE, VaryPoint("tanh", None, 0.5, 0.4, 0.6, 1.2, "9 other answers"),
              VaryPoint("900", None, None, None, None, None, "it does not fit")]  # fmt: skip
    scene = vary_page(points, title="t", subtitle=["s"], what="accuracy")
    said = [m.text for m in scene.marks if isinstance(m, Words)]
    for text in ("80.0 %", "50.0 %", "1.2", "9 other answers", "it does not fit", "loss, nats", "100 %"):
        assert text in said
    dots = [m for m in scene.marks if isinstance(m, Box)]
    assert len(dots) == 2
    zero, whole = (next(m.x for m in scene.marks if isinstance(m, Words) and m.text == t) for t in ("0 %", "100 %"))
    for dot, share in zip(dots, (0.8, 0.5), strict=True):
        assert abs(dot.x + 5 - (zero + share * (whole - zero))) < 0.01
    assert scene.png()[:4] == b"\x89PNG"
    assert "<svg" in scene.svg()


def test_curves_of_numbers() -> None:
    points = [BASE, *(VaryPoint(str(n), float(n), n / 5, n / 5 - 0.05, n / 5 + 0.05, 1 - n / 5) for n in range(1, 5))]
    with_curve = vary_page(points, title="t", subtitle=[], what="accuracy", knob="stride")
    said = [m.text for m in with_curve.marks if isinstance(m, Words)]
    assert said.count("as it is") == 3
    assert "loss in nats" in said
    thick = [m for m in with_curve.marks if isinstance(m, Line) and m.thick == 2.5]
    assert len(thick) == 6  # three stretches in each of two panels
    assert all(m.y > m.to_y for m in thick[:3])  # accuracy rises
    assert all(m.y < m.to_y for m in thick[3:])  # the loss falls
    few = vary_page(points[:3], title="t", subtitle=[], what="accuracy", knob="stride")
    assert "loss in nats" not in [m.text for m in few.marks if isinstance(m, Words)]
    shares = [VaryPoint(p.name, p.place, p.value, None, None, None) for p in points]
    alone = vary_page(shares, title="t", subtitle=[], what="share", knob="stride")
    assert "loss in nats" not in [m.text for m in alone.marks if isinstance(m, Words)]
