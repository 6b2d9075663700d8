"""What deterministic worlds share: rules that are compiled, for stepping and for whole episodes.

A search that needs an episode for every policy, and one number from each, spends its time between
steps. `CompiledVecEnv.rollouts` plays whole episodes of small networks without coming back to
Python; stepping the same world asks the same compiled rules.
"""

from __future__ import annotations

import functools
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import numpy as np
from gymnasium import spaces
from numba import float64, int64, njit, types

from envs.catalogue import Request
from envs.classic.worlds import Played, WorldVecEnv
from envs.typing import Array, FloatArray, IntArray
from foundation.checks import number, whole
from foundation.genome_policy import GenomePolicy, act_compiled, scratch_for

CLOCK, AREA, OVER, OWN = 0, 1, 2, 3
"""Where a state has the steps that were taken, the goal that paid (-1: none), whether the episode
is over (0 or 1), and its first number that is the world's own."""
PICTURE = 240
"""Pixels of a picture for people."""


class Rollouts(NamedTuple):
    """What n episodes came to.

    Attributes:
        rewards: (n,) the task's return.
        lengths: (n,) steps.
        areas: (n,) the goal that was rewarded, from 0; -1 for none.
        positions: (n, times, 2) where it was (ball, robot, tip) after the steps that were asked
            for; an episode that was over before repeats its last.
        states: (n, times, width) what `views` draws, after the same steps.
    """

    rewards: FloatArray
    lengths: IntArray
    areas: IntArray
    positions: FloatArray
    states: FloatArray


class Rules(NamedTuple):
    """A world as three compiled functions of one state (width,) and its settings (k,).

    Attributes:
        sense: (state, settings, observation) writes the observation (inputs,).
        step: (state, action, settings) -> reward; changes the state. The clock was counted on
            before it is called.
        locate: (state, settings, position) writes the position (2,).
    """

    sense: Callable[..., Any]
    step: Callable[..., Any]
    locate: Callable[..., Any]


