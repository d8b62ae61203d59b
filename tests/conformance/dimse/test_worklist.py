"""The modality worklist (PS3.4 K) as modalities ask it: pynetdicom and DCMTK."""

import socket
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pynetdicom.presentation import build_context

from dimse.command import Command, Operation
from pacs.audit.record import trail
from pacs.config import Config, OrdersConfig
from pacs.dicom import uids
from pacs.orders.model import Order
from pacs.runtime import Archive
from tests.support import worklist
from tests.support.cancelling import CANCELLED, MESSAGE_ID, cancel, final
from tests.support.dimse_client import Client
from tests.support.worklist import WORKLIST, find, keys, order
from tests.unit.dimse.fakes import Peer

MORE = {"dicom": {"00400400": {"vr": "LT", "Value": ["Interpreter\r\nneeded"]}}}
CODES = [
    {"value": "THX", "scheme": "99X", "meaning": "Thorax"},
    {"value": "ABD", "scheme": "99X", "meaning": "Abdomen"},
]
ORDERS = (
    order(
        "P3", "Hong^Gildong=洪^吉洞=홍^길동", "A3",
        station_aet=["CT1", "CT2"], start="2026-07-07T18:00", status="ARRIVED",
    ),
    order(
        "P1", "Müller^Jörg", "A1", codes=CODES, performing_physician="Weber^Zoë", station_name="ROOM 1",
        contrast_agent="Iomeprol", **MORE, _dicom={"00101030": {"vr": "DS", "Value": [71.5]}},
    ),
    order("P2", "Yamada^Tarou=山田^太郎=やまだ^たろう", "A2", station_aet="MR1", modality="MR",
          start="2026-07-06T08:30", _procedure={"id": "RP2", "description": "MR 50% of *"}),
    order("P4", "Wang^XiaoDong=王^小东", "A4", station_aet="US1", modality="US", start="2026-07-10T23:59:30"),
)  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Archive, int]]:
    with worklist.served(Config(data=tmp_path_factory.mktemp("worklist"))) as (archive, port):
        worklist.place(archive, *ORDERS)
        yield archive, port


@pytest.fixture
def port(served: tuple[Archive, int]) -> int:
    return served[1]


def patients(port: int, asked: Dataset, **more: Any) -> str:
    asked.PatientID = asked.get("PatientID", "")
    status, found = find(port, asked, **more)
    assert status == 0, hex(status)
    return " ".join(item.PatientID for item in found)


STEP_DATE, STEP_TIME = "ScheduledProcedureStepStartDate", "ScheduledProcedureStepStartTime"


