"""kill -9 while objects go out and while commitments are verified and told."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from pynetdicom import evt

from tests.conftest import TORTURE
from tests.support import dimse_client
from tests.support.archive_server import CLUSTER, LAPTOP, ArchiveServer, Deployment
from tests.support.commitment import Modality, Reports, listening, references
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import Client, Inbox, NotAssociatedError, identifier, station, wait_for
from tests.support.factory import ct_series
from tests.support.ports import free_port

CT = "1.2.840.10008.5.1.4.1.1.2"
EXPLICIT = "1.2.840.10008.1.2.1"
OBJECTS = 400 if TORTURE else 60
PROMPT_S = 40.0
"""The lease of work that died is 10 s; a busy machine needs some more."""


class SlowInbox(Inbox):
    """So that a kill comes in the middle."""

    def handle(self, event: evt.Event) -> int:
        time.sleep(0.05)
        return super().handle(event)


@pytest.mark.torture
@pytest.mark.parametrize("deployment", [LAPTOP, CLUSTER] if TORTURE else [LAPTOP], ids=str)
def test_nothing_is_lost_and_everything_is_told(
    deployment: Deployment, deploy: Callable[..., ArchiveServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dimse_client, "Inbox", SlowInbox)
    modality = Modality("MODALITY", free_port(), Reports())
    with station([(CT, EXPLICIT)]) as destination:
        peer = f'[dimse.peers.MODALITY]\nhost = "127.0.0.1"\nport = {modality.port}\n'
        server = deploy(deployment, config=destination.config() + peer)
        items = ct_series(OBJECTS, rows=64, columns=64)
        assert set(Client(server.dimse_port).store(items).values()) == {0}
        untold = modality.ask(server.dimse_port, references(items[:3]))  # nobody listens yet
        wait_for(lambda: "MODALITY at" in _reason(server, untold))
        moving = threading.Thread(target=_move, args=(server, items, destination.aet))
        moving.start()
        wait_for(lambda: len(destination.inbox.objects) >= 3)
        asked = modality.ask(server.dimse_port, references(items))
        server.kill9()
        moving.join(60)
        assert len(destination.inbox.objects) < OBJECTS, "the kill came too late to tell anything"

        server.restart()
        with listening(modality.reports, modality.port):
            for transaction, wanted in ((asked, items), (untold, items[:3])):
                report = modality.reports.of(transaction, PROMPT_S)
                assert report.kept == {item.instance for item in wanted}
        final, _ = Client(server.dimse_port).move(
            identifier("STUDY", StudyInstanceUID=items[0].study), destination.aet
        )
        assert (final.Status, final.NumberOfCompletedSuboperations) == (0, OBJECTS)
        assert {uid: one.digest for uid, one in destination.inbox.objects.items()} == {
            item.instance: item.digest for item in items
        }
        assert server.check()["findings"] == []
        assert not [path for path in (server.data / "spool").iterdir() if path.is_file()]


def _move(server: ArchiveServer, items: tuple[DicomObject, ...], destination: str) -> None:
    with contextlib.suppress(NotAssociatedError, IndexError, RuntimeError):
        Client(server.dimse_port).move(identifier("STUDY", StudyInstanceUID=items[0].study), destination)


def _listed(server: ArchiveServer) -> Iterator[dict[str, object]]:
    yield from json.loads(server.pacs("commitment", "list", "--json").stdout)


def _reason(server: ArchiveServer, transaction: str) -> str:
    return next(str(one["reason"]) for one in _listed(server) if one["transaction_uid"] == transaction)
