"""SQL and the evaluation of stored JSON say the same of every archive and every question."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage

from pacs.db.connection import Database, sqlite_url
from pacs.dicom.attributes import tag_of
from pacs.dicom.level import Level
from pacs.query import parse
from pacs.query.evaluate import matches
from pacs.query.find import Search
from pacs.query.model import Element, Query
from tests.unit.query.filled import VIEWER, add, create, empty, encoded

NAMES = [
    "Doe^John",
    "DOE^JANE",
    "Smith-Meyer^Jon",
    "Maier^Schmidt",
    "Döe^Jo",
    "Ya^Ta=山^太=や^た",
    "O_%^\\",
    "",
    "A*^B?",
]
TEXTS = ["", "A", "a", "Ab", "A_b", "A%b", "AXb", "Ä", "A\\B", "胸 b"]
DATES = ["", "20200101", "20200102", "20200229", "19991231"]
TIMES = ["", "10", "1015", "101530", "101530.25", "235959.999999"]
NUMBERS: list[int | None] = [None, -1, 0, 1, 12]
STEPS = ["A", "B", "AB"]

_patients = st.fixed_dictionaries(
    {"PatientName": st.sampled_from(NAMES), "PatientID": st.sampled_from(["", "A", "A_b", "AXb"])}
)
_studies = st.fixed_dictionaries(
    {
        "StudyDate": st.sampled_from(DATES),
        "StudyTime": st.sampled_from(TIMES),
        "AccessionNumber": st.sampled_from([t for t in TEXTS if "\\" not in t]),
        "StudyDescription": st.sampled_from(TEXTS),
        "ReferringPhysicianName": st.sampled_from(NAMES),
    }
)
_series = st.fixed_dictionaries(
    {
        "Modality": st.sampled_from(["CT", "MR", "PT"]),
        "SeriesNumber": st.sampled_from(NUMBERS),
        "SeriesDescription": st.sampled_from(TEXTS),
        "PerformingPhysicianName": st.lists(st.sampled_from(NAMES[:4]), max_size=3),
        "RequestAttributesSequence": st.lists(
            st.fixed_dictionaries(
                {
                    "ScheduledProcedureStepID": st.sampled_from(STEPS),
                    "RequestedProcedureID": st.sampled_from(STEPS),
                }
            ),
            max_size=2,
        ),
    }
)
_instances = st.fixed_dictionaries(
    {
        "InstanceNumber": st.sampled_from(NUMBERS),
        "ContentDate": st.sampled_from(DATES),
        "ContentTime": st.sampled_from(TIMES),
        "ImageType": st.lists(st.sampled_from(["ORIGINAL", "PRIMARY", "AXIAL"]), max_size=3),
        "SliceThickness": st.sampled_from(["", "1.5", "1.50", "3"]),
    }
)
Plain = dict[str, Any]
_archives = st.lists(
    st.tuples(
        _patients,
        _studies,
        st.lists(st.tuples(_series, st.lists(_instances, min_size=1, max_size=2)), min_size=1, max_size=2),
    ),
    min_size=1,
    max_size=4,
)

_wild = st.text(alphabet="AaäBb_%*?胸 ", min_size=1, max_size=4)
_text_keys = st.sampled_from(TEXTS) | _wild
_name_keys = (
    st.sampled_from(NAMES) | st.text(alphabet="dnoejms^*?山= -", min_size=1, max_size=6) | st.just("=山*")
)
_dates = st.sampled_from([*DATES, "20200101-20200102", "20200102-", "-20200101"])
_times = st.sampled_from([*TIMES, "1000-1015", "1015-", "-101530", "2300-1000"])
_numbers = st.sampled_from(["-1", "0", "1", "12", "+01"])
KEYS: dict[str, st.SearchStrategy[str]] = {
    "PatientName": _name_keys,
    "PatientID": _text_keys,
    "StudyInstanceUID": st.sampled_from(["1.1", "1.2", "1.1\\1.3", "1"]),
    "StudyDate": _dates,
    "StudyTime": _times,
    "AccessionNumber": _text_keys,
    "StudyDescription": _text_keys,
    "ReferringPhysicianName": _name_keys,
    "ModalitiesInStudy": st.sampled_from(["CT", "CT\\MR", "M*", "*T", "C*T", "?T", "T"]),
    "SOPClassesInStudy": st.sampled_from([CTImageStorage, MRImageStorage]),
    "SeriesInstanceUID": st.sampled_from(["1.1.1", "1.2.1", "1.1.1\\1.3.1"]),
    "Modality": st.sampled_from(["CT", "MR", "P*"]),
    "SeriesNumber": _numbers,
    "SeriesDescription": _text_keys,
    "PerformingPhysicianName": _name_keys,
    "RequestAttributesSequence.ScheduledProcedureStepID": st.sampled_from([*STEPS, "A*"]),
    "RequestAttributesSequence.RequestedProcedureID": st.sampled_from(STEPS),
    "SOPInstanceUID": st.sampled_from(["1.1.1.1", "1.2.1.1\\1.3.1.2"]),
    "InstanceNumber": _numbers,
    "ContentDate": _dates,
    "ContentTime": _times,
}
OF_THE_INSTANCE = {
    "ImageType": st.sampled_from(["PRIMARY", "A*", "X"]),
    "SliceThickness": st.sampled_from(["1.5", "3.0"]),
}


@st.composite
def _queries(draw: st.DrawFn) -> Query:
    level = draw(st.sampled_from(Level))
    offered = KEYS | OF_THE_INSTANCE if level is Level.IMAGE else KEYS
    chosen = draw(st.lists(st.sampled_from(sorted(offered)), min_size=1, max_size=3, unique=True))
    keys = [(parse.path(name), tuple(draw(offered[name]).split("\\"))) for name in chosen]
    query = parse.from_keys(
        level,
        keys,
        combined=draw(st.booleans()),
        fuzzy=draw(st.booleans()),
        returned=[(tag_of("PatientID"),), (tag_of("PatientName"),)],
    )
    if draw(st.integers(0, 4)) == 0:
        query = parse.free_text(query, draw(st.text(alphabet="doa_1.太*B ", min_size=1, max_size=4)))
    return query


def _datasets(archive: list[tuple[Plain, Plain, list[tuple[Plain, list[Plain]]]]]) -> Iterator[Dataset]:
    for s, (patient, study, series_list) in enumerate(archive, 1):
        for e, (series, instances) in enumerate(series_list, 1):
            for i, instance in enumerate(instances, 1):
                ds = Dataset()
                ds.SpecificCharacterSet = "ISO_IR 192"
                ds.SOPClassUID = MRImageStorage if series["Modality"] == "MR" else CTImageStorage
                ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.{s}", f"1.{s}.{e}"
                ds.SOPInstanceUID = f"1.{s}.{e}.{i}"
                for name, value in {**patient, **study, **series, **instance}.items():
                    setattr(ds, name, [_item(v) for v in value] if name.endswith("Sequence") else value)
                yield ds


def _item(values: Plain) -> Dataset:
    item = Dataset()
    for name, value in values.items():
        setattr(item, name, value)
    return item


def _stored(datasets: list[Dataset]) -> list[dict[str, Element]]:
    """Each instance's JSON with what the archive computes of its study."""
    out = []
    for ds in datasets:
        study = [d for d in datasets if d.StudyInstanceUID == ds.StudyInstanceUID]
        computed = {
            "00080061": {"vr": "CS", "Value": [d.Modality for d in study]},
            "00080062": {"vr": "UI", "Value": [str(d.SOPClassUID) for d in study]},
        }
        out.append(orjson.loads(encoded(ds).document().replace(b"\x01", b"")) | computed)
    return out


