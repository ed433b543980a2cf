"""README and docs do what they say: their Python runs, their `$ cutaway` lines end as the page says.

A page is one session: one folder that holds `photos/` (two classes) and `runs/demo`, one Python namespace, blocks in
order. ```python blocks are executed (`>>>` ones compared with what they print); in ```console blocks the lines that
begin `$ cutaway` are run, the lines under them are for the reader. The comment above a block may say otherwise:
`<!-- exit: 2 -->` when that is how the commands end, `<!-- notest: why -->` when it cannot run here.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
LIMIT_S = 600  # wall seconds one command may take on a busy machine

FENCE = re.compile(
    r"^(?P<indent> *)(?P<ticks>```+)(?P<info>[^`\n]*)\n(?P<body>.*?)^(?P=indent)(?P=ticks) *$", re.M | re.S
)
WORD_ABOVE = re.compile(r"<!-- *(notest|exit)\b:? *(.*?) *-->\s*\Z")

Run = Callable[[list[str], Path], tuple[int, str]]
"""Arguments after `cutaway`, working folder -> exit code and what was printed."""


@dataclass(frozen=True)
class Block:
    """One fenced block: its language, the line its first line stands on, its text, and what the comment above says."""

    language: str
    line: int
    text: str
    word: str
    about: str


def blocks(page: str) -> Iterator[Block]:
    """Markdown -> its fenced blocks in order; refuses a `notest` without a reason and words after `python`."""
    for fence in FENCE.finditer(page):
        line = page.count("\n", 0, fence.start()) + 2
        language, *more = fence["info"].split() or [""]
        above = WORD_ABOVE.search(page[: fence.start()])
        word, about = above.groups() if above else ("", "")
        if language in {"python", "console"}:
            assert not more, f"line {line}: say it in a comment above the block, not behind the language: {more}"
            assert word != "notest" or about, f"line {line}: a block that is not run needs its reason"
        indent = len(fence["indent"])
        yield Block(language, line, "".join(s[indent:] for s in fence["body"].splitlines(True)), word, about)


def runs(block: Block) -> bool:
    """Whether there is anything to run in a block."""
    if block.word == "notest":
        return False
    return block.language == "python" or (block.language == "console" and any(commands(block.text)))


def commands(text: str) -> Iterator[tuple[int, list[str]]]:
    """Console block -> (line in it, arguments after `cutaway`); a line that ends in a backslash goes on."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("$ cutaway"):
            whole, after = line, number
            while whole.endswith("\\"):
                after += 1
                whole = whole[:-1] + lines[after]
            yield number, shlex.split(whole, comments=True)[2:]


def run_page(page: str, name: str, folder: Path, run: Run) -> int:
    """Markdown -> how many blocks and commands were run; fails with the page's name and line."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    count = 0
    for block in blocks(page):
        if block.word == "notest":
            continue
        if block.language == "python":
            run_python(block, name, namespace)
            count += 1
        if block.language == "console":
            expected = int(block.about) if block.word == "exit" else 0
            for offset, arguments in commands(block.text):
                code, said = run(arguments, folder)
                where = f"{name}:{block.line + offset}: cutaway {shlex.join(arguments)}"
                if code != expected:
                    raise AssertionError(f"{where} ended with {code}, not {expected}:\n{said}")
                count += 1
    return count


def run_python(block: Block, name: str, namespace: dict[str, Any]) -> None:
    """Python block -> executed in the page's namespace; a `>>>` session is compared with what it prints."""
    if block.text.lstrip().startswith(">>>"):
        test = doctest.DocTestParser().get_doctest(block.text, namespace, name, name, block.line - 1)
        said = io.StringIO()
        runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
        if runner.run(test, out=said.write, clear_globs=False).failed:
            raise AssertionError(said.getvalue())
        namespace.update(test.globs)
        return
    code = compile("\n" * (block.line - 1) + block.text, name, "exec")
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, namespace)


