"""Which names sound alike, and that the sounds of a name never depend on how it was typed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.dicom import names, sounds


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        ("MR", "Meyer Maier Mayr Mayer Meier MEYER"),
        ("SMT", "Schmidt Schmitt Schmid Smith Smyth"),
        ("MLR", "Müller Mueller Miller Moeller MÜLLER"),
        ("KTRN", "Katharina Catherine Kathrin Katrin"),
        ("STFN", "Stephen Steven Stefan Stephan"),
        ("PTRSN", "Petersen Pedersen Peterson"),
        ("JNSN", "Johnson Jonsson Yonson"),
        ("NKN", "Nguyen"),
        ("FT", "White Whyte"),
        ("RT", "Wright Right"),
        ("APRK", "Øberg Oberg"),
    ],
)
def test_one_sound(heard: str, written: str) -> None:
    for name in written.split():
        assert sounds.of(name) == (heard,), name


def test_short_words_and_other_scripts_stand_for_themselves() -> None:
    assert sounds.of("Doe^Li") == ("doe", "li")
    assert sounds.of("山田^太郎=やまだ^たろう") == ("山田", "太郎", "ヤマダ", "タロウ")
    assert sounds.of("ヤマダ") == sounds.of("やまだ") == sounds.of("ﾔﾏﾀﾞ")


def test_words_are_taken_apart() -> None:
    assert sounds.words("Smith-Jones^Anna Maria^^Dr.") == ("smith", "jones", "anna", "maria", "dr")
    assert sounds.of("^=-*") == ()


@given(st.text(max_size=40))
def test_case_and_folding_make_no_difference(name: str) -> None:
    assert sounds.of(name) == sounds.of(names.fold(name))
    assert all(sounds.of(name))
    assert len(set(sounds.of(name))) == len(sounds.of(name))
