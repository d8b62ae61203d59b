"""An ONNX file as a plugin. What its input and outputs mean is said by the file's own metadata
(docs/plugins.md)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from ai_routing.host.load import Unloadable
from ai_routing.host.study import Picture, Study
from ai_routing.model import Answer, Code, FindingSaid, Severity

_FLOAT: Final = "tensor(float)"
_WIDEST: Final = 8192
_HOW: Final = "docs/plugins.md tells what an ONNX file has to say about itself"


@dataclass(frozen=True, slots=True)
class Output:
    """One probability. It is a finding from `threshold` on."""

    name: str
    severity: Severity
    threshold: float
    code: Code | None

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Self:
        """Raises LookupError, TypeError, ValueError."""
        code = said.get("code")
        return cls(
            str(said["name"]),
            Severity(said["severity"]),
            float(said.get("threshold", 0.5)),
            None if code is None else Code(str(code["value"]), str(code["scheme"]), str(code["meaning"])),
        )


class Network:
    """An open session with one thread, and what the file says about itself."""

    def __init__(self, session: Any, version: str, outputs: Sequence[Output]) -> None:
        self._session = session
        self._version = version
        self._outputs = outputs
        self._input = session.get_inputs()[0]
        self._channels, self._rows, self._columns = _size(self._input)

    @classmethod
    def open(cls, file: Path) -> Self:
        """Raises Unloadable."""
        try:
            import onnxruntime as runtime
        except ModuleNotFoundError as error:
            raise Unloadable("onnxruntime is not installed", "pip install hilum[onnx]") from error
        if not file.is_file():
            raise Unloadable("the ONNX file is not there", "look at `path` of the model")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 4
        try:
            session = runtime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
        except Exception as error:  # whatever the library finds to raise
            raise Unloadable(f"onnxruntime cannot read the file: {type(error).__name__}") from error
        version, outputs = _about(session)
        return cls(session, version, outputs)

    def read(self, study: Study) -> Answer:
        """The highest probability of each output over all pictures, where it suffices."""
        best: dict[int, tuple[float, Picture]] = {}
        for picture in study.pictures(self._rows, self._columns):
            for number, value in enumerate(self._probabilities(picture)):
                if number not in best or value > best[number][0]:
                    best[number] = (value, picture)
        findings = [
            self._finding(self._outputs[number], value, picture)
            for number, (value, picture) in sorted(best.items())
            if value >= self._outputs[number].threshold
        ]
        return Answer(self._version, tuple(findings))

    def _probabilities(self, picture: Picture) -> list[float]:
        """Raises ValueError when they are none."""
        pixels: NDArray[np.float32] = np.broadcast_to(
            picture.pixels, (1, self._channels, self._rows, self._columns)
        )
        (told, *_) = self._session.run(None, {self._input.name: np.ascontiguousarray(pixels)})
        values = np.asarray(told, np.float64).reshape(-1)
        if len(values) != len(self._outputs) or not ((values >= 0) & (values <= 1)).all():
            raise ValueError("the network does not answer with one probability for each finding")
        return [float(value) for value in values]

    def _finding(self, output: Output, value: float, picture: Picture) -> FindingSaid:
        return FindingSaid(output.name, output.severity, value, output.code, (picture.reference(),))


def _size(first: Any) -> tuple[int, int, int]:
    """Channels, rows and columns of an input (count, channels, rows, columns). Raises Unloadable."""
    shape = tuple(first.shape)
    fixed = [n for n in shape[1:] if isinstance(n, int) and 0 < n <= _WIDEST]
    if first.type != _FLOAT or len(shape) != 4 or len(fixed) != 3 or fixed[0] not in {1, 3}:
        raise Unloadable(
            f"the network's first input is {first.type} {shape}",
            "it has to be tensor(float) of (count, 1 or 3, rows, columns)",
        )
    return fixed[0], fixed[1], fixed[2]


def _about(session: Any) -> tuple[str, tuple[Output, ...]]:
    """Version and outputs by the metadata. Raises Unloadable."""
    said = session.get_modelmeta().custom_metadata_map
    if len(session.get_inputs()) != 1:
        raise Unloadable("the network has more than one input", _HOW)
    version = said.get("version", "")
    if not version:
        raise Unloadable("the ONNX file does not say its version", _HOW)
    try:
        outputs = tuple(Output.of(one) for one in json.loads(said["findings"]))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise Unloadable("the ONNX file does not say what it finds", _HOW) from error
    if not outputs:
        raise Unloadable("the ONNX file finds nothing", _HOW)
    return version, outputs