def cutaway(arguments: list[str], folder: Path) -> tuple[int, str]:
    """Run the real command as a person does: its own process, no terminal."""
    done = subprocess.run(
        [sys.executable, "-m", "cutaway", *arguments],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=LIMIT_S,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "NO_COLOR": "1"},
    )
    return done.returncode, done.stdout


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder as the pages assume it: `photos/cats`, `photos/coffee` (tiles of two real photos) and `runs/demo`."""
    folder = tmp_path_factory.mktemp("pages")
    write_photos(folder / "photos")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(
            "CUTAWAY_CACHE", str(tmp_path_factory.mktemp("cache"))
        )  # the pages share it, the person's is left alone
        code, said = cutaway(["train", "digits", "--epochs", "4", "--out", "runs/demo"], folder)
        assert code == 0, said
        yield folder


def write_photos(root: Path, *, each: int = 24, side_px: int = 64) -> None:
    """Two classes of tiles that share no pixel, cut from the cat and the coffee cup that scikit-image installs."""
    from PIL import Image
    from skimage import data

    for name, photo in {"cats": data.chelsea(), "coffee": data.coffee()}.items():
        (root / name).mkdir(parents=True)
        height, width, _ = photo.shape
        corners = [
            (y, x) for y in range(0, height - side_px + 1, side_px) for x in range(0, width - side_px + 1, side_px)
        ]
        for number, (y, x) in enumerate(corners[:each]):
            tile = photo[y : y + side_px, x : x + side_px]  # (S, S, 3)
            Image.fromarray(tile).save(root / name / f"{name}-{number:02}.jpg", quality=95)


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_page_does_what_it_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    text = page.read_text(encoding="utf-8")
    if not any(runs(block) for block in blocks(text)):
        return
    folder = tmp_path / "session"
    shutil.copytree(request.getfixturevalue("session"), folder)
    monkeypatch.chdir(folder)
    began = time.perf_counter()
    count = run_page(text, str(page.relative_to(ROOT)), folder, cutaway)
    sys.stdout.write(f"{count} blocks and commands in {time.perf_counter() - began:.1f} s\n")


# The runner itself, on small pages.


class Recorder:
    """Stands in for the command line: remembers what was asked, ends with `code`."""

    def __init__(self, code: int = 0) -> None:
        self.code = code
        self.asked: list[list[str]] = []

    def __call__(self, arguments: list[str], folder: Path) -> tuple[int, str]:
        assert folder.is_dir()
        self.asked.append(arguments)
        return self.code, "what it said"


def fenced(language: str, text: str) -> str:
    return f"```{language}\n{text}\n```\n"


def test_python_blocks_share_one_namespace(tmp_path: Path) -> None:
    page = fenced("python", "x = 1") + "text\n\n" + fenced("python", "assert x == 1\nassert __name__ == '__main__'")
    assert run_page(page, "a.md", tmp_path, Recorder()) == 2


def test_a_failing_python_block_names_page_and_line(tmp_path: Path) -> None:
    page = "# A\n\n" + fenced("python", "x = 1\nx / 0")
    with pytest.raises(ZeroDivisionError) as caught:
        run_page(page, "a.md", tmp_path, Recorder())
    last = caught.traceback[-1]
    assert (str(last.path).endswith("a.md"), last.lineno + 1) == (True, 5)


def test_a_session_is_compared_with_what_it_prints(tmp_path: Path) -> None:
    run_page(fenced("python", ">>> x = 2\n>>> x * 2\n4"), "a.md", tmp_path, Recorder())
    with pytest.raises(AssertionError, match=r"Expected:\s+5\s+Got:\s+4"):
        run_page(fenced("python", ">>> x = 2\n>>> x * 2\n5"), "a.md", tmp_path, Recorder())


def test_a_session_and_a_block_share_names(tmp_path: Path) -> None:
    page = fenced("python", ">>> x = 2") + fenced("python", "assert x == 2")
    assert run_page(page, "a.md", tmp_path, Recorder()) == 2


def test_commands_are_run_and_their_output_is_for_the_reader(tmp_path: Path) -> None:
    text = "$ cutaway train 'my photos' --epochs 3 # a remark\n12 photos\n$ ls\n$ cutaway \\\n  check photos"
    recorder = Recorder()
    assert run_page(fenced("console", text) + fenced("text", "$ cutaway no"), "a.md", tmp_path, recorder) == 2
    assert recorder.asked == [["train", "my photos", "--epochs", "3"], ["check", "photos"]]


def test_a_failing_command_names_page_and_line(tmp_path: Path) -> None:
    page = "# A\n\n" + fenced("console", "$ ls\n$ cutaway check nowhere")
    with pytest.raises(AssertionError, match=r"a\.md:5: cutaway check nowhere ended with 2, not 0:\nwhat it said"):
        run_page(page, "a.md", tmp_path, Recorder(2))


def test_a_page_may_say_how_its_commands_end(tmp_path: Path) -> None:
    page = "<!-- exit: 2 -->\n" + fenced("console", "$ cutaway check nowhere")
    assert run_page(page, "a.md", tmp_path, Recorder(2)) == 1
    with pytest.raises(AssertionError, match="ended with 0, not 2"):
        run_page(page, "a.md", tmp_path, Recorder(0))


def test_a_block_that_is_not_run_says_why(tmp_path: Path) -> None:
    page = "<!-- notest: downloads weights -->\n\n" + fenced("python", "1 / 0")
    assert run_page(page, "a.md", tmp_path, Recorder()) == 0
    with pytest.raises(AssertionError, match="line 3: a block that is not run needs its reason"):
        run_page("<!-- notest -->\n" + fenced("python", "1 / 0"), "a.md", tmp_path, Recorder())
    with pytest.raises(AssertionError, match="line 2: say it in a comment above the block"):
        run_page(fenced("python notest", "1 / 0"), "a.md", tmp_path, Recorder())


def test_an_indented_block_is_run(tmp_path: Path) -> None:
    page = "1. First\n\n    ```python\n    if True:\n        x = 1\n    ```\n\n2. Then\n"
    assert run_page(page, "a.md", tmp_path, Recorder()) == 1


def test_a_word_above_belongs_to_the_next_block_only(tmp_path: Path) -> None:
    page = "<!-- notest: slow -->\n" + fenced("python", "1 / 0") + "\n" + fenced("python", "x = 1")
    assert run_page(page, "a.md", tmp_path, Recorder()) == 1


def test_the_photos_of_the_pages_are_real_files(tmp_path: Path) -> None:
    write_photos(tmp_path / "photos", each=2)
    assert sorted(p.name for p in tmp_path.rglob("*.jpg")) == [
        "cats-00.jpg",
        "cats-01.jpg",
        "coffee-00.jpg",
        "coffee-01.jpg",
    ]
