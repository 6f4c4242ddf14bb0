"""Warnings in a response: the saved settings contradict each other, so nobody can book."""

from collections.abc import Sequence

from chalicelib.domain.event_types.contradictions import SettingsWarning
from chalicelib.wire.responses.answer import Answer


class SettingsWarningAnswer(Answer, frozen=True):
    """A warning that nobody can book with the saved settings."""

    pointer: str
    detail: str


def warnings_answer(warnings: Sequence[SettingsWarning]) -> list[SettingsWarningAnswer]:
    """Return warnings as part of a response."""
    return [SettingsWarningAnswer(pointer=one.pointer, detail=one.detail) for one in warnings]
