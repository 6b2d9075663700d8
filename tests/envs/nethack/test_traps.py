"""The traps of nle 1.3.0 and minihack 1.0.2, each shown to be closed."""

from __future__ import annotations

import os
import resource

import gymnasium
import numpy as np
import pytest
from nle.nethack import CompassDirection, CompassDirectionLonger, MiscDirection

import envs

ROOM = "breadcrumb/MiniHack-Room-5x5-v0"


def test_the_step_limit_is_a_truncation_and_not_an_end():
    venv = envs.make_vec("MiniHack-KeyRoom-S5-v0", 2, seed=0, max_episode_steps=12)
    venv.reset()
    for step in range(12):
        _, _, dones, infos = venv.step(np.zeros(2, int))
        assert dones.all() == (step == 11)
    assert all(info["TimeLimit.truncated"] and info["end_status"] == -1 and not info["is_success"] for info in infos)
    venv.close()


@pytest.mark.parametrize("limit", [7, 150])
def test_a_limit_given_to_gymnasium_make_reaches_the_game_shorter_or_longer_than_its_own(limit):
    env = gymnasium.make("breadcrumb/MiniHack-Room-5x5-v0", max_episode_steps=limit, reward_lose=-1.0, penalty_step=0.0)
    env.reset(seed=4)
    ended = False
    for _step in range(limit):
        assert not ended
        _, reward, terminated, truncated, info = env.step(7)  # into the corner, for ever
        ended = terminated or truncated
    assert truncated
    assert not terminated
    assert info["end_status"] == -1
    assert reward == -1.0
    env.close()


def test_the_same_seed_is_the_same_level_and_the_same_play_and_another_seed_is_not():
    def play(seed):
        env = gymnasium.make(
            "breadcrumb/MiniHack-Room-Ultimate-15x15-v0", observation_keys=("glyphs", "message", "raw_blstats")
        )
        observation, _ = env.reset(seed=seed)
        rng, trace = np.random.default_rng(0), []
        for _ in range(60):
            trace.append(np.concatenate([array.ravel().astype(int) for array in observation.values()]))
            observation, _, terminated, truncated, _ = env.step(int(rng.integers(8)))
            if terminated or truncated:
                break
        env.close()
        return np.array(trace)

    assert np.array_equal(play(3), play(3))
    assert not np.array_equal(play(3)[0], play(4)[0])


def test_an_episode_of_a_vector_environment_can_be_played_again_by_its_seed():
    venv = envs.make_vec("MiniHack-Room-Random-15x15-v0", 3, seed=9, observation_keys=("glyphs",))
    first = venv.reset()["glyphs"][2]
    env = gymnasium.make("breadcrumb/MiniHack-Room-Random-15x15-v0", observation_keys=("glyphs",))
    again, _ = env.reset(seed=venv.reset_infos[2]["episode_seed"])
    assert np.array_equal(first, again["glyphs"])
    venv.close(), env.close()


def test_a_level_seed_fixes_the_map_and_leaves_the_play_to_the_episode():
    env = gymnasium.make("breadcrumb/NetHackScore-v0", level_seed=5, observation_keys=("glyphs",))
    starts = [env.reset(seed=seed)[0]["glyphs"] for seed in (1, 2)]
    env.close()
    walls = [(glyphs >= 2360) & (glyphs <= 2371) for glyphs in starts]
    assert np.array_equal(*walls)
    assert walls[0].any()


def test_observations_are_not_overwritten_by_later_steps():
    venv = envs.make_vec(
        ROOM, 2, seed=0, observation_keys=("glyphs", "glyphs_crop", "blstats", "message", "inv_glyphs")
    )
    observation = venv.reset()
    before = {key: array.copy() for key, array in observation.items()}
    for _ in range(40):
        venv.step(np.random.default_rng(0).integers(8, size=2))
    assert all(np.array_equal(observation[key], before[key]) for key in before)
    venv.close()


