"""The game of two: a sender acts in a world, then a receiver guesses the sender's message.

Source: Sokota et al. 2022 (arXiv 2107.08295), Markov coding games.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import batch_space, concatenate, create_empty_array, iterate
from pettingzoo import AECEnv
from pettingzoo.utils.wrappers import OrderEnforcingWrapper

from envs.catalogue import make
from envs.coding_games.messages import (
    Distance,
    Messages,
    actions_of,
    checked_noise,
    distance_of,
    executed,
    limit_of,
    masks_of,
    message_stream,
    noise_stream,
)
from envs.coding_games.sender import WORLD
from envs.typing import Array, BoolArray
from foundation.checks import number

SENDER, RECEIVER = "sender", "receiver"


class CodingGame(AECEnv[str, dict[str, Any], Any]):
    """A Markov coding game for PettingZoo: the sender's turns until the world ends, then one guess.

    The sender sees a Dict: the world's `observation`, its `message`, the `step`, counted from 0,
    and an `action_mask`, (actions,). The receiver sees a Dict: `states`, limit + 1 of the world's
    observations, `actions`, (limit,), and `length`, how many steps were made; before its turn and
    behind the trajectory's end, states are 0 and actions −1. Both see what was executed, neither
    what the noise replaced.

    Rewards are shared: the world's as they come, at the end `zeta` for the right guess, or minus
    `zeta` times its distance. Both agents then end together, truncated where the world was. Infos
    name the `executed_action` of the last step, and at the end the `message`, the `guess` and
    whether it is `correct`.

    A seed's message, world and noise are three unrelated streams; the fourth, the players', is
    theirs. The world's episode is the one that it plays with that seed alone.

    Args:
        world: id of an environment with discrete actions, ours or gymnasium's.
        messages: how many there are, or the sizes of blocks that make one.
        prior: of the messages, or one list a block; None: all alike.
        zeta: what the right guess is worth.
        noise: probability that an action is replaced by any available one.
        distance: None; "blocks" or "bits", how many are wrong; or a function of two messages'
            blocks.
        max_steps: ends the world earlier than its own limit; needed where it has none.
        render_mode: the world's.
        arguments: of the world.

    Raises:
        ValueError: what cannot be played, with the reason. On a step: an action that is not
            available, or a guess that is no message.
    """

    metadata = {"name": "coding_game_v0", "render_modes": ["rgb_array"], "is_parallelizable": False, "render_fps": 10}

    def __init__(
        self,
        world: str = WORLD,
        messages: int | Sequence[int] = 64,
        prior: Sequence[Any] | None = None,
        *,
        zeta: float = 1.0,
        noise: float = 0.0,
        distance: str | Distance | None = None,
        max_steps: int | None = None,
        render_mode: str | None = None,
        arguments: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        given = dict(arguments or {})
        self.messages = Messages(messages, prior)
        self.zeta, self.noise = number("zeta", zeta, least=0), checked_noise(noise)
        self._distance = distance_of(distance)
        self.max_steps = limit_of(world, given if max_steps is None else {"max_episode_steps": max_steps})
        self._world = make(world, **given, **({} if render_mode is None else {"render_mode": render_mode}))
        self._available = masks_of(self._world)
        self._n = actions_of(self._world.action_space, world)
        self.render_mode = render_mode
        self.possible_agents = [SENDER, RECEIVER]
        self.agents: list[str] = []
        self._seen = self._world.observation_space
        steps = spaces.Discrete(self.max_steps + 1)
        trajectory = batch_space(self._seen, self.max_steps + 1)
        self._nothing = next(iter(iterate(batch_space(self._seen, 1), create_empty_array(self._seen, 1))))
        self.observation_spaces: dict[str, spaces.Space[Any]] = {
            SENDER: spaces.Dict(
                {
                    "observation": self._seen,
                    "message": self.messages.space(),
                    "step": steps,
                    "action_mask": spaces.MultiBinary(self._n),
                }
            ),
            RECEIVER: spaces.Dict(
                {
                    "states": trajectory,
                    "actions": spaces.Box(-1, self._n - 1, (self.max_steps,), np.int64),
                    "length": spaces.Discrete(self.max_steps + 1),
                }
            ),
        }
        self.action_spaces: dict[str, spaces.Space[Any]] = {
            SENDER: spaces.Discrete(self._n),
            RECEIVER: self.messages.space(),
        }
        self._random = np.random.default_rng()
        self._states: list[Any] = []
        self._actions: list[int] = []

    def observation_space(self, agent: str) -> spaces.Space[Any]:
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> spaces.Space[Any]:
        return self.action_spaces[agent]

    def reset(self, seed: int | None = None, options: dict[str, Any] | None = None) -> None:
        """Start a game: the one of `seed`, or the next of the stream."""
        if seed is not None:
            self._random = np.random.default_rng(seed)
        episode = int(self._random.integers(2**31)) if seed is None else int(seed)
        observation, _ = self._world.reset(seed=episode)
        self.message = self.messages.draw(message_stream(episode))
        self._noises = noise_stream(episode)
        self._states, self._actions = [self._kept(observation)], []
        self._over = False  # is the world?
        self._cut = False  # did time run out?
        self.agents = list(self.possible_agents)
        self.agent_selection = SENDER
        self.rewards = dict.fromkeys(self.agents, 0.0)
        self._cumulative_rewards = dict.fromkeys(self.agents, 0.0)
        self.terminations = dict.fromkeys(self.agents, False)
        self.truncations = dict.fromkeys(self.agents, False)
        self.infos: dict[str, dict[str, Any]] = {agent: {} for agent in self.agents}

    def action_mask(self) -> BoolArray:
        """Which actions the sender may take now, (actions,); all, once the world is over."""
        if self._available is None or self._over:
            return np.ones(self._n, np.bool_)
        return np.asarray(self._available(), np.bool_)

    def observe(self, agent: str) -> dict[str, Any]:
        """What an agent sees now."""
        if agent == SENDER:
            message = self.message if isinstance(self.message, int) else self.message.copy()
            return {
                "observation": copy.deepcopy(self._states[-1]),
                "message": np.int64(message) if isinstance(message, int) else message,
                "step": np.int64(len(self._actions)),
                "action_mask": self.action_mask().astype(np.int8),
            }
        states, taken = (self._states, self._actions) if self._over else ([], [])
        padded = [*states, *[self._nothing] * (self.max_steps + 1 - len(states))]
        actions: Array = np.full(self.max_steps, -1, np.int64)
        actions[: len(taken)] = taken
        batch = concatenate(self._seen, padded, create_empty_array(self._seen, self.max_steps + 1))
        return {"states": batch, "actions": actions, "length": np.int64(len(taken))}

    def step(self, action: Any) -> None:
        """The sender's action, or the receiver's guess."""
        agent = self.agent_selection
        if self.terminations[agent] or self.truncations[agent]:
            self._was_dead_step(action)
            return
        self._cumulative_rewards[agent] = 0.0
        shared = self._act(action) if agent == SENDER else self._guess(action)
        self.rewards = dict.fromkeys(self.agents, shared)
        self._accumulate_rewards()

    def _act(self, action: Any) -> float:
        if not self.action_spaces[SENDER].contains(action):
            raise ValueError(f"the sender's action is {action!r}; expected {self.action_spaces[SENDER]}")
        mask = self.action_mask()
        if not mask[int(action)]:
            raise ValueError(
                f"action {int(action)} is not available here; those of observation['action_mask'] are "
                f"{np.flatnonzero(mask).tolist()}"
            )
        played = executed(int(action), mask, self.noise, self._noises)
        observation, reward, terminated, truncated, _ = self._world.step(played)
        self._states.append(self._kept(observation))
        self._actions.append(played)
        self._cut = not terminated and (truncated or len(self._actions) >= self.max_steps)
        self._over = terminated or self._cut
        if self._over:
            self.agent_selection = RECEIVER
        self.infos = {agent: {"executed_action": played} for agent in self.agents}
        return float(reward)

    def _guess(self, guess: Any) -> float:
        message, guessed = self.messages.blocks(self.message), self.messages.blocks(guess)
        correct = bool((message == guessed).all())
        ended = self.truncations if self._cut else self.terminations
        ended.update(dict.fromkeys(self.agents, True))
        for info in self.infos.values():
            info |= {"message": self.message, "guess": guess, "correct": correct}
        self.agent_selection = SENDER
        return self.zeta * float(correct) if self._distance is None else -self.zeta * self._distance(message, guessed)

    def _kept(self, observation: Any) -> Any:
        """A copy of the world's observation, typed as its space says."""
        return np.int64(observation) if isinstance(self._seen, spaces.Discrete) else copy.deepcopy(observation)

    def render(self) -> Any:
        """The world's picture."""
        return self._world.render()

    def close(self) -> None:
        """Close the world."""
        self._world.close()


def coding_game_v0(**arguments: Any) -> Any:
    """The PettingZoo environment, which refuses calls out of order; see `CodingGame`."""
    return OrderEnforcingWrapper(CodingGame(**arguments))
