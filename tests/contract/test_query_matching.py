"""The table of PS3.4 C.2.2.2 straight through Search, on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pacs.db.connection import Database, sqlite_url
from pacs.dicom.attributes import tag_of
from pacs.dicom.level import Level
from pacs.errors import Invalid
from pacs.query import parse
from pacs.query.find import Search
from pacs.query.model import Match
from tests.contract.matching_cases import CASES, IDENTITY, REFUSED, Case, Refusal, objects, uid
from tests.unit.query.filled import VIEWER, add, create


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def search(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Search]:
    if request.param == "sqlite":
        url = sqlite_url(Path(tmp_path_factory.mktemp("index")) / "index.sqlite")
    else:
        url = request.getfixturevalue("postgres").fresh_url()
    db = create(Database(url, durable=False))
    add(db, *objects())
    yield Search(db)
    db.close()


def _identity(level: Level, match: Match) -> str:
    element = match.attributes[f"{tag_of(IDENTITY[level]):08X}"]
    return str((element.get("Value") or [""])[0])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(search: Search, case: Case) -> None:
    keys = [(parse.path(path), tuple(value.split("\\"))) for path, value in case.keys.items()]
    query = parse.from_keys(
        case.level, keys, returned=[(tag_of(IDENTITY[case.level]),)], combined=case.combined
    )
    found = [_identity(case.level, match) for match in search.stream(VIEWER, query)]
    expected = case.found if case.level is Level.PATIENT else {uid(label) for label in case.found}
    assert sorted(filter(None, found)) == sorted(expected)


@pytest.mark.parametrize("refusal", REFUSED, ids=lambda refusal: refusal.name)
def test_refusal_says_what_is_expected(refusal: Refusal) -> None:
    keys = [(parse.path(refusal.path), tuple(refusal.value.split("\\")))]
    with pytest.raises(Invalid, match=refusal.path.rsplit(".", maxsplit=1)[-1]) as caught:
        parse.from_keys(refusal.level, keys)
    assert refusal.value not in str(caught.value).split()


def test_names_are_unique() -> None:
    names = [case.name for case in CASES] + [refusal.name for refusal in REFUSED]
    assert len(names) == len(set(names))
