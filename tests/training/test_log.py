"""metrics.jsonl and TensorBoard's event files: read back with the field's own reader, cut short, on a full disk."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import struct
from pathlib import Path

import pytest
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.record_writer import masked_crc32c

from cutaway.errors import BadInput
from cutaway.reports import EpochRow
from cutaway.training.log import MetricsLog, read_metrics


def row(epoch: int) -> EpochRow:
    return EpochRow(epoch, "train", 1 / epoch, 0.5, 2 / epoch, 0.25, 0.001 * epoch, 1.5, epoch == 1)


def add_many(log: MetricsLog) -> None:
    for epoch in range(2, 200):
        log.add(row(epoch))


def events(folder: Path) -> list[Event]:
    """Event files in the order of their names -> events; TFRecord: length, its checksum, data, its checksum."""
    found = []
    for file in sorted((folder / "tensorboard").iterdir()):
        data, at = file.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            body = data[at + 12 : at + 12 + length]
            assert struct.unpack_from("<I", data, at + 8)[0] == masked_crc32c(data[at : at + 8])
            assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked_crc32c(body)
            event = Event()
            event.ParseFromString(body)
            found.append(event)
            at += length + 16
    return found


def test_every_epoch_is_a_line_and_five_scalars(tmp_path: Path) -> None:
    log = MetricsLog(tmp_path)
    log.add(row(1))
    log.add(row(2))
    assert read_metrics(tmp_path) == (row(1), row(2))  # on disk at once
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[1])["val_loss"] == 1.0
    read = events(tmp_path)
    assert read[0].file_version == "brain.Event:2"
    scalars = {(v.tag, e.step): v.simple_value for e in read for v in e.summary.value}
    assert len(scalars) == 10
    for name in ("train_loss", "val_loss", "train_accuracy", "val_accuracy", "lr"):
        for epoch in (1, 2):
            assert scalars[name, epoch] == pytest.approx(getattr(row(epoch), name), rel=1e-6)  # float32 in the file
    assert all(e.wall_time > 1e9 for e in read)
    log.close()
    log.close()


def test_a_resumed_run_keeps_what_stands_until_it_has_gone_another_way(tmp_path: Path) -> None:
    first = MetricsLog(tmp_path)
    for epoch in (1, 2, 3):
        first.add(row(epoch))
    first.close()
    stood = (row(1), row(2), row(3))
    second = MetricsLog(tmp_path)
    assert read_metrics(tmp_path) == stood, "a run that cannot go on has lost nothing"
    second.add(row(1))
    assert read_metrics(tmp_path) == stood
    again = dataclasses.replace(row(2), seconds=99.0)
    second.add(again)
    assert read_metrics(tmp_path) == (row(1), again)
    second.close()
    read = events(tmp_path)
    last = max(i for i, e in enumerate(read) if e.session_log.status == SessionLog.START)
    assert read[last].step == 0  # TensorBoard forgets what earlier files say from here on
    assert {e.step for e in read[last + 1 :]} == {1, 2}


def test_a_resumed_run_that_ends_earlier_has_no_lines_of_the_other(tmp_path: Path) -> None:
    for epochs in ((1, 2, 3), (1, 2)):
        log = MetricsLog(tmp_path)
        for epoch in epochs:
            log.add(row(epoch))
        log.end()
        log.close()
    assert read_metrics(tmp_path) == (row(1), row(2))


@pytest.mark.parametrize("torn", ['{"epoch": 3, "pha', "", "{}", "12", '{"epoch": 3}', "\udcff\udcfe"])
def test_a_last_line_cut_short_is_left_out(tmp_path: Path, torn: str) -> None:
    log = MetricsLog(tmp_path)
    log.add(row(1))
    log.add(row(2))
    log.close()
    with (tmp_path / "metrics.jsonl").open("ab") as file:
        file.write(torn.encode("utf-8", "surrogateescape"))
    assert read_metrics(tmp_path) == (row(1), row(2))


def test_no_file_is_no_epochs(tmp_path: Path) -> None:
    assert read_metrics(tmp_path) == ()


def test_a_full_disk_is_told_and_does_not_hang(tiny_disk: Path) -> None:
    log = MetricsLog(tiny_disk)
    log.add(row(1))
    fill = tiny_disk / "fill"
    with fill.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"0" * 4096):
            pass
    said = r"metrics\.jsonl could not be written \(No space left on device\); free some space, then: cutaway resume"
    with pytest.raises(BadInput, match=said):
        add_many(log)
    log.close()
    assert read_metrics(tiny_disk)[0] == row(1)


def test_a_board_that_cannot_be_written_costs_only_the_board(tmp_path: Path) -> None:
    (tmp_path / "tensorboard").write_text("in the way")
    log = MetricsLog(tmp_path)
    log.add(row(1))
    log.close()
    assert read_metrics(tmp_path) == (row(1),)
