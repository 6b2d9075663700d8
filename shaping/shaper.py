"""What the two faces, ShapedVecEnv and ShapedEnv, share: terms, their transforms and a combiner, stepped together."""

from __future__ import annotations

import math
import zlib
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from shaping.combine import Combiner, WeightedSum
from shaping.terms import (
    Array,
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
from shaping.transforms import Transform

TASK = "task"
"""The name of the task's own reward among the signals."""

WINDOW = 100  # episodes in the statistics, as SB3's
LONGEST_ROLLOUT = 4096  # transitions kept for learned terms, should nobody call update_terms


class Shaper:
    """Terms bound to one setting. Turns `Transitions` into the scalar reward and its parts.

    Args:
        terms: name -> term. The name is the term's in metrics, in ``reward_terms`` and in observations.
        combiner: default `WeightedSum()`: everything has weight 1.
        transforms: name of a signal ("task" included) -> transforms applied to it in this order.
        n_envs, observation_space, action_space, gamma, seed: see `Setting`.
        folder: where terms keep files for people, each in a folder of its name; None: nowhere.

    Raises:
        ValueError: a name clashes, transforms name an unknown signal, gamma is outside [0, 1], or a term refuses.
    """

    def __init__(
        self,
        terms: Mapping[str, RewardTerm],
        *,
        combiner: Combiner | None = None,
        transforms: Mapping[str, Sequence[Transform]] | None = None,
        n_envs: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        gamma: float,
        seed: int = 0,
        folder: str | Path | None = None,
    ) -> None:
        if not (math.isfinite(gamma) and 0.0 <= gamma <= 1.0):
            raise ValueError(f"gamma must be the agent's own discount, between 0 and 1, not {gamma}")
        self.terms = dict(terms)
        self.combiner = combiner if combiner is not None else WeightedSum()
        self.transforms = {name: list(chain) for name, chain in (transforms or {}).items() if chain}
        self.n_envs = n_envs
        self.steps = 0  # environment steps so far, over all resumes

        entries = list(observation_space.spaces) if isinstance(observation_space, spaces.Dict) else []
        for name in self.terms:
            if name == TASK:
                raise ValueError(
                    f"a term cannot be called {TASK!r}: that is the task's own reward; give it another name"
                )
            if name in entries:
                raise ValueError(
                    f"a term cannot be called {name!r}: the observations have an entry of that name; rename it"
                )
        self.names = [TASK, *self.terms]
        for name in self.transforms:
            if name not in self.names:
                raise ValueError(
                    f"transforms are given for {name!r}, which is no signal here; signals are {self.names}"
                )

        for name, term in self.terms.items():
            term.name = name
            own = int(np.random.SeedSequence([seed, zlib.crc32(name.encode())]).generate_state(1)[0])
            try:
                term.bind(
                    Setting(
                        n_envs,
                        observation_space,
                        action_space,
                        gamma,
                        own,
                        None if folder is None else Path(folder) / name,
                    )
                )
            except ValueError as error:
                raise ValueError(f"reward term {name!r} cannot work here: {error}") from error

        self._published = [name for name, term in self.terms.items() if term.observation_space is not None]
        self._wrap_observation = bool(self._published) and not isinstance(observation_space, spaces.Dict)
        if self._wrap_observation and "observation" in self._published:
            raise ValueError("a term that publishes cannot be called 'observation': the environment's own goes there")
        self.observation_space = self._extend(observation_space)
        """The space of one environment's observation, published entries included."""

        self.part_names = list(self.combiner.bind(self.names))
        self._shape = (n_envs,)
        self._learned = [name for name, term in self.terms.items() if type(term).update is not RewardTerm.update]
        self._records = any(self.terms[name].reads_rollout for name in self._learned)
        self._relabels = [name for name, term in self.terms.items() if term.relabels]
        for name in self._relabels:
            if name in self.transforms:
                raise ValueError(
                    f"reward term {name!r} changes its rewards after the fact, so they cannot be transformed: give "
                    "neither normalise nor clip, or turn relabel off"
                )
        self._recorded: deque[Transitions] = deque(maxlen=LONGEST_ROLLOUT)
        self._totals: FloatArray = np.zeros((1 + len(self.part_names), n_envs))
        self._window: deque[list[float]] = deque(maxlen=WINDOW)

    # -- episodes -----------------------------------------------------------------------------------------------

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:
        """Episodes start where ``mask`` is true."""
        self._totals[:, mask] = 0.0
        for term in self.terms.values():
            term.reset(observations, infos, mask)

    def step(self, batch: Transitions) -> FloatArray:
        """The rewards (n_envs,), a new array. Writes ``infos[i]["reward_terms"]``.

        Raises:
            RewardTermError: a term, transform or combiner gave a wrong shape, NaN or infinity.
        """
        signals: dict[str, FloatArray] = {TASK: batch.rewards}
        for name, term in self.terms.items():
            value = term(batch)
            if type(value) is not np.ndarray or value.shape != self._shape:
                got = f"shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
                raise RewardTermError(
                    f"reward term {name!r} gave {got} at step {self.steps} (environment 0 and on); it must give an "
                    f"array of shape {self._shape}, one number an environment"
                )
            signals[name] = value
        for name, chain in self.transforms.items():
            self._check(f"reward term {name!r}", signals[name])  # before statistics are spoilt, or an infinity clipped
            for transform in chain:
                signals[name] = transform(signals[name], batch)
                who = f"transform {transform.registered_name or type(transform).__name__!r} of {name!r}"
                self._check(who, signals[name])

        total, parts = self.combiner(signals, batch, self.steps)
        stacked = np.array([total, *parts])
        # one sum finds any NaN or infinity; who is to blame is looked up only then
        if not math.isfinite(stacked.sum()):
            for name, values in signals.items():
                self._check(f"reward term {name!r}" if name != TASK else "the environment's own reward", values)
            self._check(f"combiner {type(self.combiner).__name__}", total)
            for name, values in zip(self.part_names, parts, strict=True):
                self._check(f"part {name!r} of combiner {type(self.combiner).__name__}", values)
        self._totals += stacked

        names = self.part_names
        for info, row in zip(batch.infos, stacked[1:].T.tolist(), strict=True):
            info["reward_terms"] = dict(zip(names, row, strict=True))
        if self._records:
            self._recorded.append(batch)
        self.steps += self.n_envs
        rewards: FloatArray = stacked[0]
        return rewards

    def finish(self, mask: BoolArray) -> None:
        """Episodes ended where ``mask`` is true: take their sums into the statistics."""
        self._window.extend(self._totals[:, mask].T.tolist())

    def _check(self, who: str, values: FloatArray) -> None:
        if getattr(values, "shape", None) != self._shape:
            raise RewardTermError(f"{who} gave shape {np.shape(values)} at step {self.steps}; expected {self._shape}")
        wrong = ~np.isfinite(values)
        if wrong.any():
            index = int(wrong.argmax())
            raise RewardTermError(
                f"{who} gave {values[index]} for environment {index} at step {self.steps}; nothing is trained on it. "
                "Find out where it comes from, or bound it at its source"
            )

    # -- what terms publish -------------------------------------------------------------------------------------

    def _extend(self, space: spaces.Space[Any]) -> spaces.Space[Any]:
        if not self._published:
            return space
        entries = dict(space.spaces) if isinstance(space, spaces.Dict) else {"observation": space}
        for name in self._published:
            own = self.terms[name].observation_space
            assert own is not None
            entries[name] = own
        return spaces.Dict(entries)

    @property
    def publishes(self) -> bool:
        return bool(self._published)

    def observe(self) -> dict[str, Array]:
        """What terms publish now: name -> (n_envs, ...)."""
        entries = {}
        for name in self._published:
            entry, space = self.terms[name].observe(), self.terms[name].observation_space
            assert space is not None
            if entry.shape != (self.n_envs, *space.shape):
                raise RewardTermError(
                    f"reward term {name!r} publishes shape {entry.shape} at step {self.steps}; "
                    f"its observation_space says {(self.n_envs, *space.shape)}"
                )
            entries[name] = entry
        return entries

    def publish(self, observation: Any, entries: Mapping[str, Any]) -> Any:
        """An observation, of one environment or all, together with what terms publish."""
        if not self._published:
            return observation
        return {"observation": observation, **entries} if self._wrap_observation else {**observation, **entries}

    # -- learning, statistics, state ----------------------------------------------------------------------------

    @property
    def requires(self) -> frozenset[str]:
        """Info entries that some term reads."""
        return frozenset().union(*(term.requires for term in self.terms.values()))

    def take_rollout(self) -> Rollout:
        """The transitions since the last call, at most the newest 4096; empty if no term reads them."""
        rollout = Rollout(self._recorded)
        self._recorded.clear()
        return rollout

    def update_terms(self) -> dict[str, float]:
        """One training step of every learned term on the transitions since the last call: "terms/<name>/<metric>"."""
        rollout = self.take_rollout()
        metrics: dict[str, float] = {}
        if self._records and not len(rollout):
            return metrics
        for name in self._learned:
            for metric, value in self.terms[name].update(rollout).items():
                if not math.isfinite(value):
                    raise RewardTermError(
                        f"learning in reward term {name!r} gave {metric} = {value} at step {self.steps}"
                    )
                metrics[f"terms/{name}/{metric}"] = float(value)
        return metrics

    @property
    def relabels(self) -> bool:
        """Does some term score rollouts again at their end?"""
        return bool(self._relabels)

    def relabel(self) -> FloatArray | None:
        """(T, n_envs): by how much the rewards of the steps since the last call change, weights included; None: not.

        To be called after `update_terms`, before another step.
        """
        total: FloatArray | None = None
        for name in self._relabels:
            deltas = self.terms[name].relabel()
            if deltas is None:
                continue
            first = self.steps - len(deltas) * self.n_envs
            weights = np.array([self.combiner.weight(name, first + t * self.n_envs) for t in range(len(deltas))])
            deltas = deltas * weights[:, None]
            total = deltas if total is None else total + deltas
        if total is not None and not np.isfinite(total).all():
            raise RewardTermError(f"scoring again gave NaN or infinity at step {self.steps}")
        return total

    def episode_statistics(self) -> dict[str, float]:
        """Means over the last 100 finished episodes of "shaped_return" and "reward/<part>"; empty before the first."""
        if not self._window:
            return {}
        means = np.mean(self._window, axis=0).tolist()
        return dict(zip(["shaped_return", *(f"reward/{name}" for name in self.part_names)], means, strict=True))

    def close(self) -> None:
        """Close every term."""
        for term in self.terms.values():
            term.close()

    def state_dict(self) -> dict[str, Any]:
        """Everything a resume needs. Environments start new episodes then, so sums of unfinished ones are not in it."""
        return {
            "steps": self.steps,
            "window": [list(row) for row in self._window],
            "terms": {name: term.state_dict() for name, term in self.terms.items()},
            "transforms": {name: [t.state_dict() for t in chain] for name, chain in self.transforms.items()},
            "combiner": self.combiner.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave.

        Raises:
            ValueError: the state is of other terms or transforms.
        """
        for kind, here in (("terms", self.terms), ("transforms", self.transforms)):
            if set(state[kind]) != set(here):
                raise ValueError(
                    f"this state has {kind} {sorted(state[kind])}, this experiment has {sorted(here)}; "
                    "resume with the same"
                )
        self.steps = int(state["steps"])
        self._window = deque((list(row) for row in state["window"]), maxlen=WINDOW)
        for name, term in self.terms.items():
            term.load_state_dict(state["terms"][name])
        for name, chain in self.transforms.items():
            for transform, own in zip(chain, state["transforms"][name], strict=True):
                transform.load_state_dict(own)
        self.combiner.load_state_dict(state["combiner"])
        self._recorded.clear()
