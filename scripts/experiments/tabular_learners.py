"""Learners of tabular worlds in compiled loops, evaluated exactly: Q-learning and REINFORCE.

They are fed a reward table instead of the task's own, and judged by the task's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit

from foundation.tabular_mdp import FloatArray, IntArray, TabularMDP, evaluate

RATE, EXPLORATION = 0.5, 0.1
"""Q-learning's α and ε, of Devidze et al. 2021."""
STEP = 0.01
"""REINFORCE's learning rate, of Devidze et al. 2024."""
EVERY, RECENT = 2, 5
"""REINFORCE learns every so many episodes, from so many of the newest."""


@dataclass(frozen=True)
class Curve:
    """What a learner is worth under the task as it learns.

    Attributes:
        episodes: played so far, (checks,).
        values: exact value of the policy at the start, (checks,).
    """

    episodes: IntArray
    values: FloatArray

    def first(self, value: float) -> float | None:
        """The episodes after which it was first worth that much; None: never."""
        there = np.flatnonzero(self.values >= value)
        return float(self.episodes[there[0]]) if len(there) else None


def q_learning(
    mdp: TabularMDP,
    rewards: FloatArray,
    *,
    episodes: int,
    horizon: int,
    check: int,
    seed: int,
    enough: float = np.inf,
) -> Curve:
    """Q-learning from Q = 0; the greedy policy is evaluated every `check` episodes.

    Args:
        mdp: the process, whose own reward judges.
        rewards: R(s, a) that is learned from.
        episodes: at most.
        horizon: steps after which an episode is cut, with the value of where it stands.
        check: episodes between two evaluations.
        seed: of chance.
        enough: a value at which learning ends.
    """
    random = np.random.default_rng(seed)
    cumulative, starts, ends = _chances(mdp)
    held = np.zeros(mdp.rewards.shape)
    at, values = [], []
    for done in range(check, episodes + 1, check):
        chance = random.random((check, horizon + 1, 3))
        _q_episodes(held, rewards, cumulative, starts, ends, mdp.gamma, chance)
        at.append(done)
        values.append(float(mdp.start @ evaluate(mdp, np.eye(mdp.n_actions)[held.argmax(axis=1)])))
        if values[-1] >= enough:
            break
    return Curve(np.array(at), np.array(values))


def reinforce(
    mdp: TabularMDP,
    design: Callable[[FloatArray], FloatArray],
    *,
    episodes: int,
    horizon: int,
    redesign: int,
    check: int,
    seed: int,
) -> Curve:
    """REINFORCE with a softmax a state and no baseline.

    Every two episodes the weights move by the mean over the steps of the five newest of
    Ĝ · (e_a − π(·|s)), with π as it is now and Ĝ as it was collected.

    Args:
        mdp: the process, whose own reward judges.
        design: π(a|s) -> R(s, a) to learn from, asked every `redesign` episodes.
        episodes: how many.
        horizon: steps after which an episode is cut.
        redesign: episodes between two designs, a multiple of `check`.
        check: episodes between two evaluations.
        seed: of chance.
    """
    random = np.random.default_rng(seed)
    cumulative, starts, ends = _chances(mdp)
    weights = np.zeros(mdp.rewards.shape)
    states = np.zeros((RECENT, horizon), np.int64)
    actions, returns, lengths = states.copy(), np.zeros((RECENT, horizon)), np.zeros(RECENT, np.int64)
    at, values = [], []
    rewards = mdp.rewards
    for done in range(0, episodes, check):
        if done % redesign == 0:
            rewards = design(softmax(weights))
        chance = random.random((check, horizon + 1, 2))
        _reinforce_episodes(
            weights, rewards, cumulative, starts, ends, mdp.gamma, chance, states, actions, returns, lengths, done
        )
        at.append(done + check)
        values.append(float(mdp.start @ evaluate(mdp, softmax(weights))))
    return Curve(np.array(at), np.array(values))


def softmax(weights: FloatArray) -> FloatArray:
    """π(a|s) of weights (states, actions)."""
    powers = np.exp(weights - weights.max(axis=1, keepdims=True))
    policy: FloatArray = powers / powers.sum(axis=1, keepdims=True)
    return policy


def _chances(mdp: TabularMDP) -> tuple[FloatArray, FloatArray, np.ndarray[tuple[int, ...], np.dtype[np.bool_]]]:
    ends = np.isin(np.arange(mdp.n_states), mdp.absorbing)
    return np.cumsum(mdp.transitions, axis=2), np.cumsum(mdp.start), ends


@njit(cache=True)
def _drawn(cumulative, chance):  # type: ignore[no-untyped-def]
    """The first index whose cumulated probability is above chance."""
    for index in range(len(cumulative)):
        if chance * cumulative[-1] < cumulative[index]:
            return index
    return len(cumulative) - 1


@njit(cache=True)
def _q_episodes(held, rewards, cumulative, starts, ends, gamma, chance):  # type: ignore[no-untyped-def]
    actions = held.shape[1]
    for episode in range(chance.shape[0]):
        state = _drawn(starts, chance[episode, 0, 0])
        for step in range(1, chance.shape[1]):
            luck = chance[episode, step]
            action = int(luck[1] * actions) if luck[0] < EXPLORATION else int(np.argmax(held[state]))
            following = _drawn(cumulative[state, action], luck[2])
            value = rewards[state, action]
            if not ends[following]:
                value += gamma * np.max(held[following])
            held[state, action] += RATE * (value - held[state, action])
            if ends[following]:
                break
            state = following


@njit(cache=True)
def _reinforce_episodes(  # type: ignore[no-untyped-def]
    weights, rewards, cumulative, starts, ends, gamma, chance, states, actions, returns, lengths, played
):
    probabilities = np.empty(weights.shape[1])
    for episode in range(chance.shape[0]):
        slot = (played + episode) % RECENT
        state = _drawn(starts, chance[episode, 0, 0])
        length = 0
        for step in range(chance.shape[1] - 1):
            _acts(weights[state], probabilities)
            action = _drawn(np.cumsum(probabilities), chance[episode, step + 1, 0])
            states[slot, step], actions[slot, step] = state, action
            returns[slot, step] = rewards[state, action]
            length = step + 1
            state = _drawn(cumulative[state, action], chance[episode, step + 1, 1])
            if ends[state]:
                break
        lengths[slot] = length
        for step in range(length - 2, -1, -1):
            returns[slot, step] += gamma * returns[slot, step + 1]
        if (played + episode + 1) % EVERY == 0:
            _learn(weights, states, actions, returns, lengths, min(RECENT, played + episode + 1))


@njit(cache=True)
def _learn(weights, states, actions, returns, lengths, filled):  # type: ignore[no-untyped-def]
    rises = np.zeros(weights.shape)
    probabilities = np.empty(weights.shape[1])
    steps = 0
    for slot in range(filled):
        for step in range(lengths[slot]):
            state = states[slot, step]
            _acts(weights[state], probabilities)
            rises[state] -= returns[slot, step] * probabilities
            rises[state, actions[slot, step]] += returns[slot, step]
            steps += 1
    weights += STEP * rises / steps


@njit(cache=True)
def _acts(weights, probabilities):  # type: ignore[no-untyped-def]
    """The softmax of one state's weights, into `probabilities`."""
    top = np.max(weights)
    for action in range(len(weights)):
        probabilities[action] = np.exp(weights[action] - top)
    probabilities /= probabilities.sum()
