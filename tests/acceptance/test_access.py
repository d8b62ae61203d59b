"""With authentication on nobody unknown gets in, by any route or service there is; looks are recorded.

The routes and the services come from the tables the edges themselves dispatch by, so that a new
one is tested here without being written here.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom.dataset import Dataset
from pynetdicom.presentation import build_context
from pynetdicom.sop_class import Verification

from dicomweb.routes import ROUTES
from dimse.command import Operation
from dimse.session import SERVICES
from tests.support.archive_server import REPOSITORY, ArchiveServer
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import Client, NotAssociatedError, identifier, wait_for
from tests.support.factory import Patient, ct_series
from tests.support.web_client import Web
from tests.support.workitems import Worklist

WORKITEM = "1.2.3.4.5"
PAIRS = (("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"),)
NOT_AUTHORISED = 0x0124  # PS3.7 C.4.1.3 and others: refused: not authorized
STATIONS = {"SCANNER": ["sender"], "WORKSTATION": ["viewer"], "PROBE": ["viewer"], "ELSEWHERE": ["viewer"]}


def station_settings() -> str:
    lines = []
    for aet, roles in STATIONS.items():
        host = "192.0.2.1" if aet == "ELSEWHERE" else "127.0.0.1"
        lines.append(f'[dimse.peers.{aet}]\nhost = "{host}"\nport = 104\nroles = {json.dumps(roles)}\n')
    return "\n".join(lines)


@dataclass(frozen=True, slots=True)
class Guarded:
    """An archive with authentication on, and the tokens that open it."""

    server: ArchiveServer
    tokens: dict[str, str]
    item: DicomObject

    def headers(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    def web(self, name: str) -> Web:
        return Web(self.server.root, self.headers(name))


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Guarded]:
    server = ArchiveServer(tmp_path_factory.mktemp("guarded"), dimse_settings=station_settings())
    server.folder.mkdir(exist_ok=True)
    server.write_config()
    server.config += "\n[reading]\nquiet_seconds = 0.2\n"
    tokens = {}
    for name, role in (("reader", "viewer"), ("modality", "sender"), ("boss", "admin")):
        tokens[name], block = create_token(server, name, role)
        server.config += block
    (item,) = ct_series(1, rows=16, columns=16, patient=Patient(id="GUARDED-1"))
    server.probe_headers = {"Authorization": f"Bearer {tokens['reader']}"}
    with server.running():
        guarded = Guarded(server, tokens, item)
        assert guarded.web("modality").store([item]).status == 200
        order = (REPOSITORY / "examples" / "order.json").read_text()
        placed = httpx.post(f"{server.url}/api/orders", content=order, headers=guarded.headers("modality"))
        assert placed.status_code == 201
        Worklist(server.root, guarded.headers("modality")).make(WORKITEM)
        yield guarded


def create_token(server: ArchiveServer, name: str, role: str) -> tuple[str, str]:
    """`pacs token create`: the token and the lines for the configuration."""
    done = server.pacs_plain("token", "create", name, "--role", role, "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    made: dict[str, Any] = json.loads(done.stdout)
    block = f'\n[[auth.tokens]]\nname = "{name}"\nhash = "{made["hash"]}"\nroles = ["{role}"]\n'
    return made["token"], block


def filled(path: str, item: DicomObject) -> str:
    values = {"{study}": item.study, "{series}": item.series, "{instance}": item.instance}
    values |= {"{frames}": "1", "{path:path}": "7FE00010"}
    values |= {"{order}": "1"}
    values |= {"{workitem}": WORKITEM, "{aetitle}": "AET"}
    values |= {"{priority}": "STAT", "{finding}": "1", "{verdict}": "accepted", "{run}": "r1"}
    values |= {"{deletion}": "d1"}
    for name, value in values.items():
        path = path.replace(name, value)
    if path == "/wado":  # PS3.18 9: everything is said behind the question mark
        names = f"studyUID={item.study}&seriesUID={item.series}&objectUID={item.instance}"
        path += f"?requestType=WADO&contentType=application/dicom&{names}"
    assert "{" not in path, f"a new placeholder: say here what stands for it: {path}"
    return path


ENTRIES = [(entry.method, entry.path) for entry in ROUTES]
STRANGERS: dict[str, dict[str, str]] = {
    "nothing": {},
    "a wrong token": {"Authorization": "Bearer hilum_0123456789"},
    "a token of no run": {"Authorization": "Bearer hilum-run.0123456789"},
    "an empty token": {"Authorization": "Bearer"},
    "a wrong password": {"Authorization": "Basic YWRtaW46YWRtaW4="},
    "a digest": {"Authorization": "Digest username=admin"},
}


@pytest.mark.parametrize("stranger", STRANGERS)
@pytest.mark.parametrize(("method", "path"), ENTRIES)
def test_every_route_refuses_a_stranger(method: str, path: str, stranger: str, guarded: Guarded) -> None:
    url = guarded.server.url + filled(path, guarded.item)
    answer = httpx.request(method, url, headers=STRANGERS[stranger])
    assert answer.status_code == 401
    assert "www-authenticate" in answer.headers
    assert guarded.item.study not in answer.text
    for other in ("HEAD", "OPTIONS", "PUT", "DELETE"):
        assert httpx.request(other, url, headers=STRANGERS[stranger]).status_code == 401


def test_addresses_that_do_not_exist_refuse_a_stranger_too(guarded: Guarded) -> None:
    for path in ("/", "/nothing", "/dicom-web", "/dicom-web/patients", "/docs", "/openapi.json"):
        assert httpx.get(guarded.server.url + path).status_code == 401


def is_for_readers(method: str, path: str) -> bool:
    """The trash is an administrator's; OHIF is not there unless somebody has fetched it."""
    return method == "GET" and not path.startswith(("/api/trash", "/viewer"))


