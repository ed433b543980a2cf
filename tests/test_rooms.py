"""The house keeps its order: rooms import lower rows only, libraries stay in their rooms, every file says what it is.

The rows are the plan of docs/architecture.md; a change of plan edits both in the same commit. Imports made inside
functions count like any other, and so do `importlib.import_module` and `__import__` with a name written out.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[1] / "src" / "cutaway"

# Bottom to top. A room imports rooms of lower rows only, never a neighbour.
ROWS = (
    "errors options events",
    "image graph reports",
    "dataset engine draw",
    "formats zoo",
    "model",
    "evaluation",
    "training surgery explanation library",
    "verbs",
    "studio",
    "cli",
)
ROW = {room: number for number, row in enumerate(ROWS) for room in row.split()}
ROOF = {"__init__", "__main__"}  # the package's own front: it opens rooms, none of them looks back at it
FROM_THE_ROOF = {"__version__"}  # what a room may take from `cutaway` itself

WORDS = set(ROWS[0].split())
ANYWHERE = set(ROW) | ROOF
ONLY_IN = {
    "torch": ANYWHERE - WORDS - ROOF - {"cli", "studio", "draw", "image", "reports"},
    "torchvision": {"dataset", "zoo", "training", "evaluation", "engine", "graph", "surgery", "explanation"},
    "timm": {"zoo"},
    "PIL": {"image", "draw"},
    "pi_heif": {"image"},
    "fastapi": {"studio"},
    "starlette": {"studio"},
    "uvicorn": {"studio"},
    "pydantic": {"studio"},
    "h5py": {"formats"},
    "onnx": {"formats"},
    "onnxscript": {"formats"},
    "av": {"draw"},
    "captum": {"explanation"},
    "zennit": {"explanation"},
    "lime": {"explanation"},
    "shap": {"explanation"},
    "openTSNE": {"explanation"},
    "umap": {"explanation"},
    "flatbuffers": {"formats"},
    "tflite": {"formats"},
    "typer": {"cli"},
    "click": {"cli"},
    "rich": {"cli"},
    "optuna": {"verbs", "training"},
    "tensorboardX": {"training"},
    # These run what a file tells them to run.
    "pickle": set(),
    "cPickle": set(),
    "_pickle": set(),
    "dill": set(),
    "cloudpickle": set(),
    "joblib": set(),
    "marshal": set(),
    "shelve": set(),
    # The peers that benchmarks/ measures.
    "tensorflow": set(),
    "keras": set(),
}
HARMLESS = {"pickle.UnpicklingError"}  # what torch.load(weights_only=True) raises when it refuses a file
LONGEST = 400  # lines of one file

Breach = tuple[int, str]


def rooms(root: Path) -> list[str]:
    """Package folder -> every breach in it as "room/file.py:line: what is wrong", in order."""
    found = []
    for path in sorted(root.rglob("*.py")):
        file = path.relative_to(root)
        source = path.read_text(encoding="utf-8")
        tree = ast.parse(source, str(path))
        room = file.parts[0].removesuffix(".py")
        breaches = [b for check in CHECKS for b in check(tree, room, file)]
        if (lines := source.count("\n")) > LONGEST:
            breaches.append((lines, f"the file has {lines} lines; more than {LONGEST} are two subjects"))
        found += [f"{file.as_posix()}:{line}: {text}" for line, text in sorted(breaches)]
    return found


def placed(tree: ast.Module, room: str, file: Path) -> Iterator[Breach]:
    """Every file lies in a room of the plan and opens with a sentence that says what it is."""
    if room not in ANYWHERE:
        yield 1, f"'{room}' is no room of the plan: {', '.join(sorted(ROW))}"
    if not ast.get_docstring(tree) and file.name != "__main__.py":
        yield 1, "the file does not open with a docstring that says what it is"


def directed(tree: ast.Module, room: str, file: Path) -> Iterator[Breach]:
    """A room imports rooms of lower rows; the package's front may open any room."""
    for line, name in imports(tree, file):
        top, _, rest = name.partition(".")
        if top != "cutaway" or room in ROOF:
            continue
        other = rest.split(".")[0]
        if other in ROW and other != room and ROW[other] >= ROW.get(room, -1):
            yield line, f"{room} imports {other}, which is not in a lower row"
        elif other not in ROW and other not in FROM_THE_ROOF:
            yield line, f"{room} imports '{name}' from the package's front; import the room that defines it"


