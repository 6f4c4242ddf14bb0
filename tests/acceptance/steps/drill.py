"""What stops or replaces parts of a stage: only for a stage that has no data of anybody else."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from tests.acceptance.run import Link, Run, SkippedError, code_of, starts

_IDLE_SECONDS: Final = 20 * 60


def idle(run: Run) -> Iterator[str]:
    """Wait until connections and functions have gone cold, then book."""
    run.require("freezing functions")
    run.require_helper()
    time.sleep(_IDLE_SECONDS)
    [link] = run.make_links(run.event_type(run.host()))
    with run.timed("A6, a redeem after 20 idle minutes"):
        answer = run.redeem(link, starts(1)[0])
    assert answer.status_code == 201, code_of(answer)
    with run.timed("A6, its event after 20 idle minutes"):
        run.wait_for_event(lambda event: event.get("linkId") == link.link_id and event["type"] == "link.used")
    yield "a redeem and its event, after 20 minutes without traffic"


def restore(run: Run) -> Iterator[str]:
    """Book a link, restore the table to the time before, and try to book it again."""
    run.require("restores")
    _require_own_stage(run)
    event_type = run.event_type(run.host())
    [link] = run.make_links(event_type)
    time.sleep(6 * 60)  # DynamoDB can restore to five minutes ago
    before = datetime.now(UTC).replace(microsecond=0)
    assert run.redeem(link, starts(1)[0]).status_code == 201
    time.sleep(6 * 60)
    with run.timed("A2, make restore"):
        _command(run, "infra.restore.command", "--to", before.isoformat().replace("+00:00", "Z"))
    run.target.forget()
    again = run.redeem(link, starts(2)[1])
    assert code_of(again) in {"410 link-used", "410 link-revoked"}, code_of(again)
    yield f"after a restore to {before:%H:%M:%S} the link that was used later is dead: {code_of(again)}"


def destroy(run: Run) -> Iterator[str]:
    """Delete the stage and create it again, with its data and its events."""
    run.require("destroying the stage")
    _require_own_stage(run)
    [link] = run.make_links(run.event_type(run.host()))
    with run.timed("A3, make destroy"):
        _command(run, "infra.deploy.deploy", "destroy", "--confirm", run.target.stage.name)
    with run.timed("A3, make deploy of a deleted stage"):
        _command(run, "infra.deploy.deploy", "deploy", "--watch", "0")
    run.target.forget()
    answer = run.redeem(Link(link.link_id, link.token), starts(1)[0])
    assert answer.status_code == 201, code_of(answer)
    yield "a link that was made before the stage was deleted books after it was created again"


def _require_own_stage(run: Run) -> None:
    """Raise `SkippedError` if the stage has hosts that this run did not create."""
    others = [each for each in run.pages("/v1/hosts", "hosts") if each["name"] != run.state.name]
    if others:
        raise SkippedError(f"this stage has {len(others)} other hosts; use one without data")


def _command(run: Run, module: str, *arguments: str) -> None:
    """Run one of the operator's commands on the stage."""
    first, rest = (arguments[:1], arguments[1:]) if module == "infra.deploy.deploy" else ((), arguments)
    command = [sys.executable, "-m", module, *first, "--stage", run.target.stage.name, *rest]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (done.stderr or done.stdout)[-1000:]
