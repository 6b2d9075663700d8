"""NetHackVecEnv: the same results wherever the games live, and clear words when one dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env as gymnasium_check_env
from stable_baselines3.common.env_checker import check_env as sb3_check_env
from stable_baselines3.common.vec_env import VecMonitor

import envs
from envs.nethack import NetHackError

KEY_ROOM = "MiniHack-KeyRoom-S5-v0"
FAMILIES = (
    "MiniHack-Room-5x5-v0", "MiniHack-KeyRoom-S5-v0", "MiniHack-Corridor-R2-v0", "MiniHack-River-Narrow-v0",
    "MiniHack-Memento-F2-v0", "MiniHack-Eat-v0", "MiniHack-Sokoban1a-v1", "MiniHack-Quest-Easy-v0",
    "MiniHack-MultiRoom-N2-v0", "MiniHack-Labyrinth-Small-v0",
    "NetHackScore-v0", "NetHackStaircase-v0", "NetHackOracle-v0", "NetHackChallenge-v0",
)  # fmt: skip


def trace(workers: int, n_envs: int = 5, steps: int = 250) -> list:
    venv = envs.make_vec(
        KEY_ROOM, n_envs, seed=3, workers=workers, max_episode_steps=60,
        report=("events", "caption", "stairs_distance", "explored", "depth"), events=("picked_up_key", "opened_door"),
    )  # fmt: skip
    rng, seen = np.random.default_rng(0), [venv.reset(), venv.reset_infos]
    for _ in range(steps):
        observation, rewards, dones, infos = venv.step(rng.integers(10, size=n_envs))
        seen += [observation, rewards, dones, infos]
    venv.close()
    return seen


def test_worker_processes_give_the_same_results_as_one_process():
    np.testing.assert_equal(trace(workers=2), trace(workers=0))


def test_two_runs_of_one_seed_are_equal_and_of_two_seeds_are_not():
    a, b = (envs.make_vec(KEY_ROOM, 2, seed=seed).reset()["glyphs_crop"] for seed in (1, 2))
    assert np.array_equal(a, envs.make_vec(KEY_ROOM, 2, seed=1).reset()["glyphs_crop"])
    assert not np.array_equal(a, b)


def test_training_and_evaluation_never_share_an_episode_seed():
    seeds = {}
    for split in ("train", "eval"):
        venv = envs.make_vec("MiniHack-Room-5x5-v0", 4, seed=0, split=split, max_episode_steps=2)
        venv.reset()
        seeds[split] = {info["episode_seed"] for info in venv.reset_infos}
        for _ in range(100):
            venv.step(np.zeros(4, int))
            seeds[split] |= {info["episode_seed"] for info in venv.reset_infos}
        venv.close()
    assert len(seeds["train"]) > 100
    assert not seeds["train"] & seeds["eval"]
    assert all(seed < 2**62 for seed in seeds["train"])
    assert all(seed >= 2**62 for seed in seeds["eval"])


@pytest.mark.parametrize("workers", [0, 1])
def test_a_resumed_environment_goes_on_in_the_stream_of_episode_seeds(workers):
    venv = envs.make_vec("MiniHack-Room-5x5-v0", 3, seed=7, workers=workers, max_episode_steps=5)
    venv.reset()
    for _ in range(23):
        venv.step(np.zeros(3, int))
    state = venv.state_dict()
    venv.reset()
    expected = [info["episode_seed"] for info in venv.reset_infos]
    venv.close()
    again = envs.make_vec("MiniHack-Room-5x5-v0", 3, seed=7, workers=workers, max_episode_steps=5)
    again.load_state_dict(state)
    again.reset()
    assert [info["episode_seed"] for info in again.reset_infos] == expected
    again.close()


def test_a_worker_that_is_killed_is_named_with_its_environment_seed_and_last_action():
    venv = envs.make_vec(KEY_ROOM, 4, seed=0, workers=1)
    venv.reset()
    venv.step(np.full(4, 3))
    seeds = [info["episode_seed"] for info in venv.reset_infos]
    worker = venv._backend._processes[0]
    worker.kill()
    worker.join()
    with pytest.raises(NetHackError, match="failed: worker 0 died") as error:
        venv.step(np.full(4, 3))
    words = str(error.value)
    environment = int(words.split()[2])
    assert environment in (2, 3), "the worker played the second half of four games"
    assert f"episode seed {seeds[environment]}, last action 3" in words
    assert venv.state_dict()["episodes"].tolist() == [1, 1, 1, 1], "what a checkpoint needs outlives the worker"
    venv.close()


def test_workers_do_not_outlive_a_caller_that_is_killed():
    script = (
        "import envs, os, signal, sys\n"
        "if __name__ == '__main__':\n"
        "    venv = envs.make_vec('MiniHack-Room-5x5-v0', 2, workers=1)\n"
        "    venv.reset()\n"
        "    print(venv._backend._processes[0].pid, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    caller = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert caller.returncode == -signal.SIGKILL, caller.stderr
    worker = int(caller.stdout)
    for _ in range(100):
        if not os.path.exists(f"/proc/{worker}"):
            return
        time.sleep(0.2)
    os.kill(worker, signal.SIGKILL)
    pytest.fail("the worker was still there 20 seconds later")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_inside_a_game_is_named_with_its_environment_seed_and_last_action(workers):
    venv = envs.make_vec(KEY_ROOM, 4, seed=0, workers=workers)
    venv.reset()
    batch = venv._backend._here if workers else venv._backend

    def broken(code):
        raise OSError("the disk is gone")

    batch._hot[1] = (broken, *batch._hot[1][1:])
    with pytest.raises(NetHackError, match=r"environment 1 .*the disk is gone.*episode seed \d+, last action 2, step"):
        venv.step(np.full(4, 2))
    venv.close()


def test_the_monitor_sees_the_task_return_and_success():
    venv = VecMonitor(envs.make_vec("MiniHack-Room-5x5-v0", 2, seed=0))
    venv.reset()
    rng, episodes = np.random.default_rng(0), []
    for _ in range(300):
        _, _, dones, infos = venv.step(rng.integers(8, size=2))
        episodes += [(infos[i]["episode"]["r"], infos[i]["is_success"]) for i in np.flatnonzero(dones)]
    venv.close()
    assert len(episodes) > 3
    assert all((reward > 0.3) == success for reward, success in episodes)


@pytest.mark.parametrize("env_id", FAMILIES)
def test_the_environment_checkers_of_gymnasium_and_sb3_pass(env_id):
    env = gymnasium.make(
        f"breadcrumb/{env_id}",
        observation_keys=("glyphs_crop", "blstats", "message", "inv_glyphs"),
        disable_env_checker=True,
    )
    gymnasium_check_env(env, skip_render_check=True)  # its wrappers, too
    sb3_check_env(env, warn=False)
    env.close()


def test_gymnasium_makes_a_twin_with_the_same_limit_from_a_spec():
    env = gymnasium.make("breadcrumb/MiniHack-Room-5x5-v0", max_episode_steps=7)
    twin = gymnasium.make(env.spec)
    for each in (env, twin):
        each.reset(seed=1)
        steps = [each.step(0)[3] for _ in range(7)]
        assert steps == [False] * 6 + [True]
        each.close()


def test_every_task_that_is_not_refused_can_be_built_reset_and_stepped():
    for env_id in envs.nethack.NetHackFamily().ids():
        if envs.catalogue.describe(env_id).id and envs.nethack.tasks.why_refused(env_id) is None:
            venv = envs.make_vec(env_id, 1, seed=0)
            observation = venv.reset()
            assert all(venv.observation_space[key].contains(array[0]) for key, array in observation.items()), env_id
            for _ in range(3):
                venv.step(np.array([venv.action_space.sample()]))
            venv.close()


def test_pictures_are_new_arrays_of_the_whole_map_and_clips_are_trimmed_to_one_size():
    env = gymnasium.make(f"breadcrumb/{KEY_ROOM}", render_mode="rgb_array")
    env.reset(seed=1)
    first = env.render()
    env.step(0)
    frames = [first, env.render()]
    assert frames[0].shape == (376, 1264, 3)
    assert frames[0].dtype == np.uint8
    assert not np.shares_memory(*frames)
    clip = envs.nethack.rendering.trim(frames)
    assert clip[0].shape == clip[1].shape
    assert clip[0].shape[1] < 700
    assert clip[0].shape[0] % 2 == clip[0].shape[1] % 2 == 0
    assert clip[0].max() > 100
    env.close()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"env_id": "MiniHack-KeyRom-S5-v0"}, "KeyRoom-S5"),
        ({"observation_keys": ("glyps_crop",)}, "glyphs_crop"),
        ({"observation_keys": ()}, "empty"),
        ({"crop_size": 4}, "odd"),
        ({"events": ("picked_up_keys",), "report": ("events",)}, "picked_up_key"),
        ({"report": ("captoin",)}, "cannot report captoin"),
        ({"n_envs": 0}, "n_envs=0: .*at least 1"),
        ({"workers": 4}, "from 0"),
        ({"split": "test"}, "train"),
        ({"render_mode": "human"}, "rgb_array"),
        ({"max_episode_steps": 0}, "max_episode_steps=0: .*at least 1"),
        ({"penalty_mode": "cubic"}, "constant"),
    ],
)
def test_bad_arguments_are_refused_with_the_nearest_right_one(arguments, message):
    arguments = {"env_id": KEY_ROOM, "n_envs": 2, **arguments}
    with pytest.raises(ValueError, match=message):
        envs.make_vec(**arguments)


def test_actions_of_the_wrong_shape_or_range_are_refused_before_a_key_is_pressed():
    venv = envs.make_vec(KEY_ROOM, 2, seed=0)
    venv.reset()
    with pytest.raises(ValueError, match="shape"):
        venv.step(np.zeros(3, int))
    with pytest.raises(ValueError, match="actions 0 to 9"):
        venv.step(np.array([0, 10]))
    venv.close()


def test_a_step_after_the_end_asks_for_a_reset():
    env = gymnasium.make("breadcrumb/MiniHack-Room-5x5-v0", max_episode_steps=1).unwrapped
    env.set_limit(1)
    env.reset(seed=0), env.step(0)
    with pytest.raises(RuntimeError, match="reset"):
        env.step(0)
    env.close()
