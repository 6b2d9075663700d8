"""NetHackEnv: one game behind gymnasium's interface, over the vector environment's code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from envs.nethack.batch import FLOAT_REPORTS, TEXT_REPORTS, BatchConfig, GameBatch
from envs.nethack.observations import DEFAULT_ENTRIES
from envs.nethack.rendering import Renderer
from envs.nethack.statistics import STATISTICS
from envs.typing import Array


class NetHackEnv(gymnasium.Env[dict[str, Array], np.int64]):
    """One NetHack or MiniHack game.

    >>> import gymnasium, envs
    >>> env = gymnasium.make("breadcrumb/MiniHack-Room-5x5-v0")
    >>> observation, info = env.reset(seed=1)      # the same seed: the same level and dice
    >>> sorted(observation)
    ['blstats', 'glyphs_crop', 'inv_glyphs']

    `reset(seed=s)` plays episode s; resets without a seed go through a stream that s began.
    `info["episode_seed"]` names the episode in play, so `reset(seed=info["episode_seed"])` plays it
    again. `gymnasium.make(..., max_episode_steps=n)` reaches the game: the task's reward for a lost
    game is paid at that limit too.

    Args:
        env_id: the task.
        observation_keys, crop_size, report, events, level_seed: see `BatchConfig`.
        record_to, record_every: see `BatchConfig`.
        render_mode: "rgb_array" or None.
        task: further arguments of nle's or minihack's constructor.

    Raises:
        ValueError: for a task, entry or event that does not exist or cannot work here.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}

    def __init__(
        self,
        env_id: str,
        *,
        observation_keys: Sequence[str] = DEFAULT_ENTRIES,
        crop_size: int = 9,
        report: Sequence[str] = (),
        events: Sequence[str] = (),
        level_seed: int | None = None,
        record_to: str | None = None,
        record_every: int = 1,
        max_episode_steps: int | None = None,
        render_mode: str | None = None,
        **task: Any,
    ) -> None:
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f'render_mode is {render_mode!r}; NetHack renders "rgb_array" or nothing (None)')
        self.config = BatchConfig(
            env_id,
            observation_keys=tuple(observation_keys),
            crop_size=crop_size,
            report=tuple(report),
            events=tuple(events),
            level_seed=level_seed,
            max_episode_steps=max_episode_steps,
            record_to=record_to,
            record_every=record_every,
            auto_reset=False,
            task=task,
        )
        self.render_mode = render_mode
        self._wire = self.config.allocate(1)
        self._batch = GameBatch(self.config, self._wire)
        self.observation_space = self.config.layout.space()
        self.action_space = spaces.Discrete(len(self._batch.actions))
        self._renderer: Renderer | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Array], dict[str, Any]]:
        """Start an episode: the one of `seed`, or the next of the stream."""
        super().reset(seed=seed)
        episode_seed = int(seed) if seed is not None else int(self.np_random.integers(2**62))
        self._batch.reset([episode_seed])
        return self._observe(), {"episode_seed": episode_seed, **self._reports("start")}

    def step(self, action: Any) -> tuple[dict[str, Array], float, bool, bool, dict[str, Any]]:
        """Play one action.

        Raises:
            ValueError: for an action outside the space.
            RuntimeError: when the episode is over.
        """
        if not self.action_space.contains(np.int64(action)):
            raise ValueError(f"action {action!r} is not in {self.action_space}")
        self._batch.step(np.array([action], np.int64))
        wire = self._wire
        info: dict[str, Any] = self._reports("report")
        happened = tuple(name for name, true in zip(self.config.events, wire["event"][0], strict=True) if true)
        if happened:
            info["events"] = happened
        info["end_status"] = int(wire["status"][0])
        terminated, truncated = bool(wire["terminated"][0]), bool(wire["truncated"][0])
        if (terminated or truncated) and self._batch.has_success:
            info["is_success"] = bool(self._batch.outcome(0))
        if (terminated or truncated) and "stats" in self.config.report:
            info["stats"] = dict(zip(STATISTICS, wire["stats"][0].tolist(), strict=True))
        return self._observe(), float(wire["reward"][0]), terminated, truncated, info

    def render(self) -> Array | None:  # type: ignore[override]
        """The map in tiles, (376, 1264, 3) uint8, or None without a render_mode."""
        if self.render_mode is None:
            return None
        if self._renderer is None:
            self._renderer = Renderer(self._batch.games[0])
        return self._renderer.frame()

    def set_limit(self, max_episode_steps: int) -> None:
        """Change the step limit of this and all later episodes, for the task's own rules too."""
        self._batch.set_limit(max_episode_steps)

    @property
    def recordings(self) -> list[str]:
        """The ttyrec files written so far."""
        return self._batch.games[0].recordings

    def close(self) -> None:
        """End the game."""
        self._batch.close()

    def _observe(self) -> dict[str, Array]:
        return {key: self._wire[f"observation/{key}"][0].copy() for key in self.observation_space.spaces}  # type: ignore[attr-defined]

    def _reports(self, when: str) -> dict[str, Any]:
        reports: dict[str, Any] = {}
        for name in self.config.report:
            if name in FLOAT_REPORTS:
                reports[name] = float(self._wire[f"{when}/{name}"][0])
            elif name in TEXT_REPORTS:
                reports[name] = self._wire[f"{when}/{name}"][0].tobytes().rstrip(b"\0").decode("utf-8", "replace")
        return reports


class TellStepLimit(gymnasium.Wrapper[dict[str, Array], np.int64, dict[str, Array], np.int64], RecordConstructorArgs):
    """Tells the game of the limit that `gymnasium.make(max_episode_steps=...)` keeps to itself.

    gymnasium wraps a TimeLimit around the environment and never hands the number on; the task would
    neither pay its reward for a lost game at that step nor let an episode be longer than its own
    limit. Registered as the outermost wrapper of our ids.
    """

    def __init__(self, env: gymnasium.Env[dict[str, Array], np.int64]) -> None:
        RecordConstructorArgs.__init__(self)  # so that gymnasium can make a twin of it
        gymnasium.Wrapper.__init__(self, env)
        inner: Any = env
        while isinstance(inner, gymnasium.Wrapper):
            if isinstance(inner, gymnasium.wrappers.TimeLimit):
                env.unwrapped.set_limit(inner._max_episode_steps)  # type: ignore[attr-defined]
            inner = inner.env
