"""Published weights: fetched once, digest checked, one sentence when offline; files of weights: read, never run."""

from __future__ import annotations

import hashlib
import http.server
import os
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from huggingface_hub import constants

from cutaway.errors import BadInput, BadModel, Offline
from cutaway.zoo import build, published, weights

CATS = ("cat", "dog", "hamster")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing is read from or written to the caches of the person who runs the tests."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    for name in ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def publisher(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which a server of this machine publishes it."""
    folder = tmp_path / "published"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: Any) -> None:
            super().__init__(*args, directory=str(folder))

        def log_message(self, *_: Any) -> None: ...

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def publish(folder: Path, state: Any, name: str = "net") -> str:
    """Writes a state_dict under a name that carries its digest -> that name."""
    torch.save(state, folder / "draft")
    digest = hashlib.sha256((folder / "draft").read_bytes()).hexdigest()
    return (folder / "draft").rename(folder / f"{name}-{digest[:8]}.pth").name


def test_published_weights_are_fetched_once_and_kept(publisher: tuple[Path, str]) -> None:
    folder, address = publisher
    name = publish(folder, {"w": torch.ones(2)})
    kept = weights.fetched(f"{address}/{name}", "net")
    assert kept.name == name
    (folder / name).unlink()
    assert weights.fetched(f"{address}/{name}", "net") == kept
    assert torch.equal(weights.read_state(kept)["w"], torch.ones(2))


@pytest.mark.parametrize("scheme", ["http", "file"])
def test_a_download_with_a_wrong_digest_is_refused_and_not_kept(
    publisher: tuple[Path, str], own_folders: Path, scheme: str
) -> None:
    folder, address = publisher
    name = publish(folder, {"w": torch.ones(2)})
    with (folder / name).open("r+b") as file:
        file.seek(200)
        file.write(b"!")
    url = f"{address}/{name}" if scheme == "http" else (folder / name).as_uri()
    with pytest.raises(BadModel, match=r"The weights of net that .* sent are not the published ones \(invalid hash"):
        weights.fetched(url, "net")
    assert list((own_folders / "torch" / "hub" / "checkpoints").iterdir()) == []


def test_a_kept_file_that_was_damaged_since_is_refused(publisher: tuple[Path, str]) -> None:
    folder, address = publisher
    name = publish(folder, {"w": torch.ones(2)})
    kept = weights.fetched(f"{address}/{name}", "net")
    kept.write_bytes(kept.read_bytes()[:-9])
    with pytest.raises(BadModel, match=r"The weights of net in .* are damaged: their sha256 starts with [0-9a-f]{8},"):
        weights.fetched(f"{address}/{name}", "net")


def test_offline_is_one_sentence_with_the_file_and_where_to_put_it() -> None:
    said = (
        r"The published weights of net are not on this machine and 127\.0\.0\.1 did not answer \(.*refused.*\): "
        r"connect once, or put net-0a1b2c3d\.pth into .*checkpoints, or start from a model file .* --backbone FILE\."
    )
    with pytest.raises(Offline, match=said):
        weights.fetched("http://127.0.0.1:1/net-0a1b2c3d.pth", "net")
    assert not list(Path(torch.hub.get_dir()).rglob("*.partial"))


def test_a_server_that_says_nothing_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "_TIMEOUT", 0.3)
    before = socket.getdefaulttimeout()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        with pytest.raises(Offline, match="did not answer"):
            weights.fetched(f"http://127.0.0.1:{silent.getsockname()[1]}/net-0a1b2c3d.pth", "net")
    assert time.monotonic() - start < 3
    assert socket.getdefaulttimeout() == before


def test_the_hub_offline_is_one_sentence_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setattr(weights, "_must_answer", lambda *_: (_ for _ in ()).throw(OSError("nobody there")))
    start = time.monotonic()
    said = r"mobilenetv3_small_100\.lamb_in1k are not on .* \(nobody there\): .* put mobilenetv3_small_100\.lamb_in1k\."
    with pytest.raises(Offline, match=said):
        build("mobilenetv3_small_100", classes=CATS, pretrained=True)
    assert time.monotonic() - start < 5
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(Offline, match="HF_HUB_OFFLINE is set"):
        build("mobilenetv3_small_100", classes=CATS, pretrained=True)


def test_the_proxy_is_asked_where_one_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="refused"):
        weights._must_answer("127.0.0.1", 1)
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.getsockname()[1]}")
        weights._must_answer("no.such.host.example", 443)


def test_a_file_put_by_hand_is_taken(own_folders: Path) -> None:
    from safetensors.torch import save_file

    own = timm.create_model("test_resnet", num_classes=1000)
    folder = own_folders / "torch" / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    repository = timm.get_pretrained_cfg("test_resnet").hf_hub_id.rpartition("/")[2]
    save_file(own.state_dict(), folder / f"{repository}.safetensors")
    named = build("test_resnet", classes=CATS, pretrained=True)
    assert torch.equal(named.graph.state_dict()["conv1.0.weight"], own.state_dict()["conv1.0.weight"])
    assert named.card["weights"] == timm.get_pretrained_cfg("test_resnet").tag
    whole = build("test_resnet", classes=(), pretrained=True)
    assert (len(whole.classes), whole.classes[0]) == (1000, "tench, Tinca tinca")
    assert torch.equal(whole.graph.state_dict()["fc.weight"], own.state_dict()["fc.weight"])
    gray = build("test_resnet", classes=CATS, pretrained=True, in_channels=1)
    assert gray.graph.state_dict()["conv1.0.weight"].shape[1] == 1


