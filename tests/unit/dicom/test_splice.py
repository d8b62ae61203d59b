"""An attribute is put in its place whatever stands round it; nothing else changes."""

import json
from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from pacs.dicom.splice import spliced

TAG = 0x00083002
TEXT = st.sampled_from(["", "x", '"', "\\", '{"', '\\"}', "00083002", '"00100010":{', "山田"])
KEYS = st.sampled_from(["00080005", "00083001", "00083002", "00083003", "00090010", "00100010", "7FE00010"])


def data_sets(values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    filled = st.lists(values, max_size=2).map(lambda found: {"vr": "UN", "Value": found})
    return st.dictionaries(KEYS, filled | st.just({"vr": "UN"}), max_size=5)


DATA_SET = data_sets(TEXT | st.none() | data_sets(TEXT))
SYNTAX = {"vr": "UI", "Value": ["1.2"]}


@given(DATA_SET, st.booleans())
def test_in_its_place_and_nothing_else_changed(found: dict[str, Any], spaced: bool) -> None:  # noqa: FBT001
    ordered = dict(sorted(found.items()))
    text = json.dumps(ordered, ensure_ascii=False).encode() if spaced else orjson.dumps(ordered)
    made = json.loads(spliced(text, TAG, orjson.dumps(SYNTAX)))
    assert made == ordered | {"00083002": SYNTAX}
    assert list(made) == sorted(made)
