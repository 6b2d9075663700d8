"""Behavioural cloning: it does what it was shown, and nothing else teaches it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

import agents
import envs
from agents.players import play
from foundation.demonstrations import Demonstrations, Header
from scripts.demonstrations.playing import play_expert
from tests.agents.worlds import Counted

SMALL = {"n_steps": 32, "updates": 50, "batch_size": 32, "net_arch": [16]}


class Shown(Counted):
    """Something to see; the reward is a lie that nobody should listen to."""

    def __init__(self, observation_space: spaces.Space[Any], action_space: spaces.Space[Any], reward: float) -> None:
        self.observation_space, self.action_space, self.reward = observation_space, action_space, reward

    def step(self, action: Any) -> Any:
        self.steps += 1
        return self._observe(), self.reward, self.steps >= 10, False, {}

    def _observe(self) -> Any:
        self.observation_space._np_random = self.np_random
        return self.observation_space.sample()


VECTOR = spaces.Box(-1.0, 1.0, (3,), np.float32)
ENTRIES = spaces.Dict({"place": VECTOR, "kind": spaces.Discrete(4)})
PICTURE = spaces.Box(0, 255, (36, 36, 1), np.uint8)
ACTIONS: dict[str, spaces.Space[Any]] = {
    "discrete": spaces.Discrete(3),
    "several": spaces.MultiDiscrete([3, 2]),
    "switches": spaces.MultiBinary(2),
    "continuous": spaces.Box(-2.0, 2.0, (2,), np.float32),
}


def world(seen: spaces.Space[Any], acts: spaces.Space[Any], reward: float = 0.0) -> VecEnv:
    return DummyVecEnv([lambda: Shown(seen, acts, reward)] * 2)


def sign_of(seen: Any, kind: str) -> Any:
    """What the expert does: it looks at the first two numbers."""
    vector = seen["place"] if isinstance(seen, dict) else seen
    first, second = (vector[..., 0] > 0).astype(np.int64), (vector[..., 1] > 0).astype(np.int64)
    if kind == "discrete":
        return first + (first & second)
    if kind == "continuous":
        return np.stack([1.5 * vector[..., 0], -vector[..., 1]], axis=-1).astype(np.float32)
    return np.stack([first, second], axis=-1)


def shown(tmp_path: Path, seen: spaces.Space[Any], kind: str, steps: int = 400) -> str:
    """A file of an expert's steps, in episodes of 20."""
    seen.seed(7)
    rows = [seen.sample() for _ in range(steps)]
    stacked: Any = (
        {key: np.stack([row[key] for row in rows]) for key in rows[0]} if isinstance(rows[0], dict) else np.stack(rows)
    )
    ends = np.arange(1, steps + 1) % 20 == 0
    vectors = stacked if seen is not PICTURE else (stacked.reshape(steps, -1).astype(float) - 127)
    made = Demonstrations.from_steps(
        Header.of("Shown-v0", seen, ACTIONS[kind]),
        observations=stacked,
        next_observations=stacked,
        actions=sign_of(vectors, kind),
        rewards=np.zeros(steps),
        terminated=ends,
        truncated=np.zeros(steps, np.bool_),
    )
    path = tmp_path / f"{kind}.npz"
    made.save(path)
    return str(path)


def learned(env: VecEnv, file: str, steps: int = 640, **settings: Any) -> Any:
    model: Any = agents.build("bc", env, seed=1, demonstrations=file, **{**SMALL, **settings})
    return model.learn(steps)


@pytest.mark.parametrize("kind", sorted(ACTIONS))
@pytest.mark.parametrize("seen", [VECTOR, ENTRIES], ids=["vector", "entries"])
def test_it_does_what_the_expert_does_where_it_was_not_shown(tmp_path: Path, seen: Any, kind: str) -> None:
    env = world(seen, ACTIONS[kind])
    model = learned(env, shown(tmp_path, seen, kind))
    seen.seed(8)
    rows = [seen.sample() for _ in range(200)]
    new: Any = {key: np.stack([row[key] for row in rows]) for key in ENTRIES} if seen is ENTRIES else np.stack(rows)
    actions, _ = model.predict(new, deterministic=True)
    right = sign_of(new, kind)
    if kind == "continuous":
        assert np.abs(actions - right).mean() < 0.2
    else:
        assert (actions.reshape(200, -1) == right.reshape(200, -1)).all(axis=1).mean() > 0.9


