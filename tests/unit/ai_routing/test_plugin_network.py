"""ONNX files as plugins."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from ai_routing.host.process import Process
from examples.demo_model import onnx_file
from examples.demo_model.drawing import FINDINGS, draw
from examples.demo_model.network import SIZE, features, train
from examples.demo_model.train import Examples, assess
from pacs.errors import Unavailable
from tests.support.plugins import plugin, showing

Change = Callable[[onnx.ModelProto], None]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demonstration network, hastily trained."""
    file = tmp_path_factory.mktemp("network") / "demo.onnx"
    examples = Examples.drawn(160, seed=3)
    onnx_file.write(train(np.random.default_rng(3), features(examples.pictures), examples.truth), file)
    return file


def test_the_file_says_what_was_trained(tmp_path: Path) -> None:
    """What the process answers is what the training code computes: no step differs."""
    examples = Examples.drawn(80, seed=5)
    trained = train(np.random.default_rng(5), features(examples.pictures), examples.truth)
    file = tmp_path / "all.onnx"
    onnx_file.write(trained, file)
    change(file, file, lambda model: say(model, "findings", all_of_it()))
    told = trained.probabilities(features(examples.pictures[:8]))
    process = Process(plugin(file, "onnx"))
    try:
        for picture, row in zip(examples.pictures[:8], told, strict=True):
            answer = process.ask("1.2", showing(picture))
            assert [one["confidence"] for one in answer["findings"]] == pytest.approx(row.tolist(), abs=1e-4)
    finally:
        process.close()


def test_the_most_suspicious_picture_is_the_evidence(demo: Path) -> None:
    pictures = Examples.drawn(4, seed=9).pictures  # the second and the fourth show something
    process = Process(plugin(demo, "onnx"))
    try:
        answer = process.ask("1.2", showing(*pictures))
        nothing = process.ask("1.2", showing())
    finally:
        process.close()
    assert answer["version"] == onnx_file.VERSION
    told = {finding["name"]: finding for finding in answer["findings"]}
    assert set(told) == set(FINDINGS)
    worse = told["pneumothorax"]
    assert worse["severity"] == "critical"
    assert worse["confidence"] > 0.9
    assert worse["code"] == {"value": "36118008", "scheme": "SCT", "meaning": "Pneumothorax"}
    assert [one["instance"] for one in worse["references"]] == ["1.2.1.4"]
    assert [one["instance"] for one in told["nodule"]["references"]] == ["1.2.1.2"]
    assert nothing["findings"] == []


def test_training_is_repeatable_and_better_than_chance(demo: Path) -> None:
    examples = Examples.drawn(160, seed=3)
    trained = train(np.random.default_rng(3), features(examples.pictures), examples.truth)
    again = demo.with_name("again.onnx")
    onnx_file.write(trained, again)
    first, second = (onnx.load(one).graph.initializer[1].raw_data for one in (demo, again))
    assert np.frombuffer(first, "<f4") == pytest.approx(np.frombuffer(second, "<f4"), abs=1e-3)
    for score in assess(trained, Examples.drawn(80, seed=1_000_003)):
        assert score.sensitivity > 0.7
        assert score.specificity > 0.8


def all_of_it() -> str:
    return json.dumps([{"name": name, "severity": "mild", "threshold": 0} for name in FINDINGS])


def say(model: onnx.ModelProto, key: str, value: str) -> None:
    props = {one.key: one.value for one in model.metadata_props} | {key: value}
    del model.metadata_props[:]
    helper.set_model_props(model, {name: text for name, text in props.items() if text})


def change(source: Path, target: Path, how: Change) -> None:
    model = onnx.load(source)
    how(model)
    target.write_bytes(model.SerializeToString())


def _flat(model: onnx.ModelProto) -> None:
    del model.graph.input[0].type.tensor_type.shape.dim[3:]


def _whole_numbers(model: onnx.ModelProto) -> None:
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("picture", TensorProto.INT64, [1, 1, 8, 8]))
    del model.graph.node[:]
    model.graph.node.append(helper.make_node("Cast", ["picture"], ["probabilities"], to=TensorProto.FLOAT))
    del model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, None))
    del model.graph.initializer[:]


def _any_size(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "rows"


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (lambda model: say(model, "version", ""), "does not say its version"),
        (lambda model: say(model, "findings", ""), "does not say what it finds"),
        (lambda model: say(model, "findings", "nodule"), "does not say what it finds"),
        (lambda model: say(model, "findings", '[{"name": "x", "severity": "odd"}]'), "does not say what"),
        (lambda model: say(model, "findings", "[]"), "finds nothing"),
        (_any_size, "first input is tensor(float)"),
        (_whole_numbers, "first input is tensor(int64)"),
    ],
    ids=["version", "findings", "no json", "severity", "nothing", "any size", "integers"],
)
def test_a_file_that_does_not_say_enough(demo: Path, tmp_path: Path, how: Change, reason: str) -> None:
    changed = tmp_path / "changed.onnx"
    change(demo, changed, how)
    with pytest.raises(Unavailable) as caught:
        Process(plugin(changed, "onnx"))
    assert reason in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("content", [b"", b"no network", None], ids=["empty", "other", "absent"])
def test_a_file_that_is_none(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "none.onnx"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(Unavailable, match="ONNX file is not there" if content is None else "onnxruntime"):
        Process(plugin(file, "onnx"))


def test_without_onnxruntime(demo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine where it is not installed: importing it finds nothing."""
    absent = 'raise ModuleNotFoundError("No module named onnxruntime", name="onnxruntime")'
    (tmp_path / "onnxruntime.py").write_text(absent)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(Unavailable, match="onnxruntime is not installed") as caught:
        Process(plugin(demo, "onnx"))
    assert caught.value.hint == "pip install hilum[onnx]"


def test_drawings_are_what_their_seed_says() -> None:
    def drawn() -> "Iterator[Any]":
        return (draw(np.random.default_rng(7), finding, SIZE) for finding in ("", *FINDINGS))

    for one, same in zip(drawn(), drawn(), strict=True):
        assert (one == same).all()
    plain, *others = drawn()
    assert all((plain != other).any() for other in others)
