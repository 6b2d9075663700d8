"""RocketEnv: one car for gymnasium; RocketParallelEnv: all cars for PettingZoo."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from pettingzoo import ParallelEnv

from envs.catalogue import Request
from envs.rocket.starts import Start
from envs.rocket.vec_env import MatchConfig, RocketVecEnv
from envs.typing import Array, BoolArray


class _OneMatch:
    """One arena, stepped without automatic resets showing."""

    def __init__(self, config: MatchConfig, report: Sequence[str], events: Sequence[str], render_mode: str | None):
        request = Request(config.rows, report=tuple(report), events=tuple(events), render_mode=render_mode)
        self.venv = RocketVecEnv(config, request)

    def reset(self, episode_seed: int) -> tuple[Array, list[dict[str, Any]]]:
        self.venv.reset()
        observations = self.venv.begin_seeded(0, episode_seed)
        return observations, [dict(info) for info in self.venv.reset_infos]

    def step(self, actions: Array) -> tuple[Array, Array, bool, bool, list[dict[str, Any]]]:
        self.venv.step_async(actions)
        rows, rewards, dones, infos = self.venv.step_wait()
        observations = np.asarray(rows)
        over, truncated = bool(dones[0]), False
        if over:
            truncated = bool(infos[0]["TimeLimit.truncated"])
            observations = np.stack([info.pop("terminal_observation") for info in infos])
            for info in infos:
                info.pop("TimeLimit.truncated")
        return observations, np.asarray(rewards), over and not truncated, truncated, list(infos)


class RocketEnv(gymnasium.Env[Array, Any]):
    """The first blue car of a match; a bot or a frozen agent drives the others.

    >>> import gymnasium, envs
    >>> env = gymnasium.make("breadcrumb/Rocket1v1-v0", opponent="chase_ball")
    >>> observation, info = env.reset(seed=1)        # the same seed is the same start

    Args:
        report, events, render_mode: see `RocketVecEnv`.
        match: of `MatchConfig`; `opponent` defaults to "chase_ball" where there is one to play
            against.

    Raises:
        ValueError: more than one blue car, which is the parallel environment's, or what cannot be
            played.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 15}

    def __init__(
        self,
        *,
        report: Sequence[str] = (),
        events: Sequence[str] = (),
        render_mode: str | None = None,
        **match: Any,
    ) -> None:
        if match.get("orange", 1) and "opponent" not in match:
            match["opponent"] = "chase_ball"
        config = MatchConfig(**match)
        if config.rows != 1:
            raise ValueError(
                f"blue={config.blue} opponent={config.opponent}: one car acts here, and there are {config.rows}; use "
                "envs.rocket.rocket_v0 (PettingZoo) or envs.make_vec for more"
            )
        self._match = _OneMatch(config, report, events, render_mode)
        self.render_mode = render_mode
        self.observation_space = self._match.venv.observation_space
        self.action_space = self._match.venv.action_space

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Array, dict[str, Any]]:
        """Start an episode: the one of `seed`, or the next of the stream."""
        super().reset(seed=seed)
        episode = int(seed) if seed is not None else int(self.np_random.integers(2**62))
        observations, infos = self._match.reset(episode)
        return observations[0], infos[0]

    def step(self, action: Any) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Play one action."""
        observations, rewards, terminated, truncated, infos = self._match.step(np.asarray([action]))
        return observations[0], float(rewards[0]), terminated, truncated, infos[0]

    def action_masks(self) -> BoolArray:
        """(actions,): see `RocketVecEnv.action_masks`; sb3-contrib asks for them."""
        return np.asarray(self._match.venv.action_masks()[0])

    def render(self) -> Array | None:  # type: ignore[override]
        """The arena from above, or None without a render_mode."""
        return self._match.venv.render()

    def close(self) -> None:
        """End the match."""
        self._match.venv.close()


class RocketParallelEnv(ParallelEnv[str, Array, Any]):
    """Every car of a match is an agent: blue-0, blue-1, ..., orange-0, ...

    Args:
        blue, orange: cars in the teams; with `opponent=`, a bot or a frozen agent drives the orange
            ones, which are no agents then.
        report, events, render_mode: see `RocketVecEnv`.
        match: more of `MatchConfig`.
    """

    metadata = {"name": "rocket_v0", "render_modes": ["rgb_array"], "render_fps": 15}

    def __init__(
        self,
        blue: int = 1,
        orange: int = 1,
        *,
        report: Sequence[str] = (),
        events: Sequence[str] = (),
        render_mode: str | None = None,
        **match: Any,
    ) -> None:
        config = MatchConfig(blue=blue, orange=orange, **match)
        self._match = _OneMatch(config, report, events, render_mode)
        names = [*(f"blue-{i}" for i in range(blue)), *(f"orange-{i}" for i in range(orange))]
        self.possible_agents = names[: config.rows]
        self.agents: list[str] = []
        self.render_mode = render_mode
        self._random = np.random.default_rng()

    @functools.cache  # noqa: B019 - PettingZoo asks for the same object every time
    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self._match.venv.observation_space

    @functools.cache  # noqa: B019
    def action_space(self, agent: str) -> spaces.Space[Any]:
        space: spaces.Space[Any] = type(self._match.venv.action_space)(**_sizes(self._match.venv.action_space))
        return space  # one an agent: each samples by itself

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, dict[str, Any]]]:
        if seed is not None:
            self._random = np.random.default_rng(seed)
        self.agents = list(self.possible_agents)
        observations, infos = self._match.reset(int(self._random.integers(2**62)))
        return dict(zip(self.agents, observations, strict=True)), dict(zip(self.agents, infos, strict=True))

    def step(self, actions: dict[str, Any]) -> Any:
        agents = self.agents
        observations, rewards, terminated, truncated, infos = self._match.step(
            np.asarray([actions[agent] for agent in agents])
        )
        if terminated or truncated:
            self.agents = []
        return (
            dict(zip(agents, observations, strict=True)),
            dict(zip(agents, rewards.tolist(), strict=True)),
            dict.fromkeys(agents, terminated),
            dict.fromkeys(agents, truncated),
            dict(zip(agents, infos, strict=True)),
        )

    def place(self, start: Start) -> dict[str, Array]:
        """Put the match into a situation and go on from there: observations by agent."""
        self.agents = list(self.possible_agents)
        return dict(zip(self.agents, self._match.venv.begin(0, start), strict=True))

    def action_masks(self) -> dict[str, BoolArray]:
        """Agent -> (actions,): see `RocketVecEnv.action_masks`."""
        return dict(zip(self.agents, self._match.venv.action_masks(), strict=False))

    def render(self) -> Any:
        return self._match.venv.render()

    def close(self) -> None:
        self._match.venv.close()


def _sizes(space: Any) -> dict[str, Any]:
    return {"n": space.n} if isinstance(space, spaces.Discrete) else {"nvec": space.nvec}


def rocket_v0(**arguments: Any) -> RocketParallelEnv:
    """The PettingZoo environment; see `RocketParallelEnv`."""
    return RocketParallelEnv(**arguments)