class CompiledVecEnv(WorldVecEnv):
    """Deterministic worlds behind SB3's vector interface, which also play whole episodes at once.

    Every episode starts in the same state, and nothing is left to chance. A subclass names its
    `rules` and writes `views`.

    Args:
        request: see `WorldVecEnv`.
        observation_space: (inputs,).
        start: (width,) the first state; its first three numbers are this class's.
        settings: (k,) of the rules.
        max_episode_steps: the time limit.
    """

    reports = frozenset({"position", "area"})
    rules: ClassVar[Rules]
    outputs: ClassVar[int] = 2
    """Numbers that a policy puts out, each in [-1, 1]."""
    hidden: ClassVar[tuple[int, ...]] = (5, 5)
    """Hidden layers of the policies of the papers."""
    goals: ClassVar[tuple[str, ...]] = ()
    """Names of what can be rewarded; `Rollouts.areas` counts them."""
    extent: ClassVar[tuple[tuple[float, float], tuple[float, float]]]
    """Lowest and highest of both coordinates of positions."""
    shown: ClassVar[tuple[tuple[float, float], tuple[float, float]]]
    """Positions at a picture's edges: ((left, right), (bottom, top))."""

    def __init__(
        self,
        request: Request,
        observation_space: spaces.Space[Any],
        start: FloatArray,
        settings: Sequence[float],
        max_episode_steps: int | None = None,
    ) -> None:
        super().__init__(
            request, observation_space, spaces.Box(-1.0, 1.0, (self.outputs,), np.float32), max_episode_steps
        )
        self.start: FloatArray = np.array(start, np.float64)
        self.start[:OWN] = 0.0, -1.0, 0.0
        self.settings: FloatArray = np.array(settings, np.float64)
        self.states: FloatArray = np.tile(self.start, (request.n_envs, 1))
        shape = observation_space.shape
        assert shape is not None
        self.inputs: int = shape[0]
        """Numbers that a policy sees."""

    # Whole episodes ------------------------------------------------------------------------------

    def rollouts(self, genomes: Any, hidden: Sequence[int], times: Any, threads: int = 1) -> Rollouts:
        """Play one episode with each genome's policy.

        The same as stepping with `GenomePolicy.act`: the policy sees observations as float32, as
        everybody does. Nothing depends on `threads`, to the bit.

        Args:
            genomes: (n, D), of `GenomePolicy(inputs, outputs, hidden)`.
            hidden: its hidden layers.
            times: (k,) ascending, after which steps to look: 0 is after the first.
            threads: the genomes are shared between so many.

        Raises:
            ValueError: genomes or times that do not fit.
        """
        policy = GenomePolicy(self.inputs, self.outputs, hidden)
        whole("threads", threads)
        rows: FloatArray = np.ascontiguousarray(genomes, np.float64)
        if rows.ndim != 2 or rows.shape[1] != policy.size:
            raise ValueError(
                f"genomes are {rows.shape}; expected (n, {policy.size}) for {self.title} and layers of {policy.sizes}"
            )
        looks: IntArray = np.array(times, np.int64).reshape(-1)
        if looks.size and (looks[0] < 0 or looks[-1] >= self.max_episode_steps or (np.diff(looks) < 0).any()):
            raise ValueError(
                f"{len(looks)} times from {looks.min()} to {looks.max()}: "
                f"expected steps from 0 to {self.max_episode_steps - 1}, ascending"
            )
        n, k = len(rows), len(looks)
        made = Rollouts(
            np.zeros(n), np.zeros(n, np.int64), np.zeros(n, np.int64), np.zeros((n, k, 2)),
            np.zeros((n, k, len(self.start))),
        )  # fmt: skip
        play = functools.partial(self._play_slice, rows, np.array(policy.sizes, np.int64), looks, made)
        if threads == 1:
            play(slice(0, n))
        else:
            _compiled(_roll, ROLL)  # once, before the threads ask for it together
            with ThreadPoolExecutor(threads) as pool:
                list(pool.map(play, _slices(n, threads)))
        return made

    def _play_slice(self, genomes: FloatArray, sizes: IntArray, times: IntArray, made: Rollouts, part: slice) -> None:
        _compiled(_roll, ROLL)(
            *self.rules, genomes[part], sizes, times, self.max_episode_steps, self.start, self.settings,
            scratch_for(sizes.tolist()), *(array[part] for array in made),
        )  # fmt: skip

    @abstractmethod
    def views(self, states: FloatArray, size: int) -> Array:
        """Pictures of states (m, width): (m, size, size, 3) uint8."""

    def pictures(self, states: FloatArray, size: int = PICTURE) -> Array:
        """The same for people, with what is rewarded; `views` where a subclass adds nothing."""
        return self.views(states, size)

    # Step by step --------------------------------------------------------------------------------

    def begin_world(self, index: int, random: np.random.Generator) -> Mapping[str, Any]:
        self.states[index] = self.start
        return {}

    def play(self, actions: FloatArray) -> Played:
        rewards, positions = np.zeros(len(actions)), np.zeros((len(actions), 2))
        acts = np.ascontiguousarray(actions, np.float64)
        _compiled(_advance, ADVANCE)(
            self.rules.step, self.rules.locate, self.states, acts, self.settings, rewards, positions
        )
        areas = self.states[:, AREA].astype(np.int64)
        entries = {"position": list(positions), "area": areas.tolist()} if self.reported else {}
        return Played(rewards, self.states[:, OVER] > 0, areas >= 0, entries)

    def observe(self) -> Array:
        seen = np.zeros((len(self.states), self.inputs))
        _compiled(_look, LOOK)(self.rules.sense, self.states, self.settings, seen)
        return seen.astype(np.float32)

    def frame(self, index: int) -> Array:
        """The world as `pictures` has it, (240, 240, 3)."""
        return self.pictures(self.states[index][None])[0]


