"""Three worlds that are nearly nothing but a channel: special cases of Markov coding games.

MatrixGame is one choice with three rewards, ReferentialChain so many choices without reward, and
SourceCoding symbols that cost something each. Source: Sokota et al. 2022 (arXiv 2107.08295).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from envs.catalogue import NAMESPACE, Option, Request
from envs.classic.tabular import TabularEnv, TabularVecEnv
from envs.classic.worlds import World
from foundation.checks import number, whole
from foundation.tabular_mdp import TabularMDP

MOST_STEPS = 64
"""Steps of an episode at most."""


def line(length: int, rewards: Sequence[float], stops: bool = False) -> TabularMDP:
    """So many states in a row; every action pays its reward and leads to the next one.

    Args:
        length: states before the end; 0: one state that is never left.
        rewards: of the actions, in every state.
        stops: does the last action end the episode?
    """
    states = max(length, 1)
    transitions = np.zeros((states + 1, len(rewards), states + 1))
    for state in range(states):
        transitions[state, :, state + 1 if length else state] = 1.0
        if stops:
            transitions[state, -1] = np.eye(states + 1)[states]
    transitions[states, :, states] = 1.0
    table = np.zeros((states + 1, len(rewards)))
    table[:states] = rewards
    places = (*((state, 0) for state in range(states)), None)
    return TabularMDP(transitions, table, 1.0, np.eye(states + 1)[0], (states,), places)


class MatrixGameVecEnv(TabularVecEnv):
    """One choice, then it is over.

    Args:
        request: see `WorldVecEnv`.
        rewards: of the actions.
        max_episode_steps: the time limit.

    Raises:
        ValueError: fewer than two rewards, or one that is not finite.
    """

    title = "MatrixGame"
    limit = 1

    def __init__(
        self, request: Request, *, rewards: Sequence[float] = (4.0, 3.0, 0.0), max_episode_steps: int | None = None
    ) -> None:
        if len(rewards) < 2:
            raise ValueError(f"rewards={list(rewards)}: a choice is between two actions at least; name their rewards")
        super().__init__(request, line(1, [number("rewards", float(reward)) for reward in rewards]), max_episode_steps)


class MatrixGameEnv(TabularEnv):
    """One matrix game behind gymnasium's interface."""

    worlds = MatrixGameVecEnv


class ReferentialChainVecEnv(TabularVecEnv):
    """So many choices, none of them paid: nothing is left but to say something.

    Args:
        request: see `WorldVecEnv`.
        length: choices, at most 64; after the last it is over.
        actions: to choose from.
        max_episode_steps: the time limit.

    Raises:
        ValueError: no choice, or more than 64, or fewer than two actions.
    """

    title = "ReferentialChain"
    limit = MOST_STEPS

    def __init__(
        self, request: Request, *, length: int = 8, actions: int = 4, max_episode_steps: int | None = None
    ) -> None:
        mdp = line(whole("length", length, most=MOST_STEPS), [0.0] * whole("actions", actions, least=2))
        super().__init__(request, mdp, max_episode_steps)


class ReferentialChainEnv(TabularEnv):
    """One referential chain behind gymnasium's interface."""

    worlds = ReferentialChainVecEnv


class SourceCodingVecEnv(TabularVecEnv):
    """Symbols that cost something each, until the last action stops and costs nothing.

    Args:
        request: see `WorldVecEnv`.
        costs: of the symbols; the action after the last one stops.
        length: symbols, at most 64, after which it is over; 0: one state that only stopping leaves.
        max_episode_steps: the time limit.

    Raises:
        ValueError: no symbol, a cost below 0, or a length above 64.
    """

    title = "SourceCoding"
    limit = MOST_STEPS

    def __init__(
        self,
        request: Request,
        *,
        costs: Sequence[float] = (1.0, 1.0),
        length: int = 0,
        max_episode_steps: int | None = None,
    ) -> None:
        if not len(costs):
            raise ValueError("costs is empty: name what each symbol costs, such as [1, 1]")
        rewards = [*(-number("costs", float(cost), least=0) for cost in costs), 0.0]
        mdp = line(whole("length", length, least=0, most=MOST_STEPS), rewards, stops=True)
        super().__init__(request, mdp, max_episode_steps)


class SourceCodingEnv(TabularEnv):
    """One source code behind gymnasium's interface."""

    worlds = SourceCodingVecEnv


MATRIX_GAME, REFERENTIAL, SOURCE_CODING = (
    f"{NAMESPACE}{name}-v0" for name in ("MatrixGame", "ReferentialChain", "SourceCoding")
)
WORLDS = (
    World(MATRIX_GAME, MatrixGameEnv, (Option("classic/matrix_game", MATRIX_GAME, steps=20_000),)),
    World(REFERENTIAL, ReferentialChainEnv, (Option("classic/referential_chain", REFERENTIAL, steps=20_000),)),
    World(SOURCE_CODING, SourceCodingEnv, (Option("classic/source_coding", SOURCE_CODING, steps=50_000),)),
)
