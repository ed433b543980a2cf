from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from cutaway.dataset.ledger import look, looks

LOOKER = """
import sys
from pathlib import Path
from cutaway.dataset.ledger import look
for _ in range(20):
    look(Path(sys.argv[1]), "f", "me")
"""


def test_looks_are_counted_by_fold(tmp_path: Path) -> None:
    ledger = tmp_path / "deep" / "looks.jsonl"
    assert looks(ledger, "f") == 0
    assert [look(ledger, "f", "run 1"), look(ledger, "g", "run 1"), look(ledger, "f", "run 2")] == [1, 1, 2]
    assert (looks(ledger, "f"), looks(ledger, "g")) == (2, 1)
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    assert [line["who"] for line in lines] == ["run 1", "run 1", "run 2"]
    assert all("T" in line["when"] for line in lines)


def test_half_a_line_of_a_killed_writer_costs_no_other_line(tmp_path: Path) -> None:
    ledger = tmp_path / "looks.jsonl"
    look(ledger, "f", "a")
    with ledger.open("a") as file:
        file.write('{"fold": "f", "wh')
    assert look(ledger, "f", "b") == 2
    assert (looks(ledger, "f"), len(ledger.read_text().splitlines())) == (2, 3)


def test_processes_that_look_at_once_are_all_counted(tmp_path: Path) -> None:
    ledger = tmp_path / "looks.jsonl"
    running = [subprocess.Popen([sys.executable, "-c", LOOKER, str(ledger)]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert looks(ledger, "f") == 60
