import json
import subprocess
import sys

import gymnasium
import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from sb3_contrib import MaskablePPO, RecurrentPPO
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

import agents
from agents import Player, action_masks, play
from scripts.compare import compare
from scripts.evaluate import main
from scripts.results.clips import write_clip
from scripts.results.evaluation import evaluate_run


class Countdown(gymnasium.Env):
    """Episodes of so many steps, in which one action is allowed at a time."""

    observation_space = gymnasium.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gymnasium.spaces.Discrete(3)
    render_mode = None

    def __init__(self, length, pictures=False):
        self.length, self.steps = length, 0
        self.render_mode = "rgb_array" if pictures else None

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        return np.zeros(2, np.float32), {}

    def step(self, action):
        assert action == self.steps % 3, "the mask allows one action only"
        self.steps += 1
        over = self.steps == self.length
        return np.zeros(2, np.float32), 1.0, over, False, {"is_success": self.length > 1} if over else {}

    def action_masks(self):
        return np.arange(3) == self.steps % 3

    def render(self):
        return np.full((60, 80, 3), 20 * self.steps % 255, np.uint8)


class Free(Countdown):
    def step(self, action):
        return super().step(self.steps % 3)


def monitored(*envs):
    return VecMonitor(DummyVecEnv([lambda env=env: env for env in envs]))


def player_of(name, model, venv, **keywords):
    return agents.get(name).player(model, venv.num_envs, masks=action_masks(venv), **keywords)


def test_short_episodes_do_not_crowd_out_long_ones():
    venv = monitored(Free(1), Free(10))
    records = play(player_of("ppo", PPO("MlpPolicy", venv), venv, deterministic=False), venv, 7)
    assert [record.length for record in records] == [1, 1, 1, 10, 10, 10, 10]
    assert [record.task_return for record in records] == [1.0] * 3 + [10.0] * 4
    assert [record.success for record in records] == [False] * 3 + [True] * 4


def test_masks_are_obeyed():
    venv = monitored(Countdown(4), Countdown(6))
    player = player_of("maskable_ppo", MaskablePPO("MlpPolicy", venv), venv, deterministic=False)
    assert len(play(player, venv, 4)) == 4


def test_a_recurrent_agents_memory_is_carried_and_begins_anew_with_an_episode():
    venv = monitored(Free(3))
    model = RecurrentPPO("MlpLstmPolicy", venv, n_steps=8, batch_size=8)
    player = player_of("recurrent_ppo", model, venv, deterministic=True)
    zeros = np.zeros((1, 2), np.float32)
    player(zeros)
    first = player._state[0].copy()
    player(zeros)
    assert not np.allclose(player._state[0], first)
    player.begin(np.array([True]))
    player(zeros)
    assert np.allclose(player._state[0], first)


class Still(Player):
    """Does nothing."""

    def predict(self, observations, state, starts):
        return np.zeros(1, int), state


def test_a_clip_ends_at_the_frame_limit_and_is_refused_without_pictures(tmp_path):
    path = tmp_path / "videos" / "a.gif"
    note = write_clip(path, monitored(Free(10, pictures=True)), Still(None, 1), episodes=3, max_frames=15)
    assert note == "2 episodes, 15 frames, cut at 15 frames"
    assert len(imageio.imread(path)) == 15
    with pytest.raises(ValueError, match="rgb_array"):
        write_clip(tmp_path / "b.gif", monitored(Free(3)), Still(None, 1))
    assert [file.name for file in tmp_path.rglob("*.gif")] == ["a.gif"]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("runs") / "room"
    words = "env=minihack/room_5x5 shaping=events agent=ppo tracking=none total_timesteps=1024 n_envs=4"
    command = [
        sys.executable,
        "-m",
        "scripts.train",
        *words.split(),
        "seed=1",
        "evaluate_episodes=0",
        f"run_dir={path}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr
    return path


def test_a_real_run_is_evaluated_repeatably_and_compared(run_dir, tmp_path):
    before = np.random.get_state()[1].copy(), torch.get_rng_state()  # noqa: NPY002
    result = evaluate_run(run_dir, episodes=6, n_envs=4)
    assert (np.random.get_state()[1] == before[0]).all()  # noqa: NPY002
    assert torch.equal(torch.get_rng_state(), before[1])
    assert json.loads((run_dir / "evaluation.json").read_text()) == result
    assert result["episodes"] == len(result["returns"]) == len(result["lengths"]) == 6
    assert result["trained_steps"] == 1024
    assert result["success_rate"] == pytest.approx(np.mean(result["successes"]))
    low, high = result["success_interval"]
    assert 0 <= low <= result["success_rate"] <= high <= 1
    assert result["return_mean"] <= 1.0  # the task's own: the events term would add to it
    assert result["video"] == "videos/episode.gif", result["video_note"]
    clip = imageio.imread(run_dir / "videos" / "episode.gif")
    assert 3 <= len(clip) <= 300
    again = evaluate_run(run_dir, episodes=6, n_envs=4, gif=False)
    assert again["returns"] == result["returns"]
    assert evaluate_run(run_dir, episodes=6, n_envs=4, gif=False, seed=1)["returns"] != result["returns"]
    assert "success, evaluation" in compare([str(run_dir)], tmp_path / "out")


def test_what_cannot_be_evaluated_is_said(run_dir, tmp_path):
    with pytest.raises(ValueError, match="episodes=0: expected a whole number of at least 1"):
        evaluate_run(run_dir, episodes=0)
    with pytest.raises(ValueError, match="expected one run directory"):
        main([])
    with pytest.raises(ValueError, match="Did you mean episodes"):
        main([str(run_dir), "episode=3"])
    with pytest.raises((ValueError, FileNotFoundError), match="run"):
        main([str(tmp_path)])


def test_results_may_go_elsewhere_and_an_unwritable_place_is_said_before_anything_is_played(
    run_dir, tmp_path, monkeypatch
):
    before = (run_dir / "evaluation.json").read_bytes() if (run_dir / "evaluation.json").exists() else None
    result = evaluate_run(run_dir, episodes=2, gif=False, out=tmp_path / "elsewhere")
    assert json.loads((tmp_path / "elsewhere" / "evaluation.json").read_text())["returns"] == result["returns"]
    assert ((run_dir / "evaluation.json").read_bytes() if before else None) == before
    monkeypatch.setattr("scripts.running.run_directory.Run.load_agent", lambda _: pytest.fail("it played"))
    with pytest.raises(ValueError, match=r"cannot be written: .*give another out="):
        evaluate_run(run_dir, episodes=2, out="/proc/nowhere")
