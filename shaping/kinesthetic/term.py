"""Kinesthetic rewards: shaped by how cars and ball stand and move, composed as Lucy-SKG does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from foundation.checks import number, one_of
from shaping.kinesthetic.composition import Expression, parse, quoted
from shaping.kinesthetic.presets import EVENTS, REWARDS
from shaping.kinesthetic.states import MatchStates, View
from shaping.registry import register_term
from shaping.terms import (
    BoolArray,
    FloatArray,
    Info,
    Observations,
    RewardTerm,
    RewardTermError,
    Rollout,
    Setting,
    Transitions,
)

STATES = "states"


@register_term("kinesthetic")
class KinestheticTerm(RewardTerm):
    """Pays for the kinesthetics of cars and ball: Lucy-SKG.

    Source: Moschopoulos et al. 2023, arXiv 2305.15801.

    With Φ an expression of components (`shaping.kinesthetic.composition`) and E one of what
    happened, each car gets

        form=direct      Φ(s') + E
        form=potential   slope(γ_s Φ(s') - Φ(s)) + E    slope(d) = d, or `negative_slope` d if d < 0

    and with `team_spirit` τ: (1-τ) r + τ mean(team) - mean(opponents), which in one against one
    sums to zero.

    The environment's own ±1 for goals is paid beside it, as beside every term. Lucy's and Necto's
    authors have goals in E and pay nothing else: that is ``shaping.task_weight=0``.

    Args:
        reward: Φ: a name of `presets.REWARDS` or an expression.
        events: E: a name of `presets.EVENTS` or an expression.
        form: see above.
        discount: γ_s of form=potential: "one", as the authors train, or the "agent"'s own.
        terminal: Φ after a terminated episode: "keep" (the authors') or "zero", which leaves the
            best policies the best; so does truncation with an agent that does not bootstrap.
        negative_slope: not 1 breaks the invariance of potentials.
        team_spirit: τ, 0 to 1; None leaves every car its own reward.

    Raises:
        ValueError: at construction, for what cannot be read.
    """

    requires = frozenset({STATES})
    reads_rollout = False
    presets = {
        "lucy": {"reward": "lucy", "events": "lucy", "form": "potential", "team_spirit": 0.3},
        "necto": {"reward": "necto", "events": "necto", "form": "potential", "team_spirit": 0.6},
    }

    def __init__(
        self,
        reward: str = "offensive_potential",
        events: str = "none",
        form: Literal["direct", "potential"] = "direct",
        discount: Literal["one", "agent"] = "one",
        terminal: Literal["keep", "zero"] = "keep",
        negative_slope: float = 1.0,
        team_spirit: float | None = None,
    ) -> None:
        self.shape = expression(reward, REWARDS, "reward")
        self.events = expression(events, EVENTS, "events")
        self.form = one_of("form", form, ("direct", "potential"))
        self.discount = one_of("discount", discount, ("one", "agent"))
        self.terminal = one_of("terminal", terminal, ("keep", "zero"))
        self.negative_slope = number("negative_slope", negative_slope)
        self.team_spirit = None if team_spirit is None else number("team_spirit", team_spirit, least=0, most=1)

    @property
    def potential(self) -> FloatArray:
        """(K, N): Φ of the newest step."""
        return self._potential

    @property
    def components(self) -> Mapping[str, FloatArray]:
        """The text of a component -> its values (K, N) in the newest step, of Φ's and E's."""
        return {} if self._before is None else self._before.seen

    def bind(self, setting: Setting) -> None:
        self._setting, self._n_envs = setting, setting.n_envs
        self._gamma = setting.gamma if self.discount == "agent" else 1.0
        self._before: View | None = None  # the step before
        self._potential: FloatArray = np.zeros(0)  # (K, N), its
        self._memory: dict[str, FloatArray] = {}
        self._shares: FloatArray | None = None
        self._names: list[str] = []
        self._sums: list[FloatArray] = []
        self._steps = 0  # in the sums

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:
        view = self._view(infos)
        begins = mask.reshape(len(view.boost), -1)[:, 0]  # an arena's cars begin together
        if self._before is not None:
            view.keep_from(self._before, ~begins)
        for array in self._memory.values():
            array[begins] = 0.0
        potential = self.shape(view)
        self._potential = np.where(begins[:, None], potential, self._potential) if self._before else potential
        self._before = view

    def __call__(self, batch: Transitions) -> FloatArray:
        view = self._view(batch.infos)
        if self._before is None:
            raise RewardTermError("kinesthetic: a step before the first reset")
        view.before = self._before
        phi = self.shape(view)
        if self.form == "direct":
            rewards = phi
        else:
            after = phi
            if self.terminal == "zero":
                ends = self._setting.no_more(batch.terminated, batch.truncated)
                over = ends.reshape(len(phi), -1)[:, :1]  # an arena's cars end together
                after = np.where(over, 0.0, phi)
            rewards = self._gamma * after - self._potential
            if self.negative_slope != 1.0:
                rewards = np.where(rewards < 0, self.negative_slope * rewards, rewards)
        rewards = rewards + self.events(view)
        view.forget_before()
        self._potential, self._before = phi, view
        if self.team_spirit is not None:
            if self._shares is None:
                self._shares = shares(np.asarray(view.states.orange), self.team_spirit)
            rewards = rewards @ self._shares
        self._count(view.seen)
        return np.asarray(rewards[:, np.asarray(view.states.rows)].reshape(-1), np.float64)

    def update(self, rollout: Rollout) -> Mapping[str, float]:
        metrics: dict[str, float] = {}
        if self._steps:
            total, squares, low, high = self._sums
            mean = total.mean(axis=(1, 2)) / self._steps
            deviation = np.sqrt(np.maximum(squares.mean(axis=(1, 2)) / self._steps - mean * mean, 0.0))
            columns = {"mean": mean, "std": deviation, "min": low.min(axis=(1, 2)), "max": high.max(axis=(1, 2))}
            for what, values in columns.items():
                metrics |= {f"{name}/{what}": value for name, value in zip(self._names, values.tolist(), strict=True)}
        self._steps = 0
        return metrics

    def _view(self, infos: Sequence[Info]) -> View:
        try:
            states: MatchStates = infos[0][STATES]
        except KeyError:
            raise RewardTermError(
                f"the environment reports no info entry {STATES!r}, which this term reads; ask for it with "
                f"report=[{STATES!r}] when it is made, or choose an environment of the family rocket"
            ) from None
        arenas, cars = len(states.boost), int(np.count_nonzero(states.rows))
        if arenas * cars != self._n_envs:
            raise RewardTermError(
                f"the states are of {arenas} arenas with {cars} cars that are rows, and there are {self._n_envs} "
                "environments"
            )
        return View(states, memory=self._memory)

    def _count(self, seen: Mapping[str, FloatArray]) -> None:
        """Take every component into sums, squares, least and greatest (C, K, N) since `update`."""
        values = np.stack(list(seen.values()))
        if not self._steps:
            self._names = [_metric(name) for name in seen]
            self._sums = [values.copy(), values * values, values.copy(), values]
        else:
            total, squares, low, high = self._sums
            total += values
            squares += values * values
            np.minimum(low, values, out=low)
            np.maximum(high, values, out=high)
        self._steps += 1

    def state_dict(self) -> dict[str, Any]:
        """Nothing lasts longer than an episode."""
        return {}


def shares(orange: BoolArray, team_spirit: float) -> FloatArray:
    """(N, N) M so that r M is (1-τ) r + τ mean(team) - mean(opponents).

    A team without opponents loses nothing.
    """
    mates = orange[:, None] == orange[None]
    team, others = mates / mates.sum(axis=0), ~mates / np.maximum((~mates).sum(axis=0), 1)
    return np.asarray((1 - team_spirit) * np.eye(len(orange)) + team_spirit * team - others)


def expression(text: str, presets: Mapping[str, str], argument: str) -> Expression:
    """A preset by name, or an expression.

    Raises:
        ValueError: it is neither.
    """
    try:
        return parse(presets.get(text.strip(), text))
    except ValueError as error:
        stop = "" if str(error).endswith("?") else "."
        raise ValueError(f"{argument}={quoted(text)}: {error}{stop} Ready ones: {', '.join(presets)}") from None


def _metric(name: str) -> str:
    return name.replace(" ", "").replace("(", "[").replace(")", "]")
