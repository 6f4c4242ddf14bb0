"""Parse and evaluate DynamoDB's condition, key and update expressions, on items in DynamoDB's typed JSON.

Supports only what the store writes; anything else raises `UnknownExpressionError`. `test_memory.py` compares the
results with a real engine, request by request.
"""

import functools
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, NamedTuple

Typed = dict[str, Any]
"""One value in DynamoDB's typed form: `{"S": "a"}`."""

RawItem = dict[str, Typed]

_TOKEN: Final = re.compile(r"\s*(<=|>=|[=<>(),+\-]|[#:]?[A-Za-z0-9_]+)")
_SETS: Final = ("NS", "SS", "BS")


class UnknownExpressionError(Exception):
    """An expression, or a type in it, that this module does not support."""


class Names(NamedTuple):
    """The values of an expression's `#names` and `:values`."""

    names: Mapping[str, str]
    values: Mapping[str, Typed]


Value = Callable[[RawItem, Names], Typed | None]
Test = Callable[[RawItem, Names], bool]
Action = Callable[[RawItem, RawItem, Names], None]
"""Takes the item before the update, and changes the one after it."""


def holds(expression: str | None, item: RawItem | None, names: Names) -> bool:
    """Return whether an item meets a condition; a missing item has no attributes."""
    return expression is None or _condition(expression)(item or {}, names)


def updated(expression: str, item: RawItem, names: Names) -> RawItem:
    """Return the updated item. Every right side is evaluated on the item before the update."""
    after = dict(item)
    for action in _actions(expression):
        action(item, after, names)
    return after


@functools.cache
def _condition(expression: str) -> Test:
    reader = _Reader(expression)
    test = reader.either()
    reader.end()
    return test


@functools.cache
def _actions(expression: str) -> tuple[Action, ...]:
    reader = _Reader(expression)
    actions = tuple(reader.clauses())
    reader.end()
    return actions


class _Reader:
    """A recursive-descent parser: OR, AND, NOT, then comparisons and functions."""

    def __init__(self, expression: str) -> None:
        self._text = expression
        self._tokens: list[str] = []
        at = 0
        while at < len(expression.rstrip()):
            found = _TOKEN.match(expression, at)
            if found is None:
                raise UnknownExpressionError(expression)
            self._tokens.append(found[1])
            at = found.end()
        self._at = 0

    def end(self) -> None:
        if self._at != len(self._tokens):
            raise UnknownExpressionError(self._text)

    def either(self) -> Test:
        tests = [self._both()]
        while self._took("OR"):
            tests.append(self._both())
        return tests[0] if len(tests) == 1 else lambda item, names: any(test(item, names) for test in tests)

    def clauses(self) -> list[Action]:
        actions: list[Action] = []
        while self._at < len(self._tokens):
            clause = self._next()
            one = {"SET": self._set, "REMOVE": self._remove, "ADD": self._add, "DELETE": self._delete}.get(
                clause
            )
            if one is None:
                raise UnknownExpressionError(self._text)
            actions.append(one())
            while self._took(","):
                actions.append(one())
        return actions

    def _both(self) -> Test:
        tests = [self._one()]
        while self._took("AND"):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else lambda item, names: all(test(item, names) for test in tests)

    def _one(self) -> Test:
        if self._took("NOT"):
            test = self._one()
            return lambda item, names: not test(item, names)
        if self._took("("):
            test = self.either()
            self._need(")")
            return test
        function = _FUNCTIONS.get(self._peek())
        if function is not None:
            self._next()
            return function(*self._arguments())
        return self._comparison()

    def _comparison(self) -> Test:
        left = self._operand()
        operator = self._next()
        if operator == "BETWEEN":
            low = self._operand()
            self._need("AND")
            high = self._operand()
            return lambda item, names: (
                _compare(">=", left(item, names), low(item, names))
                and _compare("<=", left(item, names), high(item, names))
            )
        if operator not in _COMPARISONS:
            raise UnknownExpressionError(self._text)
        right = self._operand()
        return lambda item, names: _compare(operator, left(item, names), right(item, names))

    def _set(self) -> Action:
        name = self._path()
        self._need("=")
        value = self._sum()

        def action(before: RawItem, after: RawItem, names: Names) -> None:
            found = value(before, names)
            if found is None:
                raise UnknownExpressionError(f"{self._text}: an attribute that it reads is missing")
            after[names.names[name]] = found

        return action

    def _sum(self) -> Value:
        left = self._operand()
        if self._took("+"):
            right = self._operand()
            return lambda item, names: _added(left(item, names), right(item, names), 1)
        if self._took("-"):
            right = self._operand()
            return lambda item, names: _added(left(item, names), right(item, names), -1)
        return left

    def _remove(self) -> Action:
        name = self._path()

        def action(_: RawItem, after: RawItem, names: Names) -> None:
            after.pop(names.names[name], None)

        return action

    def _add(self) -> Action:
        name, value = self._path(), self._operand()

        def action(before: RawItem, after: RawItem, names: Names) -> None:
            old, more = before.get(names.names[name]), value(before, names)
            assert more is not None
            [(kind, given)] = more.items()
            if kind == "N":
                after[names.names[name]] = _sum_of(old or {"N": "0"}, more, 1)
            elif kind in _SETS:
                had = old[kind] if old else []
                after[names.names[name]] = {kind: [*had, *(one for one in given if one not in had)]}
            else:
                raise UnknownExpressionError(self._text)

        return action

    def _delete(self) -> Action:
        name, value = self._path(), self._operand()

        def action(before: RawItem, after: RawItem, names: Names) -> None:
            old, less = before.get(names.names[name]), value(before, names)
            assert less is not None
            [(kind, given)] = less.items()
            if old is None:
                return
            left = [one for one in old[kind] if one not in given]
            if left:
                after[names.names[name]] = {kind: left}
            else:
                after.pop(names.names[name], None)  # a set is never empty

        return action

    def _operand(self) -> Value:
        token = self._next()
        if token.startswith("#"):
            return lambda item, names: item.get(names.names[token])
        if token.startswith(":"):
            return lambda _, names: names.values[token]
        if token == "if_not_exists":
            first, second = self._arguments()
            return lambda item, names: first(item, names) or second(item, names)
        raise UnknownExpressionError(self._text)

    def _arguments(self) -> list[Value]:
        self._need("(")
        found = [self._operand()]
        while self._took(","):
            found.append(self._operand())
        self._need(")")
        return found

    def _path(self) -> str:
        token = self._next()
        if not token.startswith("#"):
            raise UnknownExpressionError(self._text)
        return token

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self._peek()
        self._at += 1
        return token

    def _took(self, token: str) -> bool:
        if self._peek() != token:
            return False
        self._at += 1
        return True

    def _need(self, token: str) -> None:
        if not self._took(token):
            raise UnknownExpressionError(self._text)


