"""What ShapedVecEnv and ShapedEnv stand on: the parts of a reward, stepped together."""

from __future__ import annotations

import math
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium import spaces

from foundation.checks import number
from shaping.combine import Combiner, WeightedSum
from shaping.episodes import EpisodeTransform
from shaping.learner import Learner
from shaping.parts import TASK, Part, RewardTermError, Setting
from shaping.pay import Change, Ledger
from shaping.terms import RewardTerm
from shaping.transforms import Transform
from shaping.transitions import Array, BoolArray, FloatArray, Info, Observations, Rollout, Transitions

COMBINER, EPISODE = "combiner", "episode"
"""The names of these two parts, in metrics and in observations."""

WINDOW = 100  # episodes in the statistics, as SB3's
LONGEST_ROLLOUT = 4096  # transitions kept for learned parts, should nobody call update_terms


class Shaper:
    """The parts of a reward bound to one setting.

    Turns `Transitions` into the scalar the agent learns from.

    Every part has a path, which is its name in metrics and, where it publishes, in observations: a
    term its name, a transform "signal/transform", the others "combiner" and "episode".

    Args:
        terms: name -> term. The name is also the term's in ``reward_terms``.
        combiner: default `WeightedSum()`: everything has weight 1.
        transforms: name of a signal ("task" included) -> transforms applied to it in this order.
        episode: decides about the rewards of whole episodes; see `pay_changes`.
        n_envs, observation_space, action_space, gamma, seed: see `Setting`.
        bootstraps: see `Setting`.
        folder: where parts keep files for people, each in a folder of its path; None: nowhere.
        publishing_only: drop what no observation needs, and pay the task's own reward: to play
            without learning. Nobody is asked for rewards that nobody sees.

    Raises:
        ValueError: a name clashes, transforms name an unknown signal, gamma is outside [0, 1], or a
            part refuses.
    """

    def __init__(
        self,
        terms: Mapping[str, RewardTerm],
        *,
        combiner: Combiner | None = None,
        transforms: Mapping[str, Sequence[Transform]] | None = None,
        episode: EpisodeTransform | None = None,
        n_envs: int,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        gamma: float,
        seed: int = 0,
        bootstraps: bool = True,
        folder: str | Path | None = None,
        publishing_only: bool = False,
    ) -> None:
        number("gamma", gamma, least=0, most=1)
        _refuse_shared(terms, transforms or {})
        self.terms = dict(terms)
        self.combiner: Combiner = combiner if combiner is not None else WeightedSum()
        self.transforms = {name: list(chain) for name, chain in (transforms or {}).items() if chain}
        self.episode = episode
        self.n_envs = n_envs
        self._publishing_only = publishing_only
        self.steps = 0  # environment steps so far, over all resumes
        self.vector_steps = 0
        """The number that the next step gets: vector steps since this Shaper was made."""

        entries = list(observation_space.spaces) if isinstance(observation_space, spaces.Dict) else []
        self.signals = self._named(entries)
        paths = list(self._paths())
        self.parts: dict[str, Part] = dict(paths)
        """Every part by its path."""
        if len(self.parts) < len(paths):
            raise ValueError(f"two parts have one path among {', '.join(path for path, _ in paths)}; rename a term")
        setting = Setting(n_envs, observation_space, action_space, gamma, seed, None, self.signals, bootstraps)
        for path, part in self.parts.items():
            self._bind(path, part, setting, folder)
        self._published = [path for path, part in self.parts.items() if part.observation_space is not None]
        if publishing_only:
            self._drop_unpublished(setting)
        for path in self._published:
            if path in entries:
                raise ValueError(f"the observations have an entry {path!r} already, where {self._who(path)} publishes")
        self._wrap_observation = bool(self._published) and not isinstance(observation_space, spaces.Dict)
        if self._wrap_observation and "observation" in self._published:
            raise ValueError("a term that publishes cannot be called 'observation': the environment's own goes there")
        self.observation_space = self._extend(observation_space)
        """The space of one environment's observation, published entries included."""

        self.part_names = list(self.combiner.parts)
        self._shape = (n_envs,)
        self._calls = [
            (name, term, (len(term.channels), n_envs) if term.channels else (n_envs,), term.signals)
            for name, term in self.terms.items()
        ]
        self._chains = [
            (
                name,
                _source(name),
                [(f"transform {_class_name(transform)} of {name!r}", transform) for transform in chain],
            )
            for name, chain in self.transforms.items()
        ]
        self._resetting = [part for part in self.parts.values() if type(part).reset is not Part.reset]
        self._learned = [path for path, part in self.parts.items() if part.learns]
        self._records = any(self.parts[path].reads_rollout for path in self._learned)
        self._relabels = [name for name, term in self.terms.items() if term.relabels and not publishing_only]
        for name in self._relabels:
            if any(signal in self.transforms for signal in self.terms[name].signals):
                raise ValueError(
                    f"reward term {name!r} changes its rewards after the fact, so they cannot be transformed: give "
                    "neither normalise nor clip, or turn relabel off"
                )
        self._recorded: deque[Transitions] = deque(maxlen=LONGEST_ROLLOUT)
        self._totals: FloatArray = np.zeros((1 + len(self.part_names), n_envs))
        self._window: deque[list[float]] = deque(maxlen=WINDOW)
        self._ledger: Ledger | None = None
        if self._relabels or (self.episode is not None and not publishing_only):
            self.combiner.weights(self.steps)  # refuses a combiner that is no sum
            self._ledger = Ledger(self.signals, self.part_names, self._totals, self.combiner.withheld, gamma)

    @property
    def task_factor(self) -> float | None:
        """What the task's reward is multiplied by; None where anything else is paid or shown."""
        combiner = self.combiner
        if self.terms or self.transforms or self.episode or type(combiner) is not WeightedSum or combiner.withheld:
            return None
        return combiner.weights(0)[TASK] if combiner.is_constant else None

    # -- the parts ---------------------------------------------------------------------------------

    def _named(self, entries: Sequence[str]) -> tuple[str, ...]:
        """Gives the terms their names. Returns the names of all signals."""
        for name, term in self.terms.items():
            if name in (TASK, COMBINER, EPISODE):
                raise ValueError(
                    f"a term cannot be called {name!r}: that is the {'task' if name == TASK else name}'s own name; "
                    "give it another name"
                )
            if "\0" in name or {"", ".", ".."} & set(name.split("/")):
                raise ValueError(
                    f"a term cannot be called {name!r}: its files go to a folder of that name; give it a plain name"
                )
            if name in entries:
                raise ValueError(
                    f"a term cannot be called {name!r}: the observations have an entry of that name; rename it"
                )
            term.name = name
        signals = (TASK, *(signal for term in self.terms.values() for signal in term.signals))
        if len(set(signals)) < len(signals):
            raise ValueError(f"two signals have one name among {', '.join(signals)}; rename a term")
        for name in self.transforms:
            if name not in signals:
                raise ValueError(
                    f"transforms are given for {name!r}, which is no signal here; signals are {', '.join(signals)}"
                )
        return signals

    def _paths(self) -> Iterator[tuple[str, Part]]:
        yield from self.terms.items()
        for signal, chain in self.transforms.items():
            names: list[str] = []
            for transform in chain:
                name = _class_name(transform)
                names.append(name)
                again = names.count(name)
                yield f"{signal}/{name}" if again == 1 else f"{signal}/{name}_{again}", transform
        yield COMBINER, self.combiner
        if self.episode is not None:
            yield EPISODE, self.episode

    def _who(self, path: str) -> str:
        """A part in words, for errors."""
        part = self.parts[path]
        if isinstance(part, RewardTerm):
            return f"reward term {path!r}"
        if isinstance(part, Transform):
            return f"transform {_class_name(part)} of {path.rpartition('/')[0]!r}"
        return f"{'combiner' if path == COMBINER else 'episode transform'} {_class_name(part)}"

    def _bind(self, path: str, part: Part, setting: Setting, folder: str | Path | None) -> None:
        seed = int(np.random.SeedSequence([setting.seed, zlib.crc32(path.encode())]).generate_state(1)[0])
        setting = replace(setting, seed=seed, folder=None if folder is None else Path(folder) / path)
        try:
            part.bind(setting)
        except ValueError as error:
            raise ValueError(f"{self._who(path)} cannot work here: {error}") from error

    def _drop_unpublished(self, setting: Setting) -> None:
        """Close and forget what neither publishes nor is read by a part that does."""

        def publishes(part: Part) -> bool:
            return part.observation_space is not None

        everything = list(self.parts.values())
        if not publishes(self.combiner):  # otherwise it reads every signal
            self.transforms = {name: chain for name, chain in self.transforms.items() if any(map(publishes, chain))}
            self.terms = {
                name: term
                for name, term in self.terms.items()
                if publishes(term) or any(signal in self.transforms for signal in term.signals)
            }
            self.signals = (TASK, *(signal for term in self.terms.values() for signal in term.signals))
            self.combiner = WeightedSum(withheld=self.signals[1:])
            self.combiner.bind(replace(setting, signals=self.signals))
        if self.episode is not None and not publishes(self.episode):
            self.episode = None
        self.parts = dict(self._paths())
        kept = set(map(id, self.parts.values()))
        for part in everything:
            if id(part) not in kept:
                part.close()

    @property
    def requires(self) -> frozenset[str]:
        """Info entries that some part reads."""
        return frozenset().union(*(part.requires for part in self.parts.values()))

    def close(self) -> None:
        """Close every part."""
        for part in self.parts.values():
            part.close()

    # -- episodes ----------------------------------------------------------------------------------

    def reset(self, observations: Observations, infos: Sequence[Info], mask: BoolArray) -> None:
        """Episodes start where ``mask`` is true."""
        self._totals[:, mask] = 0.0
        if self._ledger is not None:
            self._ledger.begin(mask)
        for part in self._resetting:
            part.reset(observations, infos, mask)

    def step(self, batch: Transitions) -> FloatArray:
        """The rewards (n_envs,), a new array. Writes ``infos[i]["reward_terms"]``.

        Raises:
            RewardTermError: a part gave a wrong shape, NaN or infinity.
        """
        signals: dict[str, FloatArray] = {TASK: batch.rewards}
        for name, term, shape, term_signals in self._calls:
            value = term(batch)
            if type(value) is not np.ndarray or value.shape != shape:
                got = f"shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
                raise RewardTermError(
                    f"reward term {name!r} gave {got} at step {self.steps} (environment 0 and on); it must give an "
                    f"array of shape {shape}, one number an environment{' and channel' * (len(shape) > 1)}"
                )
            if value.ndim == 1:
                signals[name] = value
            else:
                signals.update(zip(term_signals, value, strict=True))
        for name, who, chain in self._chains:
            self._check(who, signals[name])  # before statistics are spoilt, or an infinity clipped
            for who, transform in chain:
                signals[name] = transform(signals[name], batch)
                self._check(who, signals[name])

        total, parts = self.combiner(signals, batch, self.steps)
        stacked = np.array([total, *parts])
        # one sum finds any NaN or infinity; who is to blame is looked up only then
        if not math.isfinite(stacked.sum()):
            for name, values in signals.items():
                self._check(_source(name), values)
            self._check(f"combiner {type(self.combiner).__name__}", total)
            for name, values in zip(self.part_names, parts, strict=True):
                self._check(f"part {name!r} of combiner {type(self.combiner).__name__}", values)
        self._totals += stacked

        names = self.part_names
        for info, row in zip(batch.infos, stacked[1:].T.tolist(), strict=True):
            info["reward_terms"] = dict(zip(names, row, strict=True))
        if self._records:
            self._recorded.append(batch)
        if self._ledger is not None:
            self._ledger.add(total, signals, self.combiner.weights(self.steps), batch.infos)
        self.steps += self.n_envs
        self.vector_steps += 1
        rewards: FloatArray = stacked[0]
        return rewards

    def finish(self, batch: Transitions) -> None:
        """Episodes ended with this step, the newest: take their sums into the statistics."""
        ended = batch.terminated | batch.truncated
        rows = self._totals[:, ended].T.tolist()
        self._window.extend(rows)
        if self._ledger is not None:
            for env, row in zip(np.flatnonzero(ended).tolist(), rows, strict=True):
                self._ledger.end(env, bool(batch.terminated[env]), row)

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

    # -- what parts publish ------------------------------------------------------------------------

    def _extend(self, space: spaces.Space[Any]) -> spaces.Space[Any]:
        if not self._published:
            return space
        entries = dict(space.spaces) if isinstance(space, spaces.Dict) else {"observation": space}
        for path in self._published:
            published = self.parts[path].observation_space
            assert published is not None
            entries[path] = published
        return spaces.Dict(entries)

    @property
    def publishes(self) -> bool:
        return bool(self._published)

    def observe(self) -> dict[str, Array]:
        """What parts publish now: path -> (n_envs, ...)."""
        entries = {}
        for path in self._published:
            part = self.parts[path]
            entry, space = part.observe(), part.observation_space
            assert space is not None
            if entry.shape != (self.n_envs, *space.shape):
                raise RewardTermError(
                    f"{self._who(path)} publishes shape {entry.shape} at step {self.steps}; "
                    f"its observation_space says {(self.n_envs, *space.shape)}"
                )
            entries[path] = entry
        return entries

    def publish(self, observation: Any, entries: Mapping[str, Any]) -> Any:
        """An observation, of one environment or all, together with what parts publish."""
        if not self._published:
            return observation
        return {"observation": observation, **entries} if self._wrap_observation else {**observation, **entries}

    def unpublish(self, observation: Any) -> Any:
        """The environment's own observation within one that `publish` made."""
        if not self._published:
            return observation
        if self._wrap_observation:
            return observation["observation"]
        return {key: entry for key, entry in observation.items() if key not in self._published}

    # -- learning ----------------------------------------------------------------------------------

    def take_rollout(self) -> Rollout:
        """The transitions since the last call, at most 4096; empty if no part reads them."""
        rollout = Rollout(self._recorded, self.vector_steps - len(self._recorded))
        self._recorded.clear()
        return rollout

    def update_terms(self) -> dict[str, float]:
        """One training step of every learned part.

        Returns:
            metrics: "terms/<term>/<metric>", "terms/<signal>/<transform>/<metric>",
            "combiner/<metric>", "episode/<metric>".

        Raises:
            RewardTermError: learning gave NaN or infinity.
        """
        rollout = self.take_rollout()
        metrics: dict[str, float] = {}
        if self._records and not len(rollout):
            return metrics
        for path in self._learned:
            prefix = path if path in (COMBINER, EPISODE) else f"terms/{path}"
            for metric, value in self.parts[path].update(rollout).items():
                if not math.isfinite(value):
                    raise RewardTermError(f"learning in {self._who(path)} gave {metric} = {value} at step {self.steps}")
                metrics[f"{prefix}/{metric}"] = float(value)
        return metrics

    @property
    def reads_policy(self) -> tuple[str, ...]:
        """The parts that ask the agent how it acts, in words; see `meet`."""
        return tuple(self._who(path) for path, part in self.parts.items() if part.reads_policy)

    def meet(self, learner: Learner) -> None:
        """Training begins, with this agent.

        Raises:
            ValueError: a part cannot work with it.
        """
        for path, part in self.parts.items():
            if part.reads_policy:
                try:
                    part.meet(learner)
                except ValueError as error:
                    raise ValueError(f"{self._who(path)} cannot work with this agent: {error}") from error

    # -- pay that changes --------------------------------------------------------------------------

    @property
    def changes_pay(self) -> bool:
        """May steps be paid otherwise than when they were taken?

        Then `pay_changes` is to be called.
        """
        return self._ledger is not None

    def pay_changes(self) -> list[Change]:
        """By how much steps are to be paid more than they were.

        To be called at a rollout's end, after `update_terms`.

        Terms that score a rollout again come first, the episode transform then sees what they said.
        An episode that a rollout's end cuts may be decided about again. A step may occur in several
        changes; they add up. The statistics count them.

        Raises:
            RewardTermError: a part gave a wrong shape, NaN or infinity.
        """
        ledger = self._ledger
        if ledger is None:
            return []
        changes = []
        deltas: dict[str, FloatArray] = {}
        for name in self._relabels:
            term = self.terms[name]
            values = term.relabel()
            if values is None:
                continue
            rows = values if term.channels else values[None]  # (channels, T, n_envs)
            if rows.ndim != 3 or rows.shape[2] != self.n_envs or len(rows) != len(term.signals):
                raise RewardTermError(
                    f"reward term {name!r} scored again and gave shape {values.shape} at step {self.steps}; it must "
                    f"give (T, {self.n_envs}), for each channel where it has some"
                )
            if not np.isfinite(rows).all():
                raise RewardTermError(
                    f"reward term {name!r} scored again and gave NaN or infinity at step {self.steps}"
                )
            deltas.update(zip(term.signals, rows, strict=True))
        if deltas:
            changes += ledger.relabel(deltas)
        if self.episode is not None:
            changes += ledger.decide(self.episode)
        ledger.settle()
        return changes

    @property
    def rescored(self) -> tuple[str, ...]:
        """Signals whose pay is a function of the transition alone: `rescore` gives it anew.

        What `rescore` says takes the place of the sum of their ``reward_terms``.
        """
        return tuple(
            signal
            for term in self.terms.values()
            if term.rescores
            for signal in term.signals
            if signal not in self.combiner.withheld
        )

    def rescore(self, batch: Transitions) -> FloatArray:
        """What the `rescored` signals of transitions of any time and number pay now, together (n,).

        Raises:
            RewardTermError: a term gave a wrong shape, NaN or infinity.
            ValueError: the combiner is no weighted sum.
        """
        weights, rescored, n = self.combiner.weights(self.steps), self.rescored, len(batch)
        total: FloatArray = np.zeros(n)
        for name, term in self.terms.items():
            if not term.rescores:
                continue
            values = np.asarray(term.rescore(batch), np.float64)
            expected = (len(term.channels), n) if term.channels else (n,)
            if values.shape != expected:
                raise RewardTermError(
                    f"reward term {name!r} gave shape {values.shape} when it was asked again; expected {expected}"
                )
            for signal, row in zip(term.signals, values if term.channels else values[None], strict=True):
                if signal in rescored:
                    for transform in self.transforms.get(signal, ()):
                        row = transform.rescore(row, batch)
                    total += weights[signal] * row
        if not np.isfinite(total).all():
            raise RewardTermError(f"asking again for {', '.join(rescored)} gave NaN or infinity at step {self.steps}")
        return total

    def closing_remarks(self) -> dict[str, str]:
        """Path -> what the part has to say at the run's end, of those that have."""
        remarks = {path: part.closing_remark() for path, part in self.parts.items()}
        return {path: remark for path, remark in remarks.items() if remark}

    # -- statistics, state -------------------------------------------------------------------------

    def episode_statistics(self) -> dict[str, float]:
        """Means over the last 100 finished episodes; empty before the first.

        "shaped_return" is what the agent was paid, changes included; "reward/<part>" the weighted
        contribution of each part.
        """
        if not self._window:
            return {}
        means = np.mean(self._window, axis=0).tolist()
        return dict(zip(["shaped_return", *(f"reward/{name}" for name in self.part_names)], means, strict=True))

    def state_dict(self) -> dict[str, Any]:
        """Everything a resume needs.

        Environments start new episodes then, so sums of unfinished ones are not in it.
        """
        return {
            "steps": self.steps,
            "window": [list(row) for row in self._window],
            "terms": {name: term.state_dict() for name, term in self.terms.items()},
            "transforms": {name: [t.state_dict() for t in chain] for name, chain in self.transforms.items()},
            "combiner": self.combiner.state_dict(),
            "episode": None if self.episode is None else self.episode.state_dict(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` gave.

        With ``publishing_only``, the states of what was dropped are left.

        Raises:
            ValueError: the state is of other terms or transforms.
        """
        for kind, here in (("terms", self.terms), ("transforms", self.transforms)):
            if not (set(state[kind]) >= set(here) if self._publishing_only else set(state[kind]) == set(here)):
                raise ValueError(
                    f"this state has {kind} {sorted(state[kind])}, this experiment has {sorted(here)}; "
                    "resume with the same"
                )
        self.steps = int(state["steps"])
        self._recorded.clear()
        if self._ledger is not None:
            self._ledger.forget()
        if not self._publishing_only:
            self._window = deque((list(row) for row in state["window"]), maxlen=WINDOW)
        for part, saved in self._saved(state):
            part.load_state_dict(saved)

    def load_learned(self, state: Mapping[str, Any]) -> None:
        """Of what `state_dict` gave, take over the states of parts that learn.

        For evaluation with another number of environments, whose rows other states do not fit: only
        what was learned outlives an episode.
        """
        for part, saved in self._saved(state):
            if part.learns:
                part.load_state_dict(saved)

    def _saved(self, state: Mapping[str, Any]) -> Iterator[tuple[Part, Any]]:
        """Each part with its own state."""
        for name, term in self.terms.items():
            yield term, state["terms"][name]
        for name, chain in self.transforms.items():
            yield from zip(chain, state["transforms"][name], strict=True)
        yield self.combiner, state["combiner"]
        if self.episode is not None and state.get("episode") is not None:  # older checkpoints have none
            yield self.episode, state["episode"]


def _class_name(part: Part) -> str:
    return part.registered_name or type(part).__name__


def _refuse_shared(terms: Mapping[str, RewardTerm], transforms: Mapping[str, Sequence[Transform]]) -> None:
    """Raises ValueError where one object is two parts, which would share its state."""
    places: dict[int, str] = {}
    chained = [(f"a transform of {name}", part) for name, chain in transforms.items() for part in chain]
    parts: list[tuple[str, Part]] = [*terms.items(), *chained]
    for place, part in parts:
        other = places.setdefault(id(part), place)
        if other is not place:
            raise ValueError(f"one object is both {other} and {place}, and they would share its state: make two")


def _source(signal: str) -> str:
    return "the environment's own reward" if signal == TASK else f"reward term {signal!r}"