@pytest.mark.parametrize(
    ("step", "above", "expected"),
    [
        (None, {}, "P1 P2 P3 P4"),
        ({}, {}, "P1 P2 P3 P4"),
        ({"ScheduledStationAETitle": "CT1"}, {}, "P1 P3"),
        ({"ScheduledStationAETitle": "CT2"}, {}, "P3"),
        ({"ScheduledStationAETitle": "ct1"}, {}, ""),
        ({"ScheduledStationAETitle": "T1"}, {}, ""),
        ({"ScheduledStationAETitle": "*"}, {}, "P1 P2 P3 P4"),
        ({"Modality": "MR"}, {}, "P2"),
        ({"Modality": "MR"}, {"PatientID": "P1"}, ""),
        ({STEP_DATE: "20260706"}, {}, "P2"),
        ({STEP_DATE: "20260706-"}, {}, "P2 P3 P4"),
        ({STEP_DATE: "-20260706"}, {}, "P1 P2"),
        ({STEP_DATE: "20260706-20260707"}, {}, "P2 P3"),
        ({STEP_TIME: "0800-1000"}, {}, "P1 P2"),
        ({STEP_TIME: "1800"}, {}, "P3"),
        # Table K.6-1: both ranges are one, from the 5th at ten to the 7th at six
        ({STEP_DATE: "20260705-20260707", STEP_TIME: "1000-1800"}, {}, "P1 P2 P3"),
        ({STEP_DATE: "20260705-20260707", STEP_TIME: "1001-1759"}, {}, "P2"),
        ({STEP_DATE: "20260706", STEP_TIME: "0900-"}, {}, ""),
        ({STEP_DATE: "20260710-20260710", STEP_TIME: "2359-"}, {}, "P4"),
        (None, {"PatientName": "Müller^Jörg"}, "P1"),
        (None, {"PatientName": "muller*"}, "P1"),
        (None, {"PatientName": "YAMADA^*"}, "P2"),
        (None, {"PatientName": "山田*"}, "P2"),
        (None, {"PatientName": "=山田^*"}, "P2"),
        (None, {"PatientName": "=*=홍^?동"}, "P3"),
        (None, {"PatientName": "yamada^tarou=王*"}, ""),
        (None, {"PatientID": "P?"}, "P1 P2 P3 P4"),
        (None, {"PatientID": "p1"}, ""),
        (None, {"AccessionNumber": "A2"}, "P2"),
        (None, {"AccessionNumber": "A*"}, "P1 P2 P3 P4"),
        (None, {"RequestedProcedureID": "RP2"}, "P2"),
        (None, {"RequestedProcedureDescription": "MR 50% of ?"}, "P2"),
        (None, {"RequestedProcedureDescription": "M_ 50%"}, ""),
        ({"ScheduledProcedureStepStatus": "ARRIVED"}, {}, "P3"),
        ({"ScheduledProcedureStepStatus": "SCHEDULED"}, {}, "P1 P2 P4"),
        ({"ScheduledProcedureStepStatus": "COMPLETED"}, {}, ""),
        ({"ScheduledPerformingPhysicianName": "WEBER^Zoe"}, {}, "P1"),
        ({"ScheduledPerformingPhysicianName": "w*"}, {}, "P1"),
        ({"ScheduledStationName": "ROOM*"}, {}, "P1"),
        # keys of one item are matched by one step, codes of one item by one code
        ({"ScheduledStationAETitle": "CT1", "Modality": "CT", STEP_DATE: "20260705"}, {}, "P1"),
        ({"ScheduledStationAETitle": "MR1", "Modality": "CT"}, {}, ""),
    ],
)  # fmt: skip
def test_matching(port: int, step: dict[str, Any] | None, above: dict[str, Any], expected: str) -> None:
    asked = keys(step, **above)
    asked.SpecificCharacterSet = "ISO_IR 192"
    assert patients(port, asked) == expected


def test_codes_of_one_item_match_together(port: int) -> None:
    def coded(value: str, meaning: str) -> Dataset:
        code = worklist.dataset(CodeValue=value, CodeMeaning=meaning)
        return keys({"ScheduledProtocolCodeSequence": [code]})

    assert patients(port, coded("THX", "Thorax")) == "P1"
    assert patients(port, coded("THX", "Abdomen")) == ""


def test_a_value_of_the_wrong_form_is_refused_by_name(port: int) -> None:
    status, found = find(port, keys({STEP_TIME: ["1000", "1100"]}))
    assert (status, found) == (0xC100, [])


def test_what_is_asked_for_comes_and_nothing_else(port: int) -> None:
    asked = keys(
        {
            "ScheduledStationAETitle": "",
            "ScheduledProcedureStepLocation": "",
            "CommentsOnTheScheduledProcedureStep": "",
            "ScheduledProtocolCodeSequence": [worklist.dataset(CodeValue="")],
        },
        PatientID="P1",
        PatientWeight=None,
        RequestedProcedureCodeSequence=[],
        ReferencedStudySequence=[worklist.dataset(ReferencedSOPInstanceUID="")],
        MedicalAlerts="",
    )
    _, (found,) = find(port, asked)
    assert {element.keyword for element in found} == {element.keyword for element in asked} | {
        "SpecificCharacterSet"
    }
    assert found.PatientWeight == 71.5
    assert found.MedicalAlerts is None or found.MedicalAlerts == ""
    assert len(found.RequestedProcedureCodeSequence) == len(found.ReferencedStudySequence) == 0
    (step,) = found.ScheduledProcedureStepSequence
    assert [element.keyword for element in step] == [
        "ScheduledStationAETitle", "ScheduledProtocolCodeSequence", "ScheduledProcedureStepLocation",
        "CommentsOnTheScheduledProcedureStep",
    ]  # fmt: skip
    assert step.CommentsOnTheScheduledProcedureStep == "Interpreter\r\nneeded"
    assert [[e.keyword for e in code] for code in step.ScheduledProtocolCodeSequence] == [["CodeValue"]] * 2


