"""Senders that learn to be understood, on tables: by a Bayes receiver, or by one that learns too.

Source: Sokota et al. 2022, "Communicating via Markov Decision Processes", section 5 (RL+PR; two
independent Q-learners).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from foundation.tabular_mdp import FloatArray, TabularMDP

SHARP = float(np.exp(10.0))
"""β of the softmax that acts: near greedy."""


@dataclass(frozen=True)
class Learning:
    """How long and by what it learns.

    Attributes:
        weight: w of what the last step pays, w·R + (1 − w)·[guessed].
        rate: of a step towards the target.
        episodes: of learning.
        receiver: the rate of a receiver that learns what each sequence of actions says; None: it
            is told the sender's policy and goes by Bayes' rule.
        least: exploration goes from 1 to this, exponentially, in the first half.
    """

    weight: float = 0.5
    rate: float = 0.2
    receiver: float | None = None
    episodes: int = 100_000
    least: float = 0.05


class Learned(NamedTuple):
    """What was learned.

    Attributes:
        q: Q(t, s, m, a), (horizon, states, messages, actions).
        guesses: what a learned receiver thinks of messages after each sequence of actions,
            (sequences, messages); no rows where it goes by Bayes' rule.
    """

    q: FloatArray
    guesses: FloatArray


def learn(mdp: TabularMDP, horizon: int, messages: int, learning: Learning, seed: int) -> Learned:
    """Q-learning of a sender; its receiver guesses argmax b, b(m) ∝ b(m)·π(a|s, m) as it acts then.

    A receiver that learns is a Q-learner of its own with one step.
    """
    q = np.zeros((horizon, mdp.n_states, messages, mdp.n_actions))
    going = np.ones(mdp.n_states, np.bool_)
    going[list(mdp.absorbing)] = False
    assert mdp.available is not None
    following = mdp.transitions.argmax(axis=2)
    codes = (mdp.n_actions + 1) ** horizon if learning.receiver is not None else 0
    guesses = np.zeros((codes, messages))
    _learn(
        q, guesses, following, mdp.rewards, np.asarray(mdp.available, np.bool_), going, int(mdp.start.argmax()),
        learning.weight, learning.rate, learning.episodes, learning.least,
        learning.receiver or 0.0, seed,
    )  # fmt: skip
    return Learned(q, guesses)


def judged(mdp: TabularMDP, learned: Learned) -> tuple[float, float]:
    """Accuracy and return without exploration, worked out over all that happens."""
    q, guesses = learned
    horizon, _, messages, actions = q.shape
    following, ends = mdp.transitions.argmax(axis=2), set(mdp.absorbing)
    assert mdp.available is not None
    policy = np.zeros_like(q)
    for step in range(horizon):
        for state in range(mdp.n_states):
            policy[step, state] = _acts(q[step, state], mdp.available[state], 0.0)
    right = paid = 0.0
    open_ = [(0, 0, int(mdp.start.argmax()), np.full(messages, 1.0 / messages))]
    while open_:
        step, code, state, joint = open_.pop()
        if step == horizon or state in ends:
            right += float(joint[guesses[code].argmax()] if len(guesses) else joint.max())
            continue
        for action in range(actions):
            here = joint * policy[step, state, :, action]
            if here.sum() > 1e-15:
                paid += float(here.sum() * mdp.rewards[state, action])
                open_.append((step + 1, code * (actions + 1) + action + 1, int(following[state, action]), here))
    return right, paid


@njit(cache=True)
def _acts(q: Any, available: Any, explored: float) -> Any:
    """π(a|m) of one state, (messages, actions)."""
    messages, actions = q.shape
    policy = np.zeros((messages, actions))
    count = available.sum()
    for message in range(messages):
        best = -np.inf
        for action in range(actions):
            if available[action] and q[message, action] > best:
                best = q[message, action]
        total = 0.0
        for action in range(actions):
            if available[action]:
                policy[message, action] = np.exp(SHARP * (q[message, action] - best))
                total += policy[message, action]
        for action in range(actions):
            if available[action]:
                policy[message, action] = (1.0 - explored) * policy[message, action] / total + explored / count
    return policy


@njit(cache=True)
def _learn(
    q: Any, guesses: Any, following: Any, rewards: Any, available: Any, going: Any, start: int, weight: float,
    rate: float, episodes: int, least: float, receiver: float, seed: int,
) -> None:  # fmt: skip
    np.random.seed(seed)  # noqa: NPY002 - numba's own generator
    horizon, _, messages, actions = q.shape
    states, chosen = np.zeros(horizon, np.int64), np.zeros(horizon, np.int64)
    for episode in range(episodes):
        explored = max(least, least ** (2.0 * episode / episodes))
        message = np.random.randint(messages)  # noqa: NPY002
        belief = np.full(messages, 1.0 / messages)
        state, length, code = start, 0, 0
        while length < horizon and going[state]:
            policy = _acts(q[length, state], available[state], explored)
            draw, action = np.random.random(), 0  # noqa: NPY002
            for action in range(actions):
                draw -= policy[message, action]
                if draw < 0 and policy[message, action] > 0:
                    break
            belief *= policy[:, action]
            belief /= belief.sum()
            states[length], chosen[length] = state, action
            code = code * (actions + 1) + action + 1
            state, length = following[state, action], length + 1
        if receiver > 0.0:
            explores = np.random.random() < explored  # noqa: NPY002
            guess = np.random.randint(messages) if explores else guesses[code].argmax()  # noqa: NPY002
            guesses[code, guess] += receiver * ((1.0 if guess == message else 0.0) - guesses[code, guess])
        else:
            guess = belief.argmax()
        guessed = 1.0 if guess == message else 0.0
        worth = 0.0
        for step in range(length - 1, -1, -1):
            now, action = states[step], chosen[step]
            target = weight * rewards[now, action] + worth
            if step == length - 1:
                target += (1.0 - weight) * guessed
            q[step, now, message, action] += rate * (target - q[step, now, message, action])
            worth = -np.inf
            for other in range(actions):
                if available[now, other]:
                    worth = max(worth, q[step, now, message, other])
