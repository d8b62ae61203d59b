"""Peers that vanish without a word, and peers that say nothing for long: on a real archive."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from dimse import command
from dimse.associate import Role
from dimse.command import Command, Operation
from pacs.config import DimseConfig
from pacs.dicom import uids
from tests.conformance.dimse.conftest import House, serving
from tests.conformance.dimse.test_broken_associations import live, spooled
from tests.conftest import TORTURE
from tests.support.dicom_object import DicomObject
from tests.support.dimse_client import wait_for
from tests.support.factory import ct_series
from tests.unit.dimse.fakes import CT, GET, VERIFICATION, Peer, store_rq, value

HELD_S = 600.0 if TORTURE else 2.0
KEEPALIVE = 2  # timer_active of /proc/net/tcp (Linux, Documentation/networking/proc_net_tcp)


@pytest.fixture
def short(tmp_path: Path) -> Iterator[House]:
    with serving(tmp_path, idle_timeout=0.8, acse_timeout=0.8) as house:
        yield house


def call(house: House, **options: int) -> Peer:
    sock = socket.socket()
    for name, size in options.items():
        sock.setsockopt(socket.SOL_SOCKET, getattr(socket, name), size)
    sock.settimeout(60)
    sock.connect(("127.0.0.1", house.port))
    return Peer(sock)


def study_keys(item: DicomObject) -> bytes:
    uid = item.study.encode() + b"\0" * (len(item.study) % 2)
    level = bytes.fromhex("0800 5200 4353 0600") + b"STUDY "
    return level + bytes.fromhex("2000 0D00 5549") + len(uid).to_bytes(2, "little") + uid


def test_gone_in_the_middle_of_an_object(short: House) -> None:
    """Nothing more ever comes, not even the end of the connection."""
    (item,) = ct_series(1, rows=64, columns=64)
    with call(short) as peer:
        peer.associate()
        peer.send(value(3, command.encode(store_rq(1, item.instance)), is_command=True, is_last=True))
        peer.send(value(3, item.dataset[:1000]))
        wait_for(lambda: spooled(short))
        wait_for(lambda: not live("dimse-"))
        assert not spooled(short)
    assert set(short.client.store([item]).values()) == {0}


def test_gone_while_objects_are_sent_to_it(short: House) -> None:
    """It takes nothing any more: what is sent fills the buffers and stays there."""
    items = ct_series(8, rows=1024, columns=1024)
    assert set(short.client.store(items).values()) == {0}
    wait_for(lambda: not live("dimse-"))
    with call(short, SO_RCVBUF=4096) as peer:
        peer.associate(
            (GET, uids.EXPLICIT_LE), (CT, uids.EXPLICIT_LE), roles=(Role(CT, scu=False, scp=True),)
        )
        asked = Command(Operation.C_GET, message_id=1, sop_class=GET, dataset_type=1)
        peer.request(1, asked, study_keys(items[0]))
        wait_for(lambda: live("pending"))
        wait_for(lambda: not live("dimse-") and not live("pending"))
    with call(short) as other:
        other.associate()
        assert other.echo() == 0


def test_gone_before_the_release_is_confirmed(short: House) -> None:
    with call(short) as peer:
        peer.associate()
        peer.send(bytes.fromhex("05 00 00000004 00000000"))
        wait_for(lambda: not live("dimse-"))


def test_a_host_that_lost_its_power_is_noticed_before_the_time_out(house: House) -> None:
    """TCP asks after 30 s of silence, three times: the association may be idle for a quarter of an hour."""
    assert DimseConfig().idle_timeout >= 900
    with call(house) as peer:
        peer.associate()
        assert peer.echo() == 0
        port = peer.sock.getsockname()[1]
        wait_for(lambda: kernel_timer(house.port, port)[0] == KEEPALIVE)  # once the answer is confirmed
        assert kernel_timer(house.port, port)[1] <= 31


def kernel_timer(local: int, remote: int) -> tuple[int, float]:
    """What the kernel waits for on a connection of this machine, and for how long still."""
    ending = (f":{local:04X}", f":{remote:04X}")
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[1].endswith(ending[0]) and fields[2].endswith(ending[1]):
            active, when = fields[5].split(":")
            return int(active, 16), int(when, 16) / 100
    raise AssertionError("no such connection")


@pytest.mark.torture
@pytest.mark.timeout(900)
def test_an_association_may_be_held_for_long(house: House) -> None:
    """As modalities do: the long form waits ten minutes, with the settings as they come."""
    (item,) = ct_series(1, rows=8, columns=8)
    with call(house) as peer:
        peer.associate((VERIFICATION, uids.IMPLICIT_LE), (CT, uids.EXPLICIT_LE))
        assert peer.echo() == 0
        time.sleep(HELD_S)
        assert peer.store(item.dataset, instance=item.instance).status == 0
        peer.release()
    assert threading.active_count() < 50
