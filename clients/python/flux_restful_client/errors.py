# SPDX-License-Identifier: LGPL-3.0-only
"""What can go wrong, as exceptions that a program can tell apart.

Every one is a FluxRestfulError with

``code``
    a stable word to compare with, such as ``"job-not-found"``;
``status``
    the HTTP status, or None where there was no reply;
``errors``
    a list of ``{"pointer": …, "detail": …}``, one for each field that is wrong;
``body``
    the reply's JSON as it came (an empty dict if it was none);
``retry_after``
    how many seconds the server asks to wait, or None.
"""

from typing import Any, Dict, List, Optional


class FluxRestfulError(Exception):
    """A call that did not succeed."""

    def __init__(
        self,
        message: str,
        code: str = "internal",
        status: Optional[int] = None,
        errors: Optional[List[Dict[str, str]]] = None,
        body: Optional[Dict[str, Any]] = None,
        retry_after: Optional[float] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.errors = errors or []
        self.body = body or {}
        self.retry_after = retry_after


class BadRequestError(FluxRestfulError):
    """The request is wrong as it is (400, 413, 415, 422); ``errors`` says where."""


class UnauthorizedError(FluxRestfulError):
    """Credentials are missing or wrong (401)."""


class ForbiddenError(FluxRestfulError):
    """The server knows who asks and does not allow it (403)."""


class NotFoundError(FluxRestfulError):
    """There is no such job or address (404)."""


class ConflictError(FluxRestfulError):
    """The job is in a state that does not allow this (409)."""


class GoneError(FluxRestfulError):
    """The cursor is too old or of another instance (410): list again, follow from the list."""


class UnavailableError(FluxRestfulError):
    """The server cannot do it now, but may later (429, 503); see ``retry_after``."""


class LostConnectionError(FluxRestfulError):
    """There was no reply, or only a part of one.

    With the code ``"not-sent"`` the server was not reached: nothing was done and the call may
    be made again. With ``"outcome-unknown"`` it may or may not have been done: look before
    you repeat it.
    """


_BY_STATUS = {
    400: BadRequestError,
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    413: BadRequestError,
    415: BadRequestError,
    422: BadRequestError,
    429: UnavailableError,
    503: UnavailableError,
}


def _seconds(text: Optional[str]) -> Optional[float]:
    """Reads a Retry-After header that counts seconds."""
    return float(text) if text and text.isascii() and text.isdigit() else None


def _texts(body: Dict[str, Any]) -> List[str]:
    """Every fault that the reply names, as a list of sentences."""
    found = body.get("Errors")
    return [str(text) for text in found] if isinstance(found, list) else []


def from_reply(
    status: int, reason: str, body: Dict[str, Any], retry_after: Optional[str]
) -> FluxRestfulError:
    """Makes the exception that stands for a reply with an error status."""
    message = str(body.get("Message") or body.get("detail") or f"HTTP {status} {reason}")
    more = [text for text in _texts(body) if text not in message]
    if more:
        message = f"{message.rstrip('.:')}: {'; '.join(more)}"
    if status == 401:
        message = message.rstrip(".") + (
            ". Set FLUX_USER and FLUX_TOKEN in the environment,"
            " or call set_basic_auth(user, token) first."
        )
    errors = body.get("errors")
    kind = _BY_STATUS.get(status, FluxRestfulError)
    return kind(
        message,
        code=str(body.get("code") or "internal"),
        status=status,
        errors=errors if isinstance(errors, list) else [],
        body=body,
        retry_after=_seconds(retry_after),
    )
