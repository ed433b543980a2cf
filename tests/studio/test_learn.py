"""The lessons' numbers: against torch's own layers, the contract's own arithmetic, and `cutaway shift`."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fastapi.testclient import TestClient

from cutaway.dataset.loose import open_pictures
from cutaway.engine.lesson.picture import brightness
from cutaway.engine.prepare import prepare
from cutaway.image import InputContract
from cutaway.image.fit import fit_picture
from cutaway.model import Model
from cutaway.surgery.kernels import named_kernel
from cutaway.surgery.shift import Change, changed
from cutaway.verbs.find import find_model

NAME = "zoo:tutorial-cifar"
ABOUT = {"model": NAME, "picture": "sample:cat"}
PLAIN = {"model": "", "picture": "sample:cat"}
STEP = 1 / 254  # of a map's range: what its bytes can tell apart


def ask(client: TestClient, what: str, status: int = 200, **body: Any) -> Any:
    found = client.post(f"/api/learn/{what}", json=body)
    assert found.status_code == status, found.text
    return found.json()


def values(plane: dict[str, Any]) -> np.ndarray[Any, Any]:
    raw = np.frombuffer(base64.b64decode(plane["data"]), np.uint8).reshape(plane["height"], plane["width"])
    return plane["lo"] + raw / 254 * (plane["hi"] - plane["lo"])


def same_map(plane: dict[str, Any], wanted: np.ndarray[Any, Any]) -> None:
    np.testing.assert_allclose(values(plane), wanted, atol=STEP * (wanted.max() - wanted.min()) / 2 + 1e-5)


@pytest.fixture(scope="module")
def model() -> Model:
    return find_model(NAME)


@pytest.fixture(scope="module")
def fitted(model: Model) -> np.ndarray[Any, Any]:
    return fit_picture(open_pictures(("sample:cat",)).read(0), model.contract)


@pytest.fixture(scope="module")
def plain() -> np.ndarray[Any, Any]:
    return fit_picture(open_pictures(("sample:cat",)).read(0, 224), InputContract(size=(224, 224)))


def test_start_tells_the_way_to_the_network(client: TestClient, model: Model, fitted: Any) -> None:
    found = ask(client, "start", **ABOUT)
    assert found["stored"] == [300, 451]
    assert found["contract"] == model.contract.describe()
    sent = np.frombuffer(base64.b64decode(found["picture"]["data"]), np.uint8).reshape(32, 32, 3)
    np.testing.assert_array_equal(sent, fitted)
    row, column, level = found["brightest"]
    assert brightness(fitted)[row, column] == brightness(fitted).max()
    assert level == round(255 * brightness(fitted).max())
    assert (found["filters"], found["first"]) == (32, "conv1")
    assert [s["lesson"] for s in found["spots"]] == [
        "pixels", "1d-convolution", "2d-convolution", "stride-padding", "activation", "pooling-shift",
    ]  # fmt: skip
    said = {s["lesson"]: s["sentence"] for s in found["spots"]}
    assert said["2d-convolution"].startswith("conv1 has 32 filters, each with 3 slices of 3 × 3 weights: 864 in all")
    assert "32 × 30 × 30 becomes 32 × 15 × 15" in said["pooling-shift"]


def test_without_a_model_there_is_a_plain_picture_and_no_network(client: TestClient, plain: Any) -> None:
    found = ask(client, "start", **PLAIN)
    assert (found["model"], found["filters"], found["spots"], found["formula"]) == ("", 0, [], "level / 255")
    sent = np.frombuffer(base64.b64decode(found["picture"]["data"]), np.uint8).reshape(224, 224, 3)
    np.testing.assert_array_equal(sent, plain)
    assert ask(client, "zeros", **PLAIN) == []


def test_pixels_as_stored_and_as_the_network_gets_them(client: TestClient, model: Model, fitted: Any) -> None:
    found = ask(client, "pixels", **ABOUT, row=5, column=7, count=4)
    np.testing.assert_array_equal(found["levels"], fitted[5:9, 7:11])
    wanted = prepare(fitted[None], model.contract)[0].numpy()
    np.testing.assert_allclose(found["inputs"], wanted[:, 5:9, 7:11], atol=1e-6)
    np.testing.assert_allclose(found["hi"], wanted.max((1, 2)), atol=1e-6)
    row, column, _ = ask(client, "start", **ABOUT)["brightest"]
    assert ask(client, "pixels", **ABOUT, row=row, column=column, count=1)["bright"]
    beyond = ask(client, "pixels", **ABOUT, row=900, column=900, count=8)
    assert (beyond["row"], beyond["column"]) == (24, 24)


def test_a_small_picture_and_what_the_network_makes_of_it(client: TestClient, model: Model, fitted: Any) -> None:
    found = ask(client, "shrink", **ABOUT, side=8)
    assert (found["numbers"], found["of"], found["small"]["width"]) == (8 * 8 * 3, 32 * 32 * 3, 8)
    whole = ask(client, "shrink", **ABOUT, side=32)
    assert whole["error"] == 0
    says = ask(client, "shrink/answer", **ABOUT, side=32)
    p = torch.softmax(model.logits(fitted[None]), 1)[0]
    assert says["whole"] == says["shrunk"]
    assert says["whole"]["name"] == model.classes[int(p.argmax())]
    assert says["whole"]["p"] == pytest.approx(float(p.max()), abs=1e-6)
    np.testing.assert_allclose(ask(client, "answer", **ABOUT)["p"], p.tolist(), atol=1e-6)


@pytest.mark.parametrize("what", ["answer", "shrink/answer"])
def test_no_model_no_answer(client: TestClient, what: str) -> None:
    said = ask(client, what, 400, **PLAIN, **({"side": 4} if "/" in what else {}))
    assert "No model is chosen yet; choose one on the Home page" in said["message"]


def test_a_row_of_the_picture(client: TestClient, fitted: Any) -> None:
    found = ask(client, "row", **ABOUT, row=16, cells=8)
    np.testing.assert_allclose(found["values"], brightness(fitted)[16].reshape(8, 4).mean(1).round(2))


@pytest.mark.parametrize(
    ("kernel", "falls", "rises"),
    [([1, -1], True, False), ([-1, 1], False, True), ([0, 1, -1], True, False), ([-2, 2, 0], False, True),
     ([1, 0, -1], False, False), ([1, 1], False, False), ([1], False, False), ([0, 0], False, False)],
)  # fmt: skip
def test_which_kernels_find_a_change(client: TestClient, kernel: list[float], falls: bool, rises: bool) -> None:
    found = ask(client, "along", values=[0, 1, 1, 0, 0, 1, 0], kernel=kernel)
    assert (found["falls"], found["rises"]) == (falls, rises)
    wanted = F.conv1d(torch.tensor([[[0.0, 1, 1, 0, 0, 1, 0]]]), torch.tensor([[kernel]], dtype=torch.float32))
    assert found["sums"] == wanted[0, 0].tolist()
    assert found["best"] == int(wanted.argmax())


def test_a_named_kernel_over_the_picture(client: TestClient, plain: Any) -> None:
    found = ask(client, "over", **PLAIN, name="sobel_x", side=5, stride=2, padding=2, dilation=2, cell=[0, 3])
    kernel = named_kernel("sobel_x", 5, 5)
    light = torch.from_numpy(brightness(plain))
    wanted = F.conv2d(light[None, None], kernel[None, None], stride=2, padding=2, dilation=2)[0, 0].numpy()
    same_map(found["total"], wanted)
    assert found["cells"] == list(wanted.shape)
    open_ = found["opened"]
    assert (open_["top"], open_["left"]) == (-2, 4)
    assert open_["inside"][0] == [False] * 5
    assert open_["value"] == pytest.approx(wanted[0, 3], abs=1e-6)
    assert np.sum(open_["products"]) == pytest.approx(open_["value"], abs=1e-5)
    assert found["given"] == []


def test_typed_slices_over_the_colours_and_an_activation(client: TestClient, plain: Any) -> None:
    slices = [[[0, 1], [0, 0]], [[0, 0], [0, 0]], [[0, -1], [0, 0]]]
    found = ask(client, "over", **PLAIN, source="rgb", slices=slices, activation="relu", given=True)
    wanted = (plain[:-1, 1:, 0].astype(float) - plain[:-1, 1:, 2]) / 255
    same_map(found["total"], wanted)
    same_map(found["after"], wanted.clip(0))
    same_map(found["given"][1], plain[..., 1] / 255)
    assert found["zeros"] == pytest.approx((wanted <= 0).mean(), abs=1e-9)
    assert found["flat"] == found["zeros"]
    assert not values(found["parts"][1]).any()


def test_a_filter_of_the_network_gives_the_networks_own_map(client: TestClient, model: Model, fitted: Any) -> None:
    found = ask(client, "over", **ABOUT, source="model", filter=5, cell=[3, 4])
    layer: Any = model.graph.get_submodule("conv1")
    with torch.inference_mode():
        wanted = layer(prepare(fitted[None], model.contract))[0, 5].numpy()
    same_map(found["total"], wanted)
    assert found["opened"]["value"] == pytest.approx(wanted[3, 4], abs=1e-5)
    assert found["layer"] == "conv1"


@pytest.mark.parametrize(
    ("about", "more", "said"),
    [
        (ABOUT, {"source": "model", "filter": 32}, "filter must be from 0 to 31 in conv1"),
        (PLAIN, {"source": "model"}, "Your network does not begin with a convolution that a lesson can show"),
        (PLAIN, {"slices": [[[1, 2], [3]]]}, "Every slice of a filter has the same rows of the same length"),
        (PLAIN, {"slices": [[[1e9]]]}, "a weight must be a number within a million of 0"),
        (PLAIN, {"side": 9, "dilation": 16, "stride": 16, "name": "blur", "model": NAME},
         "A window of 129 cells does not fit into 32 cells"),
    ],
)  # fmt: skip
def test_what_cannot_slide_is_refused(
    client: TestClient, about: dict[str, str], more: dict[str, Any], said: str
) -> None:
    assert said in ask(client, "over", 400, **{**about, **more})["message"]


def test_where_a_window_stands(client: TestClient) -> None:
    found = ask(client, "places", cells=12, kernel=3, stride=2, padding=1)
    assert (found["out"], found["starts"], found["outside"]) == (6, [-1, 1, 3, 5, 7, 9], [1, 0, 0, 0, 0, 0])
    assert (found["seen"], found["left"], found["same"]) == ([1, 2] * 5 + [1, 1], 0, 1)
    assert ask(client, "places", cells=9, kernel=4)["same"] is None


def test_a_curve_and_what_is_left_of_a_gradient(client: TestClient) -> None:
    found = ask(client, "curve", name="tanh", x=0.5, weight=2, depth=3)
    x = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    end = torch.tanh(2 * torch.tanh(2 * torch.tanh(2 * x)))
    end.backward()
    assert found["values"][-1] == pytest.approx(float(end.detach()), abs=1e-6)
    assert found["left"][-1] == pytest.approx(float(x.grad), rel=1e-6)  # type: ignore[arg-type]
    assert (found["y"], found["most"]) == (pytest.approx(np.tanh(0.5), abs=1e-6), 1)


def test_the_share_of_zeros_is_counted_in_every_activation(client: TestClient, model: Model) -> None:
    found = ask(client, "zeros", **ABOUT)
    trace = model.trace([open_pictures(("sample:cat",)).read(0)])
    assert [row["kind"] for row in found] == ["ReLU"] * 4
    for row in found:
        assert row["zeros"] == pytest.approx(float((trace[row["layer"]] == 0).double().mean()), abs=1e-4)


def test_pooling_before_and_after_a_move(client: TestClient, plain: Any) -> None:
    found = ask(client, "pool", **PLAIN, size=4, stride=4, kind="average", right=3, cell=[1, 2])

    def mapped(pixels: Any) -> Any:
        light = torch.from_numpy(brightness(pixels))[None, None]
        return F.relu(F.conv2d(light, named_kernel("vertical_edge", 3, 3)[None, None]))[0]

    still, moved = mapped(plain), mapped(changed(plain, Change("translate", 3), 3))
    same_map(found["moved"], moved[0].numpy())
    small = [F.avg_pool2d(m, 4, 4)[0].flatten() for m in (still, moved)]
    cosine = float(F.cosine_similarity(small[0], small[1], dim=0))
    assert found["alike"][1] == pytest.approx(cosine, abs=1e-6)
    assert found["opened"]["value"] == pytest.approx(np.mean(found["opened"]["patch"]), abs=1e-6)
    curve = ask(client, "pool/curve", **PLAIN, size=4, stride=4)
    assert curve["moves"] == list(range(9))
    assert curve["average"][3] == pytest.approx(cosine, abs=1e-6)
    assert (curve["none"][0], curve["max"][0]) == (pytest.approx(1), pytest.approx(1))
