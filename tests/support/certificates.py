"""Certificates made for a test, by the openssl program."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Identity:
    certificate: Path
    key: Path


class Authority:
    """A certificate authority in a folder of its own."""

    def __init__(self, folder: Path, name: str = "Test Authority") -> None:
        folder.mkdir()
        self._folder = folder
        self._key = folder / "ca.key"
        self.certificate = folder / "ca.pem"
        subject = ["-subj", f"/CN={name}", "-days", "2"]
        out = ["-keyout", str(self._key), "-out", str(self.certificate)]
        _openssl("req", "-x509", *_new_key(), "-nodes", *subject, *out)

    def sign(self, name: str, *, days: int = 1, host: str = "127.0.0.1") -> Identity:
        """An identity; with negative `days` one that has expired."""
        key, request = self._folder / f"{name}.key", self._folder / f"{name}.csr"
        certificate, extension = self._folder / f"{name}.pem", self._folder / f"{name}.ext"
        extension.write_text(f"subjectAltName = IP:{host}\n")
        _openssl(
            "req", "-new", *_new_key(), "-nodes", "-subj", f"/CN={name}", "-keyout", str(key),
            "-out", str(request),
        )  # fmt: skip
        signer = ["-CA", str(self.certificate), "-CAkey", str(self._key), "-CAcreateserial"]
        _openssl(
            "x509", "-req", "-in", str(request), *signer, "-days", str(days), "-extfile", str(extension),
            "-out", str(certificate),
        )  # fmt: skip
        return Identity(certificate, key)


def _new_key() -> list[str]:
    return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]


def _openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=60)
