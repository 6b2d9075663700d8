"""Demonstrations are written by experts, by runs, and from the files of others."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium import spaces

import envs
from foundation.demonstrations import Demonstrations
from scripts.demonstrations.files_of_others import read
from scripts.demonstrations.playing import play_expert
from scripts.demonstrations.recording import kwarg
from scripts.record_demonstrations import main


def test_an_expert_is_recorded_as_the_environment_has_it(tmp_path: Path) -> None:
    out = tmp_path / "sub" / "pendulum.npz"
    main(["scripted", "env=classic/pendulum", "episodes=3", "n_envs=2", "seed=4", f"out={out}"])
    loaded = Demonstrations.load(out)
    assert loaded.lengths.tolist() == [200, 200, 200]
    assert loaded.truncated.sum() == 3
    assert not loaded.terminated.any()
    assert np.abs(loaded.actions).max() == 2.0  # the environment's units
    np.testing.assert_array_equal(np.asarray(loaded.next_observations)[:199], np.asarray(loaded.observations)[1:200])
    assert loaded.header.env_id == "Pendulum-v1"
    assert loaded.header.source == "scripted: swing"
    assert loaded.header.seed == 4
    assert "gymnasium" in loaded.header.versions
    loaded.check(loaded.observation_space, spaces.Box(-2.0, 2.0, (1,), np.float32), "Pendulum-v1")


def test_the_last_successor_is_what_the_episode_ended_in() -> None:
    recorded = play_expert("", "CartPole-v1", {"max_episode_steps": 5}, 4, n_envs=2, seed=1)
    gaps = np.abs(np.asarray(recorded.next_observations) - np.asarray(recorded.observations)).max(axis=1)
    assert gaps.max() < 1.0  # an observation of the next episode's start would be further than that
    again = play_expert("", "CartPole-v1", {"max_episode_steps": 5}, 4, n_envs=2, seed=1)
    np.testing.assert_array_equal(np.asarray(recorded.observations), np.asarray(again.observations))
    assert recorded.header.env_kwargs == {"max_episode_steps": 5}


def test_recorded_steps_are_those_that_the_rules_give() -> None:
    recorded = play_expert("brake", "PointMass-v0", {}, 2, n_envs=1, seed=3)
    seen = np.asarray(recorded.observations, np.float64)
    velocity = np.clip(seen[:, 2:] + 0.2 * recorded.actions, -2, 2)
    position = seen[:, :2] + 0.1 * velocity
    np.testing.assert_allclose(np.asarray(recorded.next_observations)[:, :2], position, atol=1e-6)
    np.testing.assert_allclose(recorded.rewards, -np.linalg.norm(position, axis=1), atol=1e-6)


def test_a_run_is_recorded_below_its_own_shaping(tmp_path: Path) -> None:
    from scripts.train import main as train

    run, out = tmp_path / "run", tmp_path / "run.npz"
    words = [f"run_dir={run}", "env=classic/cartpole", "agent=ppo", "shaping=count", "n_envs=2", "agent.n_steps=64"]
    train([*words, "shaping.terms.count.scope=episodic", "total_timesteps=128", "evaluate_episodes=0", "tracking=none"])
    main([str(run), "episodes=3", f"out={out}"])
    loaded = Demonstrations.load(out)
    assert loaded.header.env_id == "CartPole-v1"
    assert loaded.header.source == "ppo after 128 steps"
    np.testing.assert_array_equal(loaded.rewards, 1.0)  # the task's, no bonus
    assert isinstance(loaded.observations, np.ndarray)
    assert loaded.observation_space.shape == (4,)
    with pytest.raises(ValueError, match="brings its own environment"):
        main([str(run), "env=CartPole-v1", f"out={out}"])


def test_only_good_episodes_are_kept_where_one_asks_for_them(tmp_path: Path) -> None:
    out = tmp_path / "best.npz"
    main(["scripted", "env=PointMass-v0", "episodes=8", "least_return=-21", f"out={out}"])
    kept = Demonstrations.load(out)
    assert 0 < len(kept.returns) < 8
    assert kept.returns.min() >= -21
    with pytest.raises(ValueError, match=r"no episode pays 0; the best of 8 paid -1"):
        main(["scripted", "env=PointMass-v0", "episodes=8", "least_return=0", f"out={out}"])
    assert Demonstrations.load(out).returns.tolist() == kept.returns.tolist()


def test_a_file_of_ours_can_be_thinned(tmp_path: Path) -> None:
    whole, thin = tmp_path / "whole.npz", tmp_path / "thin.npz"
    main(["scripted", "env=PointMass-v0", "episodes=4", f"out={whole}"])
    main([str(whole), "subsample=10", f"out={thin}"])
    assert len(Demonstrations.load(thin)) == 24


def test_arguments_of_the_environment_are_read_as_the_train_command_reads_them() -> None:
    assert kwarg("env.kwargs.starts={penalty:1}") == ("starts", {"penalty": 1})
    assert kwarg("env.kwargs.keys=[glyphs,blstats]") == ("keys", ["glyphs", "blstats"])
    assert kwarg("env.kwargs.goal=0.2") == ("goal", 0.2)
    for word, message in (("env.kwargs.goal", "expected env.kwargs.NAME=VALUE"), ("env.kwargs.keys=[a", "cannot be")):
        with pytest.raises(ValueError, match=message):
            kwarg(word)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["scripted", "env=Acrobot-v1", "out=x.npz"], "Acrobot-v1 has no scripted expert"),
        (["scripted:blake", "env=PointMass-v0", "out=x.npz"], "no expert 'blake'. Did you mean brake"),
        (["scripted", "out=x.npz"], "give env="),
        (["scripted", "env=PointMass-v0"], r"ends in \.npz"),
        (["scripted", "env=PointMas-v0", "out=x.npz"], "there is no environment 'PointMas-v0'"),
        (["scripted", "env=PointMass-v0", "env.kwargs.size=3", "out=x.npz"], "no argument 'size'"),
        (["scripted", "env=PointMass-v0", "episodes=0", "out=x.npz"], "episodes=0"),
        (["nowhere", "out=x.npz"], "nowhere is no run directory"),
        ([], "expected one source"),
    ],
)
def test_what_cannot_be_recorded_is_said_first(
    words: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        main(words)
    assert not list(tmp_path.iterdir())


def of_imitation(path: Path, **changes: Any) -> None:
    """Two episodes of 3 and 500 steps, as imitation's older versions save them."""
    seen = np.arange(505 * 4, dtype=np.float32).reshape(505, 4) / 1000
    arrays = {"obs": seen, "acts": np.arange(503) % 2, "terminal": np.array([True, True]), "indices": np.array([3])}
    arrays |= {"rews": np.ones(503), "infos": np.array([{}] * 503, dtype=object), **changes}
    np.savez_compressed(path, **arrays)