@pytest.mark.parametrize("path", [entry[1] for entry in ENTRIES if is_for_readers(*entry)])
def test_every_get_serves_a_reader(path: str, guarded: Guarded) -> None:
    url = guarded.server.url + filled(path, guarded.item)
    headers = {**guarded.headers("reader"), "Accept": "*/*"}

    def status() -> int:
        with httpx.stream("GET", url, headers=headers) as answer:  # one of them never ends
            return answer.status_code

    if path.startswith("/api/worklist/"):
        wait_for(lambda: status() == 200)  # once the study has settled
    assert status() in {200, 206}


def test_roles_have_limits_on_the_web(guarded: Guarded) -> None:
    fresh = ct_series(1, rows=8, columns=8)
    assert guarded.web("reader").store(fresh).status == 403
    assert guarded.web("modality").get("/studies").status_code == 403
    assert guarded.web("modality").get(guarded.item.path(), "application/dicom").status_code == 403
    assert guarded.web("boss").store(fresh).status == 200
    assert guarded.web("boss").get("/studies").status_code == 200


def whole_study(item: DicomObject) -> Dataset:
    return identifier("STUDY", StudyInstanceUID=item.study)


def echo(client: Client, _: DicomObject) -> int:
    with client.association([build_context(Verification)]) as association:
        return int(association.send_c_echo().Status)


def store(client: Client, _: DicomObject) -> int:
    (status,) = client.store(ct_series(1, rows=8, columns=8)).values()
    return status


def find(client: Client, item: DicomObject) -> int:
    status, found = client.find(whole_study(item))
    assert not (status and found)
    return status


def move(client: Client, item: DicomObject) -> int:
    final, _ = client.move(whole_study(item), "WORKSTATION")
    return int(final.Status)


def get(client: Client, item: DicomObject) -> int:
    final, received = client.get(whole_study(item), PAIRS)
    assert not (final.Status and received)
    return int(final.Status)


