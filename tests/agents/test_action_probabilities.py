"""What a trained model's actions are likely to be: the model's own numbers, the same every time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from stable_baselines3.common.vec_env import VecEnv

import agents
import envs
from tests.agents.test_agents import SMALL, corridor

DISCRETE = ("ppo", "maskable_ppo", "recurrent_ppo", "a2c", "dqn", "qrdqn", "soft_dqn")
MASK = np.array([True, False, True, False])


def learned(name: str, entries: bool = True, env: VecEnv | None = None) -> Any:
    env = corridor(masks=name == "maskable_ppo", entries=entries) if env is None else env
    return agents.build(name, env, seed=4, net_arch=[8], **SMALL[name]).learn(128)


def observations(count: int = 6) -> list[Any]:
    rows = np.random.default_rng(0).uniform(-1, 1, (count, 1, 3)).astype(np.float32)
    return [{"position": row} for row in rows]


def theirs(model: Any, seen: list[Any], masked: bool) -> list[Any]:
    """As the model itself computes them, episode by episode in float32."""
    policy, found, state = model.policy, [], None
    for now in seen:
        tensors, _ = policy.obs_to_tensor(now)
        with torch.no_grad():
            if hasattr(policy, "q_net") or hasattr(policy, "quantile_net"):
                values = policy.q_net(tensors) if hasattr(policy, "q_net") else policy.quantile_net(tensors).mean(1)
                found.append(torch.softmax(values / getattr(model, "alpha", 1.0), 1)[0].numpy())
                continue
            if hasattr(policy, "lstm_actor"):
                starts = torch.tensor([float(state is None)])
                state = state or (torch.zeros(1, 1, 8), torch.zeros(1, 1, 8))
                distribution, state = policy.get_distribution(tensors, state, starts)
            elif masked:
                distribution = policy.get_distribution(tensors, action_masks=MASK[None])
            else:
                distribution = policy.get_distribution(tensors)
            found.append(distribution.distribution.probs[0].numpy())
    return found


@pytest.mark.parametrize("name", DISCRETE)
def test_probabilities_are_those_that_the_model_acts_by(name: str) -> None:
    model, seen = learned(name), observations()
    asked = agents.get(name).action_probabilities(model)
    mask = MASK if name == "maskable_ppo" else None
    for _ in range(2):  # episodes
        asked.begin()
        mine = [asked(now, mask) for now in seen]
        assert all(row.dtype == np.float64 and abs(row.sum() - 1) < 1e-15 for row in mine)
        np.testing.assert_allclose(mine, theirs(model, seen, mask is not None), rtol=1e-5, atol=1e-12)
        if mask is not None:
            assert all((row[~mask] == 0).all() for row in mine)


@pytest.mark.parametrize("name", ["ppo", "dqn"])
def test_a_temperature_flattens_or_sharpens(name: str) -> None:
    model, (seen, *_) = learned(name), observations()
    one, hot = (agents.get(name).action_probabilities(model, temperature)(seen) for temperature in (1.0, 4.0))
    np.testing.assert_allclose(hot, one**0.25 / (one**0.25).sum())
    with pytest.raises(ValueError, match=r"temperature=0: expected a number above 0"):
        agents.get(name).action_probabilities(model, 0)


def test_who_loads_the_weights_again_and_computes_otherwise_gets_the_same_numbers(tmp_path: Any) -> None:
    model, agent = learned("ppo"), agents.get("ppo")
    agent.save(model, tmp_path)
    config = agents.configured("ppo", {"net_arch": [8], **SMALL["ppo"]})
    again: Any = agent.load(tmp_path, None, config)
    mine, yours = agent.action_probabilities(model), agent.action_probabilities(again)
    assert mine.precise
    threads = torch.get_num_threads()
    for seen in observations():
        expected = mine(seen)
        torch.set_num_threads(2)
        try:
            np.testing.assert_allclose(yours(seen), expected, rtol=1e-14)
        finally:
            torch.set_num_threads(threads)


def test_asking_leaves_the_model_as_it_was() -> None:
    model = learned("ppo")
    before = [parameter.clone() for parameter in model.policy.parameters()]
    agents.get("ppo").action_probabilities(model)(observations()[0])
    assert all(torch.equal(*pair) and pair[1].dtype == torch.float32
               for pair in zip(before, model.policy.parameters(), strict=True))  # fmt: skip
    model.learn(64)


def test_a_real_game_is_read_by_an_encoder_that_knows_float32_alone() -> None:
    venv = envs.make_vec("MiniHack-Room-5x5-v0", 1, seed=1)
    try:
        model: Any = agents.build("ppo", venv, seed=1, n_steps=8, batch_size=8)
        asked = agents.get("ppo").action_probabilities(model)
        seen: Any = venv.reset()
        tensors, _ = model.policy.obs_to_tensor(seen)
        with torch.no_grad():
            expected = model.policy.get_distribution(tensors).distribution.probs[0].numpy()
        assert not asked.precise
        np.testing.assert_allclose(asked(seen), expected, rtol=1e-5)
        assert (asked(seen) == asked(seen)).all()
    finally:
        venv.close()


@pytest.mark.parametrize("name", ["sac", "td3"])
def test_continuous_actions_have_no_probability_each(name: str) -> None:
    model: Any = agents.build(name, corridor(continuous=True), seed=4, **SMALL[name])
    with pytest.raises(ValueError, match=r"actions of Box.*expected one discrete action: ppo, a2c"):
        agents.get(name).action_probabilities(model)


def test_one_observation_at_a_time_and_a_mask_that_leaves_something() -> None:
    asked = agents.get("ppo").action_probabilities(learned("ppo"))
    with pytest.raises(ValueError, match="one observation at a time"):
        asked({"position": np.zeros((2, 3), np.float32)})
    with pytest.raises(ValueError, match="one must be"):
        asked(observations()[0], np.zeros(4, np.bool_))