def test_trajectories_of_imitation_are_read_and_their_pickled_infos_are_not(tmp_path: Path) -> None:
    path = tmp_path / "theirs.npz"
    of_imitation(path)
    read_back = read(path, "CartPole-v1", {})
    assert read_back.lengths.tolist() == [3, 500]
    assert read_back.ended.tolist() == [True, False]  # 500 steps are the time limit
    rows = np.asarray(read_back.observations)[:, 0] * 1000 / 4
    after = np.asarray(read_back.next_observations)[:, 0] * 1000 / 4
    np.testing.assert_allclose(after - rows, 1.0, atol=1e-3)
    np.testing.assert_allclose(rows[:5], [0, 1, 2, 4, 5], atol=1e-3)
    with pytest.raises(ValueError, match="give env="):
        read(path, "", {})
    of_imitation(path, terminal=np.array([True]))
    with pytest.raises(ValueError, match="1 ends for 503 actions in 2 episodes"):
        read(path, "CartPole-v1", {})


def test_what_would_have_to_be_run_to_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "theirs.pkl").write_bytes(b"\x80\x04N.")
    with pytest.raises(ValueError, match="is a pickle"):
        read(tmp_path / "theirs.pkl", "CartPole-v1", {})
    (tmp_path / "arrow").mkdir()
    (tmp_path / "arrow" / "data.arrow").touch()
    with pytest.raises(ValueError, match="Arrow"):
        read(tmp_path / "arrow", "CartPole-v1", {})


def minari(folder: Path, *, dictionary: bool = False) -> Path:
    """A data set as Minari 0.5 lays it out."""
    h5py: Any = pytest.importorskip("h5py", reason="h5py is not installed: make setup EXTRAS=hdf5")
    (folder / "data").mkdir(parents=True)
    with h5py.File(folder / "data" / "main_data.hdf5", "w") as file:
        for index, steps in enumerate([3] + [2] * 10):
            episode = file.create_group(f"episode_{index}")
            seen = np.full((steps + 1, 4), index, np.float32) + np.arange(steps + 1, dtype=np.float32)[:, None] / 10
            episode["observations"] = seen
            episode["actions"] = np.zeros(steps, np.int64)
            episode["rewards"] = np.ones(steps)
            episode["terminations"] = np.arange(steps) == steps - 1
            episode["truncations"] = np.zeros(steps, np.bool_)
    said = {"dataset_id": "cartpole/some-v0", "env_spec": json.dumps({"id": "CartPole-v1"})}
    (folder / "data" / "metadata.json").write_text(json.dumps(said))
    return folder


def test_a_minari_dataset_is_read_without_minari(tmp_path: Path) -> None:
    read_back = read(minari(tmp_path / "some-v0"), "", {})
    assert read_back.header.env_id == "CartPole-v1"
    assert read_back.header.source == "Minari: cartpole/some-v0"
    assert read_back.lengths.tolist() == [3] + [2] * 10  # episode_10 comes last
    assert np.asarray(read_back.observations)[-1, 0] == pytest.approx(10.1)
    assert np.asarray(read_back.next_observations)[2, 0] == pytest.approx(0.3)
    read_back.check(read_back.observation_space, spaces.Discrete(2), "CartPole-v1")


def test_hdf5_without_its_package_says_how_to_get_it(tmp_path: Path) -> None:
    if importlib.util.find_spec("h5py") is not None:
        pytest.skip("h5py is installed")
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "main_data.hdf5").touch()
    with pytest.raises(ValueError, match="make setup EXTRAS=hdf5"):
        read(tmp_path, "", {})


def test_an_agent_may_see_less_than_its_teacher() -> None:
    keys = ("glyphs", "glyphs_crop", "blstats", "inv_glyphs")
    shown = play_expert("", "MiniHack-KeyRoom-S5-v0", {"observation_keys": keys}, 2, n_envs=2, seed=0)
    venv = envs.make_vec("MiniHack-KeyRoom-S5-v0", 1)
    shown.check(venv.observation_space, venv.action_space, shown.header.env_id)
    venv.close()