def hub_cache(root: Path, repository: str, data: bytes, digest: str) -> Path:
    """What the hub's client keeps: a blob named by its sha256 and a link to it."""
    folder = root / f"models--{repository.replace('/', '--')}"
    for part in ("blobs", "refs", "snapshots/abc"):
        (folder / part).mkdir(parents=True)
    (folder / "refs" / "main").write_text("abc")
    (folder / "blobs" / digest).write_bytes(data)
    link = folder / "snapshots" / "abc" / "model.safetensors"
    link.symlink_to(Path("../../blobs") / digest)
    return link


def test_the_hubs_cache_is_used_offline_and_checked(own_folders: Path) -> None:
    digest = hashlib.sha256(b"weights").hexdigest()
    good = hub_cache(own_folders / "hub", "timm/good", b"weights", digest)
    assert weights.fetched_from_hub("timm/good", "model.safetensors", "good") == good
    hub_cache(own_folders / "hub", "timm/bad", b"w3ights", digest)
    with pytest.raises(BadModel, match=r"The weights of bad in .* are damaged: their sha256"):
        weights.fetched_from_hub("timm/bad", "model.safetensors", "bad")


def test_torchvisions_published_weights_are_loaded(
    publisher: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = publisher
    own = torchvision.models.squeezenet1_1().eval()
    name = publish(folder, own.state_dict())
    monkeypatch.setattr(published, "fetched", lambda _, network: weights.fetched(f"{address}/{name}", network))
    whole = build("squeezenet1_1", classes=(), size=64, pretrained=True)
    x = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(whole.graph(x), own(x))
    assert whole.classes[:2] == ("tench", "goldfish")
    assert whole.card["weights"] == "IMAGENET1K_V1"
    three = build("squeezenet1_1", classes=CATS, size=64, pretrained=True)
    kept = {k: v for k, v in three.graph.state_dict().items() if not k.startswith("classifier")}
    assert all(torch.equal(v, own.state_dict()[k]) for k, v in kept.items())
    assert len(kept) == len(own.state_dict()) - 2


def test_versions_of_layers_travel_with_the_weights(
    publisher: tuple[Path, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, address = publisher
    name = publish(folder, torchvision.models.mnasnet0_5().state_dict())  # refuses weights without a version
    monkeypatch.setattr(published, "fetched", lambda _, network: weights.fetched(f"{address}/{name}", network))
    assert build("mnasnet0_5", classes=CATS, size=64, pretrained=True).classes == CATS


def test_timm_networks_without_published_weights_say_so() -> None:
    with pytest.raises(BadInput, match=r"resnetv2_18 has no published weights; with weights: |published"):
        build("mobilenetv3_small_050.nothing", classes=CATS, pretrained=True)
    without = next(n for n in timm.list_models("*resnet*") if not timm.get_pretrained_cfg(n).has_weights)
    with pytest.raises(BadInput, match=f"{without}.* has no published weights; with weights: "):
        build(without, classes=CATS, pretrained=True)


def test_weights_published_for_another_program_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    config = timm.get_pretrained_cfg("test_resnet")
    monkeypatch.setattr(published.libraries, "timm_config", lambda *_: config)
    monkeypatch.setattr(config, "hf_hub_id", None)
    monkeypatch.setattr(config, "url", "https://somewhere.example/weights.npz")
    with pytest.raises(
        BadModel, match=r"The weights of test_resnet\.\w+ are published for JAX .* not as a state_dict\."
    ):
        build("test_resnet", classes=CATS, pretrained=True)


class Harm:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, ("harm-was-done",)


def test_code_in_a_file_of_weights_is_never_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"w": Harm()}, "harm.pth")
    with pytest.raises(BadModel, match=r"harm\.pth holds more than weights \(.*\); code in model files is never run"):
        weights.read_state(tmp_path / "harm.pth")
    torch.save(torch.nn.Linear(1, 1), "whole.pth")
    with pytest.raises(
        BadModel, match=r"whole\.pth holds more than weights .* save its state_dict\(\) and open that\."
    ):
        weights.read_state(tmp_path / "whole.pth")
    assert not (tmp_path / "harm-was-done").exists()


def test_files_that_hold_no_weights(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match=r"There is no file of weights .*none\.pth\."):
        weights.read_state(tmp_path / "none.pth")
    (tmp_path / "cut.safetensors").write_bytes(b"\x08\0\0\0\0\0\0\0{}")
    with pytest.raises(BadModel, match=r"cut\.safetensors is not a readable file of weights \("):
        weights.read_state(tmp_path / "cut.safetensors")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(
        BadModel, match=r"list\.pth holds no weights by layer name; a state_dict or a .safetensors file"
    ):
        weights.read_state(tmp_path / "list.pth")


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04 broken zip", bytes(range(256)) * 4])
def test_files_that_are_no_model_end_in_a_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "odd.pth").write_bytes(data)
    with pytest.raises(BadModel, match=r"odd\.pth (is not a readable file of weights|holds more than weights)"):
        weights.read_state(tmp_path / "odd.pth")


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state_dict", "state_dict_ema"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod."])
def test_wrappers_of_training_programs_are_undone(tmp_path: Path, wrapper: str, prefix: str) -> None:
    torch.save({wrapper: {f"{prefix}a.weight": torch.ones(1)}, "epoch": 3}, tmp_path / "w.pth")
    assert list(weights.read_state(tmp_path / "w.pth")) == ["a.weight"]
