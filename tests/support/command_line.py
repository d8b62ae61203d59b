"""The command `pacs` inside this process: all of it but the interpreter's start."""

import contextlib
import io
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pacs import cli


def run(
    folder: Path, words: Sequence[str], environ: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """What `pacs WORDS` in that folder says, and its exit code. An error that nobody expected is
    raised, as it would be a traceback."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    with (
        contextlib.chdir(folder),
        _told(["pacs", *words], environ or {}),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            cli.main()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
    return subprocess.CompletedProcess(["pacs", *words], code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def _told(arguments: list[str], environ: Mapping[str, str]) -> Iterator[None]:
    """Arguments and environment of a process of its own, and its log."""
    argv, before = sys.argv, dict(os.environ)
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    sys.argv = arguments
    os.environ.update(environ)
    try:
        yield
    finally:
        sys.argv = argv
        os.environ.clear()
        os.environ.update(before)
        root.handlers[:] = handlers
        root.setLevel(level)
