"""What a coding game adds to its world: messages with a prior, and actions that may go wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from envs.catalogue import describe
from envs.typing import Array, FloatArray, IntArray
from foundation.checks import number, one_of, whole

MESSAGE, NOISE = 1, 2  # streams of an episode's seed, beside the world's own
Message = int | IntArray
"""A number, or one number a block, (blocks,)."""
Distance = Callable[[IntArray, IntArray], float]
"""(message, guess), (blocks,) each -> how far they are apart."""


class Messages:
    """The messages that may be sent, and how likely each is.

    Args:
        sizes: how many there are; or the sizes of blocks that make a message together, drawn
            independently.
        prior: probabilities, (messages,), or one such list a block; None: all alike.

    Raises:
        ValueError: a size below 1, or a prior that is none of these messages'.
    """

    def __init__(self, sizes: int | Sequence[int], prior: Sequence[Any] | None = None) -> None:
        self.factored = not isinstance(sizes, int)
        """Is a message made of blocks?"""
        blocks: list[Any] = [sizes] if isinstance(sizes, int) else list(sizes)
        if not blocks:
            raise ValueError("messages=[]: name how many there are, or the size of at least one block")
        self.sizes: tuple[int, ...] = tuple(whole("messages", size) for size in blocks)
        """Of the blocks; one block where a message is a number."""
        given = [None] * len(blocks) if prior is None else list(prior) if self.factored else [prior]
        if len(given) != len(blocks):
            raise ValueError(f"prior is of {len(given)} blocks, and messages={blocks} are {len(blocks)}")
        self.priors: tuple[FloatArray, ...] = tuple(map(_distribution, given, self.sizes))
        """Of every block, (size,)."""
        self._cumulative = [np.cumsum(block) / block.sum() for block in self.priors]

    def space(self) -> spaces.Discrete | spaces.MultiDiscrete:
        """A new space of them: Discrete, or MultiDiscrete of the blocks."""
        return spaces.MultiDiscrete(list(self.sizes)) if self.factored else spaces.Discrete(self.sizes[0])

    def draw(self, random: np.random.Generator) -> Message:
        """A message by the prior."""
        chances = random.random(len(self.sizes))
        drawn = [
            int(np.searchsorted(cumulative, chance, side="right"))
            for cumulative, chance in zip(self._cumulative, chances, strict=True)
        ]
        return np.array(drawn, np.int64) if self.factored else drawn[0]

    def blocks(self, message: Any) -> IntArray:
        """A message as one number a block, (blocks,).

        Raises:
            ValueError: it is none of them.
        """
        given = np.atleast_1d(np.asarray(message))
        if given.shape != (len(self.sizes),) or given.dtype.kind not in "iu" or (given < 0).any():
            raise ValueError(f"{message!r} is no message here: expected {self.space()}")
        if (given >= self.sizes).any():
            raise ValueError(f"{message!r} is no message here: expected {self.space()}")
        return given.astype(np.int64)


def _distribution(prior: Any, size: int) -> FloatArray:
    if prior is None:
        return np.full(size, 1.0 / size)
    given = np.asarray(prior, np.float64)
    if given.shape != (size,) or not np.isfinite(given).all() or (given < 0).any() or abs(given.sum() - 1.0) > 1e-6:
        raise ValueError(
            f"prior has the shape {given.shape} and the sum {given.sum():.6g}; expected {size} probabilities with the "
            "sum 1"
        )
    exact: FloatArray = given / given.sum()
    return exact


def differing_blocks(message: IntArray, guess: IntArray) -> float:
    """How many blocks are wrong."""
    return float((message != guess).sum())


def differing_bits(message: IntArray, guess: IntArray) -> float:
    """How many binary digits are wrong: pixels of a black and white picture."""
    return float(np.bitwise_count(message ^ guess).sum())


DISTANCES: Mapping[str, Distance] = {"blocks": differing_blocks, "bits": differing_bits}


def distance_of(distance: str | Distance | None) -> Distance | None:
    """The distance of this name; a function is its own, and None is none.

    Raises:
        ValueError: there is none of this name.
    """
    return DISTANCES[one_of("distance", distance, DISTANCES)] if isinstance(distance, str) else distance


def message_stream(episode_seed: int) -> np.random.Generator:
    """What the message of an episode is drawn from."""
    return np.random.default_rng([MESSAGE, episode_seed])


def noise_stream(episode_seed: int) -> np.random.Generator:
    """What decides in an episode which actions go wrong."""
    return np.random.default_rng([NOISE, episode_seed])


def executed(action: int, available: Array, noise: float, random: np.random.Generator) -> int:
    """The action that is carried out: with probability `noise` any available one, else `action`.

    Args:
        action: that was chosen.
        available: which may be taken, (actions,).
        noise: the probability of going wrong.
        random: two numbers of it are used up where there is noise, whatever happens.
    """
    if noise == 0.0:
        return action
    wrong, choice = random.random(2)
    options = np.flatnonzero(available)
    return int(options[int(choice * len(options))]) if wrong < noise else action


def checked_noise(noise: float) -> float:
    """`noise`, where it is a probability."""
    return number("noise", noise, least=0, most=1)


def actions_of(space: spaces.Space[Any], world: str) -> int:
    """How many actions a world has.

    Raises:
        ValueError: they are not Discrete, counted from 0.
    """
    if not isinstance(space, spaces.Discrete) or space.start != 0:
        raise ValueError(
            f"{world} has the actions {space}, and a coding game is played with Discrete ones counted from 0; choose "
            "another world, or make them so in a wrapper"
        )
    return int(space.n)


def limit_of(world: str, arguments: Mapping[str, Any]) -> int:
    """The most steps of an episode.

    Raises:
        ValueError: the world has no limit that is known.
    """
    limit = arguments.get("max_episode_steps") or describe(world).max_episode_steps
    if limit is None:
        raise ValueError(
            f"{world} has no time limit, and a trajectory needs one: give arguments={{max_episode_steps: N}}"
        )
    return whole("max_episode_steps", int(limit))


def masks_of(env: gymnasium.Env[Any, Any]) -> Callable[[], Array] | None:
    """What tells a gymnasium environment's available actions, (actions,); None where all are."""
    if not env.has_wrapper_attr("action_masks"):
        return None
    masks: Callable[[], Array] = env.get_wrapper_attr("action_masks")
    return masks
