"""Every readable packaged file goes in by each wire and comes out by each wire, bit for bit."""

from collections import Counter
from collections.abc import Callable, Mapping

import pytest
from pydicom.dataset import Dataset

from tests.support import corpus
from tests.support.archive_server import CLUSTER, LAPTOP, ArchiveServer, Deployment
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import Client, Station, identifier, station
from tests.support.web_client import Web, digests_of

Wave = tuple[DicomObject, ...]
PAIRS = tuple(dict.fromkeys((item.sop_class, item.transfer_syntax) for item in corpus.objects()))


def by_store(server: ArchiveServer, wave: Wave) -> None:
    statuses = Client(server.dimse_port).store(wave)
    refused = {item.name: hex(statuses[item.instance]) for item in wave if statuses[item.instance] != 0}
    assert not refused


def by_stow(server: ArchiveServer, wave: Wave) -> None:
    answer = Web(server.root).store(wave)
    assert answer.status == 200, f"{answer.status} {answer.text[:2000]}"
    assert answer.stored == {item.instance for item in wave}


SENDERS: Mapping[str, Callable[[ArchiveServer, Wave], None]] = {"C-STORE": by_store, "STOW-RS": by_stow}


def out_by_wado(server: ArchiveServer, wave: Wave, _: Station) -> dict[str, str]:
    web = Web(server.root)
    found = {}
    for item in wave:
        (digest,) = digests_of(web.objects(item.path()))
        found[item.instance] = digest
    return found


def out_by_get(server: ArchiveServer, wave: Wave, _: Station) -> dict[str, str]:
    final, received = Client(server.dimse_port).get(studies_of(wave), PAIRS)
    assert final.Status == 0, final
    return {uid: item.digest for uid, item in received.items()}


def out_by_move(server: ArchiveServer, wave: Wave, destination: Station) -> dict[str, str]:
    destination.inbox.objects.clear()
    final, _ = Client(server.dimse_port).move(studies_of(wave), destination.aet)
    assert final.Status == 0, final
    return {uid: item.digest for uid, item in destination.inbox.objects.items()}


RECEIVERS = {"WADO-RS": out_by_wado, "C-GET": out_by_get, "C-MOVE": out_by_move}


def studies_of(wave: Wave) -> Dataset:
    return identifier("STUDY", StudyInstanceUID=sorted({item.study for item in wave}))


@pytest.mark.parametrize("wire", SENDERS)
@pytest.mark.parametrize("deployment", [LAPTOP, CLUSTER], ids=str)
def test_bit_identical_over_every_wire(
    wire: str,
    deployment: Deployment,
    deploy: Callable[..., ArchiveServer],
    capsys: pytest.CaptureFixture[str],
) -> None:
    with station(PAIRS) as destination:
        server = deploy(deployment, dimse_settings=destination.config())
        for wave in corpus.waves():
            SENDERS[wire](server, wave)
            for name, receive in RECEIVERS.items():
                received = receive(server, wave, destination)
                wrong = [item.name for item in wave if received.get(item.instance) != item.digest]
                assert not wrong, f"in by {wire}, out by {name}"
    sent = corpus.objects()
    with capsys.disabled():
        print(
            f"\n{wire} on {deployment}: {len(sent)} files, "
            f"{len({item.transfer_syntax for item in sent})} transfer syntaxes, "
            f"{len({item.sop_class for item in sent})} SOP classes, "
            f"{len({item.instance for item in sent})} instances, out by {', '.join(RECEIVERS)}"
        )


def test_the_corpus_is_as_large_as_it_was() -> None:
    """A change of pydicom's wheel, or of what we call readable, must be noticed."""
    syntaxes = Counter(item.transfer_syntax for item in corpus.objects())
    assert len(corpus.objects()) >= 160
    assert len(syntaxes) >= 11
    assert len(corpus.incomplete()) == len(corpus.INCOMPLETE)
