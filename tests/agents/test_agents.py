"""Every agent learns, saves and loads; what cannot act is refused with the reason."""

from __future__ import annotations

import dataclasses
import inspect
import io
import zipfile
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

import agents
from agents import build
from agents.memory import step_bytes
from agents.restoring import Vacant
from agents.sb3.algorithm import SB3Agent, constructor_arguments
from foundation.saved_model import SavedModel
from tests.agents.worlds import Counted

SMALL: dict[str, dict[str, Any]] = {
    "ppo": {"n_steps": 32, "batch_size": 32, "n_epochs": 1},
    "maskable_ppo": {"n_steps": 32, "batch_size": 32, "n_epochs": 1},
    "recurrent_ppo": {"n_steps": 32, "batch_size": 32, "n_epochs": 1, "lstm_hidden_size": 8},
    "a2c": {"n_steps": 16},
    "dqn": {"buffer_size": 500, "learning_starts": 50},
    "qrdqn": {"buffer_size": 500, "learning_starts": 50, "n_quantiles": 5},
    "soft_dqn": {"buffer_size": 500, "learning_starts": 50, "alpha": 0.3},
    "sac": {"buffer_size": 500, "learning_starts": 50, "batch_size": 32},
    "td3": {"buffer_size": 500, "learning_starts": 50, "batch_size": 32, "action_noise_std": 0.1},
}


class Corridor(Counted):
    """A Dict or a vector to see, discrete or continuous actions, masks when asked."""

    def __init__(self, continuous: bool = False, entries: bool = True, masks: bool = False) -> None:
        self.entries = entries
        position = spaces.Box(-1, 1, (3,), np.float32)
        self.observation_space = spaces.Dict({"position": position}) if entries else position
        self.action_space = spaces.Box(-1, 1, (2,), np.float32) if continuous else spaces.Discrete(4)
        if masks:
            self.action_masks = lambda: np.array([True, False, True, False])

    def step(self, action: Any) -> Any:
        self.steps += 1
        return self._observe(), float(np.sum(action)), self.steps >= 20, False, {}

    def _observe(self) -> Any:
        position = self.np_random.uniform(-1, 1, 3).astype(np.float32)
        return {"position": position} if self.entries else position


def corridor(**arguments: Any) -> VecEnv:
    return DummyVecEnv([lambda: Corridor(**arguments)] * 2)


def refuse(name: str, env: VecEnv, **settings: Any) -> None:
    agent = agents.get(name)
    agent.refuse(env, agents.configured(name, settings))


@pytest.mark.parametrize("entries", [True, False])
@pytest.mark.parametrize("name", SMALL)
def test_every_agent_learns_saves_loads_and_plays(name: str, entries: bool, tmp_path: Any) -> None:
    env = corridor(continuous=name in ("sac", "td3"), masks=name == "maskable_ppo", entries=entries)
    agent = agents.get(name)
    config = agents.configured(name, {"net_arch": [8], "learning_rate": 1e-3, **SMALL[name]})
    agent.refuse(env, config)
    model: Any = agent.make(env, config, seed=3)
    model.learn(200)
    agent.save(model, tmp_path)
    loaded: Any = agent.load(tmp_path, env, config)
    stored = agent.stored_rewards(loaded)
    assert stored is not None
    if "buffer_size" in SMALL[name]:
        np.testing.assert_array_equal(loaded.replay_buffer.rewards, model.replay_buffer.rewards)
        assert (tmp_path / "replay.pt").exists()
    observations = env.reset()
    masks = agents.action_masks(env)
    players = [agent.player(each, 2, deterministic=True, masks=masks) for each in (model, loaded)]
    first, second = (player(observations) for player in players)
    np.testing.assert_array_equal(first, second)
    if masks is not None:
        assert set(first.tolist()) <= {0, 2}


