"""A model for Hilum, to read and to change: a server that is sent jobs and answers findings.

It "finds" very bright spots, which is NOT of any clinical use. What matters is the conversation,
described in docs/ai-models.md: a job comes by POST, the study is read over DICOMweb with the token of
the job, the findings go back at once, or later to the address that the job names.

    python examples/model_server.py --port 9000 --secret s3cret
    python examples/model_server.py --port 9000 --later 5

and in the archive's configuration:

    [[ai.models]]
    name = "bright-spots"
    url = "http://127.0.0.1:9000/jobs"
    secret = "s3cret"

    [[ai.rules]]
    name = "every CT and radiograph"
    model = "bright-spots"
    modalities = ["CT", "CR", "DX"]
"""

import argparse
import hmac
import json
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

VERSION = "1.0"
BRIGHT = 0.98  # of the greatest value that the image could hold
EXPLICIT_LE = "1.2.840.10008.1.2.1"
TIMEOUT = 60.0

Json = dict[str, Any]


def findings_of(job: Json) -> list[Json]:
    """Look at the first object of every series; say where it is bright."""
    found = []
    for series in job["series"]:
        first = next((one for one in series["instances"] if one["frames"]), None)
        if first is None:
            continue
        study = f"{job['dicomweb']}/studies/{job['study']}"
        where = f"{study}/series/{series['series']}/instances/{first['instance']}"
        share = bright_share(where, job["token"])
        if share > 0.0:
            found.append(
                {
                    "name": "bright spot",
                    "severity": "severe",
                    "confidence": round(min(1.0, 0.5 + share), 4),
                    "references": [
                        {"series": series["series"], "instance": first["instance"], "frames": [1]}
                    ],
                    "text": f"{share:.1%} of the first frame",
                }
            )
    return found


def bright_share(instance: str, token: str) -> float:
    """How much of the first frame is bright, 0..1."""
    (header,) = json.loads(get(f"{instance}/metadata", "application/dicom+json", token))
    signed, stored = value(header, "00280103"), value(header, "00280101")
    pixels = get(f"{instance}/frames/1", f"application/octet-stream; transfer-syntax={EXPLICIT_LE}", token)
    kind = np.dtype(f"<{'i' if signed else 'u'}{value(header, '00280100') // 8}")
    greatest = 2 ** (stored - 1 if signed else stored) - 1
    return float(np.mean(np.frombuffer(pixels, kind) >= BRIGHT * greatest))


def value(header: Json, tag: str) -> int:
    return int(header[tag]["Value"][0])


def answer_to(job: Json) -> Json:
    """What goes back: it says again what it is about, so that the archive can see that it is right."""
    return {
        "run": job["run"],
        "model": {"name": job["model"]["name"], "version": VERSION},
        "study": job["study"],
        "patient_id": job["patient_id"],
        "findings": findings_of(job),
    }


def get(url: str, accept: str, token: str) -> bytes:
    request = urllib.request.Request(url, headers={"Accept": accept, "Authorization": f"Bearer {token}"})  # noqa: S310 - the archive's own address
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:  # noqa: S310
        return bytes(response.read())


def tell_later(job: Json, seconds: float) -> None:
    """The other way to answer: to the address and with the token that the job names."""
    time.sleep(seconds)
    request = urllib.request.Request(  # noqa: S310 - the archive's own address
        job["findings_url"],
        data=json.dumps(answer_to(job)).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {job['token']}"},
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT):  # noqa: S310
        say(f"told the findings of {job['run']}")


def say(line: str) -> None:
    """At one go: `print` writes a line and its end apart, and several threads speak here."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    secret = ""
    later: float | None = None

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        shown = self.headers.get("Authorization", "")
        if self.secret and not hmac.compare_digest(shown.encode(), f"Bearer {self.secret}".encode()):
            self.reply(401, b"")
            return
        job = json.loads(body)
        say(f"job {job['run']}")
        if self.later is None:
            self.reply(200, json.dumps(answer_to(job)).encode())
        else:
            self.reply(202, b"")
            threading.Thread(target=tell_later, args=(job, self.later), daemon=True).start()

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent: what a request is about is nobody else's business."""


def main() -> None:
    parser = argparse.ArgumentParser(description="An example model for Hilum. Of no clinical use.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--secret", default="", help="what the archive has to show")
    parser.add_argument(
        "--later", type=float, metavar="SECONDS", help="answer 202, tell the findings so much later"
    )
    asked = parser.parse_args()
    Handler.secret, Handler.later = asked.secret, asked.later
    with ThreadingHTTPServer((asked.host, asked.port), Handler) as server:
        say(f"listening at http://{asked.host}:{server.server_address[1]}/jobs")
        server.serve_forever()


if __name__ == "__main__":
    main()
