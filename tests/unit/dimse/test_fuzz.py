"""Mutated PDUs on the port: whatever comes, the caller is answered or put out, and the next is served."""

import logging
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from dimse import associate, command, pdu
from dimse.associate import AssociateRequest, Proposed, Role
from dimse.command import Command, Operation
from dimse.userinfo import Extension, Identity, Window
from pacs.dicom import uids
from tests.conftest import TORTURE
from tests.unit.dimse.fakes import CT, FIND, GET, VERIFICATION, Running, service, store_rq, value

PDUS = 200_000 if TORTURE else 2400
CALLERS = 4

Mutation = Callable[[random.Random, bytearray], None]

CONTEXTS = tuple(
    Proposed(2 * i + 1, uid, (uids.EXPLICIT_LE, uids.IMPLICIT_LE))
    for i, uid in enumerate((VERIFICATION, CT, FIND, GET))
)
REQUEST = associate.encode_request(
    AssociateRequest(
        "HILUM",
        "PEER",
        CONTEXTS,
        16_384,
        (Role(CT, scu=True, scp=True),),
        window=Window(3, 3),
        extended=(Extension(FIND, b"\1\1\1"),),
        identity=Identity(2, b"anna", b"secret", wants_answer=True),
    )
)
KEYS = bytes.fromhex("0800 5200 4353 0600") + b"STUDY " + bytes.fromhex("2000 0D00 5549 0000")


def said(context: int, message: Command, *data: bytes) -> list[bytes]:
    pieces = [value(context, one, is_last=one is data[-1]) for one in data]
    return [value(context, command.encode(message), is_command=True, is_last=True), *pieces]


CONVERSATION = [
    REQUEST,
    *said(1, Command(Operation.C_ECHO, message_id=1, sop_class=VERIFICATION)),
    *said(3, store_rq(2), bytes(3000), bytes(500)),
    *said(5, Command(Operation.C_FIND, message_id=3, sop_class=FIND, dataset_type=1), KEYS),
    *said(7, Command(Operation.C_GET, message_id=4, sop_class=GET, dataset_type=1), KEYS),
    *said(5, Command(Operation.C_CANCEL, responded_to=3)),
    pdu.release_rq(),
]


def flip(rng: random.Random, raw: bytearray) -> None:
    for _ in range(rng.choice((1, 1, 1, 2, 8))):
        raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)


def set_bytes(rng: random.Random, raw: bytearray) -> None:
    """An extreme number where a length may stand."""
    extreme = rng.choice((b"\0\0", b"\xff\xff", b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff", b"\0\1"))
    where = rng.randrange(max(len(raw) - len(extreme), 1))
    raw[where : where + len(extreme)] = extreme


def cut_out(rng: random.Random, raw: bytearray) -> None:
    where = rng.randrange(len(raw))
    del raw[where : where + rng.randrange(1, 20)]


def cut_out_in_frame(rng: random.Random, raw: bytearray) -> None:
    """Something is missing, yet the PDU's own length is right."""
    body = bytearray(raw[6:])
    if body:
        cut_out(rng, body)
    raw[2:] = struct.pack(">I", len(body)) + body


def insert(rng: random.Random, raw: bytearray) -> None:
    where = rng.randrange(len(raw))
    raw[where:where] = rng.randbytes(rng.randrange(1, 40))


def repeat(_: random.Random, raw: bytearray) -> None:
    raw += bytes(raw)


def noise(rng: random.Random, raw: bytearray) -> None:
    raw[6:] = rng.randbytes(len(raw) - 6)


MUTATIONS: tuple[Mutation, ...] = (flip, flip, set_bytes, cut_out, cut_out_in_frame, insert, repeat, noise)


def converse(port: int, rng: random.Random) -> None:
    """One association with one mutated PDU in it, to the end of the connection."""
    spoiled = rng.randrange(len(CONVERSATION))
    raw = bytearray(CONVERSATION[spoiled])
    rng.choice(MUTATIONS)(rng, raw)
    if rng.random() < 0.2:
        del raw[rng.randrange(len(raw) + 1) :]
    with socket.create_connection(("127.0.0.1", port), timeout=60) as sock:
        with suppress(ConnectionError):
            sock.sendall(b"".join((*CONVERSATION[:spoiled], raw, *CONVERSATION[spoiled + 1 :])))
        with suppress(OSError):
            sock.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while sock.recv(65_536):
                pass


def sockets() -> int:
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            found += str(link.readlink()).startswith("socket:")
    return found


def forget(running: Running) -> None:
    """What is over takes no memory in a long run."""
    running.archive.kept.clear()
    running.archive.queries.clear()
    running.archive.wanted.clear()
    running.archive.spools[:] = [spool for spool in running.archive.spools if not spool.closed]


def settled(running: Running, limit: float = 20.0) -> bool:
    """Whether the service has no associations any more."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if not [one for one in threading.enumerate() if one.name.startswith("dimse-")]:
            return all(spool.closed for spool in running.archive.spools)
        time.sleep(0.02)
    return False


class Forgetful(logging.Handler):
    """Writes every line and keeps none: what pytest keeps of them holds the buffers of associations."""

    def emit(self, record: logging.LogRecord) -> None:
        assert self.format(record)


@contextmanager
def unkept() -> Iterator[None]:
    """Pytest gives its handlers also to loggers that do not propagate, when the test begins."""
    logger = logging.getLogger("dimse")
    logger.handlers, logger.propagate = [Forgetful()], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = [], True


@pytest.mark.torture
@pytest.mark.timeout(7200 if TORTURE else 300)
def test_mutated_pdus() -> None:
    seed = int(os.environ.get("HILUM_SEED", "0")) or random.randrange(1 << 32)
    print(f"HILUM_SEED={seed}")
    with unkept(), service(acse_timeout=30.0, idle_timeout=30.0) as running:
        before, memory = sockets(), psutil.Process().memory_info().rss
        trouble: list[BaseException] = []

        def call(number: int) -> None:
            rng = random.Random(seed + number)
            try:
                for _ in range(PDUS // CALLERS):
                    converse(running.port, rng)
                    forget(running)
            except BaseException as error:  # noqa: BLE001 - told by the test below
                trouble.append(error)

        callers = [threading.Thread(target=call, args=(number,)) for number in range(CALLERS)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        assert not trouble
        assert settled(running)
        assert sockets() == before
        grown = psutil.Process().memory_info().rss - memory
        print(f"{PDUS} mutated PDUs: {grown / 2**20:.0f} MiB more than before")
        assert grown < 64 << 20
        with running.peer() as peer:
            peer.associate()
            assert peer.echo() == 0
            assert peer.store(b"x" * 1000).status == 0
            peer.release()
        assert running.archive.kept[-1].endswith(b"x" * 1000)
