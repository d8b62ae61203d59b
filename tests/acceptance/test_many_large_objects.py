"""Ten senders of an object of 1 GB each at once, by C-STORE and by STOW-RS: what the archive takes for it."""

import itertools
import os
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from pydicom.uid import ExplicitVRLittleEndian, MultiFrameGrayscaleWordSecondaryCaptureImageStorage

from dimse import command
from pacs.dicom import uids
from tests.conftest import TORTURE
from tests.support.archive_server import ArchiveServer
from tests.support.dicom_object import part10_prefix
from tests.support.factory import Patient, ct_dataset, encode, fresh_uid
from tests.support.resources import peak_memory
from tests.support.web_client import Web
from tests.unit.dimse.fakes import VERIFICATION, Peer, store_rq, value

MULTI_FRAME = str(MultiFrameGrayscaleWordSecondaryCaptureImageStorage)
SENDERS = 10
FRAMES = 512 if TORTURE else 12  # of 2 MiB each
PER_SENDER = 64 << 20
PIECE = 1 << 16
NOISE = os.urandom(2 << 20)


@dataclass(frozen=True, slots=True)
class Large:
    """Made as it is sent: nothing of it is held."""

    study: str = field(default_factory=fresh_uid)
    instance: str = field(default_factory=fresh_uid)

    def head(self) -> bytes:
        ds = ct_dataset(
            self.study, fresh_uid(), 1, patient=Patient(id="BIG"), rows=1024, columns=1024, pixels=b""
        )
        ds.SOPClassUID, ds.SOPInstanceUID = MULTI_FRAME, self.instance
        ds.Modality, ds.NumberOfFrames = "OT", FRAMES
        del ds.PixelData
        return encode(ds) + struct.pack("<HH2sHI", 0x7FE0, 0x0010, b"OW", 0, FRAMES * len(NOISE))

    def pieces(self) -> Iterator[bytes]:
        yield self.head()
        for number in range(FRAMES):
            yield struct.pack("<Q", number) + NOISE[8:PIECE]
            yield from (NOISE[begin : begin + PIECE] for begin in range(PIECE, len(NOISE), PIECE))


def by_store(server: ArchiveServer, item: Large) -> None:
    with Peer(socket.create_connection(("127.0.0.1", server.dimse_port), timeout=300)) as peer:
        peer.associate((VERIFICATION, uids.IMPLICIT_LE), (MULTI_FRAME, uids.EXPLICIT_LE))
        peer.send(
            value(3, command.encode(store_rq(1, item.instance, MULTI_FRAME)), is_command=True, is_last=True)
        )
        for piece in item.pieces():
            peer.send(value(3, piece))
        peer.send(value(3, b"", is_last=True))
        assert peer.message()[0].status == 0
        peer.release()


def by_stow(server: ArchiveServer, item: Large) -> None:
    prefix = part10_prefix(MULTI_FRAME, item.instance, ExplicitVRLittleEndian)
    answer = httpx.post(
        f"{server.root}/studies",
        content=itertools.chain((prefix,), item.pieces()),
        headers={"Content-Type": "application/dicom"},
        timeout=600,
    )
    assert answer.status_code == 200, answer.text[:500]


@pytest.mark.torture
@pytest.mark.timeout(1800 if TORTURE else 300)
@pytest.mark.parametrize("send", [by_store, by_stow], ids=["C-STORE", "STOW-RS"])
def test_memory_does_not_follow_the_size(
    send: Callable[[ArchiveServer, Large], None], laptop: ArchiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    send(laptop, Large())  # what is imported once has been
    idle = sum(process.memory_info().rss for process in laptop.processes())
    items = [Large() for _ in range(SENDERS)]
    with peak_memory(laptop) as peaks:
        senders = [threading.Thread(target=send, args=(laptop, item)) for item in items]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
    found = {match["00080018"]["Value"][0] for match in Web(laptop.root).search("/instances", {})}
    assert {item.instance for item in items} <= found
    grown = sum(peaks.values()) - idle
    size = FRAMES * len(NOISE) / 2**30
    with capsys.disabled():
        print(f"\n{SENDERS} x {size:.2f} GiB by {send.__name__}: {grown / SENDERS / 2**20:.1f} MiB each")
    assert grown <= SENDERS * PER_SENDER
    for path in laptop.data.rglob("*.dcm"):
        path.unlink()  # nobody needs them until the folder is cleaned
