"""Step the real services by hand: create a link, and take one task a number of store calls further."""

from tests.history.checker.machine import Link
from tests.history.interleavings.stepped import Stepped, Task


def make_link(
    stepped: Stepped, most: int = 1, expires_in: int | None = None, *, restore: bool = False
) -> tuple[str, Link]:
    """Create a link of the short event type that expires in `expires_in` milliseconds; return its name and settings."""
    short = stepped.event_types[0]
    expires = stepped.clock + expires_in if expires_in else None
    link = Link(
        short.name, most=most, expires=expires, restore=restore, before=short.before, after=short.after
    )
    stepped.finish(stepped.make(short, link))
    [(name, link)] = stepped.calls[-1].told["links"].items()
    return name, link


def steps(stepped: Stepped, task: Task, count: int) -> None:
    """Let a task finish `count` store calls; it must not end meanwhile."""
    for _ in range(count):
        assert stepped.step(task)
