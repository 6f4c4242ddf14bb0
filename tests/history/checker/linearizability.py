"""Decides whether a history can be explained by a machine that does one thing at a time: linearizability.

The search is Wing and Gong's, with Lowe's memory of what was tried and Horn and Kroening's partition into objects that
have nothing to do with one another: "Testing and Verifying Concurrent Objects" (1993), "Testing for
linearizability" (2017), "Faster linearizability checking via P-compositionality" (2015).
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from tests.history.checker.calls import NEVER, Call, in_order

MAX_STEPS: Final = 400_000

_S = TypeVar("_S", bound=Hashable)


class UndecidedError(Exception):
    """The search took too long: nothing is said of the history. Make it shorter, or fewer calls at once."""


@dataclass(frozen=True)
class Model(Generic[_S]):
    """The machine: what a call may turn a state into.

    `is_settled` tells of a call that, if it changes nothing now, would change nothing later either: it is then taken
    at once, and no other place is tried for it.
    """

    initial: _S
    next_states: Callable[[_S, Call], Sequence[_S]]
    is_settled: Callable[[Call], bool] = lambda _: False


@dataclass(frozen=True)
class Verdict(Generic[_S]):
    """Whether a history is explained; by which order; if not, the longest order found, and what could not follow it."""

    explained: bool
    order: Sequence[Call]
    state: _S
    stuck: Sequence[Call]
    steps: int


def explain(calls: Sequence[Call], model: Model[_S], *, max_steps: int = MAX_STEPS) -> Verdict[_S]:
    """Look for an order of the calls that respects time and that the machine allows. Raises `UndecidedError`.

    An optional call may be left out. One that is not must be there, and before every call invoked after it returned.
    """
    return _Search(in_order(calls), model, max_steps).run()


class _Search(Generic[_S]):
    def __init__(self, calls: Sequence[Call], model: Model[_S], max_steps: int) -> None:
        self._calls = calls
        self._model = model
        self._most_steps = max_steps
        self._steps = 0
        self._needed = sum(1 << at for at, call in enumerate(calls) if not call.optional)
        self._tried: set[tuple[int, _S]] = set()

    def run(self) -> Verdict[_S]:
        """Search depth first, without recursion: a history may be longer than Python's stack is deep."""
        start = (0, self._model.initial)
        path: list[tuple[int, _S, int, Iterator[tuple[int, _S, int]]]] = [(*start, -1, self._onward(*start))]
        best: list[tuple[int, _S, int]] = [(*start, -1)]
        while path:
            mask, state, _, onward = path[-1]
            if mask & self._needed == self._needed:
                return Verdict(True, self._order(path), state, (), self._steps)
            for following, after, at in onward:
                if (following, after) not in self._tried:
                    self._tried.add((following, after))
                    path.append((following, after, at, self._onward(following, after)))
                    if self._weight(following) > self._weight(best[-1][0]):
                        best = [entry[:3] for entry in path]
                    break
            else:
                path.pop()
        mask, state, _ = best[-1]
        stuck = [self._calls[at] for at in self._candidates(mask) if not self._calls[at].optional]
        return Verdict(False, self._order(best), state, stuck, self._steps)

    def _onward(self, mask: int, state: _S) -> Iterator[tuple[int, _S, int]]:
        """Yield what may come next: mask, state, and which call it was; the earliest answered first."""
        options: list[tuple[float, int, Sequence[_S]]] = []
        deadline = self._deadline(mask)
        for at in self._candidates(mask):
            call = self._calls[at]
            self._steps += 1
            if self._steps > self._most_steps:
                raise UndecidedError(f"{len(self._calls)} calls, {self._steps} steps")
            states = self._model.next_states(state, call)
            if len(states) == 1 and states[0] == state:
                if call.optional:
                    continue  # to happen without effect is not to happen
                if call.invoked <= deadline and self._model.is_settled(call):
                    yield mask | 1 << at, state, at
                    return
            options.append((call.returned, at, states))
        options.sort(key=lambda option: option[:2])
        for _, at, states in options:
            for after in states:
                yield mask | 1 << at, after, at

    def _candidates(self, mask: int) -> list[int]:
        """Return which calls may come next: those invoked before any that is not there yet had returned."""
        horizon, newest = NEVER, -NEVER
        for at, call in enumerate(self._calls):
            if mask >> at & 1:
                newest = max(newest, call.invoked)
            elif not call.optional:
                horizon = min(horizon, call.returned)
        return [
            at
            for at, call in enumerate(self._calls)
            if not mask >> at & 1
            and call.invoked <= horizon
            and (not call.optional or call.returned >= newest)
        ]

    def _deadline(self, mask: int) -> float:
        """Return until when a call may be invoked so that taking it shuts no optional one out."""
        return min(
            (call.returned for at, call in enumerate(self._calls) if call.optional and not mask >> at & 1),
            default=NEVER,
        )

    def _weight(self, mask: int) -> int:
        return (mask & self._needed).bit_count()

    def _order(self, path: Sequence[tuple[int, _S, int] | tuple[int, _S, int, object]]) -> list[Call]:
        return [self._calls[entry[2]] for entry in path[1:]]


def apart(calls: Sequence[Call], touches: Callable[[Call], set[tuple[str, object]]]) -> list[list[Call]]:
    """Return the calls in groups that have nothing in common, each in order."""
    leaders: dict[tuple[str, object], tuple[str, object]] = {}

    def leader(thing: tuple[str, object]) -> tuple[str, object]:
        while (above := leaders.setdefault(thing, thing)) != thing:
            leaders[thing] = leaders[above]
            thing = above
        return thing

    for call in calls:
        first, *rest = sorted(touches(call), key=repr)
        for other in rest:
            leaders[leader(other)] = leader(first)
    groups: dict[tuple[str, object], list[Call]] = {}
    for call in in_order(calls):
        groups.setdefault(leader(min(touches(call), key=repr)), []).append(call)
    return list(groups.values())
