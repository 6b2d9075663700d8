"""Pay that changes at a rollout's end is what the agent learns from, in every kind of buffer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.vec_env import VecNormalize

from agents import Algorithm, ShapingCallback
from shaping import EpisodeTransform, RewardTerm, ShapedVecEnv, WeightedSum, make_term
from shaping.episodes import PerStep, TerminalRelease
from tests.shaping.worlds import corridors

ALGORITHMS = {
    "ppo": (PPO, {"n_steps": 16, "batch_size": 16, "n_epochs": 2}),
    "a2c": (A2C, {"n_steps": 5}),
    "dqn": (DQN, {"learning_starts": 20, "train_freq": 4, "buffer_size": 64, "batch_size": 8}),
}


def shaped(episode=None, *, withheld=(), n=2):
    term = make_term("events", events=["left_start", "middle"], rewards={"middle": 0.3}, publish=False)
    return ShapedVecEnv(
        corridors(n, length=4, limit=7),
        {"events": term},
        combiner=WeightedSum({"events": 0.7}, withheld),
        episode=episode,
        gamma=0.9,
    )


class Recorder(ShapingCallback):
    """Also keeps, for each rollout, the buffer before and after."""

    def __init__(self, env, model):
        super().__init__(env)
        self.rollouts = []

    def _on_rollout_end(self):
        buffer = getattr(self.model, "replay_buffer", None) or self.model.rollout_buffer
        names = [name for name in ("rewards", "returns", "advantages") if hasattr(buffer, name)]
        before = {name: getattr(buffer, name).copy() for name in names}
        super()._on_rollout_end()
        self.rollouts.append((before, {name: getattr(buffer, name).copy() for name in names}))


def trained(name, venv, callback=Recorder):
    algorithm, arguments = ALGORITHMS[name]
    model = algorithm("MlpPolicy", venv, gamma=0.9, seed=3, device="cpu", policy_kwargs={"net_arch": [8]}, **arguments)
    made = callback(venv, model)
    model.learn(320, callback=made)
    return model, made


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_a_per_step_transform_trains_the_same_agent_as_the_term_itself(name):
    plain, _ = trained(name, shaped())
    transformed, _ = trained(name, shaped(PerStep(), withheld=["events"]))
    untouched, _ = trained(name, shaped(withheld=["events"]))
    weights = [model.policy.state_dict() for model in (plain, transformed, untouched)]
    for key, value in weights[0].items():
        torch.testing.assert_close(weights[1][key], value, rtol=0, atol=1e-6)
    assert any(not torch.allclose(weights[2][key], value) for key, value in weights[0].items()), "the term matters"


def test_recurrent_returns_are_those_of_the_term_itself():
    def rollouts(venv):
        model = RecurrentPPO(
            "MlpLstmPolicy", venv, n_steps=16, batch_size=16, n_epochs=1, gamma=0.9, seed=3, device="cpu",
            policy_kwargs={"lstm_hidden_size": 8, "net_arch": [8]},
        )  # fmt: skip
        callback = Recorder(venv, model)
        model.learn(96, callback=callback)
        return callback.rollouts

    plain = rollouts(shaped(PerStep()))
    transformed = rollouts(shaped(PerStep(), withheld=["events"]))
    for (before, expected), (_, changed) in zip(plain, transformed, strict=True):
        for name in ("rewards", "returns", "advantages"):
            np.testing.assert_allclose(expected[name], before[name], atol=1e-6, err_msg="nothing to change")
            np.testing.assert_allclose(changed[name], expected[name], atol=1e-6)


def test_a_release_at_the_end_keeps_episode_sums_and_the_bootstrap_of_truncated_episodes():
    """Episodes of at most 7 steps against rollouts of 16: many are cut by a rollout's end."""
    withheld, released = [0.0], []

    class Watcher(Recorder):
        def _on_step(self):
            withheld[0] += self.locals["infos"][0]["reward_terms"]["events"]
            if self.locals["dones"][0]:
                released.append(withheld[0])
                withheld[0] = 0.0
            return super()._on_step()

    venv = shaped(TerminalRelease(), withheld=["events"], n=1)
    _, callback = trained("ppo", venv, Watcher)
    deltas = [after["rewards"] - before["rewards"] for before, after in callback.rollouts]
    assert np.concatenate(deltas).sum() == pytest.approx(sum(released), abs=1e-4)
    assert np.concatenate(deltas).min() > -1e-6
    statistics = venv.episode_statistics()
    logged = statistics["reward/task"] + statistics["reward/events"]
    assert statistics["shaped_return"] == pytest.approx(logged, abs=1e-6), "what was paid, and not 0"


def test_transform_prefixes_and_carried_over_differences():
    """By hand: rollouts of 4 steps, one environment, episodes of 6 steps."""

    class Marks(EpisodeTransform):
        def __call__(self, episode):
            return None if episode.ending == "cut" else np.arange(1.0, len(episode) + 1)

    venv = ShapedVecEnv(corridors(1, length=50, limit=6), {}, episode=Marks(), gamma=0.9)
    model = PPO("MlpPolicy", venv, n_steps=4, batch_size=4, n_epochs=1, gamma=0.9, seed=0, device="cpu")
    callback = Recorder(venv, model)
    model.learn(8, callback=callback)
    first, second = ((after["rewards"] - before["rewards"])[:, 0] for before, after in callback.rollouts)
    np.testing.assert_allclose(first, 0.0)  # the episode is unfinished: unchanged
    # steps 1..4 were learned from: their 1 + 2 + 3 + 4 falls on the earliest still there, the fifth
    np.testing.assert_allclose(second, [5 + 10, 6, 0, 0], atol=1e-6)


