"""The trained network as an ONNX file that the archive's worker can run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from examples.demo_model.drawing import NODULE, PNEUMOTHORAX
from examples.demo_model.network import KERNEL, POOL, SIZE, STRIDE, Trained, kernels

NAME: Final = "chest-demo"
VERSION: Final = "1.0"
NOTE: Final = "NOT FOR CLINICAL USE. Trained on drawings; knows nothing about patients."

# What the archive has to know of each output, in order (docs/plugins.md).
OUTPUTS: Final[tuple[Mapping[str, Any], ...]] = (
    {
        "name": NODULE,
        "severity": "moderate",
        "threshold": 0.5,
        "code": {"value": "27925004", "scheme": "SCT", "meaning": "Nodule"},
    },
    {
        "name": PNEUMOTHORAX,
        "severity": "critical",
        "threshold": 0.5,
        "code": {"value": "36118008", "scheme": "SCT", "meaning": "Pneumothorax"},
    },
)

_OPSET: Final = 17
_IR: Final = 8


def write(trained: Trained, path: Path) -> None:
    edge = KERNEL // 2
    values = {
        "kernels": kernels()[:, np.newaxis],
        "weights": trained.weights.astype(np.float32),
        "bias": trained.bias.astype(np.float32),
    }
    around, steps, pool = [edge] * 4, [STRIDE, STRIDE], [POOL, POOL]
    nodes = [
        helper.make_node("Conv", ["picture", "kernels"], ["responses"], pads=around, strides=steps),
        helper.make_node("Relu", ["responses"], ["positive"]),
        helper.make_node("MaxPool", ["positive"], ["pooled"], kernel_shape=pool, strides=pool),
        helper.make_node("Flatten", ["pooled"], ["features"]),
        helper.make_node("Gemm", ["features", "weights", "bias"], ["scores"]),
        helper.make_node("Sigmoid", ["scores"], ["probabilities"]),
    ]
    graph = helper.make_graph(
        nodes,
        NAME,
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["count", 1, SIZE, SIZE])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["count", len(OUTPUTS)])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
        doc_string=NOTE,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
    model.doc_string = NOTE
    helper.set_model_props(
        model, {"name": NAME, "version": VERSION, "note": NOTE, "findings": json.dumps(OUTPUTS)}
    )
    checker.check_model(model, full_check=True)
    path.write_bytes(model.SerializeToString())