def _entity(level: Level, stored: dict[str, Element]) -> tuple[str, ...]:
    if level is Level.PATIENT:
        return tuple(str(stored[tag].get("Value")) for tag in ("00100010", "00100020"))
    tag = ("0020000D", "0020000E", "00080018")[level - 1]
    return (stored[tag]["Value"][0],)


@pytest.fixture(scope="module")
def db() -> Iterator[Database]:
    with tempfile.TemporaryDirectory() as folder:
        database = create(Database(sqlite_url(Path(folder) / "index.sqlite"), durable=False))
        yield database
        database.close()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(archive=_archives, queries=st.lists(_queries(), min_size=5, max_size=15))
def test_same_answers(db: Database, archive: Any, queries: list[Query]) -> None:
    datasets = list(_datasets(archive))
    empty(db)
    add(db, *datasets)
    stored = _stored(datasets)
    search = Search(db)
    for query in queries:
        expected = {
            _entity(query.level, one) for one in stored if all(matches(one, c) for c in query.conditions)
        }
        found = list(search.stream(VIEWER, query))
        if query.level is Level.PATIENT:
            answer = [_entity(query.level, match.attributes) for match in found]
        else:
            keys = [(match.key.study, match.key.series, match.key.instance) for match in found]
            answer = [(key[query.level - 1],) for key in keys]
            assert len(answer) == len(set(answer))
        assert set(answer) == expected, query.conditions
