"""The reader of our YAML files reads what it should and refuses the rest."""

import pytest

from tests.support import yaml_file

TEXT = """
# remark
x: &shared
  a: 1
  b: &inner
    c: "d: #e"
s:
  one:
    <<: *shared
    a: two words
    list:
      - plain
      - http://h:1/p
      - k: v
        l: ["x", "y"]
      - k: w
  two:
    <<: *shared
    b:
      <<: *inner
      f: true
empty:
"""


def test_it_reads() -> None:
    assert yaml_file.load(TEXT) == {
        "x": {"a": 1, "b": {"c": "d: #e"}},
        "s": {
            "one": {
                "a": "two words",
                "b": {"c": "d: #e"},
                "list": ["plain", "http://h:1/p", {"k": "v", "l": ["x", "y"]}, {"k": "w"}],
            },
            "two": {"a": 1, "b": {"c": "d: #e", "f": True}},
        },
        "empty": None,
    }


@pytest.mark.parametrize(
    "text", ["a: 'b'", "a: |\n  b", "a: b # c", "a: {b: c}", "a: 1\na: 2", "a:\n  b: 1\n    c: 2", "a: b: c"]
)
def test_it_refuses(text: str) -> None:
    with pytest.raises((AssertionError, ValueError)):
        yaml_file.load(text)