CALLS: dict[int, Callable[[Client, DicomObject], int]] = {
    Operation.C_ECHO: echo,
    Operation.C_STORE: store,
    Operation.C_FIND: find,
    Operation.C_MOVE: move,
    Operation.C_GET: get,
}


def test_every_service_is_called_here() -> None:
    assert CALLS.keys() == SERVICES.keys(), "a new service: say here how it is called"


@pytest.mark.parametrize("aet", ["STRANGER", "ELSEWHERE", "scanner", "HILUM"])
@pytest.mark.parametrize("service", SERVICES, ids=lambda service: Operation(service).name)
def test_every_service_refuses_a_stranger(service: int, aet: str, guarded: Guarded) -> None:
    """Unknown title, known title from another address, another case, our own title."""
    with pytest.raises(NotAssociatedError, match="rejected"):
        CALLS[service](Client(guarded.server.dimse_port, aet=aet), guarded.item)


@pytest.mark.parametrize(
    ("aet", "service", "allowed"),
    [
        ("SCANNER", Operation.C_ECHO, True),
        ("SCANNER", Operation.C_STORE, True),
        ("SCANNER", Operation.C_FIND, False),
        ("SCANNER", Operation.C_MOVE, False),
        ("SCANNER", Operation.C_GET, False),
        ("WORKSTATION", Operation.C_ECHO, True),
        ("WORKSTATION", Operation.C_STORE, False),
        ("WORKSTATION", Operation.C_FIND, True),
        ("WORKSTATION", Operation.C_GET, True),
    ],
)
def test_roles_have_limits_on_dimse(aet: str, service: int, *, allowed: bool, guarded: Guarded) -> None:
    status = CALLS[service](Client(guarded.server.dimse_port, aet=aet), guarded.item)
    assert status == (0x0000 if allowed else NOT_AUTHORISED), hex(status)


def audit(guarded: Guarded, *words: str) -> list[dict[str, Any]]:
    done = guarded.server.pacs("audit", "--json", "--limit", "10000", *words)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_audit_shows_who_touched_a_study(guarded: Guarded, tmp_path: Path) -> None:
    item = guarded.item
    reader, workstation = guarded.web("reader"), Client(guarded.server.dimse_port, aet="WORKSTATION")
    assert reader.get(item.path(), "application/dicom").status_code == 200
    assert reader.get(f"/studies/{item.study}/metadata").status_code == 200
    assert get(workstation, item) == 0
    rows = audit(guarded, "--study", item.study)
    seen = {(row["actor"], row["channel"], row["action"]) for row in rows}
    assert ("modality", "dicomweb", "store") in seen
    assert ("reader", "dicomweb", "read") in seen
    assert ("WORKSTATION", "dimse", "read") in seen
    rows = [row for row in rows if row["channel"] != "system"]  # the archive lists it by itself
    for row in rows:
        assert row["patient_id"] == ("" if row["action"] == "search" else "GUARDED-1")
        assert row["origin"] == "127.0.0.1"
        assert row["at"]
        assert row["outcome"]
    assert {row["actor"] for row in audit(guarded, "--actor", "reader")} == {"reader"}


def test_audit_shows_who_was_refused_and_who_searched(guarded: Guarded) -> None:
    assert guarded.web("modality").get("/studies?PatientID=GUARDED-1").status_code == 403
    assert guarded.web("reader").get("/studies?PatientID=GUARDED-1").status_code == 200
    rows = audit(guarded)
    outcomes = {(row["actor"], row["action"], row["outcome"]) for row in rows}
    searched = {(actor, outcome) for actor, action, outcome in outcomes if action == "search"}
    assert {actor for actor, _ in searched} >= {"modality", "reader"}
    assert len({outcome for _, outcome in searched}) > 1, "a refusal looks like a success"


def test_no_patient_data_in_the_log(guarded: Guarded) -> None:
    text = guarded.server.log_path.read_text()
    assert "Doe" not in text
    assert "GUARDED-1" not in text
