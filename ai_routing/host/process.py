"""The worker's hold on the process of a plugin: start it, ask it, end it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from ai_routing.host.wire import Broken, Late, Message, Wire
from pacs.errors import NotAcceptable, Unavailable

_HIDDEN: Final = ("PACS_", "AWS_")  # settings and secrets of the archive are none of a plugin's business
_ONE_THREAD: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
_BURIED_S: Final = 10.0
_LONGEST: Final = 200

Shown = tuple[dict[str, Any], "np.ndarray[tuple[int, ...], np.dtype[np.float32]]"]
"""What a plugin's Picture has but its pixels, and these."""
Show = Callable[[int, int], Iterator[Shown]]
"""The pictures of a study in so many rows and columns; 0 and 0 for frames as they are."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """What is to be run, and how far it may go."""

    kind: str
    path: str
    memory_bytes: int
    load_seconds: float
    seconds: float


class Process:
    """One running plugin; used by one thread at a time. After a refusal other than NotAcceptable it
    is of no more use (`alive` is False)."""

    def __init__(self, plugin: Plugin) -> None:
        """Raises Unavailable when it does not come up within its time."""
        self._plugin = plugin
        ours, theirs = socket.socketpair()
        self._wire = Wire(ours)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 -- no shell; the path is the administrator's
                _command(plugin, theirs.fileno()),
                stdin=subprocess.PIPE,  # never written to: its end tells of ours
                stdout=subprocess.DEVNULL,  # may hold what was read from a patient's images
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=_environment(),
                start_new_session=True,  # so that its own children end with it
            )
        self.alive = True
        with self._ending():
            self._late_after(plugin.load_seconds)
            message, _ = self._wire.receive()
            if message.get("say") != "ready":
                raise _refusal(message, loading=True)

    def ask(self, study: str, show: Show) -> Message:
        """Version and findings, as they were said.

        Raises NotAcceptable when the plugin cannot read this study, Unavailable when it took too
        long, too much memory, or died; and what `show` raises."""
        with self._ending():
            self._late_after(self._plugin.seconds)
            self._wire.send({"do": "read", "study": study, "seconds": self._plugin.seconds})
            said = self._converse(show)
        if said.get("say") == "failed":
            raise _refusal(said, loading=False)
        answer = said.get("answer")
        if not isinstance(answer, dict):
            raise NotAcceptable("the plugin's answer is none")
        return answer

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_running(self) -> bool:
        """Looks without burying it: until then its number, and that of its group, is nobody else's."""
        look = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return self.alive and os.waitid(os.P_PID, self.pid, look) is None

    def close(self) -> None:
        """End it and everything it started, at once."""
        if not self.alive:
            return
        self.alive = False
        self._wire.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_BURIED_S)

    def _late_after(self, seconds: float) -> None:
        self._seconds = seconds
        self._wire.until = time.monotonic() + seconds

    def _converse(self, show: Show) -> Message:
        """Show what is asked for until the plugin has made up its mind."""
        shown: Iterator[Shown] = iter(())
        while True:
            message, _ = self._wire.receive()
            match message.get("say"):
                case "begin":
                    shown = show(*_size(message))
                case "next":
                    self._send(next(shown, None))
                case "failed" if message.get("what") != "read":
                    raise _refusal(message, loading=False)
                case "answer" | "failed":
                    return message
                case _:
                    raise Broken

    def _send(self, shown: Shown | None) -> None:
        if shown is None:
            self._wire.send({"end": True})
            return
        about, pixels = shown
        cells = np.ascontiguousarray(pixels, "<f4")
        self._wire.send({"picture": {**about, "shape": list(cells.shape)}}, cells.data.cast("B"))

    @contextlib.contextmanager
    def _ending(self) -> Iterator[None]:
        """A conversation that was broken off cannot be taken up again."""
        try:
            yield
        except Late as error:
            self.close()
            raise Unavailable(
                f"the plugin did not answer within {self._seconds:g} seconds and was ended",
                hint="raise timeout_seconds of the model, or look into what it does",
            ) from error
        except Broken as error:
            self.close()
            raise Unavailable(f"the plugin's process ended: {self._how()}") from error
        except BaseException:
            self.close()
            raise

    def _how(self) -> str:
        code = self._process.returncode
        if code is None or code == -signal.SIGKILL:
            return "it was killed or did not keep to the protocol"
        return f"signal {-code}" if code < 0 else f"exit code {code}"


def _size(message: Message) -> tuple[int, int]:
    rows, columns = message.get("rows"), message.get("columns")
    if type(rows) is not int or type(columns) is not int or not (0 <= rows <= 1 << 14 >= columns >= 0):
        raise Broken
    return rows, columns


def _refusal(message: Message, *, loading: bool) -> Unavailable | NotAcceptable:
    """What the plugin's side says, with no more text than it has reason to."""
    reason, hint = _short(message.get("reason")), _short(message.get("hint"))
    match message.get("what"):
        case "memory":
            return Unavailable(
                "the plugin used more memory than it may", hint="raise memory_megabytes of the model"
            )
        case "load":
            return Unavailable(f"the plugin cannot be loaded: {reason}", hint=hint)
        case _ if loading:
            return Unavailable("the plugin cannot be loaded: it did not keep to the protocol")
        case _:
            return NotAcceptable(f"the plugin failed on this study: {reason}", hint=hint)


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else ""
    return "".join(character for character in text[:_LONGEST] if character.isprintable())


def _command(plugin: Plugin, descriptor: int) -> list[str]:
    words = (plugin.kind, plugin.path, descriptor, plugin.memory_bytes, plugin.load_seconds)
    return [sys.executable, "-P", "-m", "ai_routing.host", *map(str, words)]


def _environment() -> dict[str, str]:
    """Ours without the archive's settings; one thread, since every worker has plugins of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_HIDDEN)}
    here = str(Path(__file__).parents[2])
    paths = [here, kept.get("PYTHONPATH", "")]
    return dict.fromkeys(_ONE_THREAD, "1") | kept | {"PYTHONPATH": os.pathsep.join(filter(None, paths))}
