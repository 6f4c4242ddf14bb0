"""Every interleaving, crash, lost reply and retry of store calls that Hypothesis can think of, checked at the end."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from tests.history.checker.calls import Call
from tests.history.checker.event_audit import event_faults
from tests.history.checker.explanation import unexplained
from tests.history.checker.machine import KEYLESS_WINDOW, Link
from tests.history.interleavings.stepped import LIMITS, EventTypeOf, Fate, Stepped, Task, slot
from tests.support import audit

MAX_AT_ONCE: Final = 4
TICK: Final = 10  # milliseconds; every edge of every link lies on a tick, so that equality is met often

VERBS: Final = (
    *("redeem", "redeem elsewhere", "cancel", "move", "read booking"),
    *("revoke", "limit", "delete", "replace", "read link"),
    *("renew", "which", "make", "expire"),
)


class Wish(NamedTuple):
    """What a client would like to do, as far as there is anything to do it with."""

    verb: int
    link: int
    at: int
    person: int
    key: str | None
    most: int | None


_small = st.integers(0, 3)
_wishes = st.builds(
    Wish,
    verb=_small,
    link=_small,
    at=st.integers(0, 2),
    person=st.integers(0, 1),
    key=st.sampled_from([None, None, "k"]),
    most=st.sampled_from([1, 2, None]),
)


class BrokenPromiseError(AssertionError):
    """What was found, by which judge, and the steps that led there."""

    def __init__(self, broken: Mapping[str, Sequence[str]], steps: Sequence[str]) -> None:
        self.judges = tuple(broken)
        said = [f"{judge}: {fault}" for judge, faults in broken.items() for fault in faults]
        super().__init__("\n".join([*said, "It came about thus:", *steps]))


class Interleavings(RuleBasedStateMachine):
    """Clients that call, a scheduler that steps, faults, and a clock; what they saw must have an explanation."""

    stepped: Stepped | None = None  # one for the process: furnishing it takes longer than an example
    examples = 0  # how many came to their end
    verbs: Sequence[str] | None = (
        None  # what is called besides redeem; None leaves the choice to each example
    )

    def __init__(self) -> None:
        super().__init__()
        if Interleavings.stepped is None:
            Interleavings.stepped = Stepped()
        self.s = Interleavings.stepped
        self.s.begin()
        self.short, self.long = self.s.event_types

    @initialize(
        verbs=st.lists(st.sampled_from(VERBS), min_size=1, max_size=3),
        most=st.sampled_from([1, 1, 2, 2, 3, None]),
        restore=st.booleans(),
        expires=st.sampled_from([None, None, 1, 2]),
        opens=st.sampled_from([None, None, None, 1]),
        rolling=st.booleans(),
    )
    def links_to_begin_with(
        self,
        verbs: list[str],
        most: int | None,
        restore: bool,
        expires: int | None,
        opens: int | None,
        rolling: bool,
    ) -> None:
        # Few kinds of calls in one example meet more often than all of them do.
        self._verbs = ["redeem", *(self.verbs or verbs)]
        self._make(self.short, most, restore, expires, None, None)
        self._make(self.long, 1, not restore, None, opens, None)
        if rolling:
            self.s.finish(self.s.renew(self.long))

    @precondition(lambda self: len(self.s.tasks) < MAX_AT_ONCE)
    @rule(wish=_wishes)
    def call(self, wish: Wish) -> None:
        """One call begins."""
        self._begin(wish)

    @precondition(lambda self: len(self.s.tasks) < MAX_AT_ONCE)
    @rule(one=_wishes, verb=_small, order=st.lists(st.booleans(), max_size=8))
    def race(self, one: Wish, verb: int, order: list[bool]) -> None:
        """Two calls about one thing, their store calls interleaved: this is where most of what can go wrong does."""
        tasks = [self._begin(one), self._begin(one._replace(verb=verb))]
        for first in order:
            task = tasks[0 if first else 1]
            if task in self.s.tasks:
                self.s.step(task)

    @precondition(lambda self: len(self.s.tasks) < MAX_AT_ONCE)
    @rule(again=st.integers(0, 2), run=st.booleans(), guess=st.booleans())
    def redeem_again(self, again: int, run: bool, guess: bool) -> None:
        """A request equal to an earlier one: a second press, a client's retry, or somebody's guess."""
        asked = [call for call in self._begun() if call.kind == "redeem"]
        if asked:
            what = asked[-1 - again % len(asked)].what
            settings = dict(self._links())[what["link"]]
            key = what["receipt"].removeprefix("key ") if what["keyed"] else None
            person = what["body"].partition(" ")[0].partition("?")[0]
            name = "?" if guess and key is None else ""
            task = self.s.redeem(what["link"], settings, what["start"], person, key, "again", name)
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

    def _begin(self, wish: Wish) -> Task | None:
        """Begin a call; None where there is nothing yet that it could be about."""
        name, settings = self._link(wish.link)
        rolling = settings.rolling
        verb = self._verbs[wish.verb % len(self._verbs)]
        match verb:
            case "redeem":
                start = self._start(settings, wish.at)
                return self.s.redeem(name, settings, start, f"p{wish.person}", wish.key, f"p{wish.person}")
            case "redeem elsewhere":
                start = self._start(settings, wish.at + 1)
                return self.s.redeem(name, settings, start, f"p{wish.person}", wish.key, f"p{wish.person}")
            case "revoke":
                return self.s.revoke(name)
            case "replace":
                return self.s.replace(name, settings, wish.key)
            case "delete" if not rolling:
                return self.s.delete(name)
            case "limit" if not rolling:
                return self.s.limit(name, wish.most)
            case "renew" | "replace" if rolling:
                return self.s.renew(self.long)
            case "which" if rolling:
                return self.s.which(self.long)
            case "make":
                batch = Link(self.short.name, most=1, after=self.short.after)
                return self.s.make(self.short, batch, 1 + wish.person, f"batch {wish.key}")
            case "expire":
                return self.s.expire()
            case "cancel" | "move" | "read booking":
                return self._begin_with_booking(verb, wish)
        return self.s.read_link(name)

    def _begin_with_booking(self, verb: str, wish: Wish) -> Task | None:
        made = [
            (call.told["booking"], call.what["link"]) for call in self.s.calls if call.told.get("booking")
        ]
        if not made:
            return None
        name, link = made[-1 - wish.link % len(made)]
        match verb:
            case "cancel":
                return self.s.cancel(name)
            case "move":
                start = self._start(dict(self._links())[link], wish.at)
                return self.s.move(name, start, by_invitee=wish.person == 0)
        return self.s.read_booking(name)

    def _make(
        self,
        event_type: EventTypeOf,
        most: int | None,
        restore: bool,
        expires: int | None,
        opens: int | None,
        key: str | None,
    ) -> None:
        link = Link(
            event_type=event_type.name,
            most=most,
            restore=restore,
            expires=self.s.clock + expires * TICK if expires else None,
            opens=self.s.clock + opens * TICK if opens else None,
            before=event_type.before,
            after=event_type.after,
            max_restored=LIMITS.restores_per_link,
        )
        self.s.finish(self.s.make(event_type, link, key=key))

    def _start(self, link: Link, number: int) -> int:
        """Return a start on either side of a midnight; hours end with their day, so a long one starts after it."""
        return slot(number + (4 if link.event_type == self.short.name else 5))

    def _task(self, number: int) -> Task:
        return self.s.tasks[number % len(self.s.tasks)]

    def _begun(self) -> list[Call]:
        return [*self.s.calls, *(task.call for task in self.s.tasks)]

    def _links(self) -> list[tuple[str, Link]]:
        return [pair for call in self.s.calls for pair in call.told.get("links", {}).items()]

    def _link(self, number: int) -> tuple[str, Link]:
        links = self._links()
        return links[number % len(links)]


def broken_promises(stepped: Stepped, calls: Sequence[Call]) -> dict[str, list[str]]:
    """Return what each of the judges has to say, by its name; nothing where nothing is wrong.

    The answers: nobody is told of a defect. The history: all that was told has an explanation. The audit: nothing that
    is stored breaks a promise. The events: they tell what is stored, all of it and no more.
    """
    items = stepped.dump()
    judged = {
        "answers": [f"{call.kind} was told {call.code}" for call in calls if call.code.startswith("500")],
        "history": [f"no explanation for\n{account}" for account in unexplained(calls)],
        "audit": audit.faults_in(items, deleted=stepped.deleted),
        "events": event_faults(_records(stepped), items),
    }
    return {judge: faults for judge, faults in judged.items() if faults}


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
