"""Check linearizability: find a sequential order of the calls that respects real time and the specification.

The algorithm is Wing and Gong's search ("Testing and Verifying Concurrent Objects", 1993) with Lowe's cache of visited
states ("Testing for linearizability", 2017) and Horn and Kroening's partition into independent objects ("Faster
linearizability checking via P-compositionality", 2015).
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from tests.history.checker.calls import NEVER, Call, in_order

MAX_STEPS: Final = 400_000

_S = TypeVar("_S", bound=Hashable)


class UndecidedError(Exception):
    """The search reached its step limit without a verdict. Use a shorter history or fewer concurrent calls."""


@dataclass(frozen=True)
class Model(Generic[_S]):
    """A sequential specification: the states that a call may lead to from a state.

    `is_settled` returns whether a call that leaves the current state unchanged would leave every later state unchanged
    too. The search then places such a call at once and tries no other place for it.
    """

    initial: _S
    next_states: Callable[[_S, Call], Sequence[_S]]
    is_settled: Callable[[Call], bool] = lambda _: False


@dataclass(frozen=True)
class Verdict(Generic[_S]):
    """The result of a check.

    If `linearizable`, `order` is a sequential order of the calls. If not, it is the longest valid order that was found,
    `state` is the state after it, and `stuck` are the calls of which none can come next.
    """

    linearizable: bool
    order: Sequence[Call]
    state: _S
    stuck: Sequence[Call]
    steps: int


def check(calls: Sequence[Call], model: Model[_S], *, max_steps: int = MAX_STEPS) -> Verdict[_S]:
    """Search for an order of the calls that respects real time and that the model allows. Raises `UndecidedError`.

    The order contains every call that is not optional, before all calls that were invoked after it returned. It may
    leave out optional calls.
    """
    return _Search(in_order(calls), model, max_steps).run()


class _Search(Generic[_S]):
    def __init__(self, calls: Sequence[Call], model: Model[_S], max_steps: int) -> None:
        self._calls = calls
        self._model = model
        self._max_steps = max_steps
        self._steps = 0
        self._needed = sum(1 << at for at, call in enumerate(calls) if not call.optional)
        self._tried: set[tuple[int, _S]] = set()

    def run(self) -> Verdict[_S]:
        """Search depth first. It uses no recursion, because a history may be longer than Python's recursion limit."""
        start = (0, self._model.initial)
        path: list[tuple[int, _S, int, Iterator[tuple[int, _S, int]]]] = [
            (*start, -1, self._successors(*start))
        ]
        best: list[tuple[int, _S, int]] = [(*start, -1)]
        while path:
            mask, state, _, successors = path[-1]
            if mask & self._needed == self._needed:
                return Verdict(True, self._order(path), state, (), self._steps)
            for following, after, at in successors:
                if (following, after) not in self._tried:
                    self._tried.add((following, after))
                    path.append((following, after, at, self._successors(following, after)))
                    if self._progress(following) > self._progress(best[-1][0]):
                        best = [entry[:3] for entry in path]
                    break
            else:
                path.pop()
        mask, state, _ = best[-1]
        stuck = [self._calls[at] for at in self._candidates(mask) if not self._calls[at].optional]
        return Verdict(False, self._order(best), state, stuck, self._steps)

    def _successors(self, mask: int, state: _S) -> Iterator[tuple[int, _S, int]]:
        """Yield the possible next steps as mask, state and index of the call; calls that returned first come first."""
        options: list[tuple[float, int, Sequence[_S]]] = []
        deadline = self._deadline(mask)
        for at in self._candidates(mask):
            call = self._calls[at]
            self._steps += 1
            if self._steps > self._max_steps:
                raise UndecidedError(f"{len(self._calls)} calls, {self._steps} steps")
            states = self._model.next_states(state, call)
            if len(states) == 1 and states[0] == state:
                if call.optional:
                    continue  # without effect, it need not be in the order
                if call.invoked <= deadline and self._model.is_settled(call):
                    yield mask | 1 << at, state, at
                    return
            options.append((call.returned, at, states))
        options.sort(key=lambda option: option[:2])
        for _, at, states in options:
            for after in states:
                yield mask | 1 << at, after, at

    def _candidates(self, mask: int) -> list[int]:
        """Return the calls that may come next: those invoked before any call outside the order returned."""
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
        """Return the latest `invoked` of a call that can be placed next without excluding an optional call."""
        return min(
            (call.returned for at, call in enumerate(self._calls) if call.optional and not mask >> at & 1),
            default=NEVER,
        )

    def _progress(self, mask: int) -> int:
        return (mask & self._needed).bit_count()

    def _order(self, path: Sequence[tuple[int, _S, int] | tuple[int, _S, int, object]]) -> list[Call]:
        return [self._calls[entry[2]] for entry in path[1:]]


def partition(calls: Sequence[Call], touches: Callable[[Call], set[tuple[str, object]]]) -> list[list[Call]]:
    """Return the calls in independent groups, each in order: no two groups touch the same thing."""
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