@pytest.mark.parametrize("items", [[], [Dataset()]], ids=["no item", "an empty item"])
def test_a_sequence_asked_for_as_such_comes_whole(port: int, items: list[Dataset]) -> None:
    asked = keys(PatientID="P1", ScheduledProcedureStepSequence=items)
    _, (found,) = find(port, asked)
    (step,) = found.ScheduledProcedureStepSequence
    assert (step.Modality, step.ScheduledStationAETitle) == ("CT", "CT1")
    assert step.RequestedContrastAgent == "Iomeprol"
    assert step.ScheduledProcedureStepStatus == "SCHEDULED"
    assert [code.CodeValue for code in step.ScheduledProtocolCodeSequence] == ["THX", "ABD"]


# Table K.6-1: what may never be absent from a worklist item (type 1).
def test_what_a_modality_cannot_do_without_is_there(port: int) -> None:
    step = dict.fromkeys(
        ("ScheduledStationAETitle", STEP_DATE, STEP_TIME, "Modality", "ScheduledProcedureStepID"), ""
    )
    above = dict.fromkeys(("RequestedProcedureID", "StudyInstanceUID", "PatientName", "PatientID"), "")
    _, found = find(port, keys(step, **above))
    assert len(found) == 4
    for item in found:
        assert all(item[keyword].value for keyword in above)
        assert all(item.ScheduledProcedureStepSequence[0][keyword].value for keyword in step)


JP, KR, CN = "Yamada^Tarou=山田^太郎=やまだ^たろう", "Hong^Gildong=洪^吉洞=홍^길동", "Wang^XiaoDong=王^小东"


