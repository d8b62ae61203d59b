"""Workitems as a user agent makes them, does them and listens to them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
from pydicom.datadict import dictionary_VR, tag_for_keyword
from websockets.sync.client import ClientConnection, connect

from tests.support.factory import fresh_uid
from tests.support.web_client import JSON, PLAIN, TIMEOUT

EVERY = "1.2.840.10008.5.1.4.34.5"
FILTERED = "1.2.840.10008.5.1.4.34.5.1"
TYPE_2 = (
    "ScheduledProcessingParametersSequence", "ScheduledStationNameCodeSequence",
    "ScheduledStationClassCodeSequence", "ScheduledStationGeographicLocationCodeSequence",
    "ScheduledWorkitemCodeSequence", "CommentsOnTheScheduledProcedureStep", "InputInformationSequence",
    "IssuerOfPatientID", "IssuerOfPatientIDQualifiersSequence", "OtherPatientIDsSequence",
    "PatientBirthDate", "PatientSex", "AdmissionID", "IssuerOfAdmissionIDSequence",
    "AdmittingDiagnosesDescription", "AdmittingDiagnosesCodeSequence", "ReferencedRequestSequence",
    "ProcedureStepProgressInformationSequence", "UnifiedProcedureStepPerformedProcedureSequence",
)  # fmt: skip
DataSet = dict[str, Any]


def tag(keyword: str) -> str:
    number = tag_for_keyword(keyword)
    assert number is not None, keyword
    return f"{number:08X}"


def dataset(**values: Any) -> DataSet:
    """DICOM JSON of keywords; a list is a Value, a dict an item, None nothing."""
    made: DataSet = {}
    for keyword, value in values.items():
        vr = dictionary_VR(int(tag(keyword), 16))
        several = value if isinstance(value, list) else [value]
        if vr == "PN":
            several = [{"Alphabetic": one} for one in several]
        made[tag(keyword)] = {"vr": vr} if value is None else {"vr": vr, "Value": several}
    return made


def code(value: str, meaning: str = "Something") -> DataSet:
    return dataset(CodeValue=value, CodingSchemeDesignator="99TEST", CodeMeaning=meaning)


def step(**values: Any) -> DataSet:
    """Everything that PS3.4 Table CC.2.5-3 wants of a new one."""
    made = dataset(**dict.fromkeys(TYPE_2))
    return made | dataset(
        **{
            "ScheduledProcedureStepPriority": "MEDIUM",
            "ProcedureStepLabel": "Segment the liver",
            "WorklistLabel": "Segmentation",
            "ScheduledProcedureStepStartDateTime": "20260105101500",
            "InputReadinessState": "READY",
            "ProcedureStepState": "SCHEDULED",
            "PatientName": "Doe^Jane",
            "PatientID": "SYN-1",
            "StudyInstanceUID": "1.2.3.4",
            **values,
        }
    )


def performed() -> DataSet:
    """What a step needs to be COMPLETED."""
    item = dataset(
        PerformedStationNameCodeSequence=code("STATION"),
        PerformedProcedureStepStartDateTime="20260105102000",
        PerformedWorkitemCodeSequence=code("SEGMENT"),
        PerformedProcedureStepEndDateTime="20260105103000",
        OutputInformationSequence=None,
    )
    return dataset(UnifiedProcedureStepPerformedProcedureSequence=item)


@dataclass(frozen=True, slots=True)
class Worklist:
    """One user agent of a DICOMweb root."""

    root: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        headers = {"Accept": JSON, **self.headers, **more.pop("headers", {})}
        if body is not None:
            more["content"] = body if isinstance(body, bytes) else json.dumps(body).encode()
            headers.setdefault("Content-Type", JSON)
        with httpx.Client(timeout=TIMEOUT, verify=PLAIN) as client:
            return client.request(method, f"{self.root}{path}", headers=headers, **more)

    def make(self, uid: str = "", **values: Any) -> str:
        uid = uid or fresh_uid()
        answer = self.send("POST", f"/workitems?{uid}", [step(**values)])
        assert answer.status_code == 201, answer.text
        return uid

    def get(self, uid: str) -> DataSet:
        answer = self.send("GET", f"/workitems/{uid}")
        assert answer.status_code == 200, answer.text
        (found,) = answer.json()
        return dict(found)

    def search(self, **asked: str) -> list[str]:
        answer = self.send("GET", "/workitems", params=asked)
        assert answer.status_code in {200, 204, 206}, answer.text
        return [one[tag("SOPInstanceUID")]["Value"][0] for one in (answer.json() if answer.content else [])]

    def to(self, uid: str, state: str, transaction: str | None) -> httpx.Response:
        return self.send(
            "PUT", f"/workitems/{uid}/state", [dataset(ProcedureStepState=state, TransactionUID=transaction)]
        )

    def subscribe(self, uid: str, aet: str = "WATCHER", **asked: str) -> httpx.Response:
        return self.send("POST", f"/workitems/{uid}/subscribers/{aet}", params=asked)

    def unsubscribe(self, uid: str, aet: str = "WATCHER") -> httpx.Response:
        return self.send("DELETE", f"/workitems/{uid}/subscribers/{aet}")

    @contextmanager
    def listening(self, aet: str = "WATCHER") -> Iterator["Ear"]:
        url = f"ws{self.root.removeprefix('http')}/subscribers/{aet}"
        with connect(url, additional_headers=dict(self.headers), proxy=None) as socket:
            yield Ear(socket)

    def repeated(self, aet: str = "WATCHER") -> list[str]:
        """Of which steps a new connection is told, until it is silent."""
        heard: list[str] = []
        with self.listening(aet) as ear, suppress(TimeoutError):
            while True:
                heard.append(ear.hear(1.0).uid)
        return heard


@dataclass(frozen=True, slots=True)
class Heard:
    uid: str
    type: int
    dataset: DataSet

    def value(self, keyword: str) -> Any:
        return self.dataset[tag(keyword)]["Value"][0]


@dataclass(frozen=True, slots=True)
class Ear:
    """The other end of a notification connection."""

    socket: ClientConnection

    def hear(self, seconds: float = 30) -> Heard:
        found = json.loads(self.socket.recv(timeout=seconds))
        assert found["00000002"]["Value"] == ["1.2.840.10008.5.1.4.34.6.1"]
        assert 1 <= found["00000110"]["Value"][0] <= 65_535
        return Heard(found["00001000"]["Value"][0], found["00001002"]["Value"][0], found)

    def silence(self, seconds: float = 1.0) -> None:
        try:
            said = self.socket.recv(timeout=seconds)
        except TimeoutError:
            return
        raise AssertionError(said)


def value(found: DataSet, keyword: str) -> Any:
    values = found.get(tag(keyword), {}).get("Value")
    return values[0] if values else None