@pytest.mark.parametrize("plays", [False, True])
@pytest.mark.parametrize("name", SMALL)
def test_a_model_is_loaded_without_unpickling_as_sb3_would_by_unpickling(
    name: str, plays: bool, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent: Any = agents.get(name)
    settings = {"net_arch": [8], "learning_rate_schedule": "linear", **SMALL[name]}
    config = agents.configured(name, settings)
    env = corridor(continuous=name in ("sac", "td3"), masks=name == "maskable_ppo")
    model = agent.make(env, config, seed=3)
    model.learn(200)
    agent.save(model, tmp_path)
    place = None if plays else env
    expected = agent.algorithm.load(tmp_path / "agent.zip", env=place, device="cpu")
    after = torch.get_rng_state()
    monkeypatch.setattr("cloudpickle.loads", refused)
    monkeypatch.setattr("pickle.loads", refused)
    loaded = agent.load(tmp_path, place, config)
    assert torch.equal(torch.get_rng_state(), after)
    assert loaded.env is expected.env
    for key, value in vars(expected).items():
        if isinstance(value, int | float | str | None) and not key.startswith("_last") and key != "buffer_size":
            assert vars(loaded)[key] == value, key
        elif key.endswith("schedule") or key == "clip_range":
            assert vars(loaded)[key](0.3) == value(0.3), key
    assert list(loaded.ep_info_buffer) == list(expected.ep_info_buffer)
    for part, state in expected.get_parameters().items():
        assert repr(loaded.get_parameters()[part]) == repr(state), part
    if name == "sac":
        assert loaded.log_ent_coef == expected.log_ent_coef


def refused(*_: Any) -> None:
    pytest.fail("something was unpickled")


@pytest.mark.parametrize("name", SMALL)
def test_every_file_of_an_agent_is_read_by_torch_without_pickles(name: str, tmp_path: Any) -> None:
    agent = agents.get(name)
    env = corridor(continuous=name in ("sac", "td3"), masks=name == "maskable_ppo")
    model = agent.make(env, agents.configured(name, {"net_arch": [8], **SMALL[name]}), seed=3)
    agent.save(model, tmp_path)
    for file in tmp_path.iterdir():
        if file.name != "agent.zip":
            torch.load(file, weights_only=True)
    with zipfile.ZipFile(tmp_path / "agent.zip") as archive:
        for member in archive.namelist():
            if member.endswith(".pth"):
                torch.load(io.BytesIO(archive.read(member)), weights_only=True)


def test_who_only_plays_needs_no_memory_for_a_replay_buffer(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    agent, env = agents.get("dqn"), corridor()
    config = agents.configured("dqn", {"net_arch": [8], **SMALL["dqn"]})
    agent.save(agent.make(env, config, seed=0), tmp_path)
    (tmp_path / "replay.pt").unlink()
    monkeypatch.setattr("agents.memory.free_bytes", lambda: 1000)
    loaded: Any = agent.load(tmp_path, None, config)
    assert loaded.replay_buffer.buffer_size == 1
    with pytest.raises(RuntimeError, match="play only cannot learn"):
        Vacant(SavedModel(tmp_path / "agent.zip")).reset()


@pytest.mark.parametrize("settings", [{"net_arch": [9]}, {"net_arch": [8, 8]}, {"net_arch": []}])
def test_weights_of_an_agent_that_is_configured_otherwise_are_refused(settings: Any, tmp_path: Any) -> None:
    agent, env = agents.get("ppo"), corridor()
    agent.save(agent.make(env, agents.configured("ppo", {"net_arch": [8]}), seed=0), tmp_path)
    other = agents.configured("ppo", settings)
    with pytest.raises(ValueError, match=r"agent\.zip are not those of the agent that is configured"):
        agent.load(tmp_path, env, other)


def test_the_networks_of_another_algorithm_are_refused_with_both_named(tmp_path: Any) -> None:
    agent, other, env = agents.get("td3"), agents.get("sac"), corridor(continuous=True)
    agent.save(agent.make(env, agents.configured("td3", SMALL["td3"]), seed=0), tmp_path)
    with pytest.raises(ValueError, match=r"it has actor\.optimizer, .*, and the agent actor\.optimizer, .*ent_coef"):
        other.load(tmp_path, env, agents.configured("sac", SMALL["sac"]))


@pytest.mark.parametrize(
    ("space", "other"),
    [("observation_space", spaces.Box(-2, 2, (3,), np.float32)), ("action_space", spaces.Discrete(5))],
)
def test_a_model_does_not_go_on_where_it_would_see_or_do_something_else(space: str, other: Any, tmp_path: Any) -> None:
    agent, config = agents.get("ppo"), agents.configured("ppo", {"net_arch": [8]})
    agent.save(agent.make(corridor(entries=False), config, seed=0), tmp_path)
    env = corridor(entries=False)
    setattr(env, space, other)
    with pytest.raises(ValueError, match=f"was trained with the {space.replace('_', ' ')}"):
        agent.load(tmp_path, env, config)


def test_every_agent_is_configured_by_its_own_settings_alone() -> None:
    """What an algorithm would ignore is no setting of its agent."""
    for option, config in agents.options().items():
        agent: Any = agents.get(option)
        if not hasattr(agent, "algorithm"):
            continue
        known = constructor_arguments(agent.algorithm) | set(inspect.signature(SB3Agent.build).parameters)
        known |= set(inspect.signature(agent.build).parameters)
        known |= {*agent.policy_arguments, *agent.not_arguments, *agent.gathered, "action_noise_std"}
        assert {entry.name for entry in dataclasses.fields(config)} <= known, option


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("sac", {}, "continuous actions"),
        ("td3", {}, "continuous actions"),
        ("dqn", {"continuous": True}, "one discrete action"),
        ("qrdqn", {"continuous": True}, "one discrete action"),
        ("maskable_ppo", {}, "no action_masks"),
        ("maskable_ppo", {"continuous": True}, "masks discrete actions"),
    ],
)
def test_an_agent_that_cannot_act_is_refused_with_the_reason(
    name: str, arguments: dict[str, bool], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        build(name, corridor(**arguments), seed=0, device="cpu")


@pytest.mark.parametrize(
    ("policy", "entries", "reason"),
    [
        ("CnnPolicy", False, "reads images"),
        ("CnnPolicy", True, "a single image"),
        ("MlpPolicy", True, "a single vector"),
        ("MultiInputPolicy", False, "a Dict"),
        ("CnPolicy", False, "Did you mean CnnPolicy"),
    ],
)
def test_a_policy_that_cannot_read_the_observations_is_refused(policy: str, entries: bool, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        refuse("ppo", corridor(entries=entries), policy=policy)


def test_text_observations_are_refused() -> None:
    env = corridor()
    env.observation_space = spaces.Dict({"message": spaces.Text(100)})
    with pytest.raises(ValueError, match="text"):
        refuse("ppo", env)


def test_an_unknown_agent_is_answered_with_the_nearest() -> None:
    with pytest.raises(ValueError, match="Did you mean ppo"):
        build("ppoo", corridor(), seed=0, device="cpu")


def test_a_misspelt_hyper_parameter_is_a_value_error() -> None:
    with pytest.raises(ValueError, match="n_stepps"):
        build("ppo", corridor(), seed=0, device="cpu", n_stepps=3)


def test_a_replay_buffer_beyond_memory_is_refused_with_the_size_that_fits() -> None:
    env = corridor()
    assert step_bytes(env, observations=2) == 2 * 12 + 8 + 12
    with pytest.raises(ValueError, match=r"agent\.buffer_size=.* or less"):
        build("dqn", env, seed=0, device="cpu", buffer_size=10**12)


@pytest.mark.parametrize("name", ["ppo", "a2c"])
def test_a_rollout_beyond_memory_is_refused_with_the_size_that_fits(name: str) -> None:
    with pytest.raises(ValueError, match=r"agent\.n_steps=.* GiB .* or less"):
        build(name, corridor(), seed=0, device="cpu", n_steps=10**12)


def test_a_linear_learning_rate_ends_at_zero() -> None:
    agent = build("ppo", corridor(), seed=0, device="cpu", learning_rate=0.5, learning_rate_schedule="linear")
    assert agent.lr_schedule(1.0) == pytest.approx(0.5)
    assert agent.lr_schedule(0.0) == pytest.approx(0.0)


@pytest.mark.parametrize(
    ("option", "settings", "reason"),
    [
        ("ppo", {"learning_rate": float("nan")}, "agent.learning_rate=nan: expected a number of at least 0"),
        ("ppo", {"n_steps": 0}, "agent.n_steps=0: expected a number of at least 1"),
        ("ppo", {"clip_range_vf": -0.1}, "agent.clip_range_vf=-0.1: expected a number above 0"),
        ("lucy/light", {"sequence_length": 0}, "agent.sequence_length=0"),
        ("recurrent_ppo/nethack", {"gamma": 1.5}, "agent.gamma=1.5: expected a number from 0 to 1"),
        ("qrdqn", {"train_freq": 0}, "agent.train_freq=0"),
        ("sac", {"tau": 2.0}, "agent.tau=2.0"),
        ("ppo", {"n_stepps": 3}, "Did you mean n_steps"),
    ],
)
def test_a_setting_out_of_bounds_is_refused_with_them(option: str, settings: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        agents.configured(option, settings)


def test_a_batch_of_one_has_no_spread_to_normalise() -> None:
    with pytest.raises(ValueError, match="batch_size=1 leaves no spread"):
        build("ppo", corridor(), batch_size=1)
