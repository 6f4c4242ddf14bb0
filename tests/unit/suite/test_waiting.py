"""No test depends on the machine's speed: tests wait for conditions with one limit, and assert no duration."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from tests.support import waiting

TESTS: Final = Path(__file__).parents[2]
STOPWATCHES: Final = frozenset(
    {"monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "process_time"}
)
# `wait_for_function` polls with `eval`, which the pages' policy forbids, so only its first check can succeed.
SLEEPS: Final = frozenset({"sleep", "wait_for_function", "wait_for_timeout"})
WAITS: Final = frozenset({"acquire", "communicate", "join", "result", "settimeout", "wait"})

# The exceptions: by file, the call and the reason.
ALLOWED: Final[Mapping[str, Mapping[str, str]]] = {
    "support/waiting.py": {"sleep": "between two checks", "monotonic": "for the one limit"},
    "dates.py": {"monotonic": "prints the duration of a run"},
    "support/endpoints.py": {
        "settimeout": "how often a silent endpoint checks whether its test is over",
    },
    "history/sockets/clients.py": {"monotonic": "the order of calls; no duration is asserted"},
    "history/sockets/chaos.py": {"sleep": "the fault is a slow response"},
    "support/browser/invitee.py": {"wait_for_timeout": "between two checks, to let the browser run"},
    "support/browser/visit.py": {"wait_for_timeout": "between two checks"},
    "e2e/test_console.py": {"wait_for_timeout": "between two checks"},
    "e2e/test_console_requests.py": {"wait_for_timeout": "between two checks"},
    "acceptance/cleanup.py": {"sleep": "between two looks for what late consumers write"},
    "acceptance/execute.py": {"monotonic": "the report has the duration of each step"},
    "acceptance/run.py": {
        "monotonic": "the report has latencies; none is asserted",
        "sleep": "between two checks, and as a 429 asks for",
    },
    "acceptance/steps/drill.py": {
        "sleep": "waits for what only time brings: idle functions, restorable moments"
    },
    "support/proof/harness.py": {"sleep": "the app's own pause between attempts"},
    "proof/test_restore_size.py": {
        "monotonic": "in `make proof`, a restore's step must end before its timeout"
    },
    "unit/webhooks/test_webhook_http.py": {"monotonic": "the clock of the tested client"},
}


def time_dependencies(source: str) -> Iterator[tuple[str, int]]:
    """Yield each fixed sleep, stopwatch and own timeout in a test, with its name and line."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and node.attr in STOPWATCHES | SLEEPS:
            yield node.attr, node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "time":
            yield from (
                (alias.name, node.lineno) for alias in node.names if alias.name in STOPWATCHES | SLEEPS
            )
        elif isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            limits = [word.value for word in node.keywords if word.arg == "timeout"]
            limits += node.args[:1] if name in WAITS else []
            if any(
                isinstance(limit, ast.Constant) and isinstance(limit.value, int | float) for limit in limits
            ):
                yield name, node.lineno


def files() -> list[str]:
    """Return the tests and their shared modules, except those that measure time on purpose."""
    found = (path.relative_to(TESTS).as_posix() for path in TESTS.rglob("*.py"))
    return sorted(
        name for name in found if not name.startswith("bench/") and name != "unit/suite/test_waiting.py"
    )


@pytest.mark.parametrize("name", files())
def test_no_test_depends_on_the_machines_speed(name: str) -> None:
    """Every test waits with `tests/support/waiting.py` and asserts no duration."""
    allowed = ALLOWED.get(name, {})
    found = [
        (what, line) for what, line in time_dependencies((TESTS / name).read_text()) if what not in allowed
    ]
    assert found == [], "wait with `until` or `LIMIT` from tests/support/waiting.py, and measure no time"


def test_every_exception_is_used() -> None:
    """Remove an exception that no code needs any more."""
    for name, allowed in ALLOWED.items():
        assert {what for what, _ in time_dependencies((TESTS / name).read_text())} >= allowed.keys(), name


@pytest.mark.parametrize(
    "source",
    [
        "time.sleep(0.5)",
        "from time import sleep",
        "assert time.monotonic() - started < 2",
        "assert perf_counter.perf_counter() < 2",
        "page.wait_for_timeout(500)",
        "page.wait_for_function('done')",
        "httpx.get(url, timeout=5)",
        "expect(button).to_be_visible(timeout=20_000)",
        "thread.join(3)",
        "event.wait(timeout=1.5)",
    ],
)
def test_a_dependency_on_speed_is_found(source: str) -> None:
    assert list(time_dependencies(source))


def test_a_condition_that_never_holds_fails_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that ignores the result of `until` must not pass."""
    monkeypatch.setattr(waiting, "LIMIT", 0.0)
    with pytest.raises(AssertionError, match="last value: 'too little'"):
        waiting.until(lambda: "too little", lambda found: found == "enough")
