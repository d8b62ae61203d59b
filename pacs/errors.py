"""The six ways a use case can say no.

Edges turn each kind into the code of their wire in one file of their own; the core never
names a status code. `hint` says what to do about it, `retryable` whether the same request
can succeed later without change.
"""


class PacsError(Exception):
    """Base of every refusal. `str(error)` is safe to show: it holds no patient data."""

    retryable = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Invalid(PacsError):
    """The request or the object cannot be understood."""


class NotFound(PacsError):
    """What was named is not in the archive."""


class Gone(NotFound):
    """It was in the archive, and is no more."""


class Forbidden(PacsError):
    """The actor may not do this."""


class Conflict(PacsError):
    """The request contradicts what the archive holds."""


class NotAcceptable(PacsError):
    """The object exists but cannot be given in the form asked for."""


class Unavailable(PacsError):
    """Something the archive needs is away, full or busy."""

    retryable = True