def goal_settings(centres: Sequence[tuple[float, float]], radii: Sequence[float]) -> list[float]:
    """Goals as settings, three numbers each: x, y, radius.

    Raises:
        ValueError: not as many radii as goals, or one that is not above 0.
    """
    if len(radii) != len(centres):
        raise ValueError(f"radii={list(radii)}: expected {len(centres)}, one a goal")
    return [
        value
        for (x, y), radius in zip(centres, radii, strict=True)
        for value in (x, y, float(number("radii", radius, above=0)))
    ]


def _slices(n: int, parts: int) -> Iterator[slice]:
    """Contiguous slices of n rows, as equal as can be; empty ones are left out."""
    bounds = np.linspace(0, n, parts + 1).round().astype(int).tolist()
    for first, last in pairwise(bounds):
        if last > first:
            yield slice(first, last)


# Compiled loops -----------------------------------------------------------------------------------


@njit(cache=True, nogil=True, error_model="numpy")
def pay_at_goals(state: Any, x: float, y: float, goals: Any) -> float:
    """(r - d)/r of the goal that (x, y) lies in, else 0; the state's area says which it was.

    Args:
        goals: (3 m,) x, y, radius each. Of several, the best pays.
    """
    best = 0.0
    for goal in range(len(goals) // 3):
        radius = goals[3 * goal + 2]
        distance = np.sqrt((x - goals[3 * goal]) ** 2 + (y - goals[3 * goal + 1]) ** 2)
        if distance <= radius and (state[AREA] < 0 or (radius - distance) / radius > best):
            best = (radius - distance) / radius
            state[AREA] = goal
    return best


def _roll(
    sense: Any, step: Any, locate: Any, genomes: Any, sizes: Any, times: Any, limit: int, start: Any, settings: Any,
    scratch: Any, rewards: Any, lengths: Any, areas: Any, positions: Any, states: Any,
) -> None:  # fmt: skip
    seen, acts, state = np.zeros(sizes[0]), np.zeros(sizes[-1]), np.zeros(len(start))
    for row in range(len(genomes)):
        state[:] = start
        total, steps, look = 0.0, 0, 0
        while steps < limit and state[OVER] == 0:
            sense(state, settings, seen)
            for index in range(len(seen)):
                seen[index] = np.float32(seen[index])
            act_compiled(genomes[row], sizes, seen, acts, scratch)
            state[CLOCK] += 1
            total += step(state, acts, settings)
            while look < len(times) and times[look] == steps:
                locate(state, settings, positions[row, look])
                states[row, look] = state
                look += 1
            steps += 1
        for late in range(look, len(times)):
            locate(state, settings, positions[row, late])
            states[row, late] = state
        rewards[row], lengths[row], areas[row] = total, steps, np.int64(state[AREA])


def _advance(step: Any, locate: Any, states: Any, actions: Any, settings: Any, rewards: Any, positions: Any) -> None:
    for row in range(len(states)):
        states[row, CLOCK] += 1
        rewards[row] = step(states[row], actions[row], settings)
        locate(states[row], settings, positions[row])


def _look(sense: Any, states: Any, settings: Any, seen: Any) -> None:
    for row in range(len(states)):
        sense(states[row], settings, seen[row])


_ROW, _ROWS, _BLOCK = float64[::1], float64[:, ::1], float64[:, :, ::1]
_WHOLES = int64[::1]
_WRITES = types.FunctionType(types.void(_ROW, _ROW, _ROW))
_STEPS = types.FunctionType(float64(_ROW, _ROW, _ROW))
ROLL = types.void(
    _WRITES, _STEPS, _WRITES, _ROWS, _WHOLES, _WHOLES, int64, _ROW, _ROW, _ROWS, _ROW, _WHOLES, _WHOLES, _BLOCK, _BLOCK
)
ADVANCE = types.void(_STEPS, _WRITES, _ROWS, _ROWS, _ROW, _ROW, _ROWS)
LOOK = types.void(_WRITES, _ROWS, _ROW, _ROWS)


@functools.cache
def _compiled(loop: Callable[..., Any], signature: Any) -> Callable[..., Any]:
    """A loop for the rules of any world, which it calls by their address: compiled once for all."""
    made: Callable[..., Any] = njit(signature, cache=True, nogil=True, error_model="numpy")(loop)
    return made
