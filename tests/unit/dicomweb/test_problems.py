"""Every kind of refusal has its status; what is unknown shows nothing of itself."""

import logging

import orjson
import pytest
from starlette.responses import Response

from dicomweb import problems
from pacs import errors
from pacs.errors import PacsError

CODES = {
    errors.Invalid: 400,
    errors.NotFound: 404,
    errors.Gone: 410,
    errors.Forbidden: 403,
    errors.Conflict: 409,
    errors.NotAcceptable: 406,
    errors.Unavailable: 503,
    problems.UnsupportedMediaType: 415,
}


def body(response: Response) -> dict[str, object]:
    return dict(orjson.loads(response.body))


def test_every_kind_is_here() -> None:
    assert set(PacsError.__subclasses__()) <= set(CODES)


@pytest.mark.parametrize(("kind", "code"), CODES.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_the_answer_to_a_refusal(kind: type[PacsError], code: int) -> None:
    response = problems.of(kind("what", hint="why"))
    assert response.status_code == code
    assert response.headers["content-type"] == "application/problem+json"
    assert ("retry-after" in response.headers) == kind.retryable
    assert body(response) | {"title": ""} == {
        "type": "about:blank",
        "title": "",
        "status": code,
        "detail": "what",
        "hint": "why",
    }


def test_a_subclass_is_answered_as_its_kind() -> None:
    class Particular(errors.NotFound):
        pass

    assert problems.of(Particular("x")).status_code == 404


def fallen() -> Exception:
    try:
        dict[str, str]()["Doe^Jane"]
    except KeyError as error:
        return error
    raise AssertionError


def test_the_unknown_is_logged_by_place_and_shown_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        response = problems.of(fallen())
    assert response.status_code == 500
    assert b"Doe" not in response.body
    assert "Doe" not in caplog.text
    assert "KeyError" in caplog.text
    assert "test_problems.py" in caplog.text


def test_who_is_not_known_is_told_how_to_be() -> None:
    response = problems.unauthenticated()
    assert response.status_code == 401
    schemes = [value.split()[0] for value in response.headers.getlist("www-authenticate")]
    assert schemes == ["Bearer", "Basic"]