def housed(tree: ast.Module, room: str, file: Path) -> Iterator[Breach]:
    """A library is imported in its rooms only."""
    for line, name in imports(tree, file):
        library = name.split(".")[0]
        if library in ONLY_IN and room not in ONLY_IN[library] and name not in HARMLESS:
            where = ", ".join(sorted(ONLY_IN[library])) or "nowhere"
            yield line, f"{library} is imported in {room}; its rooms: {where}"
        if name.startswith("torchvision.io"):
            yield line, "torchvision.io decodes damaged files by crashing; image.read_image is the one decoder"


def unpicked(tree: ast.Module, room: str, file: Path) -> Iterator[Breach]:
    """Nothing in a file is executed, and only the command line speaks."""
    del file
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            names.update({a.asname or a.name: f"{node.module}.{a.name}" for a in node.names})
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and dotted(node) == "torchvision.io":
            yield node.lineno, "torchvision.io decodes damaged files by crashing; image.read_image is the one decoder"
        if not isinstance(node, ast.Call):
            continue
        called = names.get(dotted(node.func), dotted(node.func))
        given = {k.arg: k.value for k in node.keywords}
        if called == "print" and room != "cli":
            yield node.lineno, "print( outside cli; yield an event or return text"
        if called in {"eval", "exec", "builtins.eval", "builtins.exec"}:
            yield node.lineno, f"{called}( runs text as code"
        if called == "torch.load" and not is_true(given.get("weights_only")):
            yield node.lineno, "torch.load( without weights_only=True runs what the file says"
        if called.endswith(".load") and "allow_pickle" in given and not is_false(given["allow_pickle"]):
            yield node.lineno, "allow_pickle runs what the file says"


CHECKS: tuple[Callable[[ast.Module, str, Path], Iterator[Breach]], ...] = (placed, directed, housed, unpicked)


