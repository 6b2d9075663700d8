"""What an accumulation decides is what every kind of agent learns from, over rollouts' ends too."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from stable_baselines3 import A2C, DQN, PPO, SAC
from stable_baselines3.common.env_util import make_vec_env

from shaping import RewardTerm, ShapedVecEnv, WeightedSum, make_term
from shaping.accumulation import Direct, Gated, OutcomeOnly, StepProgress
from shaping.episodes import registry
from tests.agents.test_shaping_callback import Recorder
from tests.shaping.worlds import corridors

SETTINGS = {
    "ppo": (PPO, {"n_steps": 16, "batch_size": 16, "n_epochs": 2}),
    "a2c": (A2C, {"n_steps": 5}),
    "dqn": (DQN, {"learning_starts": 20, "train_freq": 4, "buffer_size": 1000, "batch_size": 8}),
    "sac": (SAC, {"learning_starts": 20, "train_freq": 4, "buffer_size": 1000, "batch_size": 8}),
}


class Steady(RewardTerm):
    """A critic that pays 1 a step."""

    def __call__(self, batch):
        return np.ones(len(batch))


def walks(episode, **world):
    """Corridors with a critic of two channels, both withheld."""
    term = make_term("channels", names=["right", "moved"])
    combiner = WeightedSum({"channels": 0.5}, withheld=["channels"])
    world = {"length": 4, "limit": 7} | world
    return ShapedVecEnv(corridors(2, **world), {"channels": term}, combiner=combiner, episode=episode, gamma=0.9)


def swings(episode):
    """Pendulums whose critic pays 1 a step, withheld."""
    venv = make_vec_env("Pendulum-v1", n_envs=2, seed=0)
    combiner = WeightedSum(withheld=["steady"])
    return ShapedVecEnv(venv, {"steady": Steady()}, combiner=combiner, episode=episode, gamma=0.9)


def trained(name, venv, callback, steps=400):
    algorithm, arguments = SETTINGS[name]
    model = algorithm("MlpPolicy", venv, gamma=0.9, seed=3, device="cpu", policy_kwargs={"net_arch": [8]}, **arguments)
    made = callback(venv, model)
    model.learn(steps, callback=made)
    return model, made


class Sums(Recorder):
    """Also adds up what each finished episode's signals came to."""

    def __init__(self, env, model):
        super().__init__(env, model)
        self.running = np.zeros((env.num_envs, 2))
        self.finished = []

    def _on_step(self):
        for row, info in enumerate(self.locals["infos"]):
            parts = info["reward_terms"]
            self.running[row] += [parts["task"], sum(parts.values()) - parts["task"]]
            if self.locals["dones"][row]:
                self.finished.append(self.running[row].copy())
                self.running[row] = 0.0
        return super()._on_step()

    @property
    def changed(self):
        return sum(float((after["rewards"] - before["rewards"]).sum()) for before, after in self.rollouts)


@pytest.mark.parametrize("release", ["terminal", "retroactive"])
@pytest.mark.parametrize("name", ["ppo", "a2c", "dqn"])
def test_a_gate_pays_the_critic_of_episodes_that_succeed_and_of_no_others(name, release):
    _, sums = trained(name, walks(Gated(gates=[1.0], release=release)), Sums)
    finished = np.array(sums.finished)
    succeeded = finished[:, 0] == 1.0
    assert succeeded.any()
    assert not succeeded.all()
    assert sums.changed == pytest.approx(finished[succeeded, 1].sum(), abs=1e-4)
    assert abs(finished[~succeeded, 1]).sum() > 1.0, "there was something to take"


def test_a_gate_pays_agents_of_continuous_actions_too():
    for gate, share in ((-1e6, 1.0), (0.0, 0.0)):  # a pendulum's return is below 0
        venv = swings(Gated(gates=[gate], release="retroactive"))
        _, sums = trained("sac", venv, Sums, steps=820)
        assert len(sums.finished) == 4
        assert sums.changed == pytest.approx(share * 4 * 200, abs=1e-2)


