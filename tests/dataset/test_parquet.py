from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cutaway.dataset.parquet import ParquetStore
from cutaway.dataset.samples import Sample
from cutaway.dataset.scan import open_dataset
from cutaway.errors import BadInput, BadPicture

Draw = Callable[..., bytes]


def hugging_face(path: Path, pictures: list[bytes | None], labels: list[Any], names: list[str] | None) -> None:
    image = pa.array([{"bytes": p, "path": f"{i}.png"} for i, p in enumerate(pictures)])
    table = pa.table({"image": image, "label": pa.array(labels)})
    if names is not None:
        features = {"image": {"_type": "Image"}, "label": {"names": names, "_type": "ClassLabel"}}
        table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, row_group_size=2)


def test_the_hugging_face_layout(tmp_path: Path, draw: Draw) -> None:
    names = ["zebra", "ant"]
    hugging_face(
        tmp_path / "data" / "train-00000-of-00002.parquet", [draw(i) for i in range(5)], [0, 1, 0, 1, 0], names
    )
    hugging_face(tmp_path / "data" / "train-00001-of-00002.parquet", [draw(9)], [1], names)
    hugging_face(tmp_path / "data" / "test-00000-of-00001.parquet", [draw(7)], [1], names)
    hugging_face(tmp_path / "data" / "validation.parquet", [draw(8)], [1], names)
    data = open_dataset(tmp_path)
    assert data.classes == ("zebra", "ant")  # the data set's own order
    assert [s.fold for s in data.samples] == ["test"] + ["train"] * 6 + ["val"]
    fifth = next(i for i, s in enumerate(data.samples) if s.name == "train-00000-of-00002.parquet[4]")
    store = pickle.loads(pickle.dumps(data.store))
    assert store.read(data.samples[fifth]).sha256 == __import__("hashlib").sha256(draw(4)).hexdigest()
    assert len(pickle.dumps(data.store)) < 2000
    assert len({store.stamp(s) for s in data.samples}) == len(data)


def test_folds_may_be_folders_and_shards_may_share_a_name(tmp_path: Path, draw: Draw) -> None:
    hugging_face(tmp_path / "default" / "train" / "0000.parquet", [draw(1)], ["a"], None)
    hugging_face(tmp_path / "default" / "test" / "0000.parquet", [draw(2)], ["b"], None)
    data = open_dataset(tmp_path)
    assert [(s.name, s.fold) for s in data.samples] == [("0:0000.parquet[0]", "test"), ("1:0000.parquet[0]", "train")]


def test_one_file_with_plain_bytes_and_a_split_column(tmp_path: Path, draw: Draw) -> None:
    columns = {"img": [draw(1), draw(2), draw(3)], "class": [10, 9, 10], "split": ["train", "val", None]}
    pq.write_table(pa.table(columns), tmp_path / "one.parquet")
    data = open_dataset(tmp_path / "one.parquet")
    assert (data.classes, data.labels) == (("9", "10"), (1, 0, 1))
    assert [s.fold for s in data.samples] == ["train", "val", None]
    assert data.read(1).pixels.shape == (6, 8, 3)


def test_a_table_of_paths(tmp_path: Path, draw: Draw) -> None:
    (tmp_path / "1.png").write_bytes(draw(1))
    pq.write_table(pa.table({"file_name": ["1.png", "2.png"], "label": ["a", "b"]}), tmp_path / "t.pq")
    data = open_dataset(tmp_path / "t.pq")
    assert (data.classes, data.read(0).pixels.shape) == (("a", "b"), (6, 8, 3))
    with pytest.raises(BadPicture, match=r"2\.png: missing"):
        data.read(1)


def test_a_row_without_bytes_and_a_file_that_went_away_cost_one_picture_each(tmp_path: Path, draw: Draw) -> None:
    hugging_face(tmp_path / "t.parquet", [draw(1), None], ["a", "b"], None)
    data = open_dataset(tmp_path / "t.parquet")
    with pytest.raises(BadPicture, match=r"t\.parquet\[1\]: empty \(the table holds no bytes"):
        data.read(1)
    gone = ParquetStore((str(tmp_path / "gone.parquet"),), (0,), "image.bytes")
    assert gone.stamp(Sample("x", 0, None, 0)) == ""
    with pytest.raises(BadPicture, match="x: unreadable \\(the table does not give it"):
        gone.read(Sample("x", 0, None, 0))


def refused(tmp_path: Path, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        open_dataset(tmp_path)


def test_bad_tables_are_told_in_one_sentence(tmp_path: Path, draw: Draw) -> None:
    one = [draw(1)]
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "t.parquet").write_bytes(b"PAR1 and nothing more")
    refused(tmp_path / "a", r"t\.parquet cannot be read as Parquet \(")
    hugging_face(tmp_path / "b" / "train.parquet", one, [0], ["x", "y"])
    hugging_face(tmp_path / "b" / "test.parquet", one, [0], ["y", "x"])
    refused(tmp_path / "b", r"has other columns or classes than test\.parquet")
    hugging_face(tmp_path / "c" / "train.parquet", one, [0], ["x"])
    hugging_face(tmp_path / "c" / "extra.parquet", one, [0], ["x"])
    refused(tmp_path / "c", r"has extra\.parquet beside tables of train and test, which is not a fold name")
    hugging_face(tmp_path / "d" / "t.parquet", one, [2], ["x", "y"])
    refused(tmp_path / "d", r"t\.parquet has labels beyond the 2 classes it names")
    hugging_face(tmp_path / "e" / "t.parquet", one * 2, [0, -1], ["x", "y"])
    refused(tmp_path / "e", r"has 1 row without a label in column 'label' \(the first: row 1\)")
    hugging_face(tmp_path / "f" / "t.parquet", [], [], ["x", "y"])
    refused(tmp_path / "f", "has no rows; wanted is one picture per row")
    (tmp_path / "g").mkdir()
    for name in ("t.parquet", "u.parquet"):
        pq.write_table(pa.table({"path": ["1.png"], "label": ["a"]}), tmp_path / "g" / name)
    refused(tmp_path / "g", "holds 2 tables of paths; give one of them")
    (tmp_path / "h").mkdir()
    pq.write_table(pa.table({"w": [1], "h": [2], "d": [3]}), tmp_path / "h" / "t.parquet")
    refused(tmp_path / "h", r"has no column of picture paths: found 'w', 'h', 'd'")


def test_a_file_damaged_behind_its_header_is_told(tmp_path: Path, draw: Draw) -> None:
    path = tmp_path / "t.parquet"
    hugging_face(path, [draw(i) for i in range(4)], ["a", "b", "a", "b"], None)
    raw = bytearray(path.read_bytes())
    spot = pq.ParquetFile(path).metadata.row_group(0).column(2)
    start = spot.dictionary_page_offset or spot.data_page_offset
    raw[start : start + spot.total_compressed_size] = b"\xff" * spot.total_compressed_size
    path.write_bytes(bytes(raw))
    with pytest.raises(BadInput, match=r"t\.parquet is a damaged Parquet file"):
        open_dataset(path)


def test_cifar10_as_published(shared_data: Path) -> None:
    data = open_dataset(shared_data / "cifar10")
    assert (len(data), len(data.fold("train")), len(data.fold("test"))) == (60000, 50000, 10000)
    assert data.classes[:3] == ("airplane", "automobile", "bird")
    assert data.read(0).pixels.shape == (32, 32, 3)
