"""Which failed calls to AWS are repeated, how often, and for how long."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ReadTimeoutError,
)

from chalicelib.clients.aws import LAST_START_SECONDS, Aws

URL = "https://sqs.example"


def rejected(code: str, status: int) -> ClientError:
    """Return the error of a service that responded."""
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(response, "SendMessage")


class Service:
    """A service that fails some times and takes some seconds for each response, and the clock that shows it."""

    def __init__(self, failure: Exception, *, times: int, seconds: float = 0.0) -> None:
        self.failure = failure
        self.times = times
        self.seconds = seconds
        self.now = 0.0
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        self.now += self.seconds
        if self.calls <= self.times:
            raise self.failure
        return "done"

    def aws(self) -> Aws:
        """Return clients whose pauses take no time."""
        session: Callable[[], Any] = object
        return Aws(session, clock=lambda: self.now, sleep=lambda _: None)


@pytest.mark.parametrize(
    "failure",
    [
        ConnectionClosedError(endpoint_url=URL),
        EndpointConnectionError(endpoint_url=URL),
        ConnectTimeoutError(endpoint_url=URL),
        IncompleteReadError(actual_bytes=1, expected_bytes=2),
        rejected("InternalError", 500),
        rejected("ServiceUnavailable", 503),
        rejected("ThrottlingException", 400),
        rejected("SlowDown", 503),
        rejected("RequestTimeout", 400),
        rejected("AnyCode", 429),
    ],
)
def test_a_temporary_failure_is_repeated_twice(failure: BotoCoreError | ClientError) -> None:
    service = Service(failure, times=2)
    assert service.aws().repeat(service) == "done"
    service = Service(failure, times=3)
    with pytest.raises(type(failure)):
        service.aws().repeat(service)
    assert service.calls == 3


@pytest.mark.parametrize(
    "failure", [rejected("AccessDenied", 403), rejected("NoSuchKey", 404), NoCredentialsError()]
)
def test_a_permanent_failure_is_not_repeated(failure: BotoCoreError | ClientError) -> None:
    service = Service(failure, times=1)
    with pytest.raises(type(failure)):
        service.aws().repeat(service)
    assert service.calls == 1


def test_a_service_that_hangs_is_not_called_again() -> None:
    """The callers' time limits allow for one timeout of 5 seconds, not for three."""
    service = Service(ReadTimeoutError(endpoint_url=URL), times=1, seconds=LAST_START_SECONDS + 0.1)
    with pytest.raises(ReadTimeoutError):
        service.aws().repeat(service)
    assert service.calls == 1
