"""Step the services by hand: create a link, and run a task for a number of store calls."""

from tests.history.checker.specification import Link
from tests.history.interleavings.stepped import Stepped, Task


def make_link(
    stepped: Stepped, max_uses: int = 1, expires_in: int | None = None, *, restore: bool = False
) -> tuple[str, Link]:
    """Create a link of the short event type that expires in `expires_in` milliseconds; return its name and settings."""
    short = stepped.event_types[0]
    expires = stepped.clock + expires_in if expires_in else None
    link = Link(
        short.name,
        max_uses=max_uses,
        expires_at=expires,
        restore=restore,
        before=short.before,
        after=short.after,
    )
    stepped.finish(stepped.make(short, link))
    [(name, link)] = stepped.calls[-1].result["links"].items()
    return name, link


def steps(stepped: Stepped, task: Task, count: int) -> None:
    """Run a task for `count` store calls and assert that it has not ended."""
    for _ in range(count):
        assert stepped.step(task)
