"""Matching by PS3.4 C.2.2.2 as a table: objects, keys, and which objects they find.

Plain data, so that every wire can run it. `objects()` are the data sets to store. Studies are
labelled "1", "2"..., their series "1.1", their instances "1.1.1"; a patient's label is the
Patient ID. `uid(label)` is what the wire answers with.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedSRStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

from pacs.dicom.level import Level

ROOT = "1.2.826.0.1.3680043.10.1337.77."
P, S, E, I = Level  # noqa: E741 - from the root down
IDENTITY = {P: "PatientID", S: "StudyInstanceUID", E: "SeriesInstanceUID", I: "SOPInstanceUID"}
_SOP_CLASS = {
    "CT": CTImageStorage,
    "MR": MRImageStorage,
    "PT": PositronEmissionTomographyImageStorage,
    "SR": EnhancedSRStorage,
}


def uid(label: str) -> str:
    return ROOT + label


# --- the archive: study -> (attributes of patient and study, series)

_DOE: dict[str, Any] = {
    "PatientName": "Doe^John",
    "PatientID": "PAT_001",
    "PatientBirthDate": "19700131",
    "PatientSex": "M",
    "PatientComments": "Allergic to penicillin",
}
STUDIES: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "1": (
        {
            **_DOE,
            "StudyDate": "20200115",
            "StudyTime": "101530.250000",
            "AccessionNumber": "A%100",
            "StudyID": "ST1",
            "StudyDescription": "CT Thorax 50% dose",
            "ReferringPhysicianName": "Smith^Anna^^Dr.",
            "NameOfPhysiciansReadingStudy": ["Reader^One", "Zweig^Zoë"],
            "PatientWeight": "70.50",
            "ProcedureCodeSequence": [
                {"CodeValue": "CHEST", "CodingSchemeDesignator": "99X"},
                {"CodeValue": "ABDOMEN", "CodingSchemeDesignator": "99Y"},
            ],
        },
        [
            {
                "Modality": "CT",
                "SeriesNumber": 1,
                "SeriesDescription": "Axial_1",
                "BodyPartExamined": "CHEST",
                "PerformedProcedureStepStartDate": "20200115",
                "PerformedProcedureStepStartTime": "1014",
                "RequestAttributesSequence": [
                    {"ScheduledProcedureStepID": "SPS1", "RequestedProcedureID": "RP1"},
                    {"ScheduledProcedureStepID": "SPS2", "RequestedProcedureID": "RP2"},
                ],
                "instances": [
                    {
                        "InstanceNumber": 1,
                        "SliceThickness": "1.50",
                        "Rows": 512,
                        "AcquisitionDateTime": "20200115101500+0100",
                        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
                    },
                    {
                        "InstanceNumber": 2,
                        "SliceThickness": "3",
                        "Rows": 256,
                        "AcquisitionDateTime": "20200115111500.5+0100",
                        "ImageType": ["DERIVED", "SECONDARY"],
                    },
                ],
            },
            {
                "Modality": "SR",
                "SeriesNumber": 2,
                "SeriesDescription": "Report",
                "InstitutionName": "Hôpital Général",
                "instances": [{"InstanceNumber": 1}],
            },
        ],
    ),
    "2": (
        {
            "PatientName": "DOE^JANE",
            "PatientID": "PAT-002",
            "PatientBirthDate": "19801224",
            "PatientSex": "F",
            "StudyDate": "20200220",
            "StudyTime": "235959",
            "AccessionNumber": "A1100",
            "StudyID": "ST2",
            "StudyDescription": "MR Head 500 dose",
            "ReferringPhysicianName": "SMITH^ANNA",
        },
        [
            {
                "Modality": "MR",
                "SeriesNumber": 12,
                "SeriesDescription": "AxialX1",
                "PerformingPhysicianName": ["Roe^Richard", "House^Gregory"],
                "instances": [{"InstanceNumber": 1, "Rows": 512}],
            }
        ],
    ),
    "3": (
        {
            "PatientName": "Müller^Jürgen",
            "PatientID": "PATX001",
            "PatientSex": "M",
            "StudyDate": "20200220",
            "StudyTime": "0800",
            "AccessionNumber": "A_1",
            "StudyDescription": "Ganzkörper",
        },
        [
            {"Modality": "PT", "SeriesNumber": 2, "instances": [{"InstanceNumber": 1}]},
            {"Modality": "CT", "SeriesNumber": 1, "BodyPartExamined": "HEAD", "instances": [{}]},
        ],
    ),
    "4": (
        {
            "PatientName": "Yamada^Tarou=山田^太郎=やまだ^たろう",
            "PatientID": "JP1",
            "StudyDate": "20200229",
            "StudyTime": "000000",
            "StudyDescription": "胸部CT",
        },
        [{"Modality": "CT", "SeriesNumber": 1, "instances": [{"InstanceNumber": 1}]}],
    ),
    "5": (
        {
            "PatientName": "Hong^Gildong=洪^吉洞=홍^길동",
            "PatientID": "KR1",
            "StudyDate": "20210301",
            "StudyTime": "12",
            "StudyDescription": "left\\right",
        },
        [{"Modality": "MR", "SeriesNumber": 1, "instances": [{"InstanceNumber": 1}]}],
    ),
    "6": (  # hardly anything known
        {
            "PatientName": "",
            "PatientID": "",
            "StudyDate": "",
            "StudyTime": "",
            "AccessionNumber": "",
        },
        [{"Modality": "CT", "instances": [{}]}],
    ),
    "7": (
        {
            "PatientName": "Ångström^Åsa O'Hara",
            "PatientID": "pat_001",
            "StudyDate": "19991231",
            "StudyTime": "101559.999999",
            "StudyDescription": "ct thorax",
            "00110010": ("LO", "HILUM TEST"),
            "00111001": ("LO", "secret"),
            "00111002": ("US", 7),
        },
        [{"Modality": "CT", "SeriesNumber": -3, "instances": [{"InstanceNumber": 1}]}],
    ),
    "8": (
        {**_DOE, "StudyDate": "20220615", "StudyTime": "101600", "StudyDescription": "CT Thorax control"},
        [{"Modality": "CT", "SeriesNumber": 1, "instances": [{"InstanceNumber": 1}]}],
    ),
}
ALL = "1 2 3 4 5 6 7 8"


def objects() -> Iterator[Dataset]:
    """One data set an instance, in Unicode."""
    for study, (top, series_list) in STUDIES.items():
        for e, below in enumerate(series_list, 1):
            for i, instance in enumerate(below["instances"], 1):
                yield _dataset(f"{study}.{e}.{i}", {**top, **below, **instance})


def _dataset(label: str, attributes: dict[str, Any]) -> Dataset:
    study, series, _ = label.split(".")
    ds = Dataset()
    ds.SpecificCharacterSet = "ISO_IR 192"
    ds.SOPClassUID = _SOP_CLASS[attributes["Modality"]]
    ds.SOPInstanceUID = uid(label)
    ds.StudyInstanceUID = uid(study)
    ds.SeriesInstanceUID = uid(f"{study}.{series}")
    _set(ds, attributes)
    return ds


def _set(ds: Dataset, attributes: dict[str, Any]) -> None:
    for name, value in attributes.items():
        if name == "instances":
            continue
        if isinstance(value, tuple):
            ds.add_new(int(name, 16), *value)
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            items = [Dataset() for _ in value]
            for item, inner in zip(items, value, strict=True):
                _set(item, inner)
            setattr(ds, name, items)
        else:
            setattr(ds, name, value)


# --- the table


@dataclass(frozen=True, slots=True)
class Case:
    """`keys` are paths and values as C-FIND carries them: several values are split by a backslash.
    `combined` asks for date and time as one moment, `relational` for keys of lower levels."""

    name: str
    level: Level
    keys: dict[str, str]
    found: frozenset[str]
    combined: bool = False
    relational: bool = False


def _case(name: str, level: Level, keys: dict[str, str], found: str, **kind: bool) -> Case:
    return Case(name, level, keys, frozenset(found.split()), **kind)


def _full_width(text: str) -> str:
    return "".join(chr(ord(char) + 0xFEE0) for char in text)


REQUEST = "RequestAttributesSequence"
CASES: tuple[Case, ...] = (
    # C.2.2.2.3 universal
    _case("no key", S, {}, ALL),
    _case("empty key", S, {"PatientName": ""}, ALL),
    _case("star alone finds the unnamed too", S, {"PatientName": "*"}, ALL),
    _case("stars alone", S, {"AccessionNumber": "**"}, ALL),
    _case("star alone on a date", S, {"StudyDate": "*"}, ALL),
    _case("empty UID", S, {"StudyInstanceUID": ""}, ALL),
    _case("empty sequence", E, {REQUEST: ""}, "1.1 1.2 2.1 3.1 3.2 4.1 5.1 6.1 7.1 8.1"),
    _case("empty key in a sequence", S, {"ProcedureCodeSequence.CodeValue": ""}, ALL),
    # C.2.2.2.1 single value
    _case("identifier", S, {"PatientID": "PAT_001"}, "1 8"),
    _case("identifiers are case-sensitive", S, {"PatientID": "pat_001"}, "7"),
    _case("padding is no part of a value", S, {"PatientID": " PAT-002 "}, "2"),
    _case("no substring match without wild card", S, {"PatientID": "PAT"}, ""),
    _case("code string", S, {"PatientSex": "F"}, "2"),
    _case("description", S, {"StudyDescription": "ct thorax"}, "7"),
    _case("description in another script", S, {"StudyDescription": "胸部CT"}, "4"),
    _case("descriptions keep their accents", S, {"StudyDescription": "Ganzkorper"}, ""),
    _case("several keys must all fit", S, {"PatientID": "PAT_001", "StudyDate": "20220615"}, "8"),
    _case("several values, any fits", S, {"AccessionNumber": "A1100\\A_1"}, "2 3"),
    _case("two values stored where one belongs", S, {"StudyDescription": "left\\right"}, "5"),
    _case("series number", E, {"SeriesNumber": "12"}, "2.1"),
    _case("series number by value", E, {"SeriesNumber": " +012"}, "2.1"),
    _case("negative series number", E, {"SeriesNumber": "-3"}, "7.1"),
    _case("instance number", I, {"InstanceNumber": "2"}, "1.1.2"),
    _case("patient without columns for it", S, {"PatientComments": "Allergic to penicillin"}, "1 8"),
    _case("decimal by value", S, {"PatientWeight": "70.5"}, "1"),
    _case("decimal of an instance", I, {"SliceThickness": "1.5"}, "1.1.1"),
    _case("binary number of an instance", I, {"Rows": "512"}, "1.1.1 2.1.1"),
    _case("binary number not there", I, {"Columns": "512"}, ""),
    # C.2.2.2.2 list of UID
    _case("study UID", S, {"StudyInstanceUID": uid("3")}, "3"),
    _case("unknown study UID", S, {"StudyInstanceUID": "1.2.3"}, ""),
    _case("list of UIDs", S, {"StudyInstanceUID": "\\".join(map(uid, "135"))}, "1 3 5"),
    _case("list with an unknown one", S, {"StudyInstanceUID": f"1.2.3\\{uid('4')}"}, "4"),
    _case("no UID is the beginning of another", E, {"SeriesInstanceUID": uid("1")}, ""),
    _case("SOP class", I, {"SOPClassUID": str(MRImageStorage)}, "2.1.1 5.1.1"),
    _case("series in a study", E, {"StudyInstanceUID": uid("1")}, "1.1 1.2"),
    _case(
        "instances in a series",
        I,
        {"StudyInstanceUID": uid("1"), "SeriesInstanceUID": uid("1.1")},
        "1.1.1 1.1.2",
    ),
    # C.2.2.2.4 wild cards
    _case("star at the end", S, {"PatientID": "PAT*"}, "1 2 3 8"),
    _case("star at both ends", S, {"PatientID": "*00*"}, "1 2 3 7 8"),
    _case("star in the middle", S, {"PatientID": "P*1"}, "1 3 8"),
    _case("question mark", S, {"PatientID": "PAT?001"}, "1 3 8"),
    _case("question mark is exactly one", S, {"PatientID": "PAT?00?"}, "1 2 3 8"),
    _case("only question marks", S, {"PatientID": "???"}, "4 5"),
    _case("underscore is literal", S, {"PatientID": "PAT_*"}, "1 8"),
    _case("percent is literal", S, {"AccessionNumber": "A%*"}, "1"),
    _case("percent is literal in the middle", S, {"StudyDescription": "*50%*"}, "1"),
    _case("underscore is literal in a series", E, {"SeriesDescription": "Axial_*"}, "1.1"),
    _case("wild cards are case-sensitive", S, {"StudyDescription": "CT*"}, "1 8"),
    _case("wild card in another script", S, {"StudyDescription": "胸*"}, "4"),
    _case("wild card and accent", E, {"InstitutionName": "*Général"}, "1.2"),
    _case("wild cards among several values", S, {"PatientID": "JP*\\KR1"}, "4 5"),
    _case("quote is literal", S, {"PatientName": "*o'hara"}, "7"),
    _case("star does not find what is absent", S, {"AccessionNumber": "*A*"}, "1 2 3"),
    # the same, for values of the stored objects alone
    _case("wild card without a column", S, {"PatientComments": "*penicillin"}, "1 8"),
    _case("percent without a column", S, {"PatientComments": "%penicillin"}, ""),
    # names
    _case("name", S, {"PatientName": "Doe^John"}, "1 8"),
    _case("names fold case", S, {"PatientName": "doe^JANE"}, "2"),
    _case("names fold case under wild cards", S, {"PatientName": "*dOE*"}, "1 2 8"),
    _case("a component is not the name", S, {"PatientName": "Doe"}, ""),
    _case("trailing empty components", S, {"PatientName": "Doe^John^^^"}, "1 8"),
    _case("accents fold", S, {"PatientName": "muller^jurgen"}, "3"),
    _case("accents fold the other way", S, {"PatientName": "Döe^Jöhn"}, "1 8"),
    _case("rings fold", S, {"PatientName": "angstrom*"}, "7"),
    _case("alphabetic group of three", S, {"PatientName": "Yamada^Tarou"}, "4"),
    _case("ideographic group alone", S, {"PatientName": "山田^太郎"}, "4"),
    _case("phonetic group alone", S, {"PatientName": "やまだ*"}, "4"),
    _case("ideographic group by place", S, {"PatientName": "=山田*"}, "4"),
    _case("group in the wrong place", S, {"PatientName": "==山田*"}, ""),
    _case("two groups", S, {"PatientName": "yamada*=山田^太郎"}, "4"),
    _case("two groups that disagree", S, {"PatientName": "yamada*=洪^吉洞"}, ""),
    _case("three groups", S, {"PatientName": "Hong^Gildong=洪^吉洞=홍^길동"}, "5"),
    _case("Hangul", S, {"PatientName": "홍^길*"}, "5"),
    _case("full width folds", S, {"PatientName": _full_width("YAMADA") + "^*"}, "4"),
    _case("another person's name", S, {"ReferringPhysicianName": "smith^anna*"}, "1 2"),
    _case("name of several, second", E, {"PerformingPhysicianName": "house^gregory"}, "2.1"),
    _case("name of several, wild", E, {"PerformingPhysicianName": "*rich*"}, "2.1"),
    _case("no match across two names", E, {"PerformingPhysicianName": "roe*gregory"}, ""),
    _case("name without a column", S, {"NameOfPhysiciansReadingStudy": "zweig^zoe"}, "1"),
    # C.2.2.2.5 ranges
    _case("date", S, {"StudyDate": "20200220"}, "2 3"),
    _case("date as it was written once", S, {"StudyDate": "2020.02.20"}, "2 3"),
    _case("dates between, ends included", S, {"StudyDate": "20200115-20200220"}, "1 2 3"),
    _case("dates from", S, {"StudyDate": "20200229-"}, "4 5 8"),
    _case("dates until leave out the undated", S, {"StudyDate": "-20200115"}, "1 7"),
    _case("range of one day", S, {"StudyDate": "20200229-20200229"}, "4"),
    _case("range that ends before it begins", S, {"StudyDate": "20210101-20200101"}, ""),
    _case("birth date", S, {"PatientBirthDate": "19700101-19801231"}, "1 2 8"),
    _case("time", S, {"StudyTime": "235959"}, "2"),
    _case("time to the minute", S, {"StudyTime": "1015"}, "1 7"),
    _case("time to the hour", S, {"StudyTime": "10"}, "1 7 8"),
    _case("time to a fraction", S, {"StudyTime": "101530.25"}, "1"),
    _case("times between", S, {"StudyTime": "0800-101530"}, "1 3"),
    _case("times from", S, {"StudyTime": "1015-"}, "1 2 5 7 8"),
    _case("times until", S, {"StudyTime": "-0800"}, "3 4"),
    _case("midnight", S, {"StudyTime": "000000"}, "4"),
    _case("date and time each", S, {"StudyDate": "20200115-20200220", "StudyTime": "0900-1200"}, "1"),
    _case(
        "date and time as one",
        S,
        {"StudyDate": "20200115-20200220", "StudyTime": "1100-0900"},
        "3",
        combined=True,
    ),
    _case("moments from", S, {"StudyDate": "20200220-", "StudyTime": "0900-"}, "2 4 5 8", combined=True),
    _case("date of a series", E, {"PerformedProcedureStepStartDate": "20200101-20201231"}, "1.1"),
    _case(
        "date-time with offset",
        I,
        {"AcquisitionDateTime": "20200115091500+0000-20200115091501+0000"},
        "1.1.1",
    ),
    _case("date-time by the recorded clock", I, {"AcquisitionDateTime": "2020011511-"}, "1.1.2"),
    # C.2.2.2.6 sequences
    _case("attribute of an item", E, {f"{REQUEST}.ScheduledProcedureStepID": "SPS2"}, "1.1"),
    _case("wild card in an item", E, {f"{REQUEST}.ScheduledProcedureStepID": "SPS?"}, "1.1"),
    _case(
        "two attributes of one item",
        E,
        {f"{REQUEST}.ScheduledProcedureStepID": "SPS1", f"{REQUEST}.RequestedProcedureID": "RP1"},
        "1.1",
    ),
    _case(
        "two attributes of different items",
        E,
        {f"{REQUEST}.ScheduledProcedureStepID": "SPS1", f"{REQUEST}.RequestedProcedureID": "RP2"},
        "",
    ),
    _case("item of a study", S, {"ProcedureCodeSequence.CodeValue": "ABDOMEN"}, "1"),
    # what the archive itself keeps
    _case("modality in the study", S, {"ModalitiesInStudy": "CT"}, "1 3 4 6 7 8"),
    _case("one of several modalities", S, {"ModalitiesInStudy": "PT\\SR"}, "1 3"),
    _case("modality in a study that has two", S, {"ModalitiesInStudy": "SR"}, "1"),
    _case("part of a modality", S, {"ModalitiesInStudy": "C"}, ""),
    _case("modality with a wild card", S, {"ModalitiesInStudy": "?R"}, "1 2 5"),
    _case("SOP class in the study", S, {"SOPClassesInStudy": str(EnhancedSRStorage)}, "1"),
    # several values in the object (C.2.2.3)
    _case("any of several values", I, {"ImageType": "PRIMARY"}, "1.1.1"),
    _case("wild card on several values", I, {"ImageType": "SEC*"}, "1.1.2"),
    # private and unknown attributes
    _case("private text", I, {"00111001": "secret"}, "7.1.1"),
    _case("private text, wild", I, {"00111001": "sec*"}, "7.1.1"),
    _case("private number", I, {"00111002": "7"}, "7.1.1"),
    _case("private, not there", I, {"00111003": "x"}, ""),
    # levels
    _case("patients", P, {}, "PAT_001 PAT-002 PATX001 JP1 KR1 pat_001"),
    _case("patient by name", P, {"PatientName": "doe*"}, "PAT_001 PAT-002"),
    _case("series by patient and modality", E, {"PatientID": "PAT*", "Modality": "CT"}, "1.1 3.2 8.1"),
    _case("series by study date", E, {"StudyDate": "20200220", "Modality": "PT"}, "3.1"),
    _case("instances by modalities in the study", I, {"ModalitiesInStudy": "PT"}, "3.1.1 3.2.1"),
    _case("study by modality", S, {"Modality": "PT"}, "3", relational=True),
    _case("study by a series", S, {"SeriesDescription": "Axial?1"}, "1 2", relational=True),
    _case(
        "one series must fit both", S, {"Modality": "SR", "BodyPartExamined": "CHEST"}, "", relational=True
    ),
    _case("study by an instance", S, {"SOPInstanceUID": uid("3.2.1")}, "3", relational=True),
    _case("study by a series UID", S, {"SeriesInstanceUID": uid("1.2")}, "1", relational=True),
    _case("series by an instance", E, {"InstanceNumber": "2"}, "1.1", relational=True),
    _case("patient by study", P, {"StudyDate": "20200220"}, "PAT-002 PATX001", relational=True),
    _case("patient by series", P, {"Modality": "MR"}, "PAT-002 KR1", relational=True),
    _case(
        "study by an item of a series", S, {f"{REQUEST}.RequestedProcedureID": "RP2"}, "1", relational=True
    ),
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A key that no wire may take for a match of everything."""

    name: str
    level: Level
    path: str
    value: str