def imports(tree: ast.Module, file: Path) -> Iterator[tuple[int, str]]:
    """File -> (line, absolute dotted name) of everything it imports; `from a import b` gives a.b."""
    package = ["cutaway", *file.parts[:-1]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) + 1 - node.level] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from ((node.lineno, f"{module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and dotted(node.func) in {
            "__import__",
            "import_module",
            "importlib.import_module",
        }:
            match node.args:
                case [ast.Constant(value=str(name)), *_]:
                    yield node.lineno, name


def dotted(node: ast.expr) -> str:
    """Expression `a.b.c` -> "a.b.c"; anything else inside gives a text that matches no name."""
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else "?"


def is_true(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is True


def is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def test_the_house_is_in_order() -> None:
    assert rooms(SRC) == []


def test_every_room_is_in_the_plan_that_people_read() -> None:
    plan = (SRC.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = plan.split("```text", 1)[1].split("```", 1)[0]
    here = {p.name.removesuffix(".py") for p in SRC.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()}
    assert sorted(here - ROOF - set(drawn.split())) == []


PLANTED = [
    ("image/a.py", "from cutaway.graph import layers", "image imports graph, which is not in a lower row"),
    ("image/a.py", "from ..graph import layers", "image imports graph, which is not in a lower row"),
    ("image/a.py", "from .. import verbs", "image imports verbs, which is not in a lower row"),
    ("errors.py", "import cutaway.image.read", "errors imports image, which is not in a lower row"),
    ("model/a.py", "from cutaway import training", "model imports training, which is not in a lower row"),
    ("training/a.py", "import cutaway.surgery", "training imports surgery, which is not in a lower row"),
    ("studio/a.py", "from cutaway.cli import app", "studio imports cli, which is not in a lower row"),
    ("zoo/a.py", "def f():\n    from cutaway.model import Model", "zoo imports model, which is not in a lower row"),
    ("zoo/a.py", "import importlib\nimportlib.import_module('cutaway.verbs')", "zoo imports verbs"),
    ("verbs/a.py", "from cutaway import train", "verbs imports 'cutaway.train' from the package's front"),
    ("verbs/a.py", "import cutaway", "verbs imports 'cutaway' from the package's front"),
    ("cli/a.py", "def f():\n    import torch.nn as nn", "torch is imported in cli"),
    ("draw/a.py", "from torch import Tensor", "torch is imported in draw"),
    ("reports/a.py", "__import__('torch')", "torch is imported in reports"),
    ("dataset/a.py", "from PIL import Image", "PIL is imported in dataset; its rooms: draw, image"),
    ("verbs/a.py", "import fastapi", "fastapi is imported in verbs; its rooms: studio"),
    ("engine/a.py", "import h5py", "h5py is imported in engine; its rooms: formats"),
    ("verbs/a.py", "from rich.table import Table", "rich is imported in verbs; its rooms: cli"),
    ("dataset/a.py", "import optuna", "optuna is imported in dataset; its rooms: training, verbs"),
    ("formats/a.py", "import pickle", "pickle is imported in formats; its rooms: nowhere"),
    ("formats/a.py", "from pickle import Unpickler", "pickle is imported in formats; its rooms: nowhere"),
    ("dataset/a.py", "from torchvision.io import decode_image", "torchvision.io decodes damaged files by crashing"),
    ("zoo/a.py", "import torchvision\ntorchvision.io.read_image('x')", "torchvision.io decodes damaged files"),
    ("image/a.py", "print('hello')", "print( outside cli"),
    ("verbs/a.py", "eval('1')", "eval( runs text as code"),
    ("formats/a.py", "import torch\ntorch.load('x')", "torch.load( without weights_only=True"),
    ("formats/a.py", "from torch import load\nload('x', weights_only=False)", "torch.load( without weights_only=True"),
    ("dataset/a.py", "import numpy as np\nnp.load('x', allow_pickle=True)", "allow_pickle runs what the file says"),
    ("cellar/a.py", "", "'cellar' is no room of the plan"),
    ("image/a.py", "\n" * 500, "the file has 501 lines"),
]


@pytest.mark.parametrize(("file", "code", "said"), PLANTED, ids=[f"{p[0]}-{n}" for n, p in enumerate(PLANTED)])
def test_a_planted_breach_is_named_by_file_and_line(tmp_path: Path, file: str, code: str, said: str) -> None:
    plant(tmp_path, file, f'"""A file."""\n{code}')
    line = 1 if "cellar" in file else 501 if "lines" in said else 1 + len(code.splitlines())
    (breach,) = rooms(tmp_path)
    assert breach.startswith(f"{file}:{line}: {said}")


def test_a_file_without_a_first_sentence_is_named(tmp_path: Path) -> None:
    plant(tmp_path, "image/a.py", "x = 1\n")
    assert rooms(tmp_path) == ["image/a.py:1: the file does not open with a docstring that says what it is"]


@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("__init__.py", "from cutaway import verbs"),
        ("__main__.py", "from cutaway.cli import main"),
        ("image/a.py", "from cutaway.errors import BadPicture\nfrom PIL import Image"),
        ("image/a.py", "from . import b\nfrom cutaway.image.c import d"),
        ("verbs/a.py", "from cutaway import __version__\nfrom cutaway import training"),
        ("cli/a.py", "from rich import print\nprint('hello')"),
        ("training/a.py", "import torch\ntorch.load('x', weights_only=True)"),
        ("training/a.py", "from pickle import UnpicklingError"),
        ("engine/a.py", "def f(net):\n    net.eval()\n    net.load('x')"),
    ],
)
def test_what_is_allowed_passes(tmp_path: Path, file: str, code: str) -> None:
    plant(tmp_path, file, f'"""A file."""\n{code}\n')
    assert rooms(tmp_path) == []


def plant(root: Path, file: str, source: str) -> None:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(source, encoding="utf-8")
