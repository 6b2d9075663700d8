"""The Bayes receiver: its belief is Bayes' rule, and it pays for the guess."""

from __future__ import annotations

import numpy as np
import pytest

import agents
import envs
from agents import ShapingCallback
from shaping import RewardTermError, ShapedVecEnv, make_term
from tests.shaping.worlds import corridors


class Speaks:
    """Acts by a fixed table π(a|s, m) of CodeGrid's cells; remembers what masks it was shown."""

    def __init__(self, messages, seed=0):
        self.table = np.random.default_rng(seed).dirichlet(np.ones(4), (16, messages))

    def probabilities(self, observations, masks=None):
        self.masks = masks
        return self.table[observations["observation"], observations["message"]]


@pytest.mark.parametrize("noise", [0.0, 0.25])
def test_the_belief_is_the_posterior_of_every_episode_and_pays_for_its_mode(noise):
    n, messages = 4, 6
    prior = np.random.default_rng(5).dirichlet(np.ones(messages))
    venv = envs.make_vec("CodingGame-v0", n, seed=2, messages=messages, noise=noise, prior=prior.tolist())
    term, learner = make_term("bayes_receiver"), Speaks(messages)
    shaped = ShapedVecEnv(venv, {"bayes_receiver": term}, gamma=1.0)
    shaped.meet(learner)
    seen, random, posteriors = shaped.reset(), np.random.default_rng(0), np.tile(prior, (n, 1))
    hits = []
    for _ in range(120):
        masks = seen["action_mask"].astype(bool)
        actions = [int(random.choice(np.flatnonzero(mask))) for mask in masks]
        before, sent = seen, seen["message"]
        seen, _, dones, infos = shaped.step(np.array(actions))
        assert learner.masks.shape == (n * messages, 4)
        for row, info in enumerate(infos):
            action = info["coding_game"]["executed_action"]
            assert noise or action == actions[row]
            likely = (1 - noise) * learner.table[before["observation"][row], :, action] + noise / masks[row].sum()
            posteriors[row] *= likely
            posteriors[row] /= posteriors[row].sum()
            paid = info["reward_terms"]["bayes_receiver"]
            assert paid == float(dones[row] and posteriors[row].argmax() == sent[row])
            if dones[row]:
                hits.append(paid)
                posteriors[row] = prior
    metrics = term.update(())
    assert metrics["accuracy"] == pytest.approx(np.mean(hits[-100:]))
    assert 0.0 < metrics["accuracy"] < 1.0
    assert 0.0 < metrics["belief"] < 1.0


def test_a_sender_learns_to_be_understood():
    """Two messages, one choice of two: each message has a word of its own."""
    venv = envs.make_vec(
        "CodingGame-v0", 16, seed=0, world="ReferentialChain-v0", messages=2, arguments={"length": 1, "actions": 2}
    )
    term = make_term("bayes_receiver")
    shaped = ShapedVecEnv(venv, {"bayes_receiver": term}, gamma=1.0)
    model = agents.build("ppo", shaped, seed=3, n_steps=32, batch_size=128, learning_rate=1e-2, ent_coef=0.0)
    model.learn(6_000, callback=ShapingCallback(shaped, learner=agents.get("ppo").learner(model)))
    assert term.update(())["accuracy"] > 0.8, "a guess without words is right in a half"


@pytest.mark.parametrize("agent", ["maskable_ppo", "dqn"])
def test_agents_that_mask_and_that_explore_can_be_read(agent):
    settings = {
        "maskable_ppo": {"n_steps": 16, "batch_size": 32, "n_epochs": 1},
        "dqn": {"learning_starts": 20, "buffer_size": 200, "batch_size": 8},
    }
    shaped = ShapedVecEnv(
        envs.make_vec("CodingGame-v0", 2, seed=0, messages=4),
        {"bayes_receiver": make_term("bayes_receiver")},
        gamma=1.0,
    )
    model = agents.build(agent, shaped, seed=0, **settings[agent])
    model.learn(64, callback=ShapingCallback(shaped, learner=agents.get(agent).learner(model)))
    assert set(shaped.terms["bayes_receiver"].update(())) == {"accuracy", "belief"}


def test_it_is_refused_where_nothing_is_sent():
    with pytest.raises(ValueError, match="Discrete entry 'message'"):
        ShapedVecEnv(corridors(1), {"bayes_receiver": make_term("bayes_receiver")}, gamma=1.0)
    shaped = ShapedVecEnv(envs.make_vec("CodingGame-v0", 1), {"bayes_receiver": make_term("bayes_receiver")}, gamma=1.0)
    shaped.reset()
    with pytest.raises(RewardTermError, match="not told how the agent acts"):
        shaped.step(np.array([1]))
