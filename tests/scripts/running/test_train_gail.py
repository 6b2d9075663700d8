"""The gail term in whole runs: on- and off-policy, discrete and continuous, resumed, looked at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import gymnasium
import numpy as np
import pytest

from foundation.demonstrations import Demonstrations, Header
from scripts.inspect_reward import main as inspect
from scripts.results.curves import read_progress
from scripts.train import main

SMALL = [
    "n_envs=4",
    "tracking=none",
    "evaluate_episodes=0",
    "gif=false",
    "shaping=gail",
    "shaping.task_weight=0",
    "shaping.terms.gail.warm_up=128",
]
PPO = ["agent=ppo", "agent.n_steps=64", "agent.batch_size=64", "agent.n_epochs=2"]


def played(path: Path, env_id: str, act: Callable[[np.ndarray], object], episodes: int = 2, limit: int = 60) -> str:
    """A file of what `act` did in an environment, at most `limit` steps an episode."""
    env = gymnasium.make(env_id, max_episode_steps=limit)
    rows = []
    for episode in range(episodes):
        observation, _ = env.reset(seed=episode)
        over = False
        while not over:
            action = act(observation)
            after, reward, terminated, truncated, _ = env.step(action)
            over = terminated or truncated
            rows.append((observation, action, reward, after, terminated, truncated and not terminated))
            observation = after
    names = ("observations", "actions", "rewards", "next_observations", "terminated", "truncated")
    columns = {name: np.array(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}
    Demonstrations.from_steps(Header.of(env_id, env.observation_space, env.action_space), **columns).save(path)
    return f"shaping.terms.gail.demonstrations={path}"


def balance(observation: np.ndarray) -> int:
    return int(observation[2] + observation[3] > 0)


@pytest.fixture
def cart(tmp_path: Path) -> list[str]:
    return ["env=custom", "env.id=CartPole-v1", played(tmp_path / "cart.npz", "CartPole-v1", balance)]


def test_a_run_learns_resumes_without_the_given_file_and_its_reward_is_drawn(tmp_path: Path, cart: list[str]) -> None:
    run = tmp_path / "run"
    assert main([*cart, *SMALL, *PPO, f"run_dir={run}", "total_timesteps=1024"]) == 0
    (tmp_path / "cart.npz").unlink()
    assert main([f"resume={run}", "total_timesteps=2048"]) == 0
    columns = read_progress(run)
    assert columns["terms/gail/accuracy"][-1] > 0.55
    assert columns["terms/gail/expert"][-1] > columns["terms/gail/agent"][-1]
    assert columns["reward/gail"][-1] > 0.0
    assert set(columns["reward/task"][1:]) == {0.0}
    assert "gail" not in json.loads((run / "summary.json").read_text()).get("remarks", {})

    inspect([str(run), "x=2", "y=3", "points=9", "episodes=1", f"out={tmp_path / 'drawn'}"])
    with np.load(tmp_path / "drawn" / "gail_reward.npz") as numbers:
        assert numbers["reward"].shape == numbers["slope"].shape == (9, 9)
        assert np.isfinite(numbers["reward"]).all()
        assert (numbers["slope"] >= 0).all()
        assert len(numbers["along"]) == len(numbers["observations"]) > 5
    assert (tmp_path / "drawn" / "gail_reward.png").stat().st_size > 10_000


def test_continuous_actions_and_replay_buffers_are_paid_too(tmp_path: Path, cart: list[str]) -> None:
    swing = played(tmp_path / "swing.npz", "Pendulum-v1", lambda o: np.clip(-o[2:], -2, 2).astype(np.float32))
    pendulum = ["env=custom", "env.id=Pendulum-v1", swing]
    assert main([*pendulum, *SMALL, "agent=a2c", f"run_dir={tmp_path / 'a2c'}", "total_timesteps=512"]) == 0
    dqn = ["agent=dqn", "agent.learning_starts=256", f"run_dir={tmp_path / 'dqn'}", "total_timesteps=768"]
    assert main([*cart, *SMALL, *dqn]) == 0
    for name in ("a2c", "dqn"):
        assert read_progress(tmp_path / name)["terms/gail/expert"][-1] > 0.0


def test_demonstrations_of_another_environment_are_refused_before_anything_is_played(
    tmp_path: Path, cart: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    wrong = ["env=custom", "env.id=MountainCar-v0", cart[-1]]
    assert main([*wrong, *SMALL, *PPO, f"run_dir={tmp_path / 'run'}"]) == 2
    assert "shape (4,); expected (2,)" in capfd.readouterr().err
    assert main([*cart[:2], *SMALL, *PPO, f"run_dir={tmp_path / 'none'}"]) == 2
    assert "say demonstrations=FILE.npz" in capfd.readouterr().err


def test_what_cannot_be_drawn_is_refused(tmp_path: Path, cart: list[str]) -> None:
    run = tmp_path / "run"
    assert main([*cart, *SMALL, *PPO, f"run_dir={run}", "total_timesteps=256"]) == 0
    for words in (["term=nothing"], ["x=9"], ["x=1", "y=1"], ["points=1"], ["episodes=0"], ["action=7"]):
        with pytest.raises(ValueError, match=words[-1].partition("=")[0]):
            inspect([str(run), *words])