@pytest.mark.parametrize(
    ("patient", "terms", "asked", "said", "raw"),
    [
        ("P1", "ISO_IR 100", "Mü*", "ISO_IR 100", "Müller^Jörg".encode("latin-1")),
        ("P1", "ISO_IR 192", "mu*", "ISO_IR 192", "Müller^Jörg".encode()),
        ("P1", None, "mu*", "ISO_IR 192", "Müller^Jörg".encode()),
        ("P2", ["", "ISO 2022 IR 87"], "Yamada*", ["", "ISO 2022 IR 87"],
         b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"),
        ("P3", ["", "ISO 2022 IR 149"], "Hong*", ["", "ISO 2022 IR 149"],
         b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"),
        ("P4", "GB18030", "Wang*", "GB18030", CN.encode("gb18030")),
        ("P2", "ISO_IR 192", "=山田*", "ISO_IR 192", JP.encode()),
        ("P3", "ISO_IR 100", "Hong*", "ISO_IR 192", KR.encode()),
    ],
    ids=["Latin-1", "UTF-8", "none named", "ISO 2022 JP", "ISO 2022 KR", "GB18030", "UTF-8 JP", "no fit"],
)  # fmt: skip
def test_character_sets(port: int, patient: str, terms: Any, asked: str, said: Any, raw: bytes) -> None:
    query = keys(PatientID="")
    if terms is not None:
        query.SpecificCharacterSet = terms
    query.PatientName = asked
    _, (found,) = find(port, query)
    declared = found.SpecificCharacterSet
    assert (declared if isinstance(declared, str) else list(declared)) == said
    assert found.PatientID == patient
    assert found.PatientName.original_string.strip() == raw


@pytest.mark.parametrize(
    ("terms", "name"),
    [
        (["", "ISO 2022 IR 87"], "=山田^太郎"),
        (["", "ISO 2022 IR 149"], "=洪^吉洞"),
        ("GB18030", "=王^小东"),
    ],
    ids=["ISO 2022 JP", "ISO 2022 KR", "GB18030"],
)
def test_keys_in_the_modality_s_character_set(port: int, terms: Any, name: str) -> None:
    query = keys(PatientID="")
    query.SpecificCharacterSet = terms
    query.PatientName = name
    _, found = find(port, query)
    assert len(found) == 1
    assert str(found[0].PatientName).split("=")[1] == name[1:]


@pytest.mark.parametrize("terms", [None, "", "NONSENSE", "ISO_IR 6", "hex", "\xff"])
@pytest.mark.parametrize("codec", ["latin-1", "utf-8"])
def test_names_in_bytes_that_nothing_explains(port: int, terms: str | None, codec: str) -> None:
    raw = b"" if terms is None else element(0x00080005, b"CS", terms.encode("latin-1"))
    assert asked_in_bytes(port, raw + element(0x00100010, b"PN", "Müller*".encode(codec))) == (0, [b"P1"])


@pytest.mark.parametrize(
    ("terms", "name"),
    [
        ("ISO_IR 192", b"M\xfcller*"),
        ("\\ISO 2022 IR 87", b"\x1b$B;3E"),
        ("\\ISO 2022 IR 87", b"\x1b"),
        ("GB18030", b"\x81*"),
        ("\\ISO 2022 IR 149", b"\x1b$)C\xfb"),
    ],
    ids=["no UTF-8", "half of a Kanji", "nothing but an escape", "half of a Hanzi", "half of a Hanja"],
)
def test_broken_names_find_nothing_and_break_nothing(port: int, terms: str, name: bytes) -> None:
    declared = element(0x00080005, b"CS", terms.encode())
    assert asked_in_bytes(port, declared + element(0x00100010, b"PN", name)) == (0, [])


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    value += b" " * (len(value) % 2)
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def asked_in_bytes(port: int, keys: bytes) -> tuple[int | None, list[bytes]]:
    """The final status and the Patient IDs found by exactly these bytes."""
    asked = Command(Operation.C_FIND, message_id=1, sop_class=str(WORKLIST), priority=0, dataset_type=1)
    found = []
    with Peer(socket.create_connection(("127.0.0.1", port), timeout=20)) as peer:
        peer.associate((str(WORKLIST), uids.EXPLICIT_LE))
        peer.request(1, asked, keys + element(0x00100020, b"LO", b""))
        while (answer := peer.message())[0].status == 0xFF00:
            found.append(answer[1][-2:])
        peer.release()
    return answer[0].status, found


def test_time_zones_are_not_matched_and_that_is_told(port: int) -> None:
    seen: list[int] = []
    with Client(port, aet="CT1").association([build_context(worklist.WORKLIST)]) as joined:
        asked = keys(PatientID="", TimezoneOffsetFromUTC="+0100")
        seen = [int(status.Status) for status, _ in joined.send_c_find(asked, worklist.WORKLIST)]
    assert seen == [0xFF01] * 4 + [0]


def test_cancel(tmp_path: Path) -> None:
    with worklist.served(Config(data=tmp_path / "many")) as (archive, port):
        step = {"station_aet": "CT1", "modality": "CT", "start": "2026-07-05T10:00"}
        many = order(_steps=[{**step, "id": f"S{n}"} for n in range(100)])
        worklist.place(archive, *({**many, "accession_number": f"A{n}"} for n in range(5)))
        with Peer(socket.create_connection(("127.0.0.1", port), timeout=60)) as peer:
            peer.associate((WORKLIST, uids.EXPLICIT_LE))
            asked = Command(
                Operation.C_FIND, message_id=MESSAGE_ID, sop_class=WORKLIST, priority=0, dataset_type=1
            )
            everybody = struct.pack("<HH2sH", 0x0010, 0x0020, b"LO", 0)
            peer.request(1, asked, everybody)
            cancel(peer)
            status, matches = final(peer)
            assert status == CANCELLED
            assert matches < 500
            peer.release()
        status, found = find(port, keys({"ScheduledProcedureStepID": ""}))
        assert (status, len(found)) == (0, 500)  # read in several pieces, none twice


def dump(text: str, path: Path) -> Path:
    path.with_suffix(".dump").write_text(text)
    subprocess.run(["dump2dcm", "-q", path.with_suffix(".dump"), path], check=True)
    return path


@pytest.mark.peer("dcmtk")
def test_findscu(port: int, tmp_path: Path) -> None:
    query = dump(
        "(0008,0005) CS [ISO_IR 192]\n(0010,0010) PN [yama*]\n(0010,0020) LO\n(0032,1060) LO\n"
        "(0040,0100) SQ\n(fffe,e000) na\n(0008,0060) CS [MR]\n(0040,0001) AE\n(0040,0002) DA [20260701-]\n"
        "(fffe,e00d) na\n(fffe,e0dd) na\n",
        tmp_path / "query.dcm",
    )
    done = subprocess.run(
        ["findscu", "-W", "-X", "-od", tmp_path, "-aet", "MR1", "-aec", "HILUM", "127.0.0.1", str(port),
         query],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (answer,) = tmp_path.glob("rsp*.dcm")
    shown = subprocess.run(["dcmdump", answer], capture_output=True, text=True, check=True).stdout
    assert "MR 50% of *" in shown, done.stderr
    assert "山田^太郎" in shown
    assert "[MR1]" in shown
    assert "[20260706]" in shown


@pytest.mark.peer("dcmtk")
def test_findscu_with_keys_of_the_sequence(port: int) -> None:
    done = subprocess.run(
        ["findscu", "-W", "-aet", "CT2", "-aec", "HILUM", "127.0.0.1", str(port), "-k", "PatientID",
         "-k", "ScheduledProcedureStepSequence[0].ScheduledStationAETitle=CT2",
         "-k", "ScheduledProcedureStepSequence[0].Modality"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "[P3]" in (done.stdout + done.stderr).replace(" ]", "]")
    assert "[P1]" not in (done.stdout + done.stderr).replace(" ]", "]")


def steps(port: int, **step: str) -> list[str]:
    _, found = find(port, keys({"ScheduledProcedureStepStatus": "", **step}))
    return [item.ScheduledProcedureStepSequence[0].ScheduledProcedureStepStatus for item in found]


@pytest.mark.parametrize(
    ("drop_when", "begun", "completed"),
    [
        ("in-progress", [], []),
        ("completed", ["STARTED"], []),
        ("never", ["STARTED"], ["COMPLETED"]),
    ],
)
def test_what_is_done_drops_off(
    tmp_path: Path, drop_when: Any, begun: list[str], completed: list[str]
) -> None:
    config = replace(Config(data=tmp_path / "d"), orders=OrdersConfig(drop_when=drop_when))
    with worklist.served(config) as (archive, port):
        ordered: Order
        (ordered,) = worklist.place(archive, order())
        assert steps(port) == ["SCHEDULED"]
        assert worklist.create(port, "1.2.3", worklist.begun(ordered)).Status == 0
        assert steps(port) == begun
        assert steps(port, ScheduledProcedureStepStatus="STARTED") == ["STARTED"]
        assert worklist.change(port, "1.2.3", worklist.ended()).Status == 0
        assert steps(port) == completed
        assert steps(port, ScheduledProcedureStepStatus="COMPLETED") == ["COMPLETED"]


def test_what_is_cancelled_drops_off(tmp_path: Path) -> None:
    config = replace(Config(data=tmp_path / "d"), orders=OrdersConfig(drop_when="never"))
    with worklist.served(config) as (archive, port):
        one, other = worklist.place(archive, order(accession="A1"), order(accession="A2"))
        archive.orders.cancel(worklist.RIS, one.number)
        _, (found,) = find(port, keys(AccessionNumber=""))
        assert found.AccessionNumber == other.accession_number


def test_who_looked_is_written_down(served: tuple[Archive, int]) -> None:
    archive, port = served
    find(port, keys({"Modality": "CT"}, PatientID="P1"), aet="LOOKER")
    rows = list(trail(archive.db, actor="LOOKER"))
    assert [(row.action, row.patient_id, row.detail) for row in rows] == [
        ("scheduled", "P1", "worklist PatientID Modality")
    ]
