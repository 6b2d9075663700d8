"""The reward term that pays a designed reward."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from foundation.checks import number, one_of, whole
from foundation.tabular_mdp import IntArray, TabularMDP
from shaping.designed.expadard import TEACHER_RATE, Expadard
from shaping.designed.exprd import exprd
from shaping.designed.informativeness import Measure
from shaping.designed.result import DesignResult, verified
from shaping.designed.structures import NAMES, structure
from shaping.designed.table import RewardTable, designed_table, read_table
from shaping.learner import Learner
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

MDP = "mdp"
FILE = "reward.yaml"
HORIZONS = [1, 4, 8, 16, 32]
WHERE = "python -m scripts.design_reward"


@register_term("designed")
class DesignedTerm(RewardTerm):
    """Pays R(s, a) of a table: designed here, where the world says what it is, or read from a file.

    Sources: Devidze et al. 2021 (method=exprd); Devidze, Kamalaruban and Singla 2024
    (method=expadard).

    A world that is a table reports itself as ``info["mdp"]``; with the agent's own discount, the
    design is made of the first reset's. It stands in RUN/terms/designed/reward.yaml, where an
    exprd design may be edited before a run goes on.

    Args:
        method: "exprd", once; "expadard", anew every `every` episodes for the agent's policy of
            that moment, and at first for one that does anything as often as anything else.
        mode: "replace" pays R − R̄, so that with the task's own reward, weighted 1, the sum is R.
            "add" pays R on top.
        file: a table that scripts.design_reward wrote; then nothing is designed, and the other
            arguments must be left alone.
        budget: of exprd, states that may pay beside those of the task; None for all.
        horizons, counted: of informativeness; see `Measure`.
        structure: of R; see `structures.structure`. With exprd "states" goes with a budget, the
            others than "each" want budget=null.
        r_max: bound on |R|; None for the largest |R̄|.
        l1: of exprd, the price of a unit of |R|. A tiny one, 1e-6, only decides between rewards of
            the same informativeness: those that pay least.
        every: of expadard, episodes between two designs.
        epsilon: of expadard, how often its teacher does anything.

    Raises:
        ValueError: at construction or `bind`, for what does not fit together, or a file that does
            not fit the world.
        Infeasible: at the first reset, no reward of the structure leaves the best policy the best.
        RewardTermError: the environment does not report itself.
    """

    presets = {
        "exprd": {"method": "exprd", "budget": 5},
        "exprd_least": {"method": "exprd", "budget": 5, "l1": 1e-6},
        "expadard": {"method": "expadard", "every": 100},
    }
    reads_rollout = False

    def __init__(
        self,
        method: Literal["exprd", "expadard"] = "exprd",
        mode: Literal["replace", "add"] = "replace",
        file: str | None = None,
        budget: int | None = None,
        horizons: list[int] = HORIZONS,
        counted: Literal["h+1", "h"] = "h+1",
        structure: str = "each",
        r_max: float | None = None,
        l1: float = 0.0,
        every: int = 0,
        epsilon: float = TEACHER_RATE,
    ) -> None:
        self.method = one_of("method", method, ("exprd", "expadard"))
        self.mode = one_of("mode", mode, ("replace", "add"))
        self.structure = one_of("structure", structure, NAMES)
        self.measure = Measure(tuple(horizons), counted)
        self.budget, self.r_max, self.epsilon = budget, r_max, epsilon
        self.l1 = number("l1", l1, least=0)
        self.every = whole("every", every, least=0)
        self._table: RewardTable | None = None
        if file is not None:
            given = (method, budget, list(horizons), counted, structure, r_max, l1, every, epsilon)
            if given != ("exprd", None, HORIZONS, "h+1", "each", None, 0.0, 0, TEACHER_RATE):
                raise ValueError(f"file={file} is designed already: give no argument of a design beside it")
            self._table = read_table(file)
        else:
            self.requires = frozenset({MDP})
            self._refuse_mixed()
        self.reads_policy = self.method == "expadard"
        self._learner: Learner | None = None
        self._designer: Expadard | None = None
        self._mdp: TabularMDP | None = None
        self._edited: RewardTable | None = None
        self._episodes = 0
        self._metrics: dict[str, float] = {"designs": 0.0} if file is None else {}
        self._remark: str | None = None

    def _refuse_mixed(self) -> None:
        if self.method == "expadard":
            if not self.every:
                raise ValueError("method=expadard designs anew: say how many episodes it waits, such as every=100")
            if (
                self.l1
                or self.budget is not None
                or list(self.measure.horizons) != HORIZONS
                or self.measure.counted != "h+1"
            ):
                raise ValueError(
                    "budget, horizons, counted and l1 are of method=exprd; leave them out with method=expadard"
                )
        elif self.every or self.epsilon != TEACHER_RATE:
            raise ValueError("every and epsilon are of method=expadard; method=exprd designs once")
        elif self.budget is not None and self.structure not in ("each", "states"):
            raise ValueError(f"structure={self.structure} says where to pay: give budget=null with it")

    def take_up(self, folder: Path) -> None:
        """The run's own file, where there is one: it may have been edited since."""
        if self.method == "exprd" and (folder / FILE).is_file():
            self._edited = read_table(folder / FILE)

    def bind(self, setting: Setting) -> None:
        self.gamma, self._space = setting.gamma, setting.observation_space
        self._path = None if setting.folder is None else setting.folder / FILE
        if not isinstance(setting.action_space, spaces.Discrete):
            raise ValueError(f"a table pays for actions by number, and actions are {setting.action_space}")
        self._actions = int(setting.action_space.n)
        if self._table is None and not isinstance(self._space, spaces.Discrete):
            raise ValueError(
                f"a design needs states by number, and observations are {self._space}; cut them into cells with "
                f"{WHERE} bins=..., and give the file that it writes as shaping.terms.designed.file="
            )
        if self._table is not None:
            self._table = self._edited or self._table
            self._refuse_other(self._table)
            if self._table.gamma != self.gamma:
                self._remark = (
                    f"it was designed for gamma={self._table.gamma:g}, and the agent learns with {self.gamma:g}: what "
                    "is best may differ"
                )
            if self._path is not None:
                self._table.write(self._path)
        elif self._edited is not None:
            self._refuse_other(self._edited)

    def _refuse_other(self, table: RewardTable) -> None:
        """Raises ValueError where a table is of another world."""
        states, actions = table.rewards.shape
        if actions != self._actions:
            raise ValueError(f"the table is for {actions} actions, and the world has {self._actions}")
        if table.bins is not None:
            if not isinstance(self._space, spaces.Box) or self._space.shape != (len(table.bins.counts),):
                raise ValueError(
                    f"the table is for observations of {len(table.bins.counts)} numbers, and they are {self._space}"
                )
            if states not in (table.bins.size, table.bins.size + 1):
                raise ValueError(f"the table has {states} states, and its bins make {table.bins.size} cells")
        elif not isinstance(self._space, spaces.Discrete) or int(self._space.n) != states:
            raise ValueError(f"the table is for {states} states by number, and observations are {self._space}")

    def meet(self, learner: Learner) -> None:
        learner.probabilities(np.zeros(1, np.int64))  # refuses what cannot say
        self._learner = learner

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:
        if MDP not in self.requires or self._mdp is not None:
            return
        row = int(np.flatnonzero(mask)[0])
        if MDP not in infos[row]:
            raise RewardTermError(
                f"the environment reports no info entry {MDP!r}, so it cannot be designed for; take a world that is a "
                f"table (classic/room, classic/chain, classic/line_key), or design with {WHERE}"
            )
        self._mdp = replace(infos[row][MDP], gamma=self.gamma)
        if self._edited is not None:
            self._table = self._edited
            self._tell(verified(self._mdp, self._edited.rewards, "edited", measure=self.measure))
        elif self._table is None:
            self._design()

    def _design(self) -> None:
        mdp = self._mdp
        assert mdp is not None
        if self.method == "exprd":
            features = structure(self.structure, mdp) if self.structure not in ("each", "states") else None
            result = exprd(
                mdp,
                self.budget,
                measure=self.measure,
                r_max=self.r_max,
                state_only=self.structure == "states",
                l1=self.l1,
                features=features,
            )
        else:
            result = self._adaptive(mdp).design(self._policy(mdp))
        self._tell(result)
        self._metrics["designs"] += 1.0
        self._table = designed_table(mdp, result)
        if self._path is not None:
            self._table.write(self._path)

    def _tell(self, result: DesignResult) -> None:
        """What metrics and the run's end say of a table."""
        held = result.invariance
        self._metrics["informativeness"] = result.informativeness
        self._metrics["changed_states"] = float(len(held.changed))
        self._remark = None if held.holds else f"its reward changes what is best: {held}"

    def _adaptive(self, mdp: TabularMDP) -> Expadard:
        if self._designer is None:
            self._designer = Expadard(mdp, structure(self.structure, mdp), r_max=self.r_max, epsilon=self.epsilon)
        return self._designer

    def _policy(self, mdp: TabularMDP) -> FloatArray:
        """How the agent acts in every state now."""
        if self._learner is None:
            return np.full(mdp.rewards.shape, 1.0 / mdp.n_actions)
        policy = self._learner.probabilities(np.arange(mdp.n_states))
        normal: FloatArray = policy / policy.sum(axis=1, keepdims=True)  # single precision misses 1
        return normal

    def __call__(self, batch: Transitions) -> FloatArray:
        self._episodes += int((batch.terminated | batch.truncated).sum())
        return self.rescore(batch)

    def rescore(self, batch: Transitions) -> FloatArray:
        """What the table as it is now pays for transitions of any time."""
        table = self._table
        assert table is not None
        states = self._states(batch.observations)
        actions = np.asarray(batch.actions).astype(np.int64).reshape(len(states))
        paid: FloatArray = table.rewards[states, actions]
        return paid - table.task[states, actions] if self.mode == "replace" else paid.copy()

    def _states(self, observations: Observations) -> IntArray:
        assert self._table is not None
        assert not isinstance(observations, dict)
        if self._table.bins is not None:
            return self._table.bins.cells(observations)
        states: IntArray = observations.astype(np.int64).reshape(len(observations))
        return states

    def update(self, rollout: Rollout) -> Mapping[str, float]:
        if self.method == "expadard" and self._mdp is not None and self._episodes >= self.every:
            self._episodes = 0
            self._design()
        return dict(self._metrics)

    def state_dict(self) -> dict[str, Any]:
        table = self._table
        return {
            "rewards": None if table is None else table.rewards.copy(),
            "task": None if table is None else table.task.copy(),
            "episodes": self._episodes,
            "metrics": dict(self._metrics),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self._episodes, self._metrics = int(state["episodes"]), dict(state["metrics"])
        if self._edited is not None:
            self._table = self._edited
        elif state["rewards"] is not None:
            bins = None if self._table is None else self._table.bins
            gamma = self.gamma if self._table is None else self._table.gamma
            self._table = RewardTable(np.array(state["rewards"]), np.array(state["task"]), gamma, bins)

    def closing_remark(self) -> str | None:
        return self._remark
