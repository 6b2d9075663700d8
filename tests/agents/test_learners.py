"""What an agent shows of its policy: probabilities, and rises along a direction."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces

import agents
import envs
from agents import ShapingCallback
from agents.learners import learner_of
from shaping import RewardTerm, ShapedVecEnv
from shaping.transitions import FloatArray
from tests.shaping.worlds import corridors


class Reads(RewardTerm):
    """A term that asks the agent, once a rollout."""

    reads_policy = True

    def __init__(self, ask):
        self.ask, self.answers = ask, []

    def meet(self, learner):
        self.learner = learner

    def __call__(self, batch):
        return np.zeros(len(batch))

    def update(self, rollout):
        self.answers.append(self.ask(self.learner, rollout))
        return {}


def asked(agent, ask, env=None, steps=64, **settings):
    """The answers of a training, and the model."""
    term = Reads(ask)
    venv = ShapedVecEnv(corridors(2, length=4, limit=7) if env is None else env, {"reads": term}, gamma=0.9)
    model = agents.build(agent, venv, seed=1, **settings)
    model.learn(steps, callback=ShapingCallback(venv, learner=agents.get(agent).learner(model)))
    return term.answers, model


def rollout_observations(learner, rollout):
    observations = rollout.stack("observations")
    return learner.probabilities(observations.reshape(-1, *observations.shape[2:]))


SETTINGS = {
    "ppo": {"n_steps": 16, "batch_size": 16, "n_epochs": 2},
    "a2c": {"n_steps": 8},
    "dqn": {"learning_starts": 20, "train_freq": 4, "buffer_size": 64, "batch_size": 8},
    "soft_dqn": {"learning_starts": 20, "train_freq": 4, "buffer_size": 64, "batch_size": 8},
}


@pytest.mark.parametrize("agent", sorted(SETTINGS))
def test_probabilities_are_those_that_the_agent_acts_by(agent):
    answers, _ = asked(agent, rollout_observations, **SETTINGS[agent])
    assert answers
    for probabilities in answers:
        assert probabilities.dtype == np.float64
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-5)
        assert (probabilities >= 0).all()


def test_probabilities_are_those_of_the_moment_at_which_a_rollout_was_played():
    def ask(learner, rollout):
        buffer = learner._model.rollout_buffer
        played = np.take_along_axis(
            rollout_observations(learner, rollout), rollout.stack("actions").reshape(-1, 1).astype(int), axis=1
        )
        return played[:, 0], np.exp(buffer.log_probs.reshape(-1))

    answers, _ = asked("ppo", ask, **SETTINGS["ppo"])
    for seen, played in answers:
        np.testing.assert_allclose(seen, played, rtol=1e-5)


def exact_rises(model, weights):
    """By forward-mode differentiation of the policy as a function of its weights."""
    policy, buffer = model.policy, model.rollout_buffer
    observations = torch.as_tensor(buffer.observations.reshape(-1, *buffer.observations.shape[2:]))
    taken = torch.as_tensor(buffer.actions.reshape(-1)).long()
    parameters = dict(policy.named_parameters())

    class LogProbabilities(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.policy = policy

        def forward(self):
            latent = policy.mlp_extractor.forward_actor(policy.extract_features(observations))
            return torch.log_softmax(policy.action_net(latent), 1).gather(1, taken[:, None]).squeeze(1)

    module = LogProbabilities()
    named = {f"policy.{name}": parameter.detach() for name, parameter in parameters.items()}

    def function(values):
        return torch.func.functional_call(module, values)

    flat = torch.as_tensor(weights.reshape(-1), dtype=torch.float32)
    gradient = torch.func.grad(lambda values: (flat * function(values)).mean())(named)
    _, rises = torch.func.jvp(function, (named,), (gradient,))
    return rises.detach().numpy().reshape(weights.shape)


@pytest.mark.parametrize("agent", ["ppo", "a2c"])
def test_a_rise_is_the_derivative_along_the_policy_gradient(agent):
    random = np.random.default_rng(0)

    def ask(learner, rollout):
        weights = random.standard_normal((len(rollout), 2))
        before = [parameter.detach().clone() for parameter in learner._model.policy.parameters()]
        rises = learner.rises(weights)
        after = learner._model.policy.parameters()
        assert all(torch.equal(*pair) for pair in zip(before, after, strict=True))
        return rises, exact_rises(learner._model, weights)

    answers, _ = asked(agent, ask, policy="MlpPolicy", **SETTINGS[agent])
    for rises, exact in answers:
        np.testing.assert_allclose(rises, exact, atol=2e-3 * np.abs(exact).max())


def test_weights_of_the_newest_steps_alone_give_the_rises_of_these():
    def ask(learner, rollout):
        weights = np.random.default_rng(0).standard_normal((len(rollout), 2))
        weights[:-4] = 0.0
        with pytest.raises(ValueError, match="the rollout is"):
            learner.rises(np.zeros((len(rollout) + 1, 2)))
        return learner.rises(weights)[-4:], learner.rises(weights[-4:])

    answers, _ = asked("ppo", ask, policy="MlpPolicy", **SETTINGS["ppo"])
    for whole, newest in answers:  # directions are means, over 16 steps and over 4
        np.testing.assert_allclose(whole / np.abs(whole).max(), newest / np.abs(newest).max(), atol=5e-3)


def test_no_weights_no_rise():
    answers, _ = asked("ppo", lambda learner, rollout: learner.rises(np.zeros((len(rollout), 2))), **SETTINGS["ppo"])
    assert not np.any(answers)


def test_asking_changes_nothing_of_what_is_learned_in_a_real_game():
    """Compiled encoders keep codes while acting, and must not keep those of moved weights."""

    def ask(learner, rollout) -> FloatArray:
        return learner.rises(np.random.default_rng(1).standard_normal((len(rollout), 4)))

    weights = []
    for question in (ask, lambda learner, rollout: None):
        env = envs.make_vec("MiniHack-Room-5x5-v0", 4, seed=1)
        answers, model = asked("ppo", question, env=env, steps=256, n_steps=32, batch_size=64, n_epochs=2)
        weights.append([parameter.detach().clone() for parameter in model.policy.parameters()])
        if question is ask:
            assert all(np.isfinite(answer).all() and answer.any() for answer in answers)
    assert all(torch.equal(*pair) for pair in zip(*weights, strict=True))


def test_an_agent_with_a_memory_is_refused_before_training():
    with pytest.raises(ValueError, match=r"'reads' must know how the agent acts, and RecurrentPPO cannot say"):
        asked("recurrent_ppo", rollout_observations, n_steps=8, batch_size=8)


def test_what_a_part_cannot_work_with_is_refused_with_its_name():
    class Picky(Reads):
        def meet(self, learner):
            raise ValueError("it plays too well")

    venv = ShapedVecEnv(corridors(2, length=4, limit=7), {"picky": Picky(None)}, gamma=0.9)
    with pytest.raises(ValueError, match=r"reward term 'picky' cannot work with this agent: it plays too well"):
        agents.build("ppo", venv, n_steps=8, batch_size=8).learn(8, callback=ShapingCallback(venv))


def test_published_entries_and_continuous_actions_are_refused():
    class Publishes(Reads):
        observation_space = spaces.Box(0, 1, (1,))

        def observe(self):
            return np.zeros((2, 1), np.float32)

    venv = ShapedVecEnv(corridors(2, length=4, limit=7), {"publishes": Publishes(None)}, gamma=0.9)
    model = agents.build("ppo", venv, n_steps=8, batch_size=8)
    with pytest.raises(ValueError, match="sees more than the environment's own observation"):
        learner_of(model).probabilities(corridors(2, length=4, limit=7).reset())
    pendulum = envs.make_vec("Pendulum-v1", 2)
    model = agents.build("ppo", ShapedVecEnv(pendulum, {}, gamma=0.9), n_steps=8, batch_size=8)
    with pytest.raises(ValueError, match="only one discrete action"):
        learner_of(model).probabilities(pendulum.reset())
    with pytest.raises(ValueError, match="DQN keeps no rollout"):
        asked("dqn", lambda learner, rollout: learner.rises(np.zeros((len(rollout), 2))), **SETTINGS["dqn"])
