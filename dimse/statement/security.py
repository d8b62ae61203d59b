"""Security in the statement (PS3.15)."""

from dimse.statement import prose
from dimse.statement.markdown import Lines, heading, paragraph
from pacs.config import Config


def security(config: Config) -> Lines:
    yield from heading(2, "Security")
    yield from paragraph(
        "Transport: TLS 1.2 and above with forward secrecy and authenticated encryption only (PS3.15 B.9 to",
        "B.12, after BCP 195).",
        *_transport(config),
        "User identity is",
        "required." if config.dimse.user_identity == "required" else "optional (configurable).",
    )
    yield prose.SECURITY


def _transport(config: Config) -> tuple[str, ...]:
    tls = config.dimse.tls
    if not tls.on:
        return ("It is not configured.",)
    client = {
        "none": "Callers need no certificate;",
        "optional": "Callers may show a certificate;",
        "required": "Callers must show a certificate;",
    }
    return client[tls.client], f"without TLS they are {'refused' if tls.required else 'admitted'}."
