"""Orthanc as a peer, tuned as its users do: the Debian packages orthanc, orthanc-dicomweb, orthanc-gdcm.

ORTHANC_PLUGINS names the folder of its plugins if it is elsewhere.
"""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.support.ports import free_port

PLUGINS = os.environ.get("ORTHANC_PLUGINS", "/usr/share/orthanc/plugins")


@contextmanager
def orthanc(folder: Path) -> Iterator[str]:
    """Its DICOMweb root."""
    port = free_port()
    folder.mkdir()
    settings = folder / "orthanc.json"
    settings.write_text(
        json.dumps(
            {
                "HttpPort": port, "DicomServerEnabled": False, "StorageDirectory": str(folder / "data"),
                "IndexDirectory": str(folder / "data"), "Plugins": [PLUGINS], "AuthenticationEnabled": False,
                "RemoteAccessAllowed": False, "DicomAlwaysAllowStore": True, "LimitFindResults": 0,
            }
        )
    )  # fmt: skip
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["Orthanc", str(settings)], env={**os.environ, "TCP_NODELAY": "1"}, stdout=log, stderr=log
        )
    try:
        _wait(port)
        yield f"http://127.0.0.1:{port}/dicom-web"
    finally:
        process.terminate()
        process.wait()


def _wait(port: int) -> None:
    for _ in range(300):
        try:
            httpx.get(f"http://127.0.0.1:{port}/system")
        except httpx.TransportError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError("Orthanc does not answer")
