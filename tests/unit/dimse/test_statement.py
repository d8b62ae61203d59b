"""The conformance statement: the committed one is what the code says, and nothing is left out."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from dimse import contexts, session, statement, status
from dimse.command import Operation
from dimse.statement.services import SERVICES, Service
from dimse.status import Status
from pacs.config import Config, DimseConfig, Peer, TlsConfig
from pacs.dicom.attributes import ATTRIBUTES
from pacs.ingest.examine import RULES

COMMITTED = Path(__file__).parents[3] / "docs" / "conformance.md"
TEXT = statement.write(Config())


def test_the_committed_statement_is_the_generated_one() -> None:
    assert COMMITTED.read_text() == TEXT, "run: pacs conformance > docs/conformance.md"


def test_every_service_is_stated_once() -> None:
    """A service that is answered joins `dimse.statement.services`."""
    stated = [
        (uid, operation)
        for service in SERVICES
        for operation in service.operations
        for uid in service.sop_classes
        if service.scp and (uid in contexts.NORMALIZED or uid == service.sop_classes[0])
    ]
    answered = [operation for uid, operation in stated if uid not in contexts.NORMALIZED]
    assert sorted(answered) == sorted(session.SERVICES)
    assert {pair for pair in stated if pair[0] in contexts.NORMALIZED} == session.NORMALIZED.keys()


def test_every_sop_class_that_is_accepted_is_stated() -> None:
    accepted = {contexts.VERIFICATION, *contexts.STORAGE, *contexts.NORMALIZED}
    accepted |= {uid for models in contexts.MODELS.values() for uid in models}
    assert accepted == {uid for service in SERVICES for uid in service.sop_classes}
    for uid in accepted | contexts.TRANSFER_SYNTAXES:
        assert re.search(rf"\| {re.escape(uid)} \|", TEXT), uid


def section(title: str) -> str:
    return TEXT.split(f"\n### {title}\n", 1)[1].split("\n### ", 1)[0]


@pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.title)
def test_every_status_of_a_service_is_stated(service: Service) -> None:
    for operation in service.operations:
        for one in (*status.OF_SERVICE[operation], *status.of_errors(operation), *status.OF_EVERY_SERVICE):
            assert f"| {one.code:04X} |" in section(service.title)


INNER = {status.NOT_SENT, status.NOT_READ}  # of sub-operations: counted, never sent


def test_every_status_that_is_known_is_one_of_a_service() -> None:
    """A new constant of `dimse.status` joins OF_SERVICE."""
    known = {one for one in vars(status).values() if isinstance(one, Status)} - INNER
    listed = {one for ones in status.OF_SERVICE.values() for one in ones} | set(status.OF_EVERY_SERVICE)
    assert known <= listed
    normalized = {operation for _, operation in session.NORMALIZED}
    assert status.OF_SERVICE.keys() == session.SERVICES.keys() | normalized


def test_every_reason_to_refuse_an_object_is_stated() -> None:
    for reason in RULES.values():
        assert f"| {reason} |" in section("Storage")


def test_every_attribute_of_the_index_is_stated_as_a_key() -> None:
    for attribute in ATTRIBUTES:
        assert f"| {attribute.keyword} |" in section("Query")


def test_it_says_how_this_archive_is_configured() -> None:
    peer = Peer("CT1", "ct1.example", 104, rights=("echo", "store"))
    dimse = replace(
        DimseConfig(),
        aet="MAIN",
        port=104,
        unknown_stations="refuse",
        require_called_aet=True,
        user_identity="required",
        transfer_syntaxes=("1.2.840.10008.1.2.4.80",),
        tls=TlsConfig(certificate="/x.pem", client="required"),
        peers=MappingProxyType({"CT1": peer}),
    )
    said = statement.write(Config(dimse=dimse))
    for expected in (
        "MAIN by default, on TCP port 104",
        "Unknown stations are refused (configurable)",
        "The called AE title must be ours.",
        "| CT1 | ct1.example | 104 | no | viewer, sender | echo, store |",
        "It is JPEG-LS Lossless Image Compression.",
        "Callers must show a certificate; without TLS they are refused.",
        "User identity is required.",
    ):
        assert expected in said, expected


def test_the_command_writes_it(tmp_path: Path) -> None:
    (tmp_path / "hilum.toml").write_text('[dimse]\naet = "OTHER"\n')
    done = subprocess.run(
        [sys.executable, "-m", "pacs", "conformance", "--config", "hilum.toml"],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == TEXT.replace("one application entity, HILUM", "one application entity, OTHER")
    assert list(tmp_path.iterdir()) == [tmp_path / "hilum.toml"]


def test_operations_have_names_of_the_standard() -> None:
    for operation in Operation:
        assert re.fullmatch(r"[CN]_[A-Z_]+", operation.name)
