"""Log lines: each has an event that docs/operate.md lists, ids as fields, a cause, and no error's text (P7)."""

import ast
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from chalicelib.domain.errors import TryLaterError
from infra.paths import ROOT

LEVELS: Final = {"debug", "info", "warning", "error", "critical", "exception", "log"}
EVENT: Final = re.compile(r"[a-z]+(-[a-z]+)+")
# Every record has these names. `errorType` would count as a failure in the metric filters, and logs.py adds the rest.
TAKEN: Final = {
    *vars(logging.makeLogRecord({})),
    "message",
    "errorType",
    "requestId",
    "correlationId",
    "function",
}


class Line(NamedTuple):
    """A log call: its event and the names of the fields that it is given one by one."""

    event: str
    fields: frozenset[str]


class Fault(Exception):
    """A call that breaks a rule."""


def lines_of(source: str) -> Iterator[Line]:
    """Yield the log calls of a module. Raises `Fault` for one that breaks a rule."""
    tree = ast.parse(source)
    scopes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_log(node.func):
            scope = [each for each in scopes if each.lineno <= node.lineno <= (each.end_lineno or 0)]
            yield _line(node, scope[-1] if scope else tree)


def _is_log(called: ast.expr) -> bool:
    """Return whether a call logs. Raises `Fault` if it does so other than through the module's own `log`."""
    text = ast.unparse(called)
    if text == "print":
        raise Fault("print: log instead")
    if not isinstance(called, ast.Attribute) or called.attr not in LEVELS:
        return False
    owner = ast.unparse(called.value)
    if owner.endswith(".log") or owner in {"logging", "logger"}:
        raise Fault(f"{text}: use the module's own logger, `log`")
    if owner == "log" and called.attr == "exception":
        raise Fault("log.exception: it quotes the error's text, which may contain input")
    return owner == "log"


def _line(call: ast.Call, scope: ast.AST) -> Line:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if "exc_info" in given:
        raise Fault("exc_info: it quotes the error's text, which may contain input")
    extra = given.get("extra")
    if isinstance(extra, ast.Name):  # assigned just before, because the line was too long
        extra = next(
            (
                node.value
                for node in ast.walk(scope)
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == extra.id
            ),
            None,
        )
    if not isinstance(extra, ast.Call) or ast.unparse(extra.func) != "fields" or not extra.args:
        raise Fault(f'line {call.lineno}: needs extra=fields("noun-verb", …)')
    event = extra.args[0]
    if not isinstance(event, ast.Constant) or not EVENT.fullmatch(str(event.value)):
        raise Fault(f"line {call.lineno}: the event must be literal, such as link-skipped")
    names = frozenset(keyword.arg for keyword in extra.keywords if keyword.arg)
    if names & TAKEN:
        raise Fault(f"line {call.lineno}: {sorted(names & TAKEN)} have another meaning in every line")
    return Line(str(event.value), names)


def _sources() -> list[Path]:
    return [ROOT / "app.py", *sorted((ROOT / "chalicelib").rglob("*.py"))]


def test_the_document_lists_every_event_with_its_fields() -> None:
    """P7: a field is an id, a number or a code, and somebody chose each of them."""
    found: dict[str, set[str]] = {}
    for path in _sources():
        for line in lines_of(path.read_text()):
            found.setdefault(line.event, set()).update(line.fields)
    _, _, text = (ROOT / "docs" / "operate.md").read_text().partition("\n| event | fields | meaning |\n")
    rows = [line.split("|")[1:3] for line in text.partition("\n\n")[0].splitlines()[1:]]
    documented = {
        event: set(re.findall(r"`(\w+)`", names))
        for events, names in rows
        for event in re.findall(r"`([^`]+)`", events)
    }
    assert documented.keys() == found.keys()
    for event, names in found.items():
        assert names <= documented[event], event


def test_every_temporary_error_names_the_fault_that_a_log_line_shows() -> None:
    """A line that says only `store-unavailable` would not tell an outage from anything else."""
    found = [
        (f"{path.relative_to(ROOT)}:{node.lineno}", isinstance(raised, ast.Call) and _has_fault(raised))
        for path in _sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Raise) and (raised := node.exc)
        if ast.unparse(raised.func if isinstance(raised, ast.Call) else raised) in _temporary(TryLaterError)
    ]
    assert len(found) > 10
    assert [place for place, has_fault in found if not has_fault] == []


def _temporary(kind: type[TryLaterError]) -> set[str]:
    """Return the temporary errors that have no fault of their own."""
    own = set() if kind("detail").fault else {kind.__name__}
    return own.union(*(_temporary(each) for each in kind.__subclasses__()))


def _has_fault(call: ast.Call) -> bool:
    return "fault" in {keyword.arg for keyword in call.keywords}


@pytest.mark.parametrize(
    "call",
    [
        "print('x')",
        "self.log.warning('x', extra=fields('a-b'))",
        "logging.warning('x', extra=fields('a-b'))",
        "log.exception('x', extra=fields('a-b'))",
        "log.error('x', exc_info=True, extra=fields('a-b'))",
        "log.info('x')",
        "log.info('x', extra={'event': 'a-b'})",
        "log.info('x', extra=fields(event))",
        "log.info('x', extra=fields('started'))",
        "log.info('x', extra=fields('a-b', errorType='x'))",
        "log.info('x', extra=fields('a-b', correlationId='x'))",
        "log.info('x', extra=fields('a-b', name='x'))",
    ],
)
def test_a_call_that_breaks_a_rule_is_found(call: str) -> None:
    """P7: the check itself fails for each of these."""
    with pytest.raises(Fault):
        list(lines_of(call))


def test_a_call_by_the_rules_passes() -> None:
    """Both ways to give the fields are found."""
    assert list(lines_of("log.info('x', extra=fields('a-b', linkId=1, **more))")) == [
        Line("a-b", frozenset({"linkId"}))
    ]
    source = "def f():\n    about = fields('a-b', hostId=1)\n    log.info('x', extra=about)\n"
    assert list(lines_of(source)) == [Line("a-b", frozenset({"hostId"}))]
