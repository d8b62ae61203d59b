"""How a retrieval gets on: sub-operations counted, and whoever asked kept informed (PS3.4 C.4.2.1.6-9)."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from dimse import dataset, status
from dimse.channel import Channel, Counts
from dimse.errors import AssociationEnded, ProtocolError
from dimse.status import Status
from pacs import clock
from pacs.dicom.attributes import tag_of

_FAILED_LIST: Final = tag_of("FailedSOPInstanceUIDList")


class Tally:
    """Tells after every sub-operation, and every few seconds while one lasts: requestors give up
    after about thirty without a pending response. So it speaks from a thread of its own, whatever
    the other one waits for; `quiet` is for what must not be interrupted."""

    def __init__(self, channel: Channel, total: int, every_s: float) -> None:
        self._channel = channel
        self._every_s = every_s
        self._remaining = total
        self._completed = self._failed = self._warning = 0
        self._failures: list[str] = []
        self._reason = ""  # of the first failure
        self._told = clock.monotonic()
        self._cancelled = False
        self._speaking = threading.RLock()
        self._ended = threading.Event()
        self._broken: AssociationEnded | ProtocolError | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        """While this lasts, somebody is told."""
        speaker = threading.Thread(target=self._speak, name="pending", daemon=True)
        speaker.start()
        try:
            yield
        finally:
            self._ended.set()
            speaker.join()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        with self._speaking:
            self.check()
            yield

    def check(self) -> None:
        """Raises what ended the association of whoever asked, if anything did."""
        if self._broken is not None:
            raise self._broken

    def cancelled(self) -> bool:
        with self.quiet():
            self._cancelled = self._cancelled or self._channel.cancelled()
        return self._cancelled

    def count(self, sop_instance: str, outcome: Status) -> None:
        with self.quiet():
            self._remaining = max(self._remaining - 1, 0)
            if outcome.is_success:
                self._completed += 1
            elif outcome.is_warning:
                self._warning += 1
            else:
                self._failed += 1
                self._failures.append(sop_instance)
                self._reason = self._reason or outcome.comment
            self._tell()

    def finish(self, transfer_syntax: str) -> None:
        """The last response, once nothing runs any more."""
        self.check()
        listed = {_FAILED_LIST: {"vr": "UI", "Value": self._failures}}
        self._channel.reply(
            self._outcome(),
            identifier=dataset.encode(listed, transfer_syntax) if self._failures else None,
            counts=self._counts(with_remaining=self._cancelled),
        )

    def _speak(self) -> None:
        due = self._every_s
        while not self._ended.wait(due):
            with self._speaking:
                if self._ended.is_set():
                    return
                silent = clock.monotonic() - self._told
                if silent >= self._every_s:
                    try:
                        self._tell()
                    except (AssociationEnded, ProtocolError) as error:
                        self._broken = error  # told to whoever works, at its next step
                        return
                    silent = 0.0
            due = self._every_s - silent

    def _tell(self) -> None:
        self._channel.reply(status.PENDING, counts=self._counts(with_remaining=True))
        self._told = clock.monotonic()

    def _outcome(self) -> Status:
        if self._cancelled:
            return status.CANCEL
        if not self._failed and not self._warning:
            return status.SUCCESS
        none = not self._completed and not self._warning
        return status.because(status.ALL_FAILED if none else status.SOME_FAILED, self._reason)

    def _counts(self, *, with_remaining: bool) -> Counts:
        remaining = self._remaining if with_remaining else None
        return Counts(remaining, self._completed, self._failed, self._warning)
