"""Retries under contention end when the write is decided, or before the caller's timeout (P1, P4)."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from chalicelib.domain.errors import ContendedError, SlotTakenError, StoreUnavailableError, ThrottledError
from chalicelib.service.contention import MAX_ATTEMPTS, MAX_PAUSE_SECONDS, retry_until_result
from chalicelib.service.ports import World


class Waiting:
    """A world in which time passes only while sleeping, or when an attempt advances the clock."""

    def __init__(self) -> None:
        self.now = datetime(2040, 1, 2, tzinfo=UTC)
        self.slept: list[float] = []
        self.world = World(
            store=cast("Any", None),
            now=lambda: self.now,
            random_bytes=lambda count: b"\xff" * count,
            sleep=self._sleep,
            keyring=cast("Any", None),
        )

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


def test_a_result_is_returned_without_a_pause() -> None:
    """A falsy result counts as a result."""
    waiting = Waiting()
    assert retry_until_result(waiting.world, lambda: False) is False
    assert waiting.slept == []


def test_contention_and_stale_reads_are_retried_with_growing_pauses() -> None:
    """Pauses double up to a maximum."""
    waiting, answers = Waiting(), iter([ContendedError(), None, ThrottledError(), "done"])

    def attempt() -> str | None:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert retry_until_result(waiting.world, attempt) == "done"
    assert waiting.slept == sorted(waiting.slept)
    assert len(waiting.slept) == 3
    assert max(waiting.slept) <= MAX_PAUSE_SECONDS


def test_retries_end_with_the_last_error() -> None:
    """The last error is one that the caller may retry."""
    waiting, tries = Waiting(), []

    def attempt() -> None:
        tries.append(1)
        raise ThrottledError

    with pytest.raises(ThrottledError):
        retry_until_result(waiting.world, attempt)
    assert len(tries) == MAX_ATTEMPTS
    with pytest.raises(ContendedError):
        retry_until_result(waiting.world, lambda: None)


def test_retries_end_before_api_gateway_times_out() -> None:
    """API Gateway's limit is 29 s and an attempt may take 15 s, so no attempt starts after 12 s."""
    waiting = Waiting()
    started = waiting.now

    def attempt() -> None:
        waiting.now += timedelta(seconds=15)
        raise StoreUnavailableError

    with pytest.raises(StoreUnavailableError):
        retry_until_result(waiting.world, attempt)
    assert waiting.now - started < timedelta(seconds=29)


def test_a_rejection_is_not_retried() -> None:
    """It is a decision, not contention."""
    waiting, tries = Waiting(), []

    def attempt() -> None:
        tries.append(1)
        raise SlotTakenError

    with pytest.raises(SlotTakenError):
        retry_until_result(waiting.world, attempt)
    assert len(tries) == 1
