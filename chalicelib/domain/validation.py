"""Collect every fault in a value, so that one response reports all of them."""

import re
from collections.abc import Collection, Iterable

from chalicelib.domain.errors import FieldFault, InvalidValueError
from chalicelib.domain.text import faults_of_text


class Rules:
    """Collects faults under a JSON Pointer; `enforce` raises them together as `InvalidValueError`."""

    def __init__(self, pointer: str = "", faults: list[FieldFault] | None = None) -> None:
        self._pointer = pointer
        self._faults: list[FieldFault] = [] if faults is None else faults

    def at(self, *parts: str | int) -> "Rules":
        """Return rules for a field within this one, which collect into the same list."""
        return Rules(self._pointer + "".join(f"/{part}" for part in parts), self._faults)

    def fault(self, detail: str) -> None:
        """Record one fault at this pointer."""
        self._faults.append(FieldFault(self._pointer, detail))

    def require(self, holds: bool, detail: str) -> bool:  # noqa: FBT001 - the claim comes first, as in assert
        """Record `detail` unless `holds`; return `holds`."""
        if not holds:
            self.fault(detail)
        return holds

    def text(self, value: str, *, longest: int, shortest: int = 0, lines: bool = False) -> None:
        """Require a text of `shortest` (0 or 1) to `longest` characters; `lines` allows tabs and line breaks.

        `domain/text.py` defines what a text may contain.
        """
        for detail in faults_of_text(value, longest=longest, shortest=shortest, lines=lines):
            self.fault(detail)

    def number(self, value: int, *, least: int, most: int, multiple_of: int = 1) -> None:
        """Require `least` ≤ value ≤ `most`, in steps of `multiple_of`."""
        self.require(least <= value <= most, f"must be {least} to {most}")
        self.require(value % multiple_of == 0, f"must be a multiple of {multiple_of}")

    def length(self, values: Collection[object], *, most: int, least: int = 0) -> bool:
        """Require `least` to `most` entries; return whether that holds."""
        few = self.require(
            len(values) >= least, f"must have at least {least} {'entry' if least == 1 else 'entries'}"
        )
        return self.require(len(values) <= most, f"must have at most {most} entries") and few

    def form(self, value: str, pattern: re.Pattern[str], detail: str, *, longest: int | None = None) -> bool:
        """Require that the whole value matches the pattern, in at most `longest` characters; return whether it does."""
        fits = longest is None or len(value) <= longest
        return self.require(fits and bool(pattern.fullmatch(value)), detail)

    def unique(self, values: Iterable[object], detail: str) -> None:
        """Require that no value occurs twice."""
        seen = list(values)
        self.require(len(set(seen)) == len(seen), detail)

    def enforce(self) -> None:
        """Raise `InvalidValueError` with all faults recorded so far, at every level."""
        if self._faults:
            raise InvalidValueError(self._faults)
