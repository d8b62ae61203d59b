"""Folding of person names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.dicom import names


@pytest.mark.parametrize(
    ("stored", "asked"),
    [
        ("Müller^Jörg", "MULLER^JORG"),
        ("Doe^Jane^^^", "doe^jane"),
        ("ＤＯＥ^ＪＡＮＥ", "doe^jane"),
        ("Straße^Änne", "STRASSE^anne"),
        ("Ångström", "angstrom"),
        ("  Doe^Jane ", "Doe^Jane"),
    ],
)
def test_the_same_name(stored: str, asked: str) -> None:
    assert names.folded(stored).alphabetic == names.folded(asked).alphabetic


def test_japanese_marks_tell_letters_apart() -> None:
    assert names.fold("が") != names.fold("か")
    assert names.fold("ｶﾞ") == names.fold("ガ")


def test_groups() -> None:
    assert names.split("Yamada^Tarou=山田^太郎=やまだ^たろう") == (
        "Yamada^Tarou",
        "山田^太郎",
        "やまだ^たろう",
    )
    assert names.split("") == ("", "", "")


@given(st.text(max_size=40))
def test_folding_twice_changes_nothing(text: str) -> None:
    assert names.fold(names.fold(text)) == names.fold(text)
