"""Generate interleavings, crashes, lost replies and retries of store calls with Hypothesis, and check each history."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.history.checker.calls import Call
from tests.history.checker.event_audit import event_faults
from tests.history.checker.specification import KEYLESS_WINDOW, Link
from tests.history.checker.violations import violations
from tests.history.interleavings.stepped import LIMITS, Fate, Stepped, SteppedEventType, Task, slot
from tests.support import audit

MAX_AT_ONCE: Final = 4
TICK: Final = 10  # milliseconds; links open and expire on a tick, so the clock often equals the limit exactly

VERBS: Final = (
    *("redeem", "redeem another slot", "cancel", "move", "read booking"),
    *("revoke", "change limit", "delete", "replace", "read link"),
    *("renew rolling link", "read rolling link", "generate", "expire"),
)


class Choice(NamedTuple):
    """The random choices for one call: which verb, link, start, person, key and limit."""

    verb: int
    link: int
    at: int
    person: int
    key: str | None
    max_uses: int | None


_small = st.integers(0, 3)
_first_reads = st.sampled_from([Fate.DONE, Fate.DONE, Fate.PARTLY, Fate.PARTLY_LAST])
_choices = st.builds(
    Choice,
    verb=_small,
    link=_small,
    at=st.integers(0, 2),
    person=st.integers(0, 1),
    key=st.sampled_from([None, None, "k"]),
    max_uses=st.sampled_from([1, 2, None]),
)


class BrokenPromiseError(AssertionError):
    """A promise is broken: the failed checks with their findings, and the steps that lead there."""

    def __init__(self, broken: Mapping[str, Sequence[str]], steps: Sequence[str]) -> None:
        self.checks = tuple(broken)
        findings = [f"{check}: {fault}" for check, faults in broken.items() for fault in faults]
        super().__init__("\n".join([*findings, "Steps:", *steps]))


class Interleavings(RuleBasedStateMachine):
    """Clients, a scheduler, faults and a clock. At the end of each example, no promise may be broken."""

    stepped: Stepped | None = None  # one per process, because creating it takes longer than an example
    examples = 0  # how many have ended
    verbs: Sequence[str] | None = None  # the calls besides redeem; None lets each example choose

    def __init__(self) -> None:
        super().__init__()
        if Interleavings.stepped is None:
            Interleavings.stepped = Stepped()
        self.s = Interleavings.stepped
        self.s.begin()
        self.short, self.long = self.s.event_types

    @initialize(
        verbs=st.lists(st.sampled_from(VERBS), min_size=1, max_size=3),
        max_uses=st.sampled_from([1, 1, 2, 2, 3, None]),
        restore=st.booleans(),
        expires_in=st.sampled_from([None, None, 1, 2]),
        opens_in=st.sampled_from([None, None, None, 1]),
        rolling=st.booleans(),
    )
    def create_links(
        self,
        verbs: list[str],
        max_uses: int | None,
        restore: bool,
        expires_in: int | None,
        opens_in: int | None,
        rolling: bool,
    ) -> None:
        # Calls of a few kinds conflict more often within one example than calls of all kinds.
        self._verbs = ["redeem", *(self.verbs or verbs)]
        self._make(self.short, max_uses, restore, expires_in, None, None)
        self._make(self.long, 1, not restore, None, opens_in, None)
        if rolling:
            self.s.finish(self.s.renew(self.long))

    @precondition(lambda self: len(self.s.tasks) < MAX_AT_ONCE)
    @rule(choice=_choices)
    def call(self, choice: Choice) -> None:
        """Begin one call."""
        self._begin(choice)

    @precondition(lambda self: len(self.s.tasks) < MAX_AT_ONCE)
    @rule(one=_choices, verb=_small, read=_first_reads, order=st.lists(st.booleans(), max_size=8))
    def race(self, one: Choice, verb: int, read: Fate, order: list[bool]) -> None:
        """Begin two calls about the same thing and interleave their store calls: most violations need just that."""
        tasks = [self._begin(one), self._begin(one._replace(verb=verb))]
        if tasks[0] in self.s.tasks and read is not Fate.DONE:
            self.s.step(tasks[0], read)
        for first in order:
            task = tasks[0 if first else 1]
            if task in self.s.tasks:
                self.s.step(task)

    @precondition(lambda self: len(self.s.tasks) < MAX_AT_ONCE)
    @rule(again=st.integers(0, 2), run=st.booleans(), guess=st.booleans())
    def redeem_again(self, again: int, run: bool, guess: bool) -> None:
        """Send an earlier redeem once more: a double click, a client's retry, or someone else's guess."""
        asked = [call for call in self._begun() if call.kind == "redeem"]
        if asked:
            args = asked[-1 - again % len(asked)].args
            settings = self.s.links[args["link"]]
            key = args["receipt"].removeprefix("key ") if args["keyed"] else None
            person = args["body"].partition(" ")[0].partition("?")[0]
            name = "?" if guess and key is None else ""
            task = self.s.redeem(args["link"], settings, args["start"], person, key, "again", name)
            if run:
                self.s.finish(task)

    @precondition(lambda self: bool(self.s.tasks))
    @rule(task=_small, steps=st.integers(1, 3))
    def step(self, task: int, steps: int) -> None:
        chosen = self._task(task)
        while steps and self.s.step(chosen):
            steps -= 1

    @precondition(lambda self: bool(self.s.tasks))
    @rule(task=_small)
    def finish(self, task: int) -> None:
        self.s.finish(self._task(task))

    @precondition(lambda self: bool(self.s.tasks))
    @rule(task=_small)
    def lose_reply(self, task: int) -> None:
        """Run a call to its next write. The write takes effect, but its reply is lost."""
        chosen = self._task(task)
        while chosen.waiting is not None and not chosen.waiting.writes:
            if not self.s.step(chosen):
                return
        self.s.step(chosen, Fate.LOST)

    @precondition(lambda self: bool(self.s.tasks))
    @rule(task=_small, fate=st.sampled_from(Fate))
    def fault(self, task: int, fate: Fate) -> None:
        self.s.step(self._task(task), fate)

    @rule(ticks=st.sampled_from([1, 1, 2, KEYLESS_WINDOW // TICK]))
    def tick(self, ticks: int) -> None:
        self.s.tick(ticks * TICK)

    def teardown(self) -> None:
        Interleavings.examples += 1
        broken = broken_promises(self.s, self.s.end())
        if broken:
            raise BrokenPromiseError(broken, self.s.steps)

    def _begin(self, choice: Choice) -> Task | None:
        """Begin a call, and return None if it needs a booking and there is none yet."""
        name, settings = self._link(choice.link)
        rolling = settings.rolling
        verb = self._verbs[choice.verb % len(self._verbs)]
        match verb:
            case "redeem":
                start = self._start(settings, choice.at)
                return self.s.redeem(
                    name, settings, start, f"p{choice.person}", choice.key, f"p{choice.person}"
                )
            case "redeem another slot":
                start = self._start(settings, choice.at + 1)
                return self.s.redeem(
                    name, settings, start, f"p{choice.person}", choice.key, f"p{choice.person}"
                )
            case "revoke":
                return self.s.revoke(name)
            case "replace":
                return self.s.replace(name, settings, choice.key)
            case "delete":
                return self.s.delete(name)
            case "change limit" if not rolling:
                return self.s.limit(name, choice.max_uses)
            case "renew rolling link" | "replace" if rolling:
                return self.s.renew(self.long)
            case "read rolling link" if rolling:
                return self.s.which(self.long)
            case "generate":
                batch = Link(self.short.name, max_uses=1, after=self.short.after)
                return self.s.make(self.short, batch, 1 + choice.person, f"batch {choice.key}")
            case "expire":
                return self.s.expire()
            case "cancel" | "move" | "read booking":
                return self._begin_with_booking(verb, choice)
        return self.s.read_link(name)

    def _begin_with_booking(self, verb: str, choice: Choice) -> Task | None:
        made = self.s.bookings()
        if not made:
            return None
        name, link = made[-1 - choice.link % len(made)]
        match verb:
            case "cancel":
                return self.s.cancel(name)
            case "move":
                start = self._start(self.s.links[link], choice.at)
                return self.s.move(name, start, by_invitee=choice.person == 0)
        return self.s.read_booking(name)

    def _make(
        self,
        event_type: SteppedEventType,
        max_uses: int | None,
        restore: bool,
        expires_in: int | None,
        opens_in: int | None,
        key: str | None,
    ) -> None:
        link = Link(
            event_type=event_type.name,
            max_uses=max_uses,
            restore=restore,
            expires_at=self.s.clock + expires_in * TICK if expires_in else None,
            not_before=self.s.clock + opens_in * TICK if opens_in else None,
            before=event_type.before,
            after=event_type.after,
            max_restored=LIMITS.restores_per_link,
        )
        self.s.finish(self.s.make(event_type, link, key=key))

    def _start(self, link: Link, number: int) -> int:
        """Return a start before or after a midnight. A long booking must start after it: hours end with their day."""
        return slot(number + (4 if link.event_type == self.short.name else 5))

    def _task(self, number: int) -> Task:
        return self.s.tasks[number % len(self.s.tasks)]

    def _begun(self) -> list[Call]:
        return [*self.s.calls, *(task.call for task in self.s.tasks)]

    def _link(self, number: int) -> tuple[str, Link]:
        # The host sees every link and booking in the table, including those of a call that has no answer yet.
        links = list(self.s.links.items())
        return links[number % len(links)]


def broken_promises(stepped: Stepped, calls: Sequence[Call]) -> dict[str, list[str]]:
    """Return the findings of each check that fails, by the check's name.

    `answers`: no call returns 500. `history`: the history is linearizable. `audit`: no stored item breaks a promise.
    `events`: the stream's events agree with the stored items.
    """
    items = stepped.dump()
    checks = {
        "answers": [f"{call.kind} returned {call.code}" for call in calls if call.code.startswith("500")],
        "history": [f"not linearizable:\n{violation}" for violation in violations(calls)],
        "audit": audit.faults_in(items, deleted=stepped.deleted),
        "events": event_faults(_records(stepped), items),
    }
    return {check: faults for check, faults in checks.items() if faults}


def _records(stepped: Stepped) -> list[dict[str, Any]]:
    return [
        {
            "dynamodb": {
                "Keys": {name: (new or old or {})[name] for name in ("pk", "sk")},
                "ApproximateCreationDateTime": 1_800_000_000,
                **({"OldImage": old} if old else {}),
                **({"NewImage": new} if new else {}),
            }
        }
        for old, new in stepped.memory.changes
    ]
