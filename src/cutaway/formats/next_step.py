"""What to do with a file that has no reader: one sentence with the exact command, by what sniff says it is."""

from __future__ import annotations

import shlex
from pathlib import Path

_ONNX = "--output model.onnx (tf2onnx needs TensorFlow); then open model.onnx."
_ORIGIN = "writes no other format: open the ONNX or PyTorch file it was converted from."

# What sniff's words begin with (the longer ones first) -> what to do. {path} is the file or folder, {dir} the folder it
# lies in, {name} and {stem} its name with and without its ending, {inside} the model in an archive.
_STEPS: dict[str, str] = {
    "a TensorFlow SavedModel folder": f"Run: python -m tf2onnx.convert --saved-model {{path}} {_ONNX}",
    "a TensorFlow SavedModel's graph": f"Run: python -m tf2onnx.convert --saved-model {{dir}} {_ONNX}",
    "a frozen TensorFlow graph": (
        "With the names of its input and output, which Netron shows, run: python -m tf2onnx.convert --graphdef {path} "
        f"--inputs INPUT:0 --outputs OUTPUT:0 {_ONNX}"
    ),
    "a TensorFlow graph as text": (
        "In TensorFlow read it and write it with tf.io.write_graph(graph, '.', 'graph.pb', as_text=False), then run: "
        f"python -m tf2onnx.convert --graphdef graph.pb --inputs INPUT:0 --outputs OUTPUT:0 {_ONNX}"
    ),
    "a TensorFlow checkpoint": (
        "It holds weights without a network: in the program that trained it call tf.saved_model.save(model, 'saved') "
        f"and run: python -m tf2onnx.convert --saved-model saved {_ONNX}"
    ),
    "a TensorFlow.js graph model": f"Run: python -m tf2onnx.convert --tfjs {{path}} {_ONNX}",
    "a folder of a TensorFlow.js model": "Open {path}/model.json.",
    "a Core ML model (.mlmodel)": (
        "In Python run: onnxmltools.utils.save_model(onnxmltools.convert_coreml(coremltools.utils.load_spec('{name}'"
        ")), 'model.onnx'); then open model.onnx."
    ),
    "a Core ML model folder": "Core ML's programs have no way back: open the model it was made from.",
    "a Caffe network": (
        "With MMdnn and both of its files run: mmconvert -sf caffe -in deploy.prototxt -iw model.caffemodel -df onnx "
        "-om model.onnx; then open model.onnx."
    ),
    "Darknet weights": (
        "With the .cfg they belong to and the program pytorch-YOLOv4 run: python demo_darknet2onnx.py network.cfg "
        "classes.names {path} photo.jpg 1; then open the .onnx file."
    ),
    "a Darknet network": (
        "With the .weights that belong to it and the program pytorch-YOLOv4 run: python demo_darknet2onnx.py {path} "
        "classes.names network.weights photo.jpg 1; then open the .onnx file."
    ),
    "an OpenVINO network": f"OpenVINO {_ORIGIN}",
    "an ncnn network": f"ncnn {_ORIGIN}",
    "an MNN network": f"MNN {_ORIGIN}",
    "a TensorRT engine": "It is compiled for one graphics card: open the ONNX file it was built from.",
    "an ExecuTorch program": "It is compiled: open the .pt2 file it was made from (torch.export.save).",
    "a PaddlePaddle model": (
        "Run: paddle2onnx --model_dir {dir} --model_filename {stem}.pdmodel --params_filename {stem}.pdiparams "
        "--save_file model.onnx; then open model.onnx."
    ),
    "a PaddlePaddle state_dict": (
        "In Paddle, with the network loaded, run: paddle.onnx.export(net, 'model', "
        "input_spec=[paddle.static.InputSpec([None, 3, 224, 224])]); then open model.onnx."
    ),
    "a GGUF language model": "It is no network for pictures; llama.cpp runs it.",
    "a joblib dump": (
        "It can run code when it is read and holds no network of layers; in the program that wrote it, "
        "skl2onnx.to_onnx(model, X[:1]) writes what it computes."
    ),
    "a Python pickle": (
        "Cutaway does not run it; in the program that wrote it call torch.save(net.state_dict(), 'net.pt') for "
        "a PyTorch network and open net.pt."
    ),
    "a PyTorch tar file": "With torch 1.x run: torch.save(torch.load('{name}'), 'net.pt'); then open net.pt.",
    "a TorchServe archive": "Run: unzip {path} -d model; then open the .pt or .pth file in it.",
    "an archive with a model inside: a TensorFlow SavedModel": (
        f"Run: unzip {{path}} -d model; python -m tf2onnx.convert --saved-model model {_ONNX}"
    ),
    "an archive with a model inside": "Run: unzip {path} -d model; then open {inside}.",
    "a gzip archive": "Run: tar -xzf {path} (gunzip {path} where it is one file); then open the model in it.",
    "a tar archive": "Run: tar -xf {path}; then open the model in it.",
    "a 7z archive": "Run: 7z x {path}; then open the model in it.",
    "a RAR archive": "Run: unrar x {path}; then open the model in it.",
    "a Git LFS pointer": "Run in its repository: git lfs pull; then open it again.",
    "a web page": "Download the file itself, with the page's own download link.",
}


def next_step(what: str, path: Path) -> str:
    """What a file is (sniff's words), its path -> what to do in one sentence; "" where nothing is known to help."""
    for begins, sentence in _STEPS.items():
        if what.startswith(begins):
            return _filled(sentence, what, path)
    return ""


def _filled(sentence: str, what: str, path: Path) -> str:
    places = {
        "path": shlex.quote(str(path)),
        "dir": shlex.quote(str(path.parent)),
        "name": path.name,
        "stem": path.stem,
        "inside": "model/" + what.partition("inside: ")[2],
    }
    for place, value in places.items():
        sentence = sentence.replace(f"{{{place}}}", value)
    return sentence
