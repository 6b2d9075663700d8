"""What was paid, step by step, for as long as it may still change."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from shaping.episodes import Ending, Episode, EpisodeTransform
from shaping.parts import RewardTermError
from shaping.transitions import BoolArray, FloatArray, Info

MOST_UNDECIDED = 100_000  # episodes that ended and that nobody asked about


@dataclass(frozen=True)
class Change:
    """Steps of one environment that are to be paid that much more than they were."""

    env: int
    step: int  # number of the first of these steps: vector steps since the Shaper was made
    deltas: FloatArray  # (T,)


@dataclass
class _Played:
    """An episode, as far as it was played."""

    env: int
    start: int  # number of its first step
    applied: FloatArray = field(default_factory=lambda: np.zeros(0))  # by how much its pay was changed so far
    ending: Ending = "cut"
    # where it is over:
    stop: int = -1  # number of the step after its last
    info: Info = field(default_factory=dict)
    row: list[float] = field(default_factory=list)  # of the statistics


class Ledger:
    """Signals, weights and pay of every step since the oldest whose pay may change.

    Args:
        signals: their names.
        part_names: names of the statistics' rows after the first, which is what was paid.
        totals: (1 + parts, n_envs), the statistics' sums of running episodes; changed here too.
        withheld: signals that are not paid.
        gamma: the agent's own discount.
    """

    def __init__(
        self,
        signals: Sequence[str],
        part_names: Sequence[str],
        totals: FloatArray,
        withheld: Sequence[str],
        gamma: float,
    ) -> None:
        self._signals = tuple(signals)
        self._rows = {name: row for row, name in enumerate(part_names, start=1)}
        self._totals = totals
        self._withheld = frozenset(withheld)
        self._gamma = gamma
        self._n_envs = totals.shape[1]
        self._values = np.zeros((64, 1 + len(self._signals), self._n_envs))  # a row a step: paid, signals...
        self._weights = np.zeros((64, len(self._signals)))
        self._first = 0  # number of the step in row 0
        self._next = 0  # number of the next step
        self._settled = 0  # number of the first step that no relabelling has come to yet
        self._infos: Sequence[Info] = ()  # of the newest step
        self._running = [_Played(env, 0) for env in range(self._n_envs)]
        self._ended: list[_Played] = []

    def begin(self, mask: BoolArray) -> None:
        """Episodes start where ``mask`` is true."""
        for env in np.flatnonzero(mask).tolist():
            self._running[env] = _Played(env, self._next)

    def add(
        self, paid: FloatArray, signals: Mapping[str, FloatArray], weights: Mapping[str, float], infos: Sequence[Info]
    ) -> None:
        """A step of all environments."""
        row = self._next - self._first
        if row == len(self._values):
            row = self._make_room()
        self._values[row] = (paid, *[signals[name] for name in self._signals])
        self._weights[row] = [weights[name] for name in self._signals]
        self._infos = infos
        self._next += 1

    def end(self, env: int, terminated: bool, row: list[float]) -> None:
        """An episode's last step was the newest; ``row`` is what the statistics say of it."""
        played = self._running[env]
        played.stop, played.info, played.row = self._next, self._infos[env], row
        played.ending = "terminated" if terminated else "truncated"
        self._ended.append(played)
        self._running[env] = _Played(env, self._next)
        if len(self._ended) > MOST_UNDECIDED:
            raise RuntimeError(
                f"{MOST_UNDECIDED} episodes ended and nobody asked by how much their pay changes: call pay_changes() "
                "at every rollout's end and write the changes where the agent learns from, or evaluate with "
                "publishing_only=True"
            )

    def relabel(self, deltas: Mapping[str, FloatArray]) -> list[Change]:
        """Signals (T, n_envs) of the newest T steps rose by these; withheld ones change no pay."""
        length = max(len(values) for values in deltas.values())
        if length > self._next - self._settled:
            raise RewardTermError(
                f"{length} steps were scored again, but there were {self._next - self._settled} since the last time"
            )
        total: FloatArray = np.zeros((length, self._n_envs))
        for name, values in deltas.items():
            rows = slice(self._next - len(values) - self._first, self._next - self._first)
            column = self._signals.index(name)
            weighted = values * self._weights[rows, column][:, None]
            self._values[rows, 1 + column] += values
            if name in self._rows:
                self._correct(self._rows[name], self._next - len(values), weighted)
            if name not in self._withheld:
                total[length - len(values) :] += weighted
        step = self._next - length
        self._values[step - self._first : self._next - self._first, 0] += total
        self._correct(0, step, total)
        return [Change(env, step, total[:, env]) for env in np.flatnonzero(total.any(axis=0)).tolist()]

    def decide(self, transform: EpisodeTransform) -> list[Change]:
        """Ask about every episode that ended, in their order, then about those that run."""
        changes = []
        for played in [*self._ended, *self._running]:
            change = self._decided(transform, played)
            if change is not None:
                changes.append(change)
                if played.row:
                    played.row[0] += float(change.deltas.sum())
                else:
                    self._totals[0, played.env] += change.deltas.sum()
        return changes

    def settle(self) -> None:
        """What was played so far has been decided about; running episodes may still change."""
        self._ended = []
        self._settled = self._next

    def forget(self) -> None:
        """Whatever was played came from another session."""
        self.begin(np.ones(self._n_envs, bool))
        self.settle()

    def _decided(self, transform: EpisodeTransform, played: _Played) -> Change | None:
        stop = self._next if played.ending == "cut" else played.stop
        length = stop - played.start
        if not length:
            return None
        rows = slice(played.start - self._first, stop - self._first)
        paid, *signals = self._values[rows, :, played.env].T.copy()
        weights = self._weights[rows].T.copy()
        wanted = transform(
            Episode(
                dict(zip(self._signals, signals, strict=True)),
                dict(zip(self._signals, weights, strict=True)),
                paid,
                played.ending,
                self._infos[played.env] if played.ending == "cut" else played.info,
                self._gamma,
                played.env,
                played.start,
            )
        )
        if wanted is None:
            return None
        wanted = np.asarray(wanted, np.float64)
        if wanted.shape != paid.shape or not np.isfinite(wanted).all():
            raise RewardTermError(
                f"episode transform {transform.name or type(transform).__name__!r} must give {paid.shape} finite "
                f"rewards for an episode of {length} steps, not {wanted.shape}"
                f"{'' if np.isfinite(wanted).all() else ' with NaN or infinity'}"
            )
        # Buffers hold float32: a difference that it cannot see in the reward is rounding
        rise = wanted.astype(np.float32).astype(np.float64) - paid
        applied = np.zeros(length)
        applied[: len(played.applied)] = played.applied
        deltas = rise - applied
        if not deltas.any():
            return None
        played.applied = rise
        return Change(played.env, played.start, deltas)

    def _correct(self, row: int, step: int, deltas: FloatArray) -> None:
        """Add what steps (T, n_envs) are paid more to the sums of their episodes."""
        for played in [*self._ended, *self._running]:
            stop = self._next if played.ending == "cut" else played.stop
            rise = float(deltas[max(0, played.start - step) : max(0, stop - step), played.env].sum())
            if played.ending == "cut":
                self._totals[row, played.env] += rise
            else:
                played.row[row] += rise

    def _make_room(self) -> int:
        """Forget steps that nothing can change any more, or take twice the room.

        Returns the next free row.
        """
        oldest = min([self._settled, *[played.start for played in (*self._ended, *self._running)]])
        used = self._next - oldest
        kept = slice(oldest - self._first, self._next - self._first)
        for name in ("_values", "_weights"):
            array = getattr(self, name)
            room = array if 2 * used <= len(array) else np.zeros((2 * len(array), *array.shape[1:]))
            room[:used] = array[kept]
            setattr(self, name, room)
        self._first = oldest
        return used
