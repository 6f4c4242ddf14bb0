"""The error tree: every error has one stable code, and a title that can be shown to a caller (P7, P9)."""

from collections.abc import Iterator
from datetime import UTC, datetime

from chalicelib.domain.errors import (
    AdmitOneError,
    Fault,
    FieldFault,
    InvalidValueError,
    LinkNotOpenError,
    NotFoundError,
    StoreUnavailableError,
    ThrottledError,
)
from chalicelib.wire.problems import problem


def descendants(cls: type[AdmitOneError]) -> Iterator[type[AdmitOneError]]:
    for child in cls.__subclasses__():
        yield child
        yield from descendants(child)


def domain_errors() -> list[type[AdmitOneError]]:
    return [cls for cls in descendants(AdmitOneError) if cls.__module__ == "chalicelib.domain.errors"]


def test_each_code_belongs_to_one_class_and_documented_codes_exist() -> None:
    """Clients depend on the codes, so none changes or has two meanings."""
    codes = [cls.code for cls in domain_errors() if "code" in vars(cls)]
    assert len(set(codes)) == len(codes)
    assert {
        "invalid-request",
        "invalid-value",
        "not-found",
        "link-used",
        "link-expired",
        "link-revoked",
        "link-deleted",
        "link-not-open",
        "slot-taken",
        "slot-not-offered",
        "recipient-mismatch",
        "idempotency-key-reused",
    } <= set(codes)


def test_every_error_with_a_code_has_a_title() -> None:
    """A problem document always has a title (RFC 9457)."""
    for cls in domain_errors():
        if hasattr(cls, "code"):
            assert cls.title.endswith("."), cls


def test_the_detail_is_the_title_by_default() -> None:
    """P7, P9: the text of a 404 doesn't reveal what exists."""
    assert NotFoundError().detail == NotFoundError.title
    assert NotFoundError("Gone.").detail == str(NotFoundError("Gone.")) == "Gone."
    assert InvalidValueError().detail == InvalidValueError.title


def test_errors_have_what_their_response_needs() -> None:
    """Pointers for 422, `Retry-After` for 429 and 503, the opening time for 403."""
    opens = datetime(2026, 6, 15, tzinfo=UTC)
    assert InvalidValueError([FieldFault("/a", "is odd")]).faults == (FieldFault("/a", "is odd"),)
    assert LinkNotOpenError(opens).opens_at == opens
    assert ThrottledError(retry_after=7).retry_after == 7
    assert StoreUnavailableError().retry_after == 1


def test_no_problem_document_has_the_fault_of_the_call_to_aws() -> None:
    """P7: callers learn that a service failed, and only the log says which one and why."""
    fault = Fault("ProvisionedThroughputExceededException", "dynamodb", "GetItem", "REQUEST1")
    error = ThrottledError(fault=fault)
    assert error.fault == fault
    assert problem(error, "c1") == problem(ThrottledError(), "c1")
