"""Maps over HTTP: made as a job by a real run on real digits, kept, found again, given out as bytes and files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient

from cutaway.studio import map_store
from cutaway.studio.app import create, locked
from cutaway.studio.desk import Start
from cutaway.studio.schemas.map import MapRequest
from cutaway.studio.security import POLICY, WRITTEN_PAGE

PORT = 8765


@pytest.fixture(scope="module")
def asking(trained: Path) -> Iterator[TestClient]:
    app = locked(create(Start(), trained), "key")
    cookies = {f"cutaway-{PORT}": "key"}
    with TestClient(app, base_url=f"http://127.0.0.1:{PORT}", cookies=cookies) as client:
        yield client


def wanted(trained: Path, **more: Any) -> dict[str, Any]:
    return {"model": str(trained / "runs" / "digits-1"), "data": "digits", "method": "pca", **more}


def ended(client: TestClient, id_: str) -> dict[str, Any]:
    for _ in range(600):
        card: dict[str, Any] = client.get(f"/api/jobs/{id_}").json()
        if card["state"] not in ("waiting", "running"):
            return card
        time.sleep(0.05)
    raise AssertionError("the job did not end")


@pytest.fixture(scope="module")
def made(asking: TestClient, trained: Path) -> str:
    """A map's id: 200 digits by PCA."""
    asked = wanted(trained, most=200)
    assert asking.post("/api/maps/find", json=asked).json()["made"] is False
    card = ended(asking, asking.post("/api/maps", json=asked).json()["id"])
    assert card["state"] == "done", card
    return str(card["result"]["id"])


def test_a_map_is_found_again_and_not_made_twice(asking: TestClient, trained: Path, made: str) -> None:
    assert asking.post("/api/maps/find", json=wanted(trained, most=200)).json() == {"id": made, "made": True}
    again = asking.post("/api/maps", json=wanted(trained, most=200)).json()
    assert ended(asking, again["id"])["result"] == {"id": made}
    with TestClient(locked(create(Start(), trained), "key"), base_url=f"http://127.0.0.1:{PORT}") as restarted:
        restarted.cookies.set(f"cutaway-{PORT}", "key")
        assert restarted.post("/api/maps/find", json=wanted(trained, most=200)).json()["made"]


def test_other_settings_are_another_map(asking: TestClient, trained: Path, made: str) -> None:
    edit = {"edit": "silence_channels", "layer": "conv1", "channels": [0]}
    for more in ({"layer": "conv1"}, {"fold": "all"}, {"seed": 1}, {"method": "tsne"}, {"edits": [edit]}):
        assert asking.post("/api/maps/find", json=wanted(trained, most=200) | more).json()["id"] != made


def test_the_columns_are_the_verbs_own_numbers(asking: TestClient, trained: Path, made: str) -> None:
    import cutaway as ca

    file = asking.get(f"/api/maps/{made}/points")
    assert file.headers["content-type"] == "application/octet-stream"
    head, columns = map_store.unpacked(file.content)
    result = ca.map(str(trained / "runs" / "digits-1"), "digits", method="pca", most=200, out=str(trained / "m.html"))
    import pyarrow.parquet as pq

    table = pq.read_table(result.table)
    assert list(head.names) == table["name"].to_pylist()
    assert head.count == result.pictures == 200
    assert [head.classes[k] for k in columns["label"]] == table["label"].to_pylist()
    assert [head.answers[k] for k in columns["predicted"]] == table["predicted"].to_pylist()
    assert columns["wrong"].astype(bool).tolist() == table["error"].to_pylist()
    np.testing.assert_allclose(columns["probability"], table["probability"].to_numpy(), atol=1e-7)
    xy = np.stack([table["x"].to_numpy(), table["y"].to_numpy()], 1)
    span = np.ptp(xy, 0).max()
    np.testing.assert_allclose(columns["x"] - columns["x"][0], (xy[:, 0] - xy[0, 0]) / span, atol=1e-6)
    np.testing.assert_allclose(columns["y"] - columns["y"][0], -(xy[:, 1] - xy[0, 1]) / span, atol=1e-6)
    assert columns["near"].shape == (200, map_store.NEAR)
    assert not (columns["near"] == np.arange(200)[:, None]).any()
    assert [f.name for f in head.figures][:2] == ["trustworthiness", "neighbours kept"]
    assert head.meaning == result.meaning


def test_small_pictures_lie_in_sheets_in_the_order_of_the_photos(asking: TestClient, made: str) -> None:
    import io

    from PIL import Image
    from sklearn.datasets import load_digits

    head, _ = map_store.unpacked(asking.get(f"/api/maps/{made}/points").content)
    sheet = np.asarray(Image.open(io.BytesIO(asking.get(f"/api/maps/{made}/sheets/0").content)).convert("L"), int)
    s = head.sheets
    digits = load_digits().images * 255 / 16
    for place in (0, 57, 199):
        row, column = divmod(place, s.columns)
        tile = sheet[row * s.height : (row + 1) * s.height, column * s.width : (column + 1) * s.width]
        number = int(head.names[place].split("[")[1].rstrip("]"))
        assert np.abs(tile - digits[number]).mean() < 12  # JPEG of 8 x 8 pixels


def test_a_photo_opens_where_pictures_open(asking: TestClient, made: str) -> None:
    head, _ = map_store.unpacked(asking.get(f"/api/maps/{made}/points").content)
    address = asking.post(f"/api/maps/{made}/photos/3").json()["picture"]
    assert address.startswith("upload:")
    shown = asking.get("/api/picture", params={"picture": address})
    assert shown.headers["content-type"] == "image/jpeg"
    same = asking.post("/api/photos/address", json={"data": "digits", "name": head.names[3]}).json()
    assert same == {"picture": address}


