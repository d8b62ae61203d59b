"""One object kept as HTJ2K: eighth-size, exact, and to receivers that know nothing of it, with real
processes and by both wires."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.archive_server import ArchiveServer
from tests.support.dimse_client import wait_for
from tests.support.pictures import noise, picture, read, samples_of, waves
from tests.support.ports import free_port
from tests.support.web_client import Web

RPCL, JPEG_LS = "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.80"
IMPLICIT, EXPLICIT = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1"
OCTETS = "application/octet-stream"


def echoes(port: int) -> bool:
    command = ["echoscu", "127.0.0.1", str(port)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@pytest.mark.peer("dcmtk")
def test_small_exact_and_converted(deploy: Callable[..., ArchiveServer], tmp_path: Path) -> None:
    port, moved = free_port(), tmp_path / "moved"
    moved.mkdir()
    peer = f'[dimse.peers.OLD]\nhost = "127.0.0.1"\nport = {port}\n'
    server = deploy(dimse_settings=peer)
    web = Web(f"{server.url}/dicom-web")
    samples = waves(3, 512, 384) + noise(3, 512, 384, bits=3)
    item = picture(samples, syntax=RPCL)
    assert web.store([item]).status == 200

    small = web.get(f"{item.path()}/frames/2?resolution=1/8", OCTETS)
    assert (small.headers["hilum-rows"], small.headers["hilum-columns"]) == ("64", "48")
    eighth = np.frombuffer(small.content, "<u2").reshape(64, 48).astype(int)
    assert np.abs(eighth - samples[1, ::8, ::8]).max() < 120
    assert web.get(f"{item.path()}/frames/2", OCTETS).content == samples[1].tobytes()
    assert web.get(item.path(), f"application/dicom; transfer-syntax={RPCL}").content == item.part10()
    for target in (JPEG_LS, EXPLICIT, IMPLICIT):
        made = web.get(item.path(), f"application/dicom; transfer-syntax={target}").content
        assert read(made).file_meta.TransferSyntaxUID == target
        assert (samples_of(made) == samples).all()

    with subprocess.Popen(["storescp", "-B", "+xi", "-od", str(moved), str(port)]) as destination:
        try:
            wait_for(lambda: echoes(port))
            keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", f"StudyInstanceUID={item.study}"]
            at = ["-aec", "HILUM", "127.0.0.1", str(server.dimse_port)]
            subprocess.run(["movescu", "-S", "-aem", "OLD", *at, *keys], check=True, timeout=120)
        finally:
            destination.kill()
    (file,) = (path.read_bytes() for path in moved.iterdir())
    assert read(file).file_meta.TransferSyntaxUID == IMPLICIT
    assert (samples_of(file) == samples).all()
