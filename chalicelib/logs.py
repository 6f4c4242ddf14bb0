"""Log lines: their fields, and the id of the request or message that they are about.

Lambda writes each line as a JSON object with these fields at its top level. docs/operate.md lists the events.
"""

import logging
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from chalicelib.domain.errors import Fault, TryLaterError

_MAX_STEPS: Final = 20  # of a traceback: the innermost ones

_correlation: ContextVar[str] = ContextVar("correlation_id", default="")


def install() -> None:
    """Add `correlationId` and `function` to every record from now on. A second call changes nothing."""
    make = logging.getLogRecordFactory()
    if getattr(make, "adds_correlation", False):
        return
    function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")

    def make_record(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = make(*args, **kwargs)
        record.correlationId = _correlation.get() or None  # Lambda's formatter omits None
        record.function = function
        return record

    make_record.adds_correlation = True  # type: ignore[attr-defined] # marks the factory as installed
    logging.setLogRecordFactory(make_record)


@contextmanager
def correlated(correlation_id: str) -> Iterator[None]:
    """Give the lines of this block a correlation id. A new thread starts without one."""
    token = _correlation.set(correlation_id)
    try:
        yield
    finally:
        _correlation.reset(token)


def correlate(correlation_id: str) -> None:
    """Replace the correlation id until the end of the `correlated` block, once a message shows what caused it."""
    if _correlation.get():
        _correlation.set(correlation_id)


def fields(event: str, **more: object) -> dict[str, object]:
    """Return the `extra` of a log call: the event's name (docs/operate.md lists them) and the line's other fields.

    Field names are camelCase. A field has an id, a number or a code, never input, a token or an error's text (P7).
    """
    return {"event": event, **more}


def cause_of(error: BaseException) -> str:
    """Return the code for why something failed: AWS's error code if there is one, otherwise a code of ours or a type.

    It never quotes an error's text, which may contain input (P7).
    """
    fault = _fault_of(error)
    if fault is not None:
        return fault.code
    if isinstance(error, TryLaterError):
        return error.code
    response = getattr(error, "response", None)
    code = response.get("Error", {}).get("Code") if isinstance(response, dict) else None
    return str(code or type(error).__name__)


def cause_fields(error: BaseException) -> dict[str, object]:
    """Return the fields that say why something failed: the failed call to AWS, or where in the code a defect is."""
    found: dict[str, object] = {"fault": cause_of(error)}
    fault = _fault_of(error)
    if fault is not None:
        called = {
            "faultService": fault.service,
            "operation": fault.operation,
            "awsRequestId": fault.request_id,
            "throttlingReasons": list(fault.reasons),
        }
        found |= {name: value for name, value in called.items() if value}
    if isinstance(error, TryLaterError):
        return found | ({"attempts": error.attempts} if error.attempts > 1 else {})
    return found if fault is not None else found | {"error": type(error).__name__, "where": where(error)}


def name_of(error: BaseException) -> str:
    """Return an error's type, followed by the code of `cause_of` if it is another word."""
    kind, code = type(error).__name__, cause_of(error)
    return kind if code == kind else f"{kind} {code}"


def where(error: BaseException) -> str:
    """Return the functions and lines of an error's traceback, outermost first, without any value."""
    steps = [f"{frame.f_code.co_qualname}:{line}" for frame, line in traceback.walk_tb(error.__traceback__)]
    return " > ".join(steps[-_MAX_STEPS:])


def _fault_of(error: BaseException) -> Fault | None:
    fault = getattr(error, "fault", None)
    return fault if isinstance(fault, Fault) else None
