"""The DIMSE service over a real archive, in this process."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import pytest

from dimse.service import serve
from pacs.config import AuthConfig, Config, DimseConfig, IndexConfig, Peer, StoreConfig, TokenEntry
from pacs.runtime import Archive, open_archive
from tests.support.dimse_client import Client, Station


@dataclass(frozen=True, slots=True)
class House:
    """A served archive."""

    archive: Archive
    port: int

    @property
    def client(self) -> Client:
        return Client(self.port)


TOKEN = TokenEntry("x", "sha256:" + "0" * 64, ("viewer",))

Open = Callable[..., House]


@contextlib.contextmanager
def serving(
    folder: Path,
    *stations: Station,
    callers: tuple[Peer, ...] = (),
    peers: tuple[Peer, ...] = (),
    tokens: tuple[TokenEntry, ...] = (TOKEN,),
    index_url: str = "",
    conflict: Literal["supersede", "keep-first"] = "supersede",
    **dimse: Any,
) -> Iterator[House]:
    """An archive whose known destinations are these stations. With `callers`, authentication is on and
    nobody else is known; `peers` are known without it."""
    known = {s.aet: Peer(s.aet, "127.0.0.1", s.port) for s in stations}
    known |= {peer.aet: peer for peer in (*callers, *peers)}
    auth = AuthConfig(tokens=tokens if callers else ())
    settings = replace(DimseConfig(), peers=MappingProxyType(known), **dimse)
    stop = threading.Event()
    with contextlib.ExitStack() as stack:
        index, store = IndexConfig(index_url), StoreConfig(conflict=conflict)
        config = Config(data=folder / "data", index=index, store=store, dimse=settings, auth=auth)
        archive = open_archive(config)
        stack.callback(archive.close)
        sock = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=64))
        thread = threading.Thread(target=serve, args=(archive, sock, stop))
        thread.start()
        stack.callback(thread.join, 15)
        stack.callback(stop.set)
        yield House(archive, sock.getsockname()[1])


@pytest.fixture
def open_house(tmp_path: Path) -> Iterator[Open]:
    with contextlib.ExitStack() as stack:

        def make(*stations: Station, **settings: Any) -> House:
            return stack.enter_context(serving(tmp_path, *stations, **settings))

        yield make


@pytest.fixture
def house(open_house: Open) -> House:
    return open_house()
