"""An episode transform that says what a per-step term says trains the same agent, for every kind of buffer."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sb3_contrib import RecurrentPPO
from stable_baselines3 import A2C, DQN, PPO
from stable_baselines3.common.vec_env import VecNormalize

from shaping import EpisodeTransform, EpisodeTransformCallback, ShapedVecEnv, WeightedSum, make_term
from shaping.episodes import PerStep, TerminalRelease
from tests.shaping.worlds import corridors

ALGORITHMS = {
    "ppo": (PPO, {"n_steps": 16, "batch_size": 16, "n_epochs": 2}),
    "a2c": (A2C, {"n_steps": 5}),
    "dqn": (DQN, {"learning_starts": 20, "train_freq": 4, "buffer_size": 64, "batch_size": 8}),
}


def shaped(*, withheld=(), n=2):
    term = make_term("events", events=["left_start", "middle"], rewards={"middle": 0.3}, publish=False)
    return ShapedVecEnv(
        corridors(n, length=4, limit=7), {"events": term}, combiner=WeightedSum({"events": 0.7}, withheld), gamma=0.9
    )


def trained(name, venv, callback=None):
    algorithm, arguments = ALGORITHMS[name]
    model = algorithm("MlpPolicy", venv, gamma=0.9, seed=3, device="cpu", policy_kwargs={"net_arch": [8]}, **arguments)
    model.learn(320, callback=callback)
    return model


@pytest.mark.parametrize("name", sorted(ALGORITHMS))
def test_a_per_step_transform_trains_the_same_agent_as_the_term_itself(name):
    plain = trained(name, shaped())
    transformed = trained(name, shaped(withheld=["events"]), EpisodeTransformCallback(PerStep()))
    untouched = trained(name, shaped(withheld=["events"]))
    weights = [model.policy.state_dict() for model in (plain, transformed, untouched)]
    for key, value in weights[0].items():
        torch.testing.assert_close(weights[1][key], value, rtol=0, atol=1e-6)
    assert any(not torch.allclose(weights[2][key], value) for key, value in weights[0].items()), "the term matters"


class Recorder(EpisodeTransformCallback):
    """Also keeps, for each rollout, buffers before and after."""

    def _on_rollout_end(self):
        buffer = self._buffer()
        before = {name: getattr(buffer, name).copy() for name in ("rewards", "returns", "advantages")}
        super()._on_rollout_end()
        after = {name: getattr(buffer, name).copy() for name in before}
        self.rollouts = [*getattr(self, "rollouts", []), (before, after)]


def test_recurrent_returns_are_those_of_the_term_itself():
    def rollouts(venv, transform):
        callback = Recorder(transform)
        model = RecurrentPPO(
            "MlpLstmPolicy", venv, n_steps=16, batch_size=16, n_epochs=1, gamma=0.9, seed=3, device="cpu",
            policy_kwargs={"lstm_hidden_size": 8, "net_arch": [8]},
        )  # fmt: skip
        model.learn(96, callback=callback)
        return callback.rollouts

    plain = rollouts(shaped(), PerStep())
    transformed = rollouts(shaped(withheld=["events"]), PerStep())
    for (before, expected), (_, found) in zip(plain, transformed, strict=True):
        for name in ("rewards", "returns", "advantages"):
            np.testing.assert_allclose(expected[name], before[name], atol=1e-6, err_msg="nothing to change")
            np.testing.assert_allclose(found[name], expected[name], atol=1e-6)


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

    callback = Watcher(TerminalRelease())
    trained("ppo", shaped(withheld=["events"], n=1), callback)
    deltas = [after["rewards"] - before["rewards"] for before, after in callback.rollouts]
    assert np.concatenate(deltas).sum() == pytest.approx(sum(released), abs=1e-4)
    assert np.concatenate(deltas).min() > -1e-6
    assert callback.episode_statistics()["shaped_return"] > 0


def test_transform_prefixes_and_carried_over_differences():
    """By hand: rollouts of 4 steps, one environment, episodes of 6 steps."""

    class Marks(EpisodeTransform):
        def __call__(self, signals, *, paid, finished, terminated):
            return np.arange(1.0, len(paid) + 1) if finished else None

    callback = Recorder(Marks())
    venv = ShapedVecEnv(corridors(1, length=50, limit=6), {}, gamma=0.9)
    model = PPO("MlpPolicy", venv, n_steps=4, batch_size=4, n_epochs=1, gamma=0.9, seed=0, device="cpu")
    model.learn(8, callback=callback)
    first, second = ((after["rewards"] - before["rewards"])[:, 0] for before, after in callback.rollouts)
    np.testing.assert_allclose(first, 0.0)  # the episode is unfinished: unchanged
    # steps 1..4 were learned from: their 1 + 2 + 3 + 4 falls on the earliest step still there, the fifth
    np.testing.assert_allclose(second, [5 + 10, 6, 0, 0], atol=1e-6)


def test_the_replay_buffer_is_only_changed_where_the_step_still_is():
    class Ones(EpisodeTransform):
        def __call__(self, signals, *, paid, finished, terminated):
            return paid + 1.0 if finished else None

    venv = ShapedVecEnv(corridors(1, length=50, limit=6), {}, gamma=0.9)
    model = DQN("MlpPolicy", venv, buffer_size=4, learning_starts=1000, train_freq=1, seed=0, device="cpu")
    model.learn(6, callback=EpisodeTransformCallback(Ones()))
    # steps 1 to 6 went to rows 0 1 2 3 0 1; the first two are gone, and what they were owed is on the earliest left
    assert model.replay_buffer.rewards[:, 0].tolist() == [1, 1, 3, 1]


def test_rewards_of_a_wrong_shape_or_not_finite_stop_the_run():
    class Wrong(EpisodeTransform):
        name = "wrong"

        def __init__(self, wrong):
            self.wrong = wrong

        def __call__(self, signals, *, paid, finished, terminated):
            return self.wrong

    for wrong in (np.zeros(3), np.full(16, np.nan)):
        venv = ShapedVecEnv(corridors(1, length=50), {}, gamma=0.9)
        model = PPO("MlpPolicy", venv, n_steps=16, batch_size=16, seed=0, device="cpu")
        with pytest.raises(ValueError, match="episode transform 'wrong' must give"):
            model.learn(16, callback=EpisodeTransformCallback(Wrong(wrong)))


def test_rewards_normalised_outside_are_refused():
    model = PPO("MlpPolicy", VecNormalize(shaped()), n_steps=16, device="cpu")
    with pytest.raises(ValueError, match="norm_reward=False"):
        model.learn(16, callback=EpisodeTransformCallback(PerStep()))


def test_an_unshaped_environment_is_refused():
    model = PPO("MlpPolicy", corridors(1), n_steps=16, device="cpu")
    with pytest.raises(ValueError, match="ShapedVecEnv"):
        model.learn(16, callback=EpisodeTransformCallback(PerStep()))