_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "=": lambda one, other: bool(one == other),
    "<": lambda one, other: bool(one < other),
    "<=": lambda one, other: bool(one <= other),
    ">": lambda one, other: bool(one > other),
    ">=": lambda one, other: bool(one >= other),
}


def _compare(operator: str, left: Typed | None, right: Typed | None) -> bool:
    if left is None or right is None:
        return False  # no comparison with a missing attribute holds
    [(kind, one)], [(other_kind, other)] = left.items(), right.items()
    if kind != other_kind:
        return False
    if kind in _SETS and operator == "=":
        return _COMPARISONS[operator](_members(kind, one), _members(kind, other))
    if kind == "N":
        return _COMPARISONS[operator](Decimal(one), Decimal(other))
    if kind == "S" or operator == "=":
        return _COMPARISONS[operator](one, other)
    raise UnknownExpressionError(f"{kind} {operator} {other_kind}")


def _members(kind: str, values: list[Any]) -> frozenset[Any]:
    return frozenset(Decimal(value) for value in values) if kind == "NS" else frozenset(values)


def _added(one: Typed | None, other: Typed | None, sign: int) -> Typed | None:
    return None if one is None or other is None else _sum_of(one, other, sign)


def _sum_of(one: Typed, other: Typed, sign: int) -> Typed:
    return {"N": str(Decimal(one["N"]) + sign * Decimal(other["N"]))}


def _exists(path: Value) -> Test:
    return lambda item, names: path(item, names) is not None


def _missing(path: Value) -> Test:
    return lambda item, names: path(item, names) is None


def _contains(path: Value, wanted: Value) -> Test:
    def test(item: RawItem, names: Names) -> bool:
        held, sought = path(item, names), wanted(item, names)
        if held is None or sought is None:
            return False
        [(kind, values)], [(sought_kind, one)] = held.items(), sought.items()
        if kind in _SETS and kind == sought_kind + "S":
            return next(iter(_members(kind, [one]))) in _members(kind, values)
        if kind == sought_kind == "S":
            return one in values
        raise UnknownExpressionError(f"contains {kind} {sought_kind}")

    return test


def _begins_with(path: Value, wanted: Value) -> Test:
    def test(item: RawItem, names: Names) -> bool:
        held, sought = path(item, names), wanted(item, names)
        return held is not None and sought is not None and str(held.get("S", "")).startswith(sought["S"])

    return test


_FUNCTIONS: Final[dict[str, Callable[..., Test]]] = {
    "attribute_exists": _exists,
    "attribute_not_exists": _missing,
    "contains": _contains,
    "begins_with": _begins_with,
}
