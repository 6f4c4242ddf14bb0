"""Warnings in a response: nobody can book, because the settings contradict each other."""

from collections.abc import Sequence

from chalicelib.domain.event_types.contradictions import SettingsWarning
from chalicelib.wire.responses.answer import Answer


class SettingsWarningAnswer(Answer, frozen=True):
    """Why nobody can book with the settings, and what to do."""

    pointer: str
    detail: str


def warnings_answer(warnings: Sequence[SettingsWarning]) -> list[SettingsWarningAnswer]:
    """Return warnings as part of a response."""
    return [SettingsWarningAnswer(pointer=one.pointer, detail=one.detail) for one in warnings]