def test_a_part_of_a_map_is_a_data_set_of_its_own(
    asking: TestClient, trained: Path, made: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cutaway.dataset.scan import open_dataset
    from cutaway.image.write import to_png
    from cutaway.studio import album
    from cutaway.studio.uploads import path_of

    head, columns = map_store.unpacked(asking.get(f"/api/maps/{made}/points").content)
    part = asking.post(f"/api/maps/{made}/part", json={"photos": [3, 0, 9]}).json()["data"]
    found, digits = open_dataset(path_of(part)), open_dataset("digits")
    by_name = {s.name: i for i, s in enumerate(digits.samples)}
    for place in (3, 0, 9):
        number = by_name[head.names[place]]
        name = f"{head.classes[columns['label'][place]]}/{number}.png"
        copy = next(i for i, s in enumerate(found.samples) if s.name.endswith(name))
        assert (found.read(copy).pixels == digits.read(number).pixels).all()
    assert len(found) == 3
    for k in range(6):
        path = tmp_path / f"{k % 2}" / f"{k}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(to_png(np.full((9, 9, 3), 40 * k, np.uint8)))
    asked = wanted(trained, data=str(tmp_path))
    id_ = ended(asking, asking.post("/api/maps", json=asked).json()["id"])["result"]["id"]
    part = asking.post(f"/api/maps/{id_}/part", json={"photos": [0, 5]}).json()["data"]
    assert part.endswith("/part-of-" + tmp_path.name + ".csv")
    assert [s.at for s in open_dataset(path_of(part)).samples] == [str(tmp_path / "0/0.png"), str(tmp_path / "1/5.png")]
    none = asking.post(f"/api/maps/{id_}/part", json={"photos": []})
    assert none.json()["message"] == "No photo was chosen; draw around some, or choose a class."
    assert "there is no photo 6" in asking.post(f"/api/maps/{id_}/part", json={"photos": [6]}).json()["message"]
    monkeypatch.setattr(album, "MOST_COPIED", 2)
    many = asking.post(f"/api/maps/{made}/part", json={"photos": [1, 2, 3]})
    assert many.json()["message"] == "3 photos of digits would have to be copied; choose 2 at most."


def test_a_photo_in_a_folder_keeps_its_own_path(asking: TestClient, tmp_path: Path) -> None:
    from cutaway.image.write import to_png

    for name in ("cats/a.png", "dogs/b.png"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_bytes(to_png(np.full((20, 30, 3), 90, np.uint8)))
    asked = {"data": str(tmp_path), "name": "dogs/b.png"}
    assert asking.post("/api/photos/address", json=asked).json() == {"picture": str(tmp_path / "dogs" / "b.png")}
    small = asking.get("/api/photos/small", params={**asked, "side": 16})
    assert small.status_code == 200
    (tmp_path / "dogs" / "new.png").write_bytes(to_png(np.zeros((9, 9, 3), np.uint8)))
    new = asking.post("/api/photos/address", json={**asked, "name": "dogs/new.png"}).json()
    assert new["picture"].endswith("new.png")  # the folder is read anew for a name that is not known


def test_pages_that_are_passed_on_run_locked_in(asking: TestClient, made: str) -> None:
    page = asking.get(f"/api/maps/{made}/page")
    assert page.headers["content-security-policy"] == WRITTEN_PAGE
    assert page.headers.get_list("content-security-policy") == [WRITTEN_PAGE]
    assert "allow-same-origin" not in WRITTEN_PAGE
    assert page.headers["content-disposition"].endswith("PCA-map-of-digits-by-digits-1.html")
    assert "t-SNE" not in page.text.split("</h1>")[0]
    picture = asking.get(f"/api/maps/{made}/picture")
    assert picture.content.startswith(b"\x89PNG")
    assert asking.get("/api/runs").headers["content-security-policy"] == POLICY


def test_what_cannot_be_is_told_in_a_sentence(asking: TestClient, trained: Path, made: str) -> None:
    def told(answer: Any) -> str:
        assert answer.status_code == 400
        return str(answer.json()["message"])

    assert "no data set by name" in told(asking.post("/api/maps/find", json=wanted(trained, data="nowhere")))
    assert "nowhere" in told(asking.post("/api/maps", json=wanted(trained, data="nowhere")))
    assert told(asking.get("/api/maps/x/points")) == "There is no such map; make it again."
    gone = told(asking.get(f"/api/maps/{'0' * 32}/points"))
    assert gone == "This map is not kept any more; make it again."
    assert "there is no photo 999" in told(asking.post(f"/api/maps/{made}/photos/999"))
    assert "has no photo 'nobody'" in told(
        asking.post("/api/photos/address", json={"data": "digits", "name": "nobody"})
    )
    card = ended(asking, asking.post("/api/maps", json=wanted(trained, layer="nope")).json()["id"])
    assert card["state"] == "failed"
    assert "nope" in card["told"]["message"]


def test_the_id_follows_the_files(asking: TestClient, trained: Path, tmp_path: Path) -> None:
    desk = asking.app._app.state.desk  # type: ignore[attr-defined]
    from cutaway.image.write import to_png

    for k in range(6):
        (tmp_path / f"{k}.png").write_bytes(to_png(np.full((9, 9, 3), 40 * k, np.uint8)))
    asked = MapRequest(model=str(trained / "runs" / "digits-1"), data=str(tmp_path))
    first = map_store.id_of(desk, asked)
    assert map_store.id_of(desk, asked) == first
    (tmp_path / "3.png").write_bytes(to_png(np.full((11, 9, 3), 7, np.uint8)))
    assert map_store.id_of(desk, asked) != first
