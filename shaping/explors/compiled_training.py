"""The compiled loops behind the tabular trainer: episodes, designers, learners, evaluation."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit

ORIG, EXPLOB, SELFRS, SORS, LIRPG, EXPLORS = range(6)
TIE = 1e-6  # actions whose values are that near to the best share the greedy policy, as in the authors' code


class Process(NamedTuple):
    """A tabular MDP: of every state and action the K states that can follow, the likeliest first.

    Attributes:
        successors, chances: (states, actions, K); chances are 0 where there are fewer than K.
        rewards: R(s, a).
        starts: cumulative probabilities of first states.
        ends: (states,) entering it ends the episode.
        gamma: the discount.
    """

    successors: Any
    chances: Any
    rewards: Any
    starts: Any
    ends: Any
    gamma: float


class Rates(NamedTuple):
    """`Settings` of the trainer as compiled loops read them, the clip resolved."""

    learning_rate: float
    q_rate: float
    exploration: float
    design_rate: float
    critic_rate: float
    bonus: float
    most_bonus: float
    clip: float
    design_every: int
    learn_every: int
    kept: int
    recent: int
    pairs: int


class Memory(NamedTuple):
    """The newest episodes, one a row, in turn.

    Attributes:
        states, actions, following: (kept, horizon).
        paid: r̂ of each step.
        paid_returns, task_returns: Ĝ and Ḡ, discounted returns-to-go of r̂ and of R.
        policies: π(·|s) when the step was taken, (kept, horizon, actions).
        lengths: (kept,).
    """

    states: Any
    actions: Any
    following: Any
    paid: Any
    paid_returns: Any
    task_returns: Any
    policies: Any
    lengths: Any


@njit(cache=True)
def trained(
    process: Any, rates: Any, designer: int, q_learning: bool, horizon: int, episodes: int, every: int, random: Any
) -> Any:
    """A whole training. Returns the evaluations, the last policy, φ, V and n."""
    states, actions = process.rewards.shape
    memory = Memory(
        np.zeros((rates.kept, horizon), np.int64), np.zeros((rates.kept, horizon), np.int64),
        np.zeros((rates.kept, horizon), np.int64), np.zeros((rates.kept, horizon)),
        np.zeros((rates.kept, horizon)), np.zeros((rates.kept, horizon)),
        np.zeros((rates.kept, horizon, actions)), np.zeros(rates.kept, np.int64),
    )  # fmt: skip
    designed, table = np.zeros((states, actions)), np.zeros((states, actions))
    values, counts = np.zeros(states), np.zeros(states)
    policy = np.full((states, actions), 1.0 / actions)
    returns = np.zeros((episodes - 1) // every + 2)
    for episode in range(episodes):
        if episode % every == 0:
            returns[episode // every] = worth(process, policy, horizon)
        play(process, rates, designer, designed, counts, policy, memory, episode % rates.kept, random)
        kept = min(episode + 1, rates.kept)
        if (episode + 1) % rates.design_every == 0:
            if designer in (SELFRS, EXPLORS):
                design(rates, designed, values, memory, kept)
            elif designer == SORS:
                rank(process.gamma, rates, designed, memory, kept, random)
            elif designer == LIRPG:
                design_by_visits(process, rates, designed, values, policy, memory, kept, horizon, random)
        if (episode + 1) % rates.learn_every == 0:
            recent = min(episode + 1, rates.recent)
            if q_learning:
                _learn_values(process.gamma, rates, table, memory, episode, recent)
                _explore_greedily(table, policy, rates.exploration)
            else:
                learn_logits(rates, table, policy, memory, episode, recent)
    returns[-1] = worth(process, policy, horizon)
    return returns, policy, designed, values, counts


@njit(cache=True)
def worth(process: Any, policy: Any, horizon: int) -> float:
    """The exact discounted return of R of a policy within so many steps."""
    states, actions = process.rewards.shape
    values = np.zeros(states)
    for _ in range(horizon):
        before = values.copy()
        for state in range(states):
            value = 0.0
            if not process.ends[state]:
                for action in range(actions):
                    value += policy[state, action] * (
                        process.rewards[state, action] + process.gamma * _expected(process, state, action, before)
                    )
            values[state] = value
    total, below = 0.0, 0.0
    for state in range(states):
        total += (process.starts[state] - below) * values[state]
        below = process.starts[state]
    return total


@njit(cache=True)
def _expected(process: Any, state: int, action: int, values: Any) -> float:
    total = 0.0
    for k in range(process.successors.shape[2]):
        total += process.chances[state, action, k] * values[process.successors[state, action, k]]
    return total


@njit(cache=True)
def _drawn(chances: Any, random: Any) -> int:
    """An index, by probabilities."""
    left = random.random()
    for index in range(len(chances)):
        left -= chances[index]
        if left < 0.0:
            return index
    return int(np.argmax(chances))  # the sum missed 1 by rounding


@njit(cache=True)
def bonus_of(count: float, bonus: float, most: float) -> float:
    """B = λ/√((λ/B_max)² + n)."""
    return bonus / np.sqrt((bonus / most) ** 2 + count) if bonus > 0.0 else 0.0


@njit(cache=True)
def play(
    process: Any, rates: Any, designer: int, designed: Any, counts: Any, policy: Any, memory: Any, row: int, random: Any
) -> None:
    """One episode into a row of the memory; what it pays is settled here, visits are counted."""
    counted = designer in (EXPLOB, EXPLORS)
    state = int(np.searchsorted(process.starts, random.random() * process.starts[-1], side="right"))
    length = 0
    while length < memory.states.shape[1]:
        action = _drawn(policy[state], random)
        following = process.successors[state, action, _drawn(process.chances[state, action], random)]
        paid = process.rewards[state, action] + designed[state, action]
        if counted:
            if not process.ends[following]:
                paid += bonus_of(counts[following], rates.bonus, rates.most_bonus)
            counts[state] += 1.0
        memory.states[row, length] = state
        memory.actions[row, length] = action
        memory.following[row, length] = following
        memory.paid[row, length] = paid
        memory.policies[row, length] = policy[state]
        state = following
        length += 1
        if process.ends[following]:
            break
    memory.lengths[row] = length
    paid_return, task_return = 0.0, 0.0
    for step in range(length - 1, -1, -1):
        paid_return = memory.paid[row, step] + process.gamma * paid_return
        reward = process.rewards[memory.states[row, step], memory.actions[row, step]]
        task_return = reward + process.gamma * task_return
        memory.paid_returns[row, step] = paid_return
        memory.task_returns[row, step] = task_return


@njit(cache=True)
def design(rates: Any, designed: Any, values: Any, memory: Any, kept: int) -> None:
    """The step of EXPLORS on φ, a sum over D, and then of V, a mean.

    φ += η Σ π(a|s) (Ḡ − V(s)) [∇φ(s,a) − Σ_b π(b|s) ∇φ(s,b)], π as it was when the step was taken.
    """
    direction = np.zeros(designed.shape)
    for row in range(kept):
        for step in range(memory.lengths[row]):
            state, action = memory.states[row, step], memory.actions[row, step]
            policy = memory.policies[row, step]
            pull = policy[action] * (memory.task_returns[row, step] - values[state])
            direction[state, action] += pull
            for other in range(designed.shape[1]):
                direction[state, other] -= pull * policy[other]
    for state in range(designed.shape[0]):
        for action in range(designed.shape[1]):
            moved = designed[state, action] + rates.design_rate * direction[state, action]
            designed[state, action] = min(max(moved, -rates.clip), rates.clip)
    _criticise(rates, values, memory, kept)


@njit(cache=True)
def _criticise(rates: Any, values: Any, memory: Any, kept: int) -> None:
    """V(s) += η · the mean over all steps of D of (Ḡ − V(s)), those in other states counting 0."""
    errors, steps = np.zeros(len(values)), 0
    for row in range(kept):
        for step in range(memory.lengths[row]):
            state = memory.states[row, step]
            errors[state] += memory.task_returns[row, step] - values[state]
            steps += 1
    values += rates.critic_rate * errors / steps


@njit(cache=True)
def rank(gamma: float, rates: Any, designed: Any, memory: Any, kept: int, random: Any) -> None:
    """The step of SORS on φ: logistic ranking of pairs of episodes whose returns of R differ."""
    better, worse = np.zeros(kept * kept, np.int64), np.zeros(kept * kept, np.int64)
    count = 0
    for one in range(kept):
        for other in range(kept):
            if memory.task_returns[one, 0] > memory.task_returns[other, 0]:
                better[count], worse[count] = one, other
                count += 1
    if count == 0:
        return
    visits, returns = np.zeros((kept, *designed.shape)), np.zeros(kept)
    for row in range(kept):
        discount = 1.0
        for step in range(memory.lengths[row]):
            state, action = memory.states[row, step], memory.actions[row, step]
            visits[row, state, action] += discount
            returns[row] += discount * designed[state, action]
            discount *= gamma
    drawn = min(count, rates.pairs)
    direction = np.zeros(designed.shape)
    for index in range(drawn):
        pair = index if count <= rates.pairs else int(random.random() * count)
        margin = returns[better[pair]] - returns[worse[pair]]
        # 1 − σ(margin), without overflow
        doubt = np.exp(-margin) / (1.0 + np.exp(-margin)) if margin > 0.0 else 1.0 / (1.0 + np.exp(margin))
        direction += doubt * (visits[better[pair]] - visits[worse[pair]])
    designed += rates.design_rate * direction / drawn


@njit(cache=True)
def design_by_visits(
    process: Any, rates: Any, designed: Any, values: Any, policy: Any, memory: Any, kept: int, horizon: int, random: Any
) -> None:
    """The step of LIRPG on φ, as the authors have it without the gradient through the learner.

    Instead of ∇[φ(s,a) − E φ(s,b)] it takes that of Q_φ(s,a) − Q_φ(s,b), b ~ π: by how much more
    often (s, a) itself is come by when played on from (s, a) than from (s, b), discounted.
    """
    direction = np.zeros(designed.shape)
    for row in range(kept):
        for step in range(memory.lengths[row]):
            state, action = memory.states[row, step], memory.actions[row, step]
            then = memory.policies[row, step]
            other = _drawn(then, random)
            more = _visits(process, policy, state, action, state, action, horizon, random)
            more -= _visits(process, policy, state, other, state, action, horizon, random)
            direction[state, action] += then[action] * (memory.task_returns[row, step] - values[state]) * more
    designed += rates.design_rate * direction / kept
    _criticise(rates, values, memory, kept)


@njit(cache=True)
def _visits(
    process: Any, policy: Any, state: int, action: int, of_state: int, of_action: int, horizon: int, random: Any
) -> float:
    """Discounted visits of one state and action in an episode that begins with another."""
    visits, discount = 0.0, 1.0
    for _ in range(horizon):
        if state == of_state and action == of_action:
            visits += discount
        state = process.successors[state, action, _drawn(process.chances[state, action], random)]
        if process.ends[state]:
            break
        discount *= process.gamma
        action = _drawn(policy[state], random)
    return visits


@njit(cache=True)
def learn_logits(rates: Any, logits: Any, policy: Any, memory: Any, episode: int, recent: int) -> None:
    """A step of REINFORCE: the mean of Ĝ (e_a − π(·|s)) over all steps of the newest episodes."""
    gradient, steps = np.zeros(logits.shape), 0
    for age in range(recent):
        row = (episode - age) % rates.kept
        for step in range(memory.lengths[row]):
            state, worth_of = memory.states[row, step], memory.paid_returns[row, step]
            gradient[state, memory.actions[row, step]] += worth_of
            for action in range(logits.shape[1]):
                gradient[state, action] -= worth_of * policy[state, action]
            steps += 1
    logits += rates.learning_rate * gradient / steps
    for state in range(logits.shape[0]):
        exponents = np.exp(logits[state] - logits[state].max())
        policy[state] = exponents / exponents.sum()


@njit(cache=True)
def _learn_values(gamma: float, rates: Any, table: Any, memory: Any, episode: int, recent: int) -> None:
    """Q-learning on the newest episodes, the oldest first, each from its end to its beginning."""
    for age in range(recent - 1, -1, -1):
        row = (episode - age) % rates.kept
        for step in range(memory.lengths[row] - 1, -1, -1):
            state, action = memory.states[row, step], memory.actions[row, step]
            # an absorbing state's values are never learned and stay 0
            goal = memory.paid[row, step] + gamma * table[memory.following[row, step]].max()
            table[state, action] += rates.q_rate * (goal - table[state, action])


@njit(cache=True)
def _explore_greedily(table: Any, policy: Any, exploration: float) -> None:
    """ε-greedy; the best actions share what is not ε."""
    actions = table.shape[1]
    for state in range(table.shape[0]):
        best = table[state] >= table[state].max() - TIE
        policy[state] = exploration / actions + (1.0 - exploration) * best / best.sum()
