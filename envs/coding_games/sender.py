"""The sender alone: a world in which it sees its message, for agents that learn what to say.

Who guesses is no part of it: a reward term may, such as `shaping=bayes_receiver`. Source: Sokota
et al. 2022 (arXiv 2107.08295), the baseline RL+PR.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces
from stable_baselines3.common.vec_env import VecEnv, VecEnvWrapper
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from envs.catalogue import Request, family_of, make
from envs.coding_games.messages import (
    Messages,
    actions_of,
    checked_noise,
    executed,
    limit_of,
    masks_of,
    message_stream,
    noise_stream,
)
from envs.typing import Array, FloatArray

WORLD = "CodeGrid-v0"
ENTRY = "coding_game"
"""The info entry: `message`, `prior` and `noise`, and on a step `executed_action`."""
OURS = ("message", "time", "action_mask")


def sender_space(seen: spaces.Space[Any], messages: Messages, actions: int, masked: bool) -> spaces.Dict:
    """What a sender sees: entries of the world's own, or `observation`, and ours.

    Raises:
        ValueError: the world has an entry with a name of ours.
    """
    own = dict(seen.spaces) if isinstance(seen, spaces.Dict) else {"observation": seen}
    clashes = [name for name in OURS if name in own]
    if clashes:
        raise ValueError(
            f"the world's observations have an entry {clashes[0]!r}, which is what the sender's own is called: leave "
            "it out (observation_keys), or rename it in a wrapper"
        )
    entries: dict[str, spaces.Space[Any]] = {
        "message": messages.space(),
        "time": spaces.Box(0.0, 1.0, (1,), np.float32),
    }
    if masked:
        entries["action_mask"] = spaces.MultiBinary(actions)
    return spaces.Dict(own | entries)


def _one_number(messages: int, prior: Sequence[float] | None) -> Messages:
    if not isinstance(messages, int):
        raise ValueError(f"messages={messages}: a sender that learns sees one number; give how many messages there are")
    return Messages(messages, prior)


def _own_entries(observations: Any) -> dict[str, Any]:
    return dict(observations) if isinstance(observations, dict) else {"observation": observations}


def sender_vec_env(
    request: Request,
    *,
    world: str = WORLD,
    messages: int = 64,
    prior: Sequence[float] | None = None,
    noise: float = 0.0,
    arguments: Mapping[str, Any] | None = None,
) -> VecEnv:
    """Senders behind SB3's vector interface.

    Args:
        request: see `Request`.
        world: id of an environment with discrete actions, ours or gymnasium's.
        messages: how many there are.
        prior: their probabilities, (messages,); None: all alike.
        noise: probability that an action is replaced by any available one.
        arguments: of the world.

    Raises:
        ValueError: what cannot be played, with the reason.
    """
    rules, given = _one_number(messages, prior), dict(arguments or {})
    family, name = family_of(world)
    family.refuse(name, given)
    inner = family.make_vec(name, replace(request, report=(), events=()), **given)
    return SenderVecEnv(inner, rules, checked_noise(noise), limit_of(world, given), name)


class SenderVecEnv(VecEnvWrapper):
    """Any vector environment of `envs.make_vec`, with a message in every episode.

    Observations are a Dict: the world's own entries, or `observation`; `message`, a number; `time`,
    the share of the time limit that is over; `action_mask`, (actions,), where the world masks.
    An episode's message and noise follow from its seed. In a terminal observation every action
    counts as available.

    Args:
        venv: the worlds.
        messages: that are sent.
        noise: probability that an action is replaced by any available one.
        limit: the most steps of an episode.
        world: what messages call it.
    """

    def __init__(self, venv: VecEnv, messages: Messages, noise: float, limit: int, world: str) -> None:
        self._actions_n = actions_of(venv.action_space, world)
        self._masked = venv.has_attr("action_masks")
        space = sender_space(venv.observation_space, messages, self._actions_n, self._masked)
        super().__init__(venv, observation_space=space)
        self._messages, self._noise, self._limit = messages, noise, limit
        self._sent = np.zeros(venv.num_envs, np.int64)
        self._lengths = np.zeros(venv.num_envs, np.int64)
        self._random = [noise_stream(0)] * venv.num_envs
        self._masks: Array = np.ones((venv.num_envs, self._actions_n), np.int8)
        self._executed = np.zeros(venv.num_envs, np.int64)

    def reset(self) -> Any:
        observations = self.venv.reset()
        for row in range(self.num_envs):
            self._begin(row)
        return self._with_ours(observations)

    def _begin(self, row: int) -> None:
        info = self.venv.unwrapped.reset_infos[row]
        seed = int(info["episode_seed"])
        self._sent[row] = self._messages.draw(message_stream(seed))
        self._lengths[row] = 0
        if self._noise:
            self._random[row] = noise_stream(seed)
        info[ENTRY] = self._told(row)

    def _told(self, row: int) -> dict[str, Any]:
        return {"message": int(self._sent[row]), "prior": self._messages.priors[0], "noise": self._noise}

    def step_async(self, actions: Any) -> None:
        self._executed = np.array(actions, np.int64).reshape(-1)
        if self._noise:
            for row, random in enumerate(self._random):
                self._executed[row] = executed(int(self._executed[row]), self._masks[row], self._noise, random)
        self.venv.step_async(self._executed)

    def step_wait(self) -> VecEnvStepReturn:
        observations, rewards, dones, infos = self.venv.step_wait()
        self._lengths += 1
        for row, info in enumerate(infos):
            info[ENTRY] = {**self._told(row), "executed_action": int(self._executed[row])}
        for row in np.flatnonzero(dones).tolist():
            last = _own_entries(infos[row]["terminal_observation"])
            last |= {"message": self._sent[row], "time": self._time()[row]}
            if self._masked:
                last["action_mask"] = np.ones(self._actions_n, np.int8)
            infos[row]["terminal_observation"] = last
            self._begin(row)
        return self._with_ours(observations), rewards, dones, infos

    def _time(self) -> Array:
        return np.minimum(self._lengths / self._limit, 1.0).astype(np.float32)[:, None]

    def _with_ours(self, observations: Any) -> dict[str, Array]:
        entries = _own_entries(observations) | {"message": self._sent.copy(), "time": self._time()}
        if self._masked:
            self._masks = np.stack(self.venv.env_method("action_masks")).astype(np.int8)
            entries["action_mask"] = self._masks
        return entries


class SenderEnv(gymnasium.Env[dict[str, Any], Any]):
    """One sender behind gymnasium's interface; the same seed plays the same episode as in rows.

    Args:
        world, messages, prior, noise, arguments: see `sender_vec_env`.
        render_mode: the world's.
    """

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(
        self,
        *,
        world: str = WORLD,
        messages: int = 64,
        prior: Sequence[float] | None = None,
        noise: float = 0.0,
        arguments: Mapping[str, Any] | None = None,
        render_mode: str | None = None,
    ) -> None:
        given = dict(arguments or {})
        self._messages, self._noise = _one_number(messages, prior), checked_noise(noise)
        self._limit = limit_of(world, given)
        self._world = make(world, **given, **({} if render_mode is None else {"render_mode": render_mode}))
        self._available = masks_of(self._world)
        self._actions = actions_of(self._world.action_space, world)
        self.render_mode = render_mode
        self.action_space = self._world.action_space
        self.observation_space = sender_space(
            self._world.observation_space, self._messages, self._actions, self._available is not None
        )
        if self._available is not None:
            self.action_masks = self._available
        self._sent, self._length, self._random = 0, 0, noise_stream(0)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Start an episode: the one of `seed`, or the next of the stream."""
        super().reset(seed=seed)
        episode = int(self.np_random.integers(2**31)) if seed is None else int(seed)
        observation, info = self._world.reset(seed=episode)
        drawn = self._messages.draw(message_stream(episode))
        assert isinstance(drawn, int)
        self._sent, self._length, self._random = drawn, 0, noise_stream(episode)
        return self._with_ours(observation, False), {**info, ENTRY: self._told()}

    def step(self, action: Any) -> Any:
        """Play one action, or what the noise makes of it."""
        played = executed(int(action), self._mask(), self._noise, self._random)
        observation, reward, terminated, truncated, info = self._world.step(played)
        self._length += 1
        told = {**self._told(), "executed_action": played}
        over = terminated or truncated
        return self._with_ours(observation, over), float(reward), terminated, truncated, {**info, ENTRY: told}

    def _mask(self) -> Array:
        return np.ones(self._actions, np.int8) if self._available is None else self._available().astype(np.int8)

    def _told(self) -> dict[str, Any]:
        return {"message": self._sent, "prior": self._messages.priors[0], "noise": self._noise}

    def _with_ours(self, observation: Any, over: bool) -> dict[str, Any]:
        time: FloatArray = np.array([min(self._length / self._limit, 1.0)])
        entries = _own_entries(observation) | {"message": np.int64(self._sent), "time": time.astype(np.float32)}
        if self._available is not None:
            entries["action_mask"] = np.ones(self._actions, np.int8) if over else self._mask()
        return entries

    def render(self) -> Any:
        """The world's picture."""
        return self._world.render()

    def close(self) -> None:
        """Close the world."""
        self._world.close()