REFUSED: tuple[Refusal, ...] = (
    Refusal("no date", S, "StudyDate", "yesterday"),
    Refusal("day that does not exist", S, "StudyDate", "20210229"),
    Refusal("month that does not exist", S, "StudyDate", "20211301"),
    Refusal("date with dashes", S, "StudyDate", "2021-03-01"),
    Refusal("dash alone", S, "StudyDate", "-"),
    Refusal("date with a wild card", S, "StudyDate", "2020*"),
    Refusal("range of three", S, "StudyDate", "20200101-20200102-20200103"),
    Refusal("no time", S, "StudyTime", "noon"),
    Refusal("hour that does not exist", S, "StudyTime", "2500"),
    Refusal("no UID", S, "StudyInstanceUID", "abc"),
    Refusal("UID with a wild card", S, "StudyInstanceUID", "1.2.*"),
    Refusal("UID that is too long", S, "StudyInstanceUID", "1." * 40 + "1"),
    Refusal("no whole number", E, "SeriesNumber", "one"),
    Refusal("number beyond all numbers", E, "SeriesNumber", "9" * 20),
    Refusal("fraction for a whole number", I, "InstanceNumber", "1.5"),
    Refusal("no number", I, "SliceThickness", "thin"),
    Refusal("sequence with a value", E, "RequestAttributesSequence", "SPS1"),
    Refusal("no date-time", I, "AcquisitionDateTime", "20201301"),
)
