"""What a caller shows of itself in user identity negotiation (PS3.7 D.3.3.7), as a token."""

from dimse.userinfo import Identity, IdentityKind


def token_of(identity: Identity | None) -> str | None:
    """The passcode or the JSON Web Token; None where nothing was shown that could be checked.

    A name alone proves nothing, and Kerberos and SAML need a third party: who asks with these is known
    as a station or not at all, and is not answered, as D.3.3.7 has it of an acceptor without support."""
    if identity is None:
        return None
    match identity.kind:
        case IdentityKind.PASSCODE:
            shown = identity.secondary
        case IdentityKind.JWT:
            shown = identity.primary
        case _:
            return None
    return shown.decode("utf-8", "replace").strip("\0 ")


def answer_to(identity: Identity | None, *, proved: bool) -> bytes | None:
    """The server response (Table D.3-15), where it is wanted and what was shown is good. It holds
    nothing: only Kerberos and SAML have something to say in it."""
    wanted = identity is not None and identity.wants_answer
    return b"" if wanted and proved else None
