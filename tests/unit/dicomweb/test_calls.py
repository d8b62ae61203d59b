"""What the address of a request says."""

import pytest

from dicomweb.calls import frame_numbers
from pacs.errors import Invalid


def test_frame_numbers() -> None:
    assert frame_numbers("", 3) == ()
    assert frame_numbers("3,1,3", 3) == (3, 1, 3)
    for wrong in ("0", "1,0", "-1", "a", "1,", "1;2", "1, 2", "1,1,1,1"):
        with pytest.raises(Invalid):
            frame_numbers(wrong, 3)
