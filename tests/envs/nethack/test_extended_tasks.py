"""The tasks of ONI: real descents, questions answered, time limits, statistics."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from nle import nethack
from nle.nethack import Command

import envs
from envs.nethack.captions import action_name
from envs.nethack.extended_tasks import (
    EXTENDED_ACTIONS,
    EXTENDED_IDS,
    HALLUCINATING,
    NetHackOracleExtendedActions,
    NetHackOracleSoberExtendedActions,
)
from envs.nethack.scripted import KeyRoomPlayer
from envs.nethack.statistics import STATISTICS

NAMES = [action_name(int(action)) for action in EXTENDED_ACTIONS]
SEED = 50  # whose staircases the scripted player finds


def act(env, action):
    return env.step(EXTENDED_ACTIONS.index(action))


def make(task, **arguments):
    return gymnasium.make(f"breadcrumb/NetHack{task}ExtendedActions-v1", **arguments)


def descend(task, steps=200):
    """The last transition of the scripted player, who takes every staircase, and all messages."""
    keys = ("glyphs", "raw_blstats", "inv_glyphs")
    env = make(task, observation_keys=keys, report=("message", "stats"))
    player = KeyRoomPlayer([name if name not in ("pickup", "apply") else "" for name in NAMES])
    observation, _ = env.reset(seed=SEED)
    said = []
    for _ in range(steps):
        level = observation["raw_blstats"][nethack.NLE_BL_DLEVEL]
        on_stairs = env.unwrapped._batch.raw["internal"][0][4]
        action = NAMES.index("down") if on_stairs else player(observation)
        observation, reward, terminated, truncated, info = env.step(action)
        said.append(info["message"])
        if observation["raw_blstats"][nethack.NLE_BL_DLEVEL] != level:
            player.reset()
        if terminated or truncated:
            break
    return reward, terminated, info, said


def test_going_down_the_stairs_to_level_3_pays_50_and_ends_the_episode_as_a_success():
    reward, terminated, info, said = descend("StaircaseLvl3")
    assert (reward, terminated, info["is_success"]) == (50.0, True, True)
    assert sum("You descend the stairs." in words for words in said) == 2, "nle's own step loses these words"
    assert info["stats"]["dlvl"] == 3
    assert info["stats"]["scouted"] > 150
    assert set(info["stats"]) == set(STATISTICS)


def test_level_3_is_not_the_goal_of_the_task_of_level_4():
    reward, terminated, info, said = descend("StaircaseLvl4", steps=80)
    assert sum("You descend the stairs." in words for words in said) == 2
    assert (reward, terminated, "is_success" in info) == (0.0, False, False)


@pytest.mark.parametrize("env_id", EXTENDED_IDS)
def test_every_task_plays_on_the_fast_path_and_runs_out_of_time_as_truncated(env_id):
    venv = envs.make_vec(env_id, 2, workers=1, report=["message", "stats"], max_episode_steps=40)
    assert venv.action_space.n == 28
    venv.reset()
    rng, ends = np.random.default_rng(0), []
    for _ in range(85):
        _, _, dones, infos = venv.step(rng.integers(28, size=2))
        ends += [info for info, done in zip(infos, dones, strict=True) if done]
    venv.close()
    assert len(ends) >= 4
    for info in ends:
        assert info["TimeLimit.truncated"] == (info["end_status"] == -1)
        assert info.get("is_success", False) is False
        assert info["stats"]["dlvl"] >= 1
    assert any(info["TimeLimit.truncated"] for info in ends)


def test_reward_free_plays_the_game_of_score_without_its_reward():
    rewards, observations = {}, {}
    for task in ("Score", "RewardFree"):
        venv = envs.make_vec(f"NetHack{task}ExtendedActions-v1", 2, seed=1)
        venv.reset()
        rng = np.random.default_rng(0)
        played = [venv.step(rng.integers(28, size=2)) for _ in range(300)]
        rewards[task] = np.array([step[1] for step in played])
        observations[task] = played[-1][0]["glyphs_crop"]
        venv.close()
    assert rewards["Score"].any()
    assert not rewards["RewardFree"].any()
    assert (observations["Score"] == observations["RewardFree"]).all()


def test_a_question_takes_its_first_letter_for_y_and_any_other_action_cancels():
    env = make("Score", report=("message",))
    env.reset(seed=3)
    info = act(env, Command.QUAFF)[-1]
    assert "What do you want to drink?" in info["message"]
    assert "Never mind." in act(env, Command.SEARCH)[-1]["message"]
    assert "What do you want to drink?" in act(env, Command.QUAFF)[-1]["message"]
    assert "You feel better." in act(env, nethack.CompassDirection.NW)[-1]["message"]


def test_cast_chooses_the_first_spell():
    env = make("Score", report=("message",))
    env.reset(seed=3)
    said = act(env, Command.CAST)[-1]["message"]
    assert said
    assert "Unknown command" not in said


@pytest.mark.parametrize("sober", [False, True])
def test_the_oracle_is_found_at_the_edge_of_the_map_and_not_by_a_hallucinating_hero(sober):
    task = (NetHackOracleSoberExtendedActions if sober else NetHackOracleExtendedActions).__new__(
        NetHackOracleSoberExtendedActions if sober else NetHackOracleExtendedActions
    )
    task._glyph_index, task._blstats_index, task.oracle_glyph = 0, 1, 7
    glyphs, blstats = np.zeros((21, 79), np.int16), np.zeros(27, np.int64)
    statuses = []
    for place, condition in (((5, 5), 0), ((0, 0), 0), ((0, 1), 0), ((0, 1), HALLUCINATING | 2)):
        glyphs[:] = 0
        glyphs[1, 1] = 7
        blstats[[nethack.NLE_BL_X, nethack.NLE_BL_Y]] = place
        blstats[nethack.NLE_BL_CONDITION] = condition
        statuses.append(int(task._is_episode_end((glyphs, blstats))))
    assert statuses == [0, 2, 2, 0 if sober else 2]


def test_statistics_are_of_the_episode_and_count_over_levels():
    venv = envs.make_vec("NetHackScore-v0", 4, seed=2, report=["stats", "message"], max_episode_steps=60)
    venv.reset()
    rng, kills, seen = np.random.default_rng(1), np.zeros(4), []
    returns = np.zeros(4)
    for _ in range(240):
        _, rewards, dones, infos = venv.step(rng.integers(23, size=4))
        returns += rewards
        for index, info in enumerate(infos):
            kills[index] += info["message"].count("You kill ") + info["message"].count("You destroy ")
            assert ("stats" in info) == dones[index]
            if dones[index]:
                seen.append(info["stats"])
                assert info["stats"]["kills"] == kills[index]
                assert info["stats"]["score"] >= returns[index] - 1e-3  # the task's reward holds fines
                kills[index] = returns[index] = 0
    assert len(seen) == 16
    assert len({stats["scouted"] for stats in seen}) > 4
    assert all(stats["scouted"] > 20 and stats["xlvl"] >= 1 for stats in seen)
    venv.close()
