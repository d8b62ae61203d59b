"""kill -9 while objects go out by C-MOVE and C-GET, and while commitments are verified and told."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from pydicom.uid import UID
from pynetdicom import evt
from pynetdicom.presentation import build_context, build_role
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelGet

from tests.conftest import TORTURE
from tests.support import dimse_client
from tests.support.archive_server import CLUSTER, LAPTOP, ArchiveServer, Deployment
from tests.support.commitment import Modality, Reports, listening, references
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import Client, Inbox, NotAssociatedError, identifier, station, wait_for
from tests.support.factory import ct_series
from tests.support.ports import free_port

CT = "1.2.840.10008.5.1.4.1.1.2"
GET = StudyRootQueryRetrieveInformationModelGet
EXPLICIT = "1.2.840.10008.1.2.1"
OBJECTS = 5000 if TORTURE else 60
SIDE = 16 if TORTURE else 64
SLOWLY_S = 0.002 if TORTURE else 0.05
PROMPT_S = 120.0 if TORTURE else 40.0
"""The lease of work that died is 10 s; a busy machine needs some more."""


class SlowInbox(Inbox):
    """So that a kill comes in the middle."""

    def handle(self, event: evt.Event) -> int:
        time.sleep(SLOWLY_S)
        return super().handle(event)


@pytest.mark.torture
@pytest.mark.timeout(1500 if TORTURE else 300)
@pytest.mark.parametrize("deployment", [LAPTOP, CLUSTER] if TORTURE else [LAPTOP], ids=str)
def test_nothing_is_lost_and_everything_is_told(
    deployment: Deployment, deploy: Callable[..., ArchiveServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dimse_client, "Inbox", SlowInbox)
    modality = Modality("MODALITY", free_port(), Reports())
    with station([(CT, EXPLICIT)]) as destination:
        peer = f'[dimse.peers.MODALITY]\nhost = "127.0.0.1"\nport = {modality.port}\n'
        server = deploy(deployment, config=destination.config() + peer)
        items = ct_series(OBJECTS, rows=SIDE, columns=SIDE)
        sent = {item.instance: item.digest for item in items}
        assert set(Client(server.dimse_port).store(items).values()) == {0}
        untold = modality.ask(server.dimse_port, references(items[:3]))  # nobody listens yet
        wait_for(lambda: "MODALITY at" in _reason(server, untold))
        moving = threading.Thread(target=_move, args=(server, items, destination.aet))
        getting = _Getting(server, items, SlowInbox())
        moving.start()
        getting.start()
        wait_for(lambda: len(destination.inbox.objects) >= 3 and len(getting.inbox.objects) >= 3)
        asked = modality.ask(server.dimse_port, references(items))
        server.kill9()
        moving.join(60)
        getting.join(60)
        for inbox in (destination.inbox, getting.inbox):
            assert len(inbox.objects) < OBJECTS, "the kill came too late to tell anything"
            assert _digests(inbox).items() <= sent.items(), "by halves"

        server.restart()
        with listening(modality.reports, modality.port):
            for transaction, wanted in ((asked, items), (untold, items[:3])):
                report = modality.reports.of(transaction, PROMPT_S)
                assert report.kept == {item.instance for item in wanted}
        final, _ = Client(server.dimse_port).move(
            identifier("STUDY", StudyInstanceUID=items[0].study), destination.aet
        )
        assert (final.Status, final.NumberOfCompletedSuboperations) == (0, OBJECTS)
        assert _digests(destination.inbox) == sent
        again = _Getting(server, items, Inbox())
        again.run()
        assert _digests(again.inbox) == sent
        assert server.check()["findings"] == []
        assert not [path for path in (server.data / "spool").glob("[!.]*") if path.is_file()]


class _Getting(threading.Thread):
    """C-GET of a study, for as long as the archive lives."""

    def __init__(self, server: ArchiveServer, items: tuple[DicomObject, ...], inbox: Inbox) -> None:
        super().__init__()
        self.inbox = inbox
        self._client = Client(server.dimse_port)
        self._keys = identifier("STUDY", StudyInstanceUID=items[0].study)

    def run(self) -> None:
        contexts = [build_context(GET), build_context(CT, EXPLICIT)]
        roles = [build_role(UID(CT), scp_role=True)]
        handlers = [(evt.EVT_C_STORE, self.inbox.handle)]
        with (
            contextlib.suppress(NotAssociatedError, RuntimeError),
            self._client.association(contexts, roles, handlers) as association,
        ):
            for _ in association.send_c_get(self._keys, GET):
                pass


def _digests(inbox: Inbox) -> dict[str, str]:
    return {uid: one.digest for uid, one in inbox.objects.items()}


def _move(server: ArchiveServer, items: tuple[DicomObject, ...], destination: str) -> None:
    with contextlib.suppress(NotAssociatedError, IndexError, RuntimeError):
        Client(server.dimse_port).move(identifier("STUDY", StudyInstanceUID=items[0].study), destination)


def _listed(server: ArchiveServer) -> Iterator[dict[str, object]]:
    yield from json.loads(server.pacs("commitment", "list", "--json").stdout)


def _reason(server: ArchiveServer, transaction: str) -> str:
    return next(str(one["reason"]) for one in _listed(server) if one["transaction_uid"] == transaction)