@pytest.mark.parametrize("env_id", ["MiniHack-Room-Monster-15x15-v0", "MiniHack-Room-5x5-v0"])
def test_the_last_observation_of_an_episode_shows_the_living_game(env_id):
    venv = envs.make_vec(env_id, 4, seed=2, observation_keys=("glyphs", "raw_blstats"))
    venv.reset()
    rng, ends = np.random.default_rng(1), set()
    for _ in range(400):
        _, _, dones, infos = venv.step(rng.integers(8, size=4))
        for index in np.flatnonzero(dones):
            last = infos[index]["terminal_observation"]
            ends.add(infos[index]["end_status"])
            assert last["raw_blstats"][11] > 0
            assert (last["glyphs"] != 2359).any()
            assert last["raw_blstats"][20] > 1, "that would be the first screen of the next episode"
    venv.close()
    assert ends >= ({1, 2} if "Monster" in env_id else {2})


def test_messages_of_screens_that_nle_skips_are_kept_in_the_caption():
    """--More-- follows "You descend the stairs.", and nle loses it; seed 914 finds stairs."""
    actions = (*CompassDirectionLonger, *CompassDirection, MiscDirection.DOWN)
    keys = ("message", "raw_blstats")
    env = gymnasium.make(
        "breadcrumb/NetHackScore-v0", actions=actions, observation_keys=keys, report=("caption", "message")
    )
    env.reset(seed=914)
    rng = np.random.default_rng(914)
    for _ in range(61):
        observation, _, _, _, info = env.step(int(rng.integers(len(actions))))
    assert observation["raw_blstats"][12] == 2, "the replay does not lead to the second level any more"
    assert b"descend" not in observation["message"].tobytes()
    assert info["message"] == "You descend the stairs."
    assert info["caption"] == "down. moved. You descend the stairs. depth +1"
    env.close()


def test_recordings_go_where_they_are_told_and_never_into_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    venv = envs.make_vec(ROOM, 2, seed=0, record_to=str(tmp_path / "tapes"))
    venv.reset()
    for _ in range(30):
        venv.step(np.random.default_rng(1).integers(8, size=2))
    venv.close()
    assert os.listdir(tmp_path / "here") == []
    for folder in ("env_000", "env_001"):
        assert any(name.endswith(".ttyrec3.bz2") for name in os.listdir(tmp_path / "tapes" / folder))


def test_without_recording_nothing_is_written_to_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    env = gymnasium.make("breadcrumb/NetHackScore-v0")
    env.reset(seed=0), env.step(0), env.close()
    assert os.listdir(tmp_path) == []


def test_two_thousand_resets_neither_grow_the_memory_nor_leak_files():
    venv = envs.make_vec(ROOM, 4, seed=0)
    for _ in range(50):
        venv.reset()
    memory, files = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, len(os.listdir("/proc/self/fd"))
    for _ in range(500):
        venv.reset()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 20_000, "kilobytes over 2000 resets"
    assert len(os.listdir("/proc/self/fd")) <= files
    venv.close()


@pytest.mark.parametrize(
    ("env_id", "reason"),
    [
        ("MiniHack-Boxoban-Hard-v0", "download"),
        ("MiniHack-SimpleCrossingS9N1-v0", "minigrid"),
        ("MiniHack-LavaCrossingS9N1-v0", "minigrid"),
    ],
)
def test_families_that_cannot_work_here_are_refused_with_the_reason(env_id, reason):
    with pytest.raises(ValueError, match=reason):
        envs.make_vec(env_id, 1)
    with pytest.raises(ValueError, match=reason):
        gymnasium.make(f"breadcrumb/{env_id}")


def test_multiroom_levels_follow_the_episode_seed():
    env = gymnasium.make("breadcrumb/MiniHack-MultiRoom-N4-v0", observation_keys=("glyphs",))
    a, b, c = (env.reset(seed=seed)[0]["glyphs"] for seed in (1, 2, 1))
    assert np.array_equal(a, c)
    assert not np.array_equal(a, b)
    env.close()


def test_a_crop_has_the_hero_in_its_middle_at_the_edge_of_the_map_too():
    for size in (3, 9, 21):
        env = gymnasium.make(
            "breadcrumb/NetHackScore-v0",
            observation_keys=("chars_crop", "glyphs_crop", "glyphs", "raw_blstats"),
            crop_size=size,
        )
        observation, _ = env.reset(seed=0)
        x, y = observation["raw_blstats"][:2]
        assert observation["glyphs_crop"][size // 2, size // 2] == observation["glyphs"][y, x]
        assert observation["chars_crop"][size // 2, size // 2] == ord("@")
        env.close()