def test_images_reach_the_network_as_its_own_environment_shows_them(tmp_path: Path) -> None:
    file = shown(tmp_path, PICTURE, "discrete", steps=60)
    model = learned(world(PICTURE, ACTIONS["discrete"]), file, steps=64, updates=2, batch_size=8)
    assert model.observation_space.shape == (1, 36, 36)
    assert model._n_updates == 2


def test_a_cart_pole_stands_after_ten_episodes_of_an_expert(tmp_path: Path) -> None:
    file = tmp_path / "pole.npz"
    play_expert("", "CartPole-v1", {"max_episode_steps": 150}, 10, n_envs=5, seed=0).save(file)
    env = envs.make_vec("AdvisedCartPole-v0", 5, seed=1)
    from stable_baselines3.common.vec_env import VecMonitor

    stack = VecMonitor(env)
    model = learned(stack, str(file), steps=5 * 32 * 6, updates=150, net_arch=[64, 64], batch_size=64)
    player = agents.get("bc").player(model, 5, deterministic=True)
    assert np.mean([record.task_return for record in play(player, stack, 10)]) > 450


def test_rewards_are_never_read(tmp_path: Path) -> None:
    file = shown(tmp_path, VECTOR, "discrete")
    weights = [
        learned(world(VECTOR, ACTIONS["discrete"], reward), file, steps=128).policy.state_dict()
        for reward in (0.0, 1e6)
    ]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


@pytest.mark.parametrize("patience", [0, 3])
def test_a_resume_goes_on_bit_for_bit(tmp_path: Path, patience: int) -> None:
    file = shown(tmp_path, VECTOR, "discrete", steps=200)
    agent = agents.get("bc")
    config = agents.configured("bc", {**SMALL, "demonstrations": [file], "patience": patience, "weight_decay": 1e-4})
    whole: Any = agent.make(world(VECTOR, ACTIONS["discrete"]), config, seed=3)
    for _ in range(3):
        _round(whole)
    folder = tmp_path / "saved"
    folder.mkdir()
    agent.save(whole, folder)
    resumed: Any = agent.load(folder, world(VECTOR, ACTIONS["discrete"]), config)
    for model in (whole, resumed):
        for _ in range(2):
            _round(model)
    assert resumed._n_updates == whole._n_updates > 0
    assert resumed.least_loss == whole.least_loss
    np.testing.assert_array_equal(resumed.held_out_rows, whole.held_out_rows)
    for name, weight in whole.policy.state_dict().items():
        assert torch.equal(weight, resumed.policy.state_dict()[name]), name


def _round(model: Any) -> None:
    """Updates alone, without what is played in between."""
    from stable_baselines3.common.logger import Logger

    model.set_logger(Logger(None, []))
    model.train()


def test_who_only_plays_needs_no_demonstrations(tmp_path: Path) -> None:
    file = shown(tmp_path, VECTOR, "discrete")
    agent, config = agents.get("bc"), agents.configured("bc", {**SMALL, "demonstrations": file, "patience": 2})
    model = agent.make(world(VECTOR, ACTIONS["discrete"]), config, seed=3)
    folder = tmp_path / "saved"
    folder.mkdir()
    agent.save(model, folder)
    Path(file).unlink()
    loaded = agent.load(folder, None, config)
    row = np.ones((1, 3), np.float32)
    np.testing.assert_array_equal(loaded.predict(row, deterministic=True)[0], model.predict(row, deterministic=True)[0])
    with pytest.raises(FileNotFoundError):
        agent.load(folder, world(VECTOR, ACTIONS["discrete"]), config)


