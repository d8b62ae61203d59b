"""Transport Layer Security of the DICOM port and of our own calls."""

from dataclasses import dataclass
from typing import Literal

from pacs.config.fields import setting


@dataclass(frozen=True, slots=True)
class TlsConfig:
    """Encrypted associations. With a certificate the DICOM port speaks TLS."""

    certificate: str = setting(
        "", "PEM file with our certificate and those between it and its authority; empty: no TLS."
    )
    key: str = setting("", "PEM file with the certificate's key, without a password.")
    ca: str = setting(
        "",
        "PEM file of the authorities that sign others' certificates. Empty: those of the system, for "
        "stations that we call by the name in their certificate.",
    )
    client: Literal["none", "optional", "required"] = setting(
        "none", "Whether callers must show a certificate, which one of `ca` has signed."
    )
    required: bool = setting(True, "Refuse callers that do not speak TLS; false admits both on the one port.")

    @property
    def on(self) -> bool:
        return bool(self.certificate)
