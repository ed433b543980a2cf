"""Every file gets an answer: what it is by its content, and the command that makes something of it that opens."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from cutaway.errors import BadModel
from cutaway.formats import read_model_file
from cutaway.formats.next_step import next_step
from cutaway.formats.sniff import what_folder, what_is

# First bytes of files that the programs themselves wrote (TensorFlow 2.21), or of their published layouts.
SAVED_MODEL = bytes.fromhex("080112dc5c0a960e12e60d0a5e0a10") + b"AssignVariableOp\x12\x0c\x0a\x08resource\x22\x05dtype"
FROZEN = b"\x0a\x3a\x0a\x01x\x12\x0bPlaceholder*\x0b\x0a\x05dtype\x12\x020\x01"
INDEX = bytes.fromhex("00000608011a02080100") + b"\x1c\x0e_CHECKPOINTABLE_OBJECT_GRAPH"
FILES: dict[str, tuple[bytes, str, str]] = {
    "saved_model.pb": (
        SAVED_MODEL,
        "a TensorFlow SavedModel's graph",
        "python -m tf2onnx.convert --saved-model {dir} --output",
    ),
    "net.pb": (
        FROZEN,
        "a frozen TensorFlow graph",
        "tf2onnx.convert --graphdef {path} --inputs INPUT:0 --outputs OUTPUT:0",
    ),
    "net.pbtxt": (b'node {\n  name: "x"\n  op: "Placeholder"\n', "a TensorFlow graph as text", "as_text=False"),
    "m.ckpt.index": (INDEX, "a TensorFlow checkpoint", "tf.saved_model.save(model, 'saved')"),
    "m.ckpt.data-00000-of-00001": (b"\0\0\x80?" * 9, "a TensorFlow checkpoint's numbers", "tf.saved_model.save"),
    "n.mlmodel": (
        b"\x08\x04\x12\x5c\x0a\x10",
        r"a Core ML model \(\.mlmodel\)",
        "convert_coreml(coremltools.utils.load_spec('n.mlmodel'))",
    ),
    "deploy.prototxt": (b'name: "CaffeNet"\nlayer {\n', "a Caffe network", "mmconvert -sf caffe"),
    "n.caffemodel": (b"\x0a\x09AlexNet\xff", "a Caffe network", "mmconvert -sf caffe"),
    "yolo.weights": (
        b"\0\0\0\0\x02\0\0\0\x05\0\0\0" + b"\x07" * 20,
        "Darknet weights",
        "demo_darknet2onnx.py network.cfg classes.names {path}",
    ),
    "yolo.cfg": (b"[net]\nbatch=1\n", "a Darknet network", "demo_darknet2onnx.py {path} classes.names"),
    "v.xml": (
        b'<?xml version="1.0"?>\n<net name="x" version="11">',
        "an OpenVINO network",
        "OpenVINO writes no other format",
    ),
    "a.param": (b"7767517\n75 83\n", "an ncnn network", "ncnn writes no other format"),
    "a.mnn": (b"\x0a\xff\xfe", "an MNN network", "MNN writes no other format"),
    "t.engine": (b"ftrt\0\0", "a TensorRT engine", "open the ONNX file it was built from"),
    "n.pte": (b"\x18\0\0\0ET12", "an ExecuTorch program", "open the .pt2 file"),
    "inference.pdmodel": (
        b"\x0a\xe2\x1f\xff",
        "a PaddlePaddle model",
        "paddle2onnx --model_dir {dir} --model_filename inference.pdmodel --params_filename inference.pdiparams",
    ),
    "net.pdparams": (b"\x80\x04\x95\x10", "a PaddlePaddle state_dict", "paddle.onnx.export(net, 'model'"),
    "l.gguf": (b"GGUF\x03\0\0\0", "a GGUF language model", "llama.cpp runs it"),
    "svm.joblib": (b"\x80\x04\x95\x10", "a joblib dump", "skl2onnx.to_onnx(model, X[:1])"),
    "clf.pkl": (b"\x80\x04\x95\x10\0\0\x8c\x0fsklearn.svm", "a joblib dump or a scikit-learn model", "skl2onnx"),
    "x.pkl": (b"\x80\x04\x95\x10", "a Python pickle", "torch.save(net.state_dict(), 'net.pt')"),
    "a.gz": (b"\x1f\x8b\x08", "a gzip archive", "tar -xzf {path}"),
    "a.7z": (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x {path}"),
    "a.rar": (b"Rar!\x1a", "a RAR archive", "unrar x {path}"),
    "p.onnx": (b"version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer", "git lfs pull"),
    "w.h5": (b"\n<!DOCTYPE html><html>", "a web page", "download link"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_of_another_program_gets_its_next_step(tmp_path: Path, name: str) -> None:
    content, what, step = FILES[name]
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadModel, match=rf"is {what}") as told:
        read_model_file(path)
    assert step.replace("{path}", str(path)).replace("{dir}", str(tmp_path)) in str(told.value)


def zipped(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return path


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (
            ("converted/keras_model.h5", "converted/labels.txt"),
            r"a model inside: converted/keras_model\.h5\. Run: unzip .* then open model/converted/keras_model\.h5",
        ),
        (
            ("m/saved_model.pb", "m/variables/variables.index"),
            "a model inside: a TensorFlow SavedModel folder. Run: unzip .*--saved-model model",
        ),
        (("MAR-INF/MANIFEST.json", "net.pth"), r"a TorchServe archive \(\.mar\)\. Run: unzip"),
        (("readme.txt",), r"a zip archive without a model inside\. Cutaway opens"),
    ],
)
def test_archives_name_the_model_in_them(tmp_path: Path, names: tuple[str, ...], said: str) -> None:
    with pytest.raises(BadModel, match=said):
        read_model_file(zipped(tmp_path / "a.zip", *names))


def test_what_a_reader_would_claim_is_named_too(tmp_path: Path) -> None:
    path = tmp_path / "f"
    assert what_is(b"\x1c\0\0\0TFL3\x14\0", path) == "a TensorFlow Lite model"
    assert what_is(b"\x89HDF\r\n\x1a\n", path) == "an HDF5 file"
    assert what_is((100).to_bytes(8, "little") + b'{"__metadata__"', path).startswith("a safetensors file")
    zip_head = b"PK\x03\x04"
    assert what_is(zip_head, zipped(path, "config.json", "model.weights.h5")) == "a Keras .keras file"
    assert what_is(zip_head, zipped(path, "n/data.pkl", "n/constants.pkl")) == "a TorchScript model"
    assert what_is(zip_head, zipped(path, "n/data.pkl")) == "a PyTorch file"
    graph = b'{"format": "graph-model", "modelTopology": {}}'
    assert what_is(graph, path) == "a TensorFlow.js graph model"
    assert "--tfjs" in next_step("a TensorFlow.js graph model", path)


def test_a_zip_cut_short_is_not_taken_for_the_zip_within_it(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "inner.pt", "x/data.pkl").read_bytes()
    with zipfile.ZipFile(tmp_path / "outer.pt2", "w") as outer:
        outer.writestr("first", "x" * 50)
        outer.writestr("sample.pt", inner)
    data = (tmp_path / "outer.pt2").read_bytes()
    (tmp_path / "cut.pt2").write_bytes(data[: data.rindex(inner) + len(inner)])
    with pytest.raises(BadModel, match=r"cut\.pt2 is a damaged zip archive \(cut short\); copy or download it again"):
        read_model_file(tmp_path / "cut.pt2")


def test_tar_files(tmp_path: Path) -> None:
    for name, members, said in (
        ("a.tar", ("model.h5",), r"a tar archive\. Run: tar -xf"),
        (
            "net.pth",
            ("sys_info", "pickle", "storages"),
            r"a PyTorch tar file \(before torch 0\.2\)\. With torch 1\.x run",
        ),
    ):
        with tarfile.open(tmp_path / name, "w") as archive:
            for member in members:
                info = tarfile.TarInfo(member)
                info.size = 3
                archive.addfile(info, io.BytesIO(b"abc"))
        with pytest.raises(BadModel, match=said):
            read_model_file(tmp_path / name)
    (tmp_path / "bad.tar").write_bytes(b"x" * 257 + b"ustar" + b"y" * 300)
    with pytest.raises(BadModel, match=r"bad\.tar is a damaged tar archive"):
        read_model_file(tmp_path / "bad.tar")


def test_folders(tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "saved_model.pb").touch()
    with pytest.raises(BadModel, match=r"--saved-model '.*a b' --output model\.onnx \(tf2onnx needs TensorFlow\)"):
        read_model_file(tmp_path / "a b")
    (tmp_path / "n.mlpackage").mkdir()
    with pytest.raises(
        BadModel, match=r"a Core ML model folder \(\.mlpackage\), not a model file\. Core ML's programs"
    ):
        read_model_file(tmp_path / "n.mlpackage")
    (tmp_path / "w").mkdir()
    (tmp_path / "w" / "model.json").touch()
    assert "model.json" in next_step(what_folder(tmp_path / "w"), tmp_path / "w")


def test_a_path_cannot_smuggle_a_command() -> None:
    said = next_step("a 7z archive", Path("x; rm -rf $HOME `id`"))
    assert said.startswith("Run: 7z x 'x; rm -rf $HOME `id`';")
