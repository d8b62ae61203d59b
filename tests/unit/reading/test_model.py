"""What a model may say."""

import math

import pytest

from pacs.errors import Invalid
from pacs.reading.model import Finding, Run


@pytest.mark.parametrize("value", [-0.01, 1.01, math.nan, math.inf, -math.inf])
def test_shares_lie_between_0_and_1(value: float) -> None:
    with pytest.raises(Invalid):
        Finding("nodule", value, 0.5)
    with pytest.raises(Invalid):
        Finding("nodule", 0.5, value)


@pytest.mark.parametrize("text", ["", "x" * 201, "line\nbreak", "nul\0"])
def test_names_are_short_and_printable(text: str) -> None:
    with pytest.raises(Invalid):
        Finding(text, 0.5, 0.5)
    with pytest.raises(Invalid):
        Run("1", text, "1.0")
