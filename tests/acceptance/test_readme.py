"""The README's tour, taken from the README itself and typed into a shell."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.archive_server import REPOSITORY, ArchiveServer, environment
from tests.support.factory import ct_series
from tests.support.ports import free_port

pytestmark = pytest.mark.peer("dcmtk", "curl")


def tour() -> Iterator[str]:
    """The lines after a prompt in the chapter "Five minutes", with what continues them."""
    text = (REPOSITORY / "README.md").read_text()
    chapter = text[text.index("## Five minutes") : text.index("## Operations")]
    for block in re.findall(r"```console\n(.*?)```", chapter, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                yield line[2:]
            elif line.strip():
                yield line


def adapted(line: str, server: ArchiveServer, workstation: int, disc: Path) -> str:
    """The same line on this test's ports, folders and settings."""
    for written, here in (
        (":8080", f":{server.http_port}"),
        ("11112", str(server.dimse_port)),
        ("11113", str(workstation)),
        ("/media/cdrom", str(disc)),
    ):
        line = line.replace(written, here)
    where = f"--data {server.data} --config {server.config_path}"
    command, pacs = re.subn(r"\.venv/bin/pacs (\w+)", rf"{sys.executable} -m pacs \1 {where}", line)
    return command if pacs else line.replace(".venv/bin/python", sys.executable)


def test_the_tour_works_as_written(tmp_path: Path, deploy: Callable[..., ArchiveServer]) -> None:
    workstation = free_port()
    peers = (REPOSITORY / "examples" / "laptop.toml").read_text().replace("11113", str(workstation))
    server = deploy(start=False)
    server.config = peers
    server.start()
    (tmp_path / ".curlrc").write_text("fail\nsilent\nshow-error\n")
    disc = tmp_path / "disc"
    disc.mkdir()
    for number, item in enumerate(ct_series(3, rows=16, columns=16)):
        (disc / f"IM{number}").write_bytes(item.part10())
    lines = [adapted(line, server, workstation, disc) for line in tour()]
    assert len(lines) > 12
    script = tmp_path / "tour.sh"
    script.write_text("set -emo pipefail\n" + "\n".join(lines) + "\n")
    done = subprocess.run(
        ["bash", "-x", str(script)], cwd=tmp_path, env={**environment(), "HOME": str(tmp_path)},
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    for name in ("fetched", "received"):
        assert len(list((tmp_path / name).iterdir())) == 1, name
    assert (tmp_path / "study.multipart").stat().st_size > 30_000
    assert (tmp_path / "image.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "thumbnail.jpg").read_bytes().startswith(b"\xff\xd8")
    assert (tmp_path / "preview.raw").stat().st_size == 16 * 16 * 2
    assert '"00080018"' in done.stdout
