"""The process of one plugin: loads it, then reads study after study, until the worker is gone.

    python -P -m ai_routing.host KIND PATH SOCKET MEMORY SECONDS

What the plugin raises is told by its kind and its place in the code; its text stays here, since it
may hold what was read from a patient's images.
"""

import os
import socket
import sys
import traceback
from pathlib import Path

from ai_routing.host import limits
from ai_routing.host.answers import plain
from ai_routing.host.load import Read, Unloadable, load
from ai_routing.host.study import AskedStudy
from ai_routing.host.wire import LONGEST_PIXELS, Broken, Message, Wire
from ai_routing.model import Answer


def main() -> None:
    kind, path, descriptor, memory, seconds = sys.argv[1:]
    limits.end_with_the_worker()
    limits.confine(int(memory))
    deadline = limits.Deadline()
    wire = Wire(socket.socket(fileno=int(descriptor)), most_pixels=LONGEST_PIXELS)
    deadline.begin(float(seconds))
    try:
        read = load(kind, path)
    except BaseException as error:  # noqa: BLE001 -- also sys.exit() of the plugin: all of it is told
        wire.send(_failure(error, loading=True))
        return
    deadline.end()
    wire.send({"say": "ready"})
    while True:
        job, _ = wire.receive()
        deadline.begin(float(job["seconds"]))
        try:
            _work(wire, read, str(job["study"]))
        finally:
            deadline.end()


def _work(wire: Wire, read: Read, study: str) -> None:
    try:
        answer = read(AskedStudy(study, wire))
        if not isinstance(answer, Answer):
            raise TypeError("a plugin returns an ai_routing.model.Answer")  # noqa: TRY301 -- is told as all else
        said: Message = {"say": "answer", "answer": plain(answer)}
    except Broken:
        raise
    except BaseException as error:  # noqa: BLE001 -- as above
        said = _failure(error, loading=False)
    wire.send(said)
    if said.get("what") == "memory":
        os._exit(1)  # whatever the plugin still holds goes with it


def _failure(error: BaseException, *, loading: bool) -> Message:
    if isinstance(error, Unloadable):
        return {"say": "failed", "what": "load", "reason": str(error), "hint": error.hint}
    if isinstance(error, MemoryError):
        return {"say": "failed", "what": "memory", "reason": "", "hint": ""}
    reason = f"{type(error).__name__} at {_place(error)}"
    return {"say": "failed", "what": "load" if loading else "read", "reason": reason, "hint": ""}


def _place(error: BaseException) -> str:
    """File and line of the innermost code, without folders."""
    if isinstance(error, SyntaxError):
        return f"{Path(error.filename or '?').name}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"


if __name__ == "__main__":
    main()
