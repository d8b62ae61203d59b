"""Models that run beside the worker: a Python function or an ONNX file, each in a process of its own
that can be ended without harm."""

import contextlib
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import orjson

from ai_routing import wire
from ai_routing.host.process import Plugin, Process, Show, Shown
from ai_routing.model import Answer, Job
from ai_routing.pictures import fitted, prepare
from pacs import log
from pacs.auth.actor import Actor, system
from pacs.breaker import Breaker
from pacs.config import AiModel
from pacs.errors import NotAcceptable, Unavailable
from pacs.retrieve.deliver import Image
from pacs.retrieve.selection import Wanted

_log = log.get(__name__)

_MEGABYTE: Final = 1 << 20
_LOAD_S: Final = (30.0, 100.0)
"""Loading may take as long as reading, and at least and at most so long: a run's lease is longer than
both together."""
_PATIENCE_S: Final = 5.0


class Retrieve(Protocol):
    def samples(self, actor: Actor, wanted: Wanted) -> Iterator[Image]: ...


class Archive(Protocol):
    @property
    def retrieve(self) -> Retrieve: ...


def build(config: AiModel, archive: Archive) -> "PluginModel":
    shortest, longest = _LOAD_S
    plugin = Plugin(
        kind=config.kind,
        path=config.path,
        memory_bytes=config.memory_megabytes * _MEGABYTE,
        load_seconds=min(max(config.timeout_seconds, shortest), longest),
        seconds=config.timeout_seconds,
    )
    return PluginModel(config.name, plugin, archive.retrieve, workers=config.workers)


@dataclass(slots=True)
class _Idle:
    """A process that waits for work, and how its file looked when it was started."""

    process: Process
    file: tuple[int, ...]


class PluginModel:
    """Thread-safe: at most `workers` processes at once, kept from study to study. They are started
    when there is work, and again when the plugin's file has changed."""

    def __init__(self, name: str, plugin: Plugin, retrieve: Retrieve, *, workers: int = 1) -> None:
        self._actor = system(f"ai {name}")
        self._loading = Breaker(f"the plugin of the model {name}")
        self._plugin = plugin
        self._retrieve = retrieve
        self._free = threading.BoundedSemaphore(workers)
        self._idle: list[_Idle] = []
        self._lock = threading.Lock()

    def read(self, job: Job) -> Answer:
        """Raises Unavailable when the plugin cannot be loaded, takes too long, or dies; NotAcceptable
        when it fails on this study; Invalid when its answer is out of form."""
        with self._process() as process:
            said = process.ask(job.study_uid, self._shown(job))
        about = wire.About(job.run, job.study_uid, job.patient_id, job.model, job.version)
        return wire.answer(_in_form(said, about), about)

    def close(self) -> None:
        """End the processes that wait for work."""
        with self._lock:
            idle, self._idle = self._idle, []
        for one in idle:
            one.process.close()

    @contextlib.contextmanager
    def _process(self) -> Iterator[Process]:
        if not self._free.acquire(timeout=_PATIENCE_S):
            raise Unavailable("the plugin is busy with other studies")
        try:
            one = self._started()
            try:
                yield one.process
            finally:
                if one.process.alive:
                    with self._lock:
                        self._idle.append(one)
        finally:
            self._free.release()

    def _started(self) -> _Idle:
        file = _state(self._plugin.path)
        with self._lock:
            one = self._idle.pop() if self._idle else None
        if one is not None and one.file == file and one.process.is_running():
            return one
        if one is not None:
            one.process.close()
        with self._loading.guard():
            return _Idle(Process(self._plugin), file)

    def _shown(self, job: Job) -> Show:
        listed = frozenset(instance.uid for series in job.series for instance in series.instances)
        series = tuple(one.uid for one in job.series)

        def show(rows: int, columns: int) -> Iterator[Shown]:
            images = self._retrieve.samples(self._actor, Wanted(studies=(job.study_uid,), series=series))
            for image in images:
                if image.key.instance in listed:
                    yield from _pictures(image, rows, columns)

        return show


def _in_form(said: Mapping[str, Any], about: wire.About) -> bytes:
    """As a model over HTTP would have to say it: one form, one check."""
    return orjson.dumps(
        {
            "run": about.run,
            "model": {"name": about.model, "version": said.get("version")},
            "study": about.study_uid,
            "patient_id": about.patient_id,
            "findings": said.get("findings"),
        }
    )


def _pictures(image: Image, rows: int, columns: int) -> Iterator[Shown]:
    """Frames of one instance; none when it cannot be decoded."""
    sized = rows > 0 and columns > 0 and image.rows > 0 and image.columns > 0
    at_least = fitted((image.rows, image.columns), rows, columns) if sized else None
    try:
        for number, values in enumerate(image.decoded(at_least), 1):
            if sized:
                values = prepare(values, rows, columns, inverted=image.inverted)  # noqa: PLW2901
            yield _about(image, number, inverted=image.inverted and not sized), values
    except NotAcceptable as error:
        _log.info("an image is not shown to a plugin reason=%s", error)


def _about(image: Image, frame: int, *, inverted: bool) -> dict[str, Any]:
    return {
        "series": image.key.series,
        "instance": image.key.instance,
        "frame": frame,
        "frames": image.frames,
        "modality": image.modality,
        "body_part": image.body_part,
        "view": image.view,
        "age": image.age,
        "sex": image.sex,
        "inverted": inverted,
    }


def _state(path: str) -> tuple[int, ...]:
    """Changes with the plugin's file; empty when it is an installed module."""
    try:
        stat = Path(path.partition(":")[0] if ".py" in path else path).stat()
    except OSError:
        return ()
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
