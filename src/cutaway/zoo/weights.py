"""Weights for a named network: published ones (fetched, digest checked) or a local file; read as tensors only.

A pickle is never run: .pth files are read with weights_only. The digest is the one the publisher wrote into the file's
name (torchvision, timm: 8 hexadecimal digits of sha256 or more) or the hub's blob name (all 64).
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import socket
import sys
import urllib.request
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlsplit

import torch
from torch import hub

from cutaway.errors import BadModel, Offline

State = dict[str, torch.Tensor]
_TIMEOUT = 10.0  # seconds a server may stay silent
_BLOB = re.compile(r"[0-9a-f]{64}")
_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model_state_dict", "model")


def fetched(url: str, network: str) -> Path:
    """Address of published weights -> the file on this machine, downloaded at most once, its digest checked each time.

    Raises Offline where the server does not answer, BadModel where the file is not what was published.
    """
    folder = Path(hub.get_dir()) / "checkpoints"
    path = folder / Path(urlsplit(url).path).name
    digest = _digest_in(path.name)
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with _impatient():
                hub.download_url_to_file(url, str(path), digest, progress=sys.stderr.isatty())
        except (URLError, OSError) as error:
            raise _offline(network, path.name, urlsplit(url).hostname, folder, error) from None
        except RuntimeError as error:  # torch.hub's word for a wrong digest
            raise BadModel(
                f"The weights of {network} that {urlsplit(url).hostname or url} sent are not the published ones "
                f"({error}); nothing was kept: try again, and distrust that connection if it happens twice."
            ) from None
    elif digest:
        _must_have(path, digest, network)
    return path


def fetched_from_hub(repository: str, filename: str, network: str) -> Path:
    """Repository and file on the Hugging Face hub -> the file on this machine, its digest checked each time.

    A file put by hand into torch's folder under the network's name ("NETWORK.safetensors") is taken first.
    """
    from huggingface_hub import constants, hf_hub_download, try_to_load_from_cache

    repository, _, revision = repository.partition("@")
    folder = Path(hub.get_dir()) / "checkpoints"
    by_hand = folder / (repository.rpartition("/")[2] + Path(filename).suffix)
    if by_hand.exists():
        return by_hand
    kept = try_to_load_from_cache(repository, filename, revision=revision or None)
    if not isinstance(kept, str):
        host = urlsplit(constants.ENDPOINT)
        try:
            if constants.HF_HUB_OFFLINE:
                raise OSError("HF_HUB_OFFLINE is set")
            _must_answer(host.hostname or "", host.port or 443)
            kept = str(hf_hub_download(repository, filename, revision=revision or None, etag_timeout=_TIMEOUT))
        except Exception as error:  # the hub's client lets through whatever its transport raises
            raise _offline(network, by_hand.name, host.hostname, folder, error) from None
    path = Path(kept)
    if _BLOB.fullmatch(path.resolve().name):
        _must_have(path, path.resolve().name, network)
    return path


def read_state(path: Path) -> State:
    """A .safetensors, .pth, .pt or .bin file of weights -> its tensors by name, wrappers such as "state_dict" undone.

    Raises BadModel where the file is damaged, holds code (which is never run) or holds no weights.
    """
    if not path.is_file():
        raise BadModel(f"There is no file of weights {path}.")
    found = _unwrapped(_read(path))
    if not found:
        raise BadModel(f"{path.name} holds no weights by layer name; a state_dict or a .safetensors file is needed.")
    return found


def _read(path: Path) -> Any:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, EOFError, OSError, RuntimeError, ValueError, KeyError) as error:
        raise BadModel(f"{path.name} is not a readable file of weights ({_first(error)}).") from None
    except Exception as error:  # UnpicklingError, which this house does not import
        raise BadModel(
            f"{path.name} holds more than weights ({_first(error)}); code in model files is never run: "
            "save its state_dict() and open that."
        ) from None


def _unwrapped(found: Any) -> State:
    for wrapper in _WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    if not isinstance(found, dict):
        return {}
    tensors: State = OrderedDict((str(k), v) for k, v in found.items() if isinstance(v, torch.Tensor))
    if hasattr(found, "_metadata"):
        tensors._metadata = found._metadata  # type: ignore[attr-defined]  # versions of layers, which some networks ask for
    for prefix in ("module.", "_orig_mod."):
        if tensors and all(k.startswith(prefix) for k in tensors):
            tensors = {k.removeprefix(prefix): v for k, v in tensors.items()}
    return tensors


def _digest_in(filename: str) -> str | None:
    found = hub.HASH_REGEX.search(filename)
    return found.group(1) if found and len(found.group(1)) >= 8 else None


def _must_have(path: Path, digest: str, network: str) -> None:
    with path.open("rb") as file:
        got = hashlib.file_digest(file, "sha256").hexdigest()
    if not got.startswith(digest):
        raise BadModel(
            f"The weights of {network} in {path} are damaged: their sha256 starts with {got[: len(digest)][:16]}, the "
            f"published ones with {digest[:16]}; delete the file and try again."
        )


def _must_answer(host: str, port: int) -> None:
    """Raises OSError within seconds where nobody answers: the hub's own client would try for 23 s."""
    proxy = urllib.request.getproxies().get("https")
    if proxy:
        where = urlsplit(proxy)
        host, port = where.hostname or host, where.port or port
    socket.create_connection((host, port), timeout=_TIMEOUT).close()


@contextlib.contextmanager
def _impatient() -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_TIMEOUT)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def _offline(network: str, filename: str, host: str | None, folder: Path, error: Exception) -> Offline:
    return Offline(
        f"The published weights of {network} are not on this machine and {host or 'their server'} did not answer "
        f"({_first(error)}): connect once, or put {filename} into {folder}, or start from a model file you have with "
        "--backbone FILE."
    )


def _first(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:160].rstrip(".")
