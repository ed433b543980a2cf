"""Bad input, each case through the command line: exit code 2, one sentence on standard error, nothing left behind."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from shapes import Cli, drawn, plant

Prepare = Callable[[], None]


def nothing() -> None:
    pass


def empty_folder() -> None:
    Path("photos").mkdir()


def no_class_folders() -> None:
    Path("photos").mkdir()
    drawn("cross", 1).save("photos/1.png")


def one_class() -> None:
    plant(Path("photos"), classes=("cross",), each=4)


def one_photo_each() -> None:
    plant(Path("photos"), each=1)


def unreadable_class() -> None:
    plant(Path("photos"), each=3)
    for file in Path("photos/cross").iterdir():
        file.write_bytes(b"no picture at all")


def all_unreadable() -> None:
    plant(Path("photos"), each=3)
    for file in Path("photos").rglob("*.png"):
        file.write_bytes(b"no picture at all")


def table(header: str) -> Prepare:
    def write() -> None:
        plant(Path("photos"), each=2)
        lines = [f"photos/{p.parent.name}/{p.name},x,1" for p in Path("photos").rglob("*.png")]
        Path("photos.csv").write_text("\n".join([header, *lines]) + "\n")

    return write


def never_learnt() -> None:
    plant(Path("photos/train"), each=3, classes=("cross", "circle"))
    plant(Path("photos/test"), each=3)


def only_test() -> None:
    plant(Path("photos/test"), each=3)


def odd_fold() -> None:
    plant(Path("photos/train"), each=3)
    plant(Path("photos/tset"), each=3)


def damaged_zip() -> None:
    Path("photos.zip").write_bytes(b"PK\x03\x04 and then nothing")


def a_photo() -> None:
    drawn("cross", 1).save("photo.png")


def text_file() -> None:
    Path("notes.txt").write_text("hello\nworld\n")


def damaged_model() -> None:
    file = Path("shapes.safetensors")
    shutil.copy(file, "torn.safetensors")
    content = file.read_bytes()
    Path("torn.safetensors").write_bytes(content[: len(content) // 2])


def no_model() -> None:
    Path("notes.h5").write_text("hello\n")


def other_classes() -> None:
    plant(Path("others"), each=2)
    Path("others/cross").rename("others/star")


def a_run() -> None:
    Path("runs/old").mkdir(parents=True)
    Path("runs/old/config.json").write_text("{}")


def a_file() -> None:
    Path("file").touch()


# (what is prepared, the command line, what the sentence must say)
CASES: list[tuple[Prepare, str, str]] = [
    # data
    (nothing, "train nothing", "nothing is no file or folder, and no data set by name (digits, faces,"),
    (nothing, "train digts", "Did you mean digits?"),
    (nothing, "train shaeps", "Did you mean shapes or usps?"),
    (empty_folder, "train photos", "photos holds no picture (it is empty); wanted is one folder per class"),
    (no_class_folders, "train photos", "photos holds 1 picture but no class folders"),
    (one_class, "train photos", "photos has one class only (cross); a classifier needs two or more"),
    (one_photo_each, "train photos", "photos has one picture only of 'circle', 'cross', 'square'; at least two"),
    (unreadable_class, "train photos", "No picture of class 'cross' in photos can be read (3 files; the first: cross/"),
    (all_unreadable, "train photos", "No picture of class 'circle' in photos can be read"),
    (table("path,colour,size"), "train photos.csv", "photos.csv has no column of labels: found 'path', 'colour'"),
    (table("where,label,size"), "train photos.csv", "photos.csv has no column of picture paths: found 'where'"),
    (never_learnt, "train photos", "photos has 'square' in val or test but never in train; add such pictures"),
    (only_test, "train photos", "photos has no train fold; put the pictures to learn from into train/"),
    (odd_fold, "train photos", "photos has fold folders, and beside them tset, which is not a fold name"),
    (damaged_zip, "train photos.zip", "photos.zip is a damaged archive"),
    (a_photo, "train photo.png", "photo.png is one picture; give the folder that holds one folder per class"),
    (text_file, "train notes.txt", "notes.txt has no column"),
    (empty_folder, "check photos", "photos holds no picture"),
    (empty_folder, "sweep photos --vary depth=2,3", "photos holds no picture"),
    (empty_folder, "evaluate shapes.safetensors photos", "photos holds no picture"),
    (one_class, "sweep photos --vary depth=2,3", "photos has one class only"),
    # networks and models
    (nothing, "train shapes --network resnet81", "There is no network 'resnet81'; near: resnet"),
    (nothing, "train shapes --backbone mobilenetv2", "There is no network 'mobilenetv2'; near:"),
    (nothing, "train shapes --backbone nothing.h5", "There is no model file nothing.h5."),
    (nothing, "train shapes --backbone models/nothing", "There is no model file models/nothing."),
    (damaged_model, "train shapes --backbone torn.safetensors", "torn.safetensors"),
    (no_model, "train shapes --backbone notes.h5", "notes.h5"),
    (nothing, "train shapes --backbone shapes", "The folder shapes holds no model.safetensors"),
    (nothing, "train shapes --network lenet5 --backbone shapes.safetensors", "give one of the two"),
    (nothing, "train shapes --mode scratch --backbone shapes.safetensors", "so --backbone has no use; name it with"),
    (nothing, "train shapes --mode frozen", "--mode frozen builds on a trained network; say which with --backbone"),
    (nothing, "train shapes --mode slow", "mode must be one of scratch, frozen, finetune. Got 'slow'."),
    (nothing, "train shapes --network lenet5 --dropout 0.3", "lenet5 has its own, fixed by its paper."),
    (damaged_model, "predict torn.safetensors shapes", "torn.safetensors"),
    (no_model, "predict notes.h5 shapes", "notes.h5"),
    (nothing, "predict nothing.safetensors shapes", "nothing.safetensors"),
    (nothing, f"predict {'a' * 300}.h5 shapes", "... is longer than the name of a file can be; give a shorter one."),
    (nothing, "watch shapes.safetensors sample:cat --order no", "'--order': 'no' is not one of 'contrast', 'strength'"),
    (nothing, "predict nothing shapes", "There is no run 'nothing'; runs here: none yet."),
    (nothing, "predict lenet5 shapes", "runs here: none yet. zoo:lenet5 is the network of this name, untrained."),
    (a_run, "predict old shapes", "The folder runs/old holds no model.safetensors; a run has one after"),
    (damaged_model, "evaluate torn.safetensors shapes", "torn.safetensors"),
    (
        other_classes,
        "evaluate shapes.safetensors others",
        "others has pictures of 'star', but the classes of the model",
    ),
    (nothing, "predict shapes.safetensors nothing.png", "nothing.png is no file or folder"),
    (nothing, "predict shapes.safetensors sample:dragon", "dragon"),
    (empty_folder, "predict shapes.safetensors photos", "photos holds no picture; wanted are files like .jpg"),
    # numbers
    (nothing, "train shapes --epochs 0", "epochs must be"),
    (nothing, "train shapes --batch-size 0", "batch_size must be"),
    (nothing, "train shapes --lr -1", "lr must be above 0 and at most 10. Got -1.0."),
    (nothing, "train shapes --lr nan", "lr must be"),
    (nothing, "train shapes --val 0.9", "val must be above 0 and at most 0.5. Got 0.9."),
    (nothing, "train shapes --test 0", "test must be above 0 and at most 0.5. Got 0.0."),
    (nothing, "train shapes --val 0.5 --test 0.5", "below 1"),
    (nothing, "train shapes --size 3", "size must be between 8 and 2048. Got 3."),
    (nothing, "train shapes --threads 0", "threads must be at least 1. Got 0."),
    (nothing, "train shapes --dropout 1", "dropout must be"),
    (nothing, "train shapes --optimizer adam", "optimizer must be adamw, sgd or muon. Got 'adam'."),
    (nothing, "train shapes --precision half", "precision must be auto, float32 or bfloat16. Got 'half'."),
    (nothing, "train shapes --augment lots", "There is no augmentation 'lots'; choose none, light, medium, strong"),
    (nothing, "train shapes --seed -1", "seed must be"),
    (nothing, "train shapes --patience -1", "patience must be"),
    (nothing, "predict shapes.safetensors shapes --top 0", "top must be at least 1. Got 0."),
    (nothing, "evaluate shapes.safetensors shapes --fold x", "fold must be auto, all, train, val or test. Got 'x'."),
    # places
    (a_run, "train shapes --out runs/old", "runs/old already holds a run; choose another --out, or continue it:"),
    (a_file, "train shapes --out file", "Results cannot go to file:"),
    (a_file, "train shapes --out file/run", "Results cannot go to file/run:"),
    (nothing, "train shapes --out /proc/none/run", "/proc"),
    (a_file, "check shapes --out file", "Results cannot go to file:"),
    (a_file, "sweep shapes --vary depth=2,3 --out file", "Results cannot go to file:"),
    (nothing, "evaluate shapes.safetensors shapes --out shapes", "The page cannot be written to shapes, which is"),
    (nothing, "train shapes --exclude nothing.csv", "There is no quarantine list nothing.csv; `cutaway check shapes`"),
    (text_file, "train shapes --exclude notes.txt", "A quarantine list needs a column 'name'."),
    # runs
    (nothing, "resume old", "There is no run 'old'; runs here: none yet."),
    (nothing, "report", "There is no run 'last'; runs here: none yet."),
    (a_run, "report old", "has no report yet (0 epochs done); finish it: cutaway resume runs/old."),
    (a_run, "resume old", "runs/old/config.json is damaged"),
    # knobs
    (nothing, "sweep shapes", "Say what to vary, for example --vary depth=2..6"),
    (nothing, "sweep shapes --vary depht=2", "There is no knob 'depht' to vary here; there are"),
    (nothing, "sweep shapes --vary depth=2,9", "depth must be 2 to 6 blocks. Got 9."),
]


def everything() -> dict[str, bytes]:
    files = (p for p in Path().rglob("*") if p.is_file())
    return {str(p): p.read_bytes() for p in files} | {f"{p}/": b"" for p in Path().rglob("*") if p.is_dir()}


@pytest.mark.parametrize(("prepare", "line", "sentence"), CASES, ids=[line for _, line, _ in CASES])
def test_one_sentence_and_nothing_left_behind(
    prepare: Prepare, line: str, sentence: str, shapes: Path, model: Path, cli: Cli
) -> None:
    del shapes, model
    prepare()
    before = everything()
    said = cli(*line.split())
    assert said.code == 2, said.err
    assert said.out == ""
    last = said.err.splitlines()[-1]  # notes of what was decided may come before it
    assert sentence in last
    assert last.endswith((".", "?"))
    assert len(last) < 600
    assert "Traceback" not in said.err
    assert everything() == before


def test_json_keeps_standard_error_to_the_sentence(shapes: Path, cli: Cli) -> None:
    del shapes
    said = cli("train", "shapes", "--network", "resnet81", "--json")
    assert (said.code, said.out, said.err.count("\n")) == (2, "", 1)


def test_bad_pictures_among_good_ones_do_not_end_a_run(shapes: Path, cli: Cli) -> None:
    (shapes / "cross/empty.png").touch()
    (shapes / "cross/text.jpg").write_text("hello")
    (shapes / "cross/notes.txt").write_text("hello")
    (shapes / "nothing here").mkdir()
    said = cli("train", shapes, "--epochs", 1, "--threads", 1, "--json")
    assert said.code == 0
    assert sum(sum(fold.values()) for fold in said.json["report"]["counts"].values()) == 42
