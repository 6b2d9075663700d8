"""What the small worlds have in common: rules for many worlds at once, and two faces over them.

A world is a file of this folder: a `WorldVecEnv` with its rules, a `WorldEnv` that names it, and
`WORLDS`, one `World` for each gymnasium id.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from envs.batched import BatchedVecEnv
from envs.catalogue import EnvDescription, Option, Request
from envs.controllers import Experts
from envs.typing import Array, BoolArray, FloatArray, IntArray
from foundation.checks import whole

BLOCK = 64  # steps whose random numbers are drawn at once


@dataclass(frozen=True)
class World:
    """One gymnasium id of a small world.

    Attributes:
        id: as gymnasium has it.
        face: the gymnasium face; its `worlds` are the vector face.
        options: its cards.
        arguments: of both faces, for this id alone; who asks for others overrules them.
        experts: see `envs.controllers`.
    """

    id: str
    face: type[WorldEnv]
    options: tuple[Option, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    experts: Experts = field(default_factory=dict)


@dataclass(frozen=True)
class Played:
    """What one step of all worlds came to.

    Attributes:
        rewards: (n,) of the task.
        terminated: (n,) the task is over.
        success: (n,) of what ends; None where the task knows no success.
        entries: name of a report -> a value a world, None where there is nothing to say. Reports
            that nobody asked for may be left out.
    """

    rewards: FloatArray
    terminated: BoolArray
    success: BoolArray | None = None
    entries: Mapping[str, Sequence[Any]] = field(default_factory=dict)


class WorldVecEnv(BatchedVecEnv):
    """Small worlds behind SB3's vector interface, stepped together with array operations.

    A subclass writes the rules: `begin_world`, `play`, `observe` and `frame`.

    Args:
        request: how many, which seeds, what of `reports` and `events` to report.
        observation_space, action_space: of one world.
        max_episode_steps: the time limit; None for the world's own, `limit`.

    Raises:
        ValueError: for an argument that makes no sense; for workers, which a world of a microsecond
            a step has no use for.
    """

    title: ClassVar[str]
    """What messages call it."""
    limit: ClassVar[int]
    """Steps of an episode."""
    reports: ClassVar[frozenset[str]] = frozenset()
    known_events: ClassVar[tuple[str, ...]] = ()
    draws: ClassVar[int] = 0
    """Random numbers that a step of one world takes: `self.chance` holds them."""

    def __init__(
        self,
        request: Request,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        max_episode_steps: int | None = None,
    ) -> None:
        self.max_episode_steps = whole(
            "max_episode_steps", self.limit if max_episode_steps is None else max_episode_steps
        )
        if request.workers:
            raise ValueError(
                f"workers={request.workers}: a step of {self.title} costs less than sending it to another process; "
                "use workers=0"
            )
        super().__init__(
            EnvDescription(self.title, self.reports, self.known_events), request, observation_space, action_space
        )
        n = request.n_envs
        self.reported: frozenset[str] = frozenset(request.report)
        """Names of the reports that are asked for."""
        self.rows: IntArray = np.arange(n)
        self.lengths: IntArray = np.zeros(n, np.int64)
        """Steps of the running episodes."""
        self._episode_seeds = np.zeros(n, np.int64)
        self._actions: Any = None
        if self.draws:
            self._random = [np.random.default_rng(0)] * n
            self._drawn: FloatArray = np.zeros((n, BLOCK, self.draws))

    # The rules, of subclasses --------------------------------------------------------------------

    @abstractmethod
    def begin_world(self, index: int, random: np.random.Generator) -> Mapping[str, Any]:
        """Put one world into a first state. Returns what its first info reports."""

    @abstractmethod
    def play(self, actions: Array) -> Played:
        """One step of every world: (n,) actions, or (n, size) where they are continuous."""

    @abstractmethod
    def observe(self) -> Array:
        """The observations of all worlds, a new array (n, ...)."""

    @property
    def chance(self) -> FloatArray:
        """The random numbers of this step, (n, draws), uniform in [0, 1)."""
        return self._drawn[self.rows, self.lengths % BLOCK]

    # SB3's interface -----------------------------------------------------------------------------

    def reset(self) -> Array:
        """Start new episodes everywhere and return their first observations."""
        self.reset_infos = [{} for _ in range(self.num_envs)]
        for index in range(self.num_envs):
            self.begin(index)
        return self.observe()

    def begin(self, index: int, episode_seed: int | None = None) -> None:
        """Start an episode in one world: the one of this seed, or the next of the stream."""
        if episode_seed is None:
            episode_seed = self.episodes.next(index)
        random = np.random.default_rng(episode_seed)
        self.lengths[index] = 0
        self._episode_seeds[index] = episode_seed
        first = self.begin_world(index, random)
        self.reset_infos[index] = {"episode_seed": episode_seed, **first}
        if self.draws:
            self._random[index] = random
            self._drawn[index] = random.random((BLOCK, self.draws))

    def step_async(self, actions: Any) -> None:
        space, given = self.action_space, np.asarray(actions)
        if isinstance(space, spaces.Discrete):
            rows: Array = given.astype(np.int64).reshape(-1)
            if rows.shape != (self.num_envs,) or ((rows < 0) | (rows >= space.n)).any():
                raise ValueError(f"actions are {given.tolist()}; expected {self.num_envs} of 0 to {space.n - 1}")
        else:
            rows = given.astype(np.float64).reshape(self.num_envs, -1)
            if rows.shape[1:] != space.shape or not np.isfinite(rows).all():
                raise ValueError(f"actions are {given.tolist()}; expected {self.num_envs} of {space}")
        self._actions = rows

    def step_wait(self) -> VecEnvStepReturn:
        played = self.play(self._actions)
        self.lengths += 1
        truncated = (self.lengths >= self.max_episode_steps) & ~played.terminated
        done = played.terminated | truncated
        if self.draws:
            for index in np.flatnonzero(~done & (self.lengths % BLOCK == 0)).tolist():
                self._drawn[index] = self._random[index].random((BLOCK, self.draws))
        infos: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for name, values in played.entries.items():
            if name in self.reported:
                for info, value in zip(infos, values, strict=True):
                    if value is not None:
                        info[name] = value
        observations = self.observe()
        if done.any():
            for index in np.flatnonzero(done).tolist():
                info = infos[index]
                info["terminal_observation"] = observations[index].copy()
                info["TimeLimit.truncated"] = bool(truncated[index])
                info["episode_seed"] = int(self._episode_seeds[index])
                if played.success is not None:
                    info["is_success"] = bool(played.success[index])
                self.begin(index)
            observations = self.observe()
        return observations, played.rewards.astype(np.float32), done, infos


class WorldEnv(gymnasium.Env[Array, Any]):
    """One small world behind gymnasium's interface; a subclass names its `worlds`.

    Args:
        report: info entries to report; None for those that are usual.
        events: the events to detect.
        render_mode: "rgb_array" or None.
        arguments: of the world.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}
    worlds: ClassVar[type[WorldVecEnv]]
    usual: ClassVar[tuple[str, ...]] = ()
    """What is reported where nobody says what."""

    def __init__(
        self,
        *,
        report: Sequence[str] | None = None,
        events: Sequence[str] = (),
        render_mode: str | None = None,
        **arguments: Any,
    ) -> None:
        wanted = self.usual if report is None else tuple(report)
        request = Request(1, report=wanted, events=tuple(events), render_mode=render_mode)
        make: Any = self.worlds
        self._world: WorldVecEnv = make(request, max_episode_steps=2**62, **arguments)
        self.render_mode = render_mode
        self.observation_space = self._world.observation_space
        self.action_space = self._world.action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Start an episode: the one of `seed`, or the next of the stream."""
        super().reset(seed=seed)
        self._world.reset_infos = [{}]
        self._world.begin(0, int(seed) if seed is not None else int(self.np_random.integers(2**62)))
        return self._world.observe()[0], dict(self._world.reset_infos[0])

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Play one action. The time limit is gymnasium's."""
        self._world.step_async(np.asarray(action)[None])
        observations, rewards, dones, infos = self._world.step_wait()
        info, over = infos[0], bool(dones[0])
        observation = info.pop("terminal_observation") if over else np.asarray(observations)[0]
        info.pop("TimeLimit.truncated", None)
        return observation, float(rewards[0]), over, False, info

    def render(self) -> Array | None:  # type: ignore[override]
        """The world as (height, width, 3) uint8, or None without a render_mode."""
        return self._world.frame(0) if self.render_mode == "rgb_array" else None