def test_an_open_gate_paid_at_its_own_steps_trains_the_agent_of_the_plain_sum():
    """Episodes of 8 steps in rollouts of 16: none is cut."""
    weights = []
    for episode in (Gated(gates=[-9.0], release="retroactive"), Direct(), Gated(gates=[9.0], release="retroactive")):
        model, _ = trained("ppo", walks(episode, length=50, limit=8), Recorder)
        weights.append(model.policy.state_dict())
    for key, value in weights[1].items():
        torch.testing.assert_close(weights[0][key], value, rtol=0, atol=1e-6)
    assert any(not torch.allclose(weights[2][key], value) for key, value in weights[1].items()), "the gate matters"


@pytest.mark.parametrize(("gate", "share"), [(0.0, 1.0), (1.0, 0.0)])
def test_steps_of_an_earlier_rollout_are_paid_on_the_earliest_that_is_still_there(gate, share):
    """By hand: rollouts of 4 steps, one environment, episodes of 6 steps that never succeed."""
    venv = ShapedVecEnv(
        corridors(1, length=50, limit=6),
        {"steady": Steady()},
        combiner=WeightedSum(withheld=["steady"]),
        episode=Gated(gates=[gate], release="retroactive"),
        gamma=0.9,
    )
    model = PPO("MlpPolicy", venv, n_steps=4, batch_size=4, n_epochs=1, gamma=0.9, seed=0, device="cpu")
    callback = Recorder(venv, model)
    model.learn(12, callback=callback)
    deltas = [(after["rewards"] - before["rewards"])[:, 0] for before, after in callback.rollouts]
    # an unfinished episode is not gated; its steps 1 to 4 were learned from by the time it ends
    np.testing.assert_allclose(deltas[0], 0.0)
    np.testing.assert_allclose(deltas[1], share * np.array([1 + 4, 1, 0, 0]), atol=1e-6)
    np.testing.assert_allclose(deltas[2], share * np.array([1 + 2, 1, 1, 1]), atol=1e-6)


def test_the_bootstrap_of_a_truncated_episode_stays_and_an_outcome_alone_pays_no_critic():
    venv = walks(OutcomeOnly(), length=50, limit=4)
    _, callback = trained("ppo", venv, Recorder)
    before = np.concatenate([before["rewards"] for before, _ in callback.rollouts])
    after = np.concatenate([after["rewards"] for _, after in callback.rollouts])
    assert abs(before).sum() > 0, "SB3 has added γV where time ran out"
    np.testing.assert_allclose(after, before, atol=1e-6)


@pytest.mark.parametrize("name", ["ppo", "a2c", "dqn"])
def test_attributed_progress_keeps_what_an_episode_was_paid(name):
    venv = walks(StepProgress.from_config(warm_up=4, updates=2, hidden=8, beta=1.0))
    _, sums = trained(name, venv, Sums)
    assert sums.changed == pytest.approx(np.array(sums.finished)[:, 1].sum(), abs=1e-3)
    statistics = venv.episode_statistics()
    total = statistics["reward/task"] + statistics["reward/channels/right"] + statistics["reward/channels/moved"]
    assert statistics["shaped_return"] == pytest.approx(total, abs=1e-5)


@pytest.mark.parametrize("name", sorted(registry.names()))
def test_what_was_paid_in_the_end_is_what_the_statistics_say(name):
    """Whatever is decided, the sums of the buffer's changes and of the statistics agree."""
    venv = walks(registry.make(name))
    _, sums = trained("dqn", venv, Sums, steps=160)
    paid_at_once = np.array(sums.finished)[:, 0].sum()
    statistics = venv.episode_statistics()
    running = sum(
        float(played.applied.sum()) for played in venv.shaper._ledger._running
    )  # what unfinished episodes have been paid already
    expected = len(sums.finished) * statistics["shaped_return"]
    assert paid_at_once + sums.changed - running == pytest.approx(expected, abs=1e-3)
