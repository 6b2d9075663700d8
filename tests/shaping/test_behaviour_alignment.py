"""The learned combiner moves each term's factor along the derivative of the task's return."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

from shaping.behaviour_alignment import BehaviourAlignment
from shaping.linear_critics import LinearCritics
from shaping.parts import Setting
from shaping.transitions import Rollout, Transitions

N = 64
SIGNALS = ("task", "good", "bad", "idle")


class Softmax:
    """A tabular softmax policy over (states, actions), as a learner: rises in closed form."""

    keeps_rollout = True

    def __init__(self, logits):
        self.logits = logits

    @property
    def policy(self):
        exponents = np.exp(self.logits - self.logits.max(axis=1, keepdims=True))
        return exponents / exponents.sum(axis=1, keepdims=True)

    def sees(self, states, actions):
        self.states, self.actions = states, actions

    def score(self, states, actions):
        """∇ log π of every step, (T, n, states, actions)."""
        scores = np.zeros((*states.shape, *self.logits.shape))
        rows = np.indices(states.shape)
        scores[(*rows, states)] = -self.policy[states]
        scores[(*rows, states, actions)] += 1.0
        return scores

    def rises(self, weights):
        scores = self.score(self.states, self.actions)
        direction = (weights[..., None, None] * scores).mean(axis=(0, 1))
        return (scores * direction).sum(axis=(2, 3))

    def probabilities(self, observations):
        return self.policy[observations]


def bandit(policy, random):
    """One step of N one-state bandits; arm 0 is the task's, and "good"'s; "bad" pays arm 1."""
    actions = (random.random(N) < policy[0, 1]).astype(np.int64)
    pays = {"task": actions == 0, "good": actions == 0, "bad": actions == 1, "idle": np.ones(N, bool)}
    return actions, {name: pay.astype(float) for name, pay in pays.items()}


def played(combiner, learner, random, steps=8):
    batches, all_actions = [], []
    for _ in range(steps):
        actions, signals = bandit(learner.policy, random)
        ended = np.ones(N, bool)
        states = np.zeros((N, 1), np.float32)
        batch = Transitions(states, actions, signals["task"], states, ended, ~ended, [{} for _ in range(N)])
        combiner(signals, batch, 0)
        batches.append(batch)
        all_actions.append(actions)
    learner.sees(np.zeros((steps, N), np.int64), np.array(all_actions))
    return combiner.update(Rollout(batches))


def bound(signals=SIGNALS, **arguments):
    combiner = BehaviourAlignment(**arguments)
    combiner.bind(Setting(N, spaces.Box(-1, 1, (1,)), spaces.Discrete(2), gamma=0.9, seed=0, signals=signals))
    return combiner


def test_factors_rise_for_what_helps_fall_for_what_misleads_and_rest_for_what_does_not_matter():
    combiner, learner, random = bound(), Softmax(np.zeros((1, 2))), np.random.default_rng(0)
    combiner.meet(learner)
    for _ in range(20):
        metrics = played(combiner, learner, random)
    weights = combiner.weights(0)
    assert weights["task"] == 1.0
    assert weights["good"] == 2.0
    assert weights["bad"] == 0.0
    assert weights["idle"] == pytest.approx(1.0, abs=1e-6)
    assert metrics["alignment_good"] == pytest.approx(1.0, abs=1e-6)
    assert metrics["alignment_bad"] == pytest.approx(-1.0, abs=1e-6)
    assert "good 2.00" in combiner.closing_remark()


def test_the_alignment_is_the_derivative_of_the_return_after_a_step_on_the_signal():
    """d J_task(θ + ε ∇J_i) / dε = ⟨∇J_task, ∇J_i⟩, checked in the exact bandit with three arms."""
    random = np.random.default_rng(1)
    learner = Softmax(random.standard_normal((1, 3)))
    pay = {"task": np.array([1.0, 0.2, 0.0]), "other": random.standard_normal(3)}

    def gradient(name):
        policy = learner.policy[0]
        return policy * (pay[name] - policy @ pay[name])

    moved = [Softmax(learner.logits + step * gradient("other")).policy[0] @ pay["task"] for step in (1e-5, -1e-5)]
    derivative = (moved[0] - moved[1]) / 2e-5

    actions = random.choice(3, p=learner.policy[0], size=(400, 500))
    learner.sees(np.zeros_like(actions), actions)
    rises = learner.rises(pay["task"][actions] - pay["task"][actions].mean())
    inner = ((rises - rises.mean()) * pay["other"][actions]).mean()
    assert inner == pytest.approx(derivative, rel=0.05)


def test_what_is_paid_and_reported_are_the_weighed_signals():
    combiner = bound(weights={"good": 0.5, "bad": 3.0})
    combiner._factors |= {"good": 2.0, "bad": 0.25}
    ones = {name: np.ones(N) for name in SIGNALS}
    batch = Transitions(
        np.zeros((N, 1)), np.zeros(N), np.ones(N), np.zeros((N, 1)), np.zeros(N, bool), np.zeros(N, bool), [{}] * N
    )
    total, parts = combiner(ones, batch, 0)
    assert dict(zip(combiner.parts, [part[0] for part in parts], strict=True)) == {
        "task": 1.0, "good": 1.0, "bad": 0.75, "idle": 1.0,
    }  # fmt: skip
    assert total[0] == 3.75
    assert combiner.weights(0) == {"task": 1.0, "good": 1.0, "bad": 0.75, "idle": 1.0}


def test_a_task_that_pays_nothing_moves_nothing():
    combiner, learner, random = bound(), Softmax(np.zeros((1, 2))), np.random.default_rng(0)
    combiner.meet(learner)
    before = combiner.state_dict()["factors"]
    actions, signals = bandit(learner.policy, random)
    ended, states = np.zeros(N, bool), np.zeros((N, 1), np.float32)
    batch = Transitions(states, actions, np.zeros(N), states, ended, ended, [{} for _ in range(N)])
    combiner({**signals, "task": np.zeros(N)}, batch, 0)
    learner.sees(np.zeros((1, N), np.int64), actions[None])
    combiner.update(Rollout([batch]))
    assert combiner.state_dict()["factors"] == before


def test_decay_turns_off_what_does_not_matter():
    combiner, learner, random = bound(decay=0.1), Softmax(np.zeros((1, 2))), np.random.default_rng(0)
    combiner.meet(learner)
    for _ in range(40):
        played(combiner, learner, random)
    assert combiner.weights(0)["idle"] < 0.1
    assert combiner.weights(0)["good"] > 0.9


class TwoStates(Softmax):
    """In state 0 the term pays what the task pays, in state 1 the opposite."""


def test_heads_tell_states_apart_in_which_a_term_helps_from_those_in_which_it_misleads():
    random, learner = np.random.default_rng(0), TwoStates(np.zeros((2, 2)))
    combiner = BehaviourAlignment(heads="state", learning_rate=0.2)
    combiner.bind(Setting(N, spaces.Box(-1, 1, (2,)), spaces.Discrete(2), gamma=0.9, seed=0, signals=("task", "hint")))
    combiner.meet(learner)
    for _ in range(30):
        states = random.integers(2, size=(8, N))
        actions = random.integers(2, size=(8, N))
        batches = []
        for step in range(8):
            seen = np.eye(2, dtype=np.float32)[states[step]]
            task = (actions[step] == 0).astype(float)
            hint = np.where(states[step] == 0, task, 1.0 - task)
            ended = np.ones(N, bool)
            batch = Transitions(seen, actions[step], task, seen, ended, ~ended, [{} for _ in range(N)])
            total, parts = combiner({"task": task, "hint": hint}, batch, 0)
            np.testing.assert_allclose(total, np.sum(parts, axis=0))
            batches.append(batch)
        learner.sees(states, actions)
        combiner.update(Rollout(batches))
    factors = combiner._bounded(1.0 + combiner._looked_at(np.eye(2, dtype=np.float32)) @ combiner._heads["hint"])
    assert factors[0] > 1.5
    assert factors[1] < 0.1
    with pytest.raises(ValueError, match="heads=scalar"):
        combiner.weights(0)


@pytest.mark.parametrize("heads", ["scalar", "state"])
def test_a_resume_goes_on_with_what_was_learned(heads):
    first, second = bound(heads=heads), bound(heads=heads)
    learner, random = Softmax(np.zeros((1, 2))), np.random.default_rng(0)
    first.meet(learner)
    second.meet(learner)
    for _ in range(3):
        played(first, learner, random)
    second.load_state_dict(first.state_dict())
    again = np.random.default_rng(5), np.random.default_rng(5)
    assert played(first, learner, again[0]) == played(second, learner, again[1])
    np.testing.assert_equal(first.state_dict(), second.state_dict())


def test_advantages_are_those_of_generalised_advantage_estimation_and_values_are_learned():
    random = np.random.default_rng(0)
    critics = LinearCritics(2, 1, gamma=0.9, lambda_=1.0)
    features = np.eye(2)[random.integers(2, size=(6, 3))]
    rewards = random.standard_normal((6, 3, 1))
    ended = np.zeros((6, 3), bool)
    ended[2, 1] = ended[5] = True
    advantages = critics.advantages(rewards, features, features, ended, ended)
    returns = np.zeros((6, 3, 1))
    for row in range(3):
        later = 0.0
        for step in range(5, -1, -1):
            later = rewards[step, row, 0] + (0.0 if ended[step, row] else 0.9 * later)
            returns[step, row] = later
    np.testing.assert_allclose(advantages, returns)
    for _ in range(30):
        critics.learn(features, np.where(features[..., :1] == 1, 2.0, -1.0))
    np.testing.assert_allclose(critics(np.eye(2))[:, 0], [2.0, -1.0], atol=0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"learning_rate": -1}, "learning_rate=-1"),
        ({"heads": "states"}, "heads='states'"),
        ({"decay": 1.0}, "decay=1.0"),
        ({"most": 0.5}, "most=0.5"),
        ({"least": 2.0}, "least=2.0"),
        ({"lambda_": 1.5}, "lambda_=1.5"),
    ],
)
def test_numbers_out_of_bounds_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        BehaviourAlignment(**arguments)


def test_an_agent_without_rollouts_is_refused():
    learner = Softmax(np.zeros((1, 2)))
    learner.keeps_rollout = False
    with pytest.raises(ValueError, match="agent=ppo"):
        bound().meet(learner)


def test_without_a_term_there_is_nothing_to_weigh():
    with pytest.raises(ValueError, match="there is no term"):
        bound(signals=("task",))
