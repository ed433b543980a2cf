"""The next command keeps what was typed and changes one thing."""

from __future__ import annotations

import pytest

from cutaway.reports.command import again, data_of


@pytest.mark.parametrize(
    ("command", "changes", "line"),
    [
        ("cutaway train photos --epochs 3", {"--epochs": "6"}, "cutaway train photos --epochs 6"),
        ("cutaway train photos --epochs=3 --seed 1", {"--epochs": "6"}, "cutaway train photos --seed 1 --epochs 6"),
        ("cutaway train 'my photos'", {"--lr": "0.1"}, "cutaway train 'my photos' --lr 0.1"),
        ("/usr/bin/cutaway train p --network lenet5", {"--network": None}, "cutaway train p"),
        ("ca.train('photos/')", {"--lr": "0.1"}, "cutaway train DATA --lr 0.1"),
        ("cutaway train it's", {"--lr": "0.1"}, "cutaway train DATA --lr 0.1"),
        ("cutaway train p --out runs/p --seed 1", {}, "cutaway train p --seed 1"),
        ("", {}, "cutaway train DATA"),
    ],
)
def test_again(command: str, changes: dict[str, str | None], line: str) -> None:
    assert again(command, changes) == line


def test_data_of() -> None:
    assert data_of("cutaway train 'my photos' --epochs 3") == "'my photos'"
    assert data_of("cutaway train --epochs 3 photos") == "DATA"
    assert data_of("cutaway evaluate RUN") == "DATA"
