"""The choice of a transfer syntax, for every combination of what is stored and what is accepted."""

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pacs.dicom import uids
from pacs.retrieve.negotiate import PREFERENCE, Abilities, choices, obtainable, proposals
from pacs.retrieve.recoded import abilities

JPEG, JPEG_LS, RPCL = (f"1.2.840.10008.1.2.4.{number}" for number in (50, 80, 202))
MPEG_4 = "1.2.840.10008.1.2.4.102"
KNOWN = (uids.IMPLICIT_LE, uids.EXPLICIT_LE, uids.EXPLICIT_BE, uids.RLE, JPEG, JPEG_LS, RPCL, MPEG_4)
SYNTAXES = st.sampled_from(KNOWN)
ACCEPTED = st.sets(SYNTAXES)
ABLE = st.builds(Abilities, st.frozensets(SYNTAXES), st.frozensets(SYNTAXES))


@given(SYNTAXES, ACCEPTED, ABLE, st.booleans())
def test_what_is_chosen(stored: str, accepted: set[str], able: Abilities, pixels: bool) -> None:  # noqa: FBT001
    chosen = choices(stored, accepted, able, pixels=pixels)
    assert len(set(chosen)) == len(chosen)
    assert accepted.issuperset(chosen)
    if stored in accepted:
        assert chosen == (stored,)
    else:
        assert able.writes.issuperset(chosen)
        assert stored in able.reads or not chosen
        assert pixels or all(map(uids.is_native, chosen))


@given(st.sets(SYNTAXES, min_size=1), ABLE)
def test_what_is_proposed(stored: set[str], able: Abilities) -> None:
    lists = proposals(sorted(stored), able)
    assert {one[0] for one in lists if len(one) == 1} >= stored
    flat = list(chain(*lists))
    assert len(set(flat)) == len(flat)
    for syntax in stored:
        for target in set(obtainable(syntax, able)) - {uids.DEFLATED_LE}:
            assert target in flat


@pytest.mark.parametrize(
    ("stored", "accepted", "chosen"),
    [
        (RPCL, {uids.EXPLICIT_LE, RPCL}, (RPCL,)),
        (RPCL, {uids.EXPLICIT_LE, uids.IMPLICIT_LE}, (uids.EXPLICIT_LE, uids.IMPLICIT_LE)),
        (JPEG, {JPEG_LS, uids.IMPLICIT_LE}, (uids.IMPLICIT_LE, JPEG_LS)),
        (uids.EXPLICIT_LE, {JPEG_LS, uids.RLE}, (JPEG_LS, uids.RLE)),
        (uids.EXPLICIT_BE, {uids.IMPLICIT_LE}, (uids.IMPLICIT_LE,)),
        (uids.IMPLICIT_LE, {uids.EXPLICIT_BE}, ()),
        (uids.IMPLICIT_LE, {JPEG}, ()),
        (MPEG_4, {uids.EXPLICIT_LE}, ()),
    ],
)
def test_with_the_codecs_of_this_archive(stored: str, accepted: set[str], chosen: tuple[str, ...]) -> None:
    assert choices(stored, accepted, abilities()) == chosen


def test_everything_that_is_written_has_its_place_in_the_order() -> None:
    assert sorted(PREFERENCE) == sorted(abilities().writes)