def test_it_stops_where_held_out_episodes_gain_no_more_and_keeps_the_best_weights(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    steps = 80
    seen = rng.uniform(-1, 1, (steps, 3)).astype(np.float32)
    noise = Demonstrations.from_steps(  # nothing can be learned from it but the expert's whims
        Header.of("Shown-v0", VECTOR, ACTIONS["discrete"]),
        observations=seen,
        next_observations=seen,
        actions=rng.integers(3, size=steps),
        rewards=np.zeros(steps),
        terminated=np.arange(1, steps + 1) % 10 == 0,
        truncated=np.zeros(steps, np.bool_),
    )
    file = tmp_path / "noise.npz"
    noise.save(file)
    config = {"patience": 2, "held_out": 0.25, "learning_rate": 1e-2, "net_arch": [64, 64]}
    model = agents.build("bc", world(VECTOR, ACTIONS["discrete"]), seed=1, demonstrations=str(file), **SMALL | config)
    for _ in range(30):
        _round(model)
    assert model.stopped
    assert model._n_updates < 30 * 50
    assert len(model.held_out_rows) == 20
    actions = torch.as_tensor(noise.actions[model.held_out_rows])
    observations = torch.as_tensor(seen[model.held_out_rows])
    with torch.no_grad():
        loss = -model.policy.get_distribution(observations).log_prob(actions).mean()
    assert float(loss) == pytest.approx(model.least_loss, abs=1e-5)


def test_held_out_episodes_are_never_learned_from(tmp_path: Path) -> None:
    file = shown(tmp_path, VECTOR, "discrete", steps=200)
    model: Any = agents.build("bc", world(VECTOR, ACTIONS["discrete"]), seed=1, demonstrations=file, held_out=0.3)
    assert len(model.held_out_rows) == 60
    drawn = np.concatenate([model._batch(200) for _ in range(35)])
    assert not set(drawn) & set(model.held_out_rows)
    assert set(drawn[:140]) == set(range(200)) - set(model.held_out_rows)  # an epoch has every step once
    assert len(drawn) == 35 * 64


def test_parts_of_the_reward_are_told_how_it_acts(tmp_path: Path) -> None:
    model = learned(world(VECTOR, ACTIONS["discrete"]), shown(tmp_path, VECTOR, "discrete"))
    learner = agents.get("bc").learner(model)
    assert learner is not None
    probabilities = learner.probabilities(np.array([[0.9, 0.9, 0.0], [-0.9, 0.5, 0.0]], np.float32))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0, atol=1e-6)
    assert probabilities[0, 2] > 0.8
    assert probabilities[1, 0] > 0.8


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"demonstrations": ""}, r"give agent\.demonstrations=FILE\.npz"),
        ({"patience": 3, "held_out": 0.01}, "held_out=0.01 of 20 episodes is less than one"),
        ({"held_out": 1.0}, r"agent\.held_out=1"),
        ({"updates": 0}, r"agent\.updates=0"),
        ({"weight_decay": -1.0}, r"agent\.weight_decay=-1"),
    ],
)
def test_settings_that_cannot_work_are_refused(tmp_path: Path, settings: dict[str, Any], message: str) -> None:
    file = shown(tmp_path, VECTOR, "discrete")

    def make() -> None:
        config = agents.configured("bc", {"demonstrations": file, **settings})
        agents.get("bc").make(world(VECTOR, ACTIONS["discrete"]), config, seed=1)

    with pytest.raises(ValueError, match=message):
        make()


def test_demonstrations_of_something_else_are_refused(tmp_path: Path) -> None:
    file = shown(tmp_path, VECTOR, "discrete")
    with pytest.raises(ValueError, match="outside"):
        agents.build("bc", world(VECTOR, spaces.Discrete(2)), demonstrations=file)
    with pytest.raises(ValueError, match=r"expected \(5,\)"):
        agents.build("bc", world(spaces.Box(-1, 1, (5,)), ACTIONS["discrete"]), demonstrations=file)


def test_demonstrations_of_another_environment_that_fit_are_warned_about(tmp_path: Path) -> None:
    play_expert("", "CartPole-v1", {}, 1, n_envs=1, seed=0).save(tmp_path / "pole.npz")
    for env_id, others in (("AdvisedCartPole-v0", 1), ("CartPole-v1", 0)):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            agents.build("bc", envs.make_vec(env_id, 1), demonstrations=str(tmp_path / "pole.npz"))
        said = [str(warning.message) for warning in caught if "demonstrations are of" in str(warning.message)]
        assert len(said) == others
        assert all("CartPole-v1, and the environment is breadcrumb/AdvisedCartPole-v0" in words for words in said)