def test_the_replay_buffer_is_only_changed_where_the_step_still_is():
    class Ones(EpisodeTransform):
        def __call__(self, episode):
            return None if episode.ending == "cut" else episode.paid + 1.0

    venv = ShapedVecEnv(corridors(1, length=50, limit=6), {}, episode=Ones(), gamma=0.9)
    model = DQN("MlpPolicy", venv, buffer_size=4, learning_starts=1000, train_freq=1, seed=0, device="cpu")
    model.learn(6, callback=Recorder(venv, model))
    # steps 1 to 6 went to rows 0 1 2 3 0 1: what the first two are owed is on the earliest left
    assert model.replay_buffer.rewards[:, 0].tolist() == [1, 1, 3, 1]


class Late(RewardTerm):
    """Finds out at a rollout's end that every step was worth one more than it was paid."""

    relabels = True

    def bind(self, setting):
        self.n_envs, self.steps = setting.n_envs, 0

    def __call__(self, batch):
        self.steps += 1
        return np.full(len(batch), 0.25)

    def relabel(self):
        steps, self.steps = self.steps, 0
        return np.ones((steps, self.n_envs))


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_a_rollout_that_is_scored_again_is_learned_from_as_if_it_had_been_paid_so(name):
    class Early(Late):
        relabels = False

        def __call__(self, batch):
            return np.full(len(batch), 1.25)

    agents_of = []
    for term in (Late(), Early()):
        venv = ShapedVecEnv(corridors(2, length=4, limit=7), {"late": term}, gamma=0.9)
        model, _ = trained(name, venv)
        agents_of.append((model.policy.state_dict(), venv.episode_statistics()))
    (late, statistics), (early, expected) = agents_of
    for key, value in early.items():
        torch.testing.assert_close(late[key], value, rtol=0, atol=1e-5)
    assert statistics == pytest.approx(expected)


def test_rewards_normalised_outside_are_refused():
    venv = shaped(PerStep())
    model = PPO("MlpPolicy", VecNormalize(venv), n_steps=16, device="cpu")
    with pytest.raises(ValueError, match="norm_reward=False"):
        model.learn(16, callback=Recorder(venv, model))


class Forgetful(Algorithm):
    """Walks, and keeps nothing of it."""

    def collect(self, callback):
        return self.step(np.ones(self.n_envs, int), callback) is not None

    def train(self):
        pass


def test_an_agent_without_stored_rewards_is_refused_where_pay_would_change():
    venv = shaped(PerStep())
    with pytest.raises(ValueError, match="Forgetful keeps no rewards"):
        Forgetful(venv, seed=0).learn(16, callback=ShapingCallback(venv))
    still = shaped()
    model = Forgetful(still, seed=0).learn(16, callback=ShapingCallback(still))  # nothing changes here
    assert model.num_timesteps == 16


class Cells(RewardTerm):
    """Pays the new cell's number times a factor that changes with time, and can be asked again."""

    factor = 1.0

    def rescore(self, batch):
        return self.factor * batch.next_observations.argmax(axis=1).astype(float)

    def __call__(self, batch):
        return self.rescore(batch)


def test_replayed_steps_are_paid_what_the_term_says_now():
    from agents import build

    cells = Cells()
    venv = ShapedVecEnv(
        corridors(2, length=5), {"cells": cells}, combiner=WeightedSum({"cells": 0.5, "task": 2.0}), gamma=0.9
    )
    model = build("dqn", venv, seed=0, buffer_size=200, learning_starts=10_000, gamma=0.9, train_freq=1)
    model.learn(100)
    stored = model.replay_buffer.rewards[: model.replay_buffer.pos]
    assert set(stored.ravel().tolist()) <= {0.0, 2.0}  # the task's alone
    for factor in (1.0, 10.0):
        cells.factor = factor
        samples = model.replay_buffer.sample(64)
        cell = samples.next_observations.argmax(dim=1)
        expected = 0.5 * factor * cell + 2.0 * (cell == 4)
        torch.testing.assert_close(samples.rewards[:, 0], expected.float())


@pytest.mark.parametrize("dictionary", [False, True])
def test_a_term_asked_again_sees_the_environments_own_observations_beside_one_that_publishes(dictionary):
    from agents import build

    class OwnCells(RewardTerm):
        """Pays the new cell's number, and fails if what it sees is not the environment's own."""

        def rescore(self, batch):
            seen = batch.next_observations
            if dictionary:
                assert set(seen) == {"cells", "where"}
                seen = seen["cells"]
            assert seen.shape == (len(batch), 5)
            return seen.argmax(axis=1).astype(float)

        __call__ = rescore

    terms = {"own": OwnCells(), "events": make_term("events", events=["middle"], rewards={"middle": 0.5})}
    venv = ShapedVecEnv(corridors(2, length=5, dictionary=dictionary), terms, gamma=0.9)
    assert "events" in venv.observation_space.spaces
    model = build("dqn", venv, seed=0, buffer_size=200, learning_starts=10_000, gamma=0.9, train_freq=1)
    model.learn(100)
    stored = model.replay_buffer.rewards[: model.replay_buffer.pos].copy()
    assert set(stored.ravel().tolist()) <= {0.0, 0.5, 1.0}  # the task's and the events'
    samples = model.replay_buffer.sample(64)
    cell = samples.next_observations["cells" if dictionary else "observation"].argmax(dim=1)
    assert set((samples.rewards[:, 0] - cell).tolist()) <= {0.0, 0.5, 1.0}
