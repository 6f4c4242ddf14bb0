"""Retries under contention: until decided, never for ever, and no longer than a caller can wait (P1, P4)."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from chalicelib.domain.errors import ContendedError, SlotTakenError, StoreUnavailableError, ThrottledError
from chalicelib.service.contention import MAX_PAUSE_SECONDS, TRIES, until_decided
from chalicelib.service.ports import World


class Waiting:
    """A world in which time passes only by sleeping, and by what an attempt is said to take."""

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


def test_what_is_decided_is_returned_at_once() -> None:
    """No pause where nothing was in the way; a falsy answer is an answer."""
    waiting = Waiting()
    assert until_decided(waiting.world, lambda: False) is False
    assert waiting.slept == []


def test_contention_and_stale_reads_are_tried_again_with_growing_pauses() -> None:
    """A conflict ends in success once the way is free; pauses double up to the longest."""
    waiting, answers = Waiting(), iter([ContendedError(), None, ThrottledError(), "done"])

    def attempt() -> str | None:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert until_decided(waiting.world, attempt) == "done"
    assert waiting.slept == sorted(waiting.slept)
    assert len(waiting.slept) == 3
    assert max(waiting.slept) <= MAX_PAUSE_SECONDS


def test_what_stays_undecided_ends_in_the_last_fault() -> None:
    """Never for ever, and never as a refusal: the caller may come again."""
    waiting, tries = Waiting(), []

    def attempt() -> None:
        tries.append(1)
        raise ThrottledError

    with pytest.raises(ThrottledError):
        until_decided(waiting.world, attempt)
    assert len(tries) == TRIES
    with pytest.raises(ContendedError):
        until_decided(waiting.world, lambda: None)


def test_a_store_that_does_not_answer_is_given_up_before_the_gateway_gives_up() -> None:
    """API Gateway ends a request after 29 s; an attempt may take 15 s, so none begins after 12."""
    waiting = Waiting()
    begun = waiting.now

    def attempt() -> None:
        waiting.now += timedelta(seconds=15)
        raise StoreUnavailableError

    with pytest.raises(StoreUnavailableError):
        until_decided(waiting.world, attempt)
    assert waiting.now - begun < timedelta(seconds=29)


def test_a_refusal_is_not_tried_again() -> None:
    """What was decided stays decided."""
    waiting, tries = Waiting(), []

    def attempt() -> None:
        tries.append(1)
        raise SlotTakenError

    with pytest.raises(SlotTakenError):
        until_decided(waiting.world, attempt)
    assert len(tries) == 1
