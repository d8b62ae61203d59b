"""One request as a handler sees it: who asks, where from, and for what."""

import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.websockets import WebSocket

from dicomweb import media
from dicomweb.urls import Outside
from pacs.auth.actor import Actor
from pacs.dicom import uids
from pacs.dicom.uids import InstanceKey
from pacs.errors import Invalid
from pacs.retrieve.selection import Wanted
from pacs.runtime import Archive

_FRAMES: Final = re.compile(r"[0-9]{1,9}(,[0-9]{1,9})*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Call:
    archive: Archive
    actor: Actor
    outside: Outside
    request: Request

    @property
    def accepted(self) -> tuple[media.Range, ...]:
        """The query parameter wins over the header (PS3.18 8.3.3.1)."""
        by_query = media.accept_parameter(self.request.scope["query_string"].decode("latin-1"))
        by_header = ",".join(self.request.headers.getlist("accept"))
        return media.parse_accept(by_header if by_query is None else by_query)

    @property
    def only_head(self) -> bool:
        return self.request.method == "HEAD"

    @property
    def path(self) -> str:
        """As it was asked for, without what a proxy put before it."""
        return str(self.request.scope["path"])

    def header(self, name: str) -> str:
        return self.request.headers.get(name, "")

    def part(self, name: str) -> str:
        """A piece of the path, empty when the route has none of that name."""
        return str(self.request.path_params.get(name, ""))

    def uid(self, name: str) -> str:
        """A UID of the path; raises Invalid for what is none."""
        uid = self.part(name)
        if uid and not uids.is_valid(uid):
            raise Invalid(f"the {name} in the address is not a UID")
        return uid

    @property
    def key(self) -> InstanceKey:
        return InstanceKey(self.uid("study"), self.uid("series"), self.uid("instance"))

    def frames(self, most: int) -> tuple[int, ...]:
        """The numbers in the path, none where it names none. Raises Invalid."""
        return frame_numbers(self.part("frames"), most)

    @property
    def wanted(self) -> Wanted:
        """What the path names: a study, one of its series, or one of that series' instances."""
        return Wanted(
            studies=_one(self.uid("study")),
            series=_one(self.uid("series")),
            instances=_one(self.uid("instance")),
        )


@dataclass(frozen=True, slots=True)
class Listener:
    """One WebSocket, not yet accepted, with who opens it."""

    archive: Archive
    actor: Actor
    socket: WebSocket


def frame_numbers(text: str, most: int) -> tuple[int, ...]:
    """PS3.18 8.2: from 1, joined by commas, in any order. None of an empty text. Raises Invalid."""
    if not text:
        return ()
    if not _FRAMES.fullmatch(text):
        raise Invalid("frames are numbers from 1, joined by commas", hint="ask for .../frames/1,2")
    numbers = tuple(map(int, text.split(",")))
    if len(numbers) > most:
        raise Invalid(f"more than {most} frames are asked for at once")
    if min(numbers) < 1:
        raise Invalid("frame numbers begin at 1 (PS3.18 8.2)", hint="ask for .../frames/1")
    return numbers


def _one(uid: str) -> tuple[str, ...]:
    return (uid,) if uid else ()
