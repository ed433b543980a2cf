"""Undo, redo, branches, replay: list operations whose models are the same to the bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from cutaway.errors import BadInput
from cutaway.graph.digest import digest
from cutaway.graph.trace import trace
from cutaway.image import InputContract
from cutaway.model import Model
from cutaway.surgery.edit import Edit
from cutaway.surgery.edits import (
    AddNoise,
    FoldNorm,
    FreezeStatistics,
    RemoveNorm,
    RotateKernels,
    RoundWeights,
    ScaleChannels,
    SetActivation,
    SetBias,
    SetDropout,
    SetKernel,
    Silence,
    SwapChannels,
)
from cutaway.surgery.history import History, history_of, read_history

X = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(1))


class Net(nn.Module):
    """A random small network: plain, residual, or with a concatenation."""

    def __init__(self, width: int, kind: str, blocks: int) -> None:
        super().__init__()
        self.kind = kind
        self.first = nn.Conv2d(3, width, 3, padding=1)
        self.convs = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1, bias=False) for _ in range(blocks))
        self.norms = nn.ModuleList(nn.BatchNorm2d(width) for _ in range(blocks))
        self.relu = nn.ReLU()
        self.drop = nn.Dropout(0.2)
        self.fc = nn.Linear(width * (2 if kind == "concat" else 1), 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = first = self.relu(self.first(x))
        for conv, norm in zip(self.convs, self.norms):
            y = self.relu(norm(conv(x)))
            x = y + x if self.kind == "residual" else y
        x = torch.cat([x, first], 1) if self.kind == "concat" else x
        return self.fc(self.drop(x.mean((2, 3))))  # type: ignore[no-any-return]


def network(width: int = 4, kind: str = "residual", blocks: int = 2, seed: int = 0) -> Model:
    torch.manual_seed(seed)
    return Model(trace(Net(width, kind, blocks).eval()), InputContract((8, 8)), ("a", "b", "c"))


EDITS: tuple[Edit, ...] = (
    SetKernel("first", 1, "sobel_x"),
    SetActivation("convs.0", "sigmoid"),
    Silence("norms.0", (0, 1)),
    ScaleChannels("norms.0", 3.0),
    RotateKernels("convs.0", 45),
    AddNoise("fc", 0.3, 5),
    RoundWeights("first", 3),
    SwapChannels("first", 0, 1),
    SetBias("convs.0", 1.0, (0,)),
    RemoveNorm("norms.0"),
    FoldNorm("norms.0"),
    FreezeStatistics("norms.0"),
    SetDropout("drop", 0.5, at_prediction=True),
    Silence("input_1", (0,)),
    Silence("x", (0,)),
    Silence("fc", (0,)),
)


def replayed(history: History, model: Model) -> str:
    try:
        return digest(history.replay(model).graph)
    except BadInput as error:
        return str(error)


@settings(max_examples=25, deadline=None)
@given(
    width=st.integers(2, 5), kind=st.sampled_from(["plain", "residual", "concat"]), blocks=st.integers(1, 3),
    seed=st.integers(0, 99), edits=st.lists(st.sampled_from(EDITS), max_size=6),
)  # fmt: skip
def test_any_sequence_undone_is_the_original_and_done_again_the_same(
    width: int, kind: str, blocks: int, seed: int, edits: list[Edit]
) -> None:
    model = network(width, kind, blocks, seed)
    was, answers = digest(model.graph), model.graph(X)
    history = History.of(model)
    seen = [replayed(history, model)]
    for edit in edits:
        history = history.done(edit)
        seen.append(replayed(history, model))
    full = history
    for wanted in reversed(seen[:-1]):
        history = history.undo()
        assert replayed(history, model) == wanted
    assert seen[0] == was
    assert torch.equal(history.replay(model).graph(X), answers)
    for wanted in seen[1:]:
        history = history.redo()
        assert replayed(history, model) == wanted
    assert history == full
    assert digest(model.graph) == was
    assert history_of(json.loads(json.dumps(history.to_dict()))) == history


def test_one_list_or_one_by_one_is_the_same_model() -> None:
    model = network()
    history = History.of(model, [e for e in EDITS[:9] if e != EDITS[2]])
    step = model
    for edit in history.edits:
        step = History.of(step, [edit]).replay(step)
    whole = history.replay(model)
    assert digest(step.graph) == digest(whole.graph)
    assert json.loads(step.card["edits"]) == json.loads(whole.card["edits"])


def test_branches_are_kept_and_returned_to() -> None:
    model = network()
    one = History.of(model).done(EDITS[0]).branched("edge").done(EDITS[1])
    other = one.on("edge").done(EDITS[2])
    assert other.edits == (EDITS[0], EDITS[2])
    assert other.branches == {"edge": (EDITS[0],)}
    assert one.edits == (EDITS[0], EDITS[1])
    assert not other.undone
    assert digest(other.on("edge").replay(model).graph) == digest(History.of(model, EDITS[:1]).replay(model).graph)


def test_a_new_edit_forgets_what_was_undone() -> None:
    history = History.of(network(), EDITS[:2]).undo().done(EDITS[3])
    assert history.edits == (EDITS[0], EDITS[3])
    with pytest.raises(BadInput, match="There is nothing to redo"):
        history.redo()


def test_there_is_an_end_to_undoing_and_a_list_of_branches() -> None:
    history = History.of(network())
    with pytest.raises(BadInput, match="There is nothing to undo"):
        history.undo()
    with pytest.raises(BadInput, match="There is no branch 'best'; there are none"):
        history.on("best")
    with pytest.raises(BadInput, match="There is no branch 'best'; there are a, b"):
        history.branched("a").branched("b").on("best")


def test_on_another_model_the_edits_that_fit_are_the_same_and_others_are_named() -> None:
    history = History.of(network(), [SetKernel("first", 1, "blur"), Silence("norms.1", (3,))])
    other = network(width=5, seed=4)
    assert history.replay(other).graph.get_submodule("norms.1_channels")
    with pytest.raises(
        BadInput, match=r"made on another model; this one does not take them all: silence norms.1.3.: The"
    ):
        history.replay(network(blocks=1))
    others = [EDITS[2], Silence("norms.1", (3,)), EDITS[8], RemoveNorm("norms.2"), SetKernel("first", 9, "blur")]
    with pytest.raises(BadInput) as told:
        History.of(network(), others).replay(network(blocks=1))
    for part in ("3 of the 5 edits do not fit. silence norms.1[3]: ", "norms.2: ", "first has 4 output channels"):
        assert part in str(told.value)
    with pytest.raises(BadInput, match=r"^silence norms.1.9.: norms.1 has 4 channels"):
        History.of(network(), [Silence("norms.1", (9,))]).replay(network())


def test_saved_and_read_again(tmp_path: Path) -> None:
    history = History.of(network(), EDITS[:4]).undo().branched("kept")
    path = history.save(tmp_path / "edits.json")
    assert read_history(path) == history
    bare = tmp_path / "bare.json"
    bare.write_text(json.dumps([e.to_dict() for e in EDITS]), encoding="utf-8")
    assert read_history(bare).edits == EDITS


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "edits.json is no JSON"),
        ("[" * 100_000, "edits.json is no JSON"),
        ("{}", "edits.json holds no edits of Cutaway .its format is not 'cutaway-edits-1'."),
        ('"x"', "edits.json holds no edits of Cutaway"),
        ('{"format": "cutaway-edits-1"}', "The list of edits is damaged .KeyError: 'branches'"),
        (
            '{"format": "cutaway-edits-1", "model": "", "branches": {}, "edits": [{"edit": "no"}], "undone": []}',
            "no edit 'no'",
        ),
        ('[{"edit": "no"}]', "There is no edit 'no'"),
    ],
)
def test_a_file_that_holds_no_edits(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "edits.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput, match=message):
        read_history(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none.json cannot be read .No such file"):
        read_history(tmp_path / "none.json")
    (tmp_path / "latin.json").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(BadInput, match=r"latin.json is no JSON"):
        read_history(tmp_path / "latin.json")
