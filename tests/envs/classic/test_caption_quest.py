"""CaptionQuest: its rules, its words, its seeds, both faces."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import envs
from envs.catalogue import Request
from envs.classic.caption_quest import (
    ACTIONS,
    CAPTIONS,
    DESCEND,
    EVENTS,
    HELPFUL,
    PICKUP,
    USE,
    CaptionQuestVecEnv,
)

ID = "breadcrumb/CaptionQuest-v0"


def solve(observation):
    """The action of a player who knows the rules, from the observation alone."""
    key, on_key, door, on_door = observation[2:4], observation[4], observation[5:7], observation[7]
    has_key, is_open = observation[12], observation[13]
    if not has_key:
        return PICKUP if on_key else towards(key)
    if not on_door:
        return towards(door)
    return DESCEND if is_open else USE


def towards(way):
    x, y = way
    if abs(x) >= abs(y):
        return 3 if x > 0 else 2
    return 1 if y > 0 else 0


def test_who_knows_the_rules_is_always_paid_once_at_the_last_descent():
    venv = envs.make_vec(ID, 16, seed=3, report=["message", "events"], events=EVENTS)
    observations, lines, happened, ended = venv.reset(), set(), set(), 0
    for _ in range(120):
        observations, rewards, dones, infos = venv.step(np.array([solve(row) for row in observations]))
        assert (rewards == dones).all()
        for info, done in zip(infos, dones, strict=True):
            lines.add(info["message"])
            happened |= set(info.get("events", ()))
            if done:
                ended += 1
                assert info["is_success"]
                assert not info["TimeLimit.truncated"]
                assert info["message"] == "You climb down to level 4."
    assert ended > 30
    assert lines >= HELPFUL
    assert happened == set(EVENTS)


def test_chance_never_gets_there_and_time_runs_out():
    venv = envs.make_vec(ID, 64, seed=0, report=["message"])
    venv.reset()
    actions = np.random.default_rng(0).integers(len(ACTIONS), size=(400, 64))
    lines, ends = set(), []
    for row in actions:
        _, rewards, dones, infos = venv.step(row)
        assert not rewards.any()
        lines |= {info["message"] for info in infos}
        ends += [info["TimeLimit.truncated"] for info, done in zip(infos, dones, strict=True) if done]
    assert ends == [True] * 128
    assert lines <= set(CAPTIONS)
    assert len(lines) >= 15


@pytest.mark.parametrize("dummy", [False, True])
def test_the_boulder_can_be_fought_without_end_only_where_that_is_asked_for(dummy):
    venv = CaptionQuestVecEnv(Request(1, seed=1, report=("message",)), dummy=dummy)
    observation = venv.reset()[0]
    for _ in range(40):
        boulder = observation[8:10]
        action = USE if not boulder.any() else towards(boulder)
        observations, rewards, _, infos = venv.step([action])
        observation = observations[0]
        assert not rewards.any()
    assert infos[0]["message"] == ("You hit the boulder golem!" if dummy else "You have nothing to use here.")


def test_the_same_seed_is_the_same_episode_and_training_and_evaluation_share_none():
    def seeds(split, seed=7):
        venv = CaptionQuestVecEnv(Request(4, seed=seed, split=split))
        venv.reset()
        return [info["episode_seed"] for info in venv.reset_infos]

    assert seeds("train") == seeds("train")
    assert not {*seeds("train")} & {*seeds("eval")}
    assert not {*seeds("train")} & {*seeds("train", 8)}


def test_the_stream_of_episodes_goes_on_after_a_resume():
    first = CaptionQuestVecEnv(Request(2), max_episode_steps=3)
    first.reset()
    for _ in range(3):
        first.step([7, 7])
    state = first.state_dict()
    following = [CaptionQuestVecEnv(Request(2)), CaptionQuestVecEnv(Request(2))]
    following[0].load_state_dict(state)
    seeds = []
    for venv in following:
        venv.reset()
        seeds.append({info["episode_seed"] for info in venv.reset_infos})
    assert not seeds[0] & seeds[1]
    with pytest.raises(ValueError, match="3 environments"):
        following[0].load_state_dict({"episodes": np.zeros(3, int)})


def test_gymnasium_accepts_it_and_it_plays_what_the_vector_environment_plays():
    check_env(gymnasium.make(ID).unwrapped, skip_render_check=True)
    single = gymnasium.make(ID, report=["message"], render_mode="rgb_array")
    many = CaptionQuestVecEnv(Request(1, report=("message",)))
    many.reset()
    many.begin(0, 5)
    observation, _ = single.reset(seed=5)
    for action in np.random.default_rng(1).integers(len(ACTIONS), size=150):
        ours, reward, terminated, truncated, info = single.step(action)
        rows, rewards, _, infos = many.step([action])
        assert (ours == rows[0]).all()
        assert (reward, terminated, truncated) == (rewards[0], False, False)
        assert info["message"] == infos[0]["message"]
    assert single.render().shape == (192, 192, 3)
    observation, _ = single.reset(seed=9)
    for _ in range(200):
        observation, reward, terminated, _, _ = single.step(solve(observation))
        if terminated:
            break
    assert terminated
    assert reward == 1.0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"workers": 2}, "workers=2"),
        ({"report": ["captoin"]}, "captoin"),
        ({"events": ["flew"], "report": ["events"]}, "flew"),
        ({"max_episode_steps": 0}, "max_episode_steps=0"),
    ],
)
def test_what_cannot_work_is_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        envs.make_vec(ID, 2, **arguments)
    venv = envs.make_vec(ID, 2)
    venv.reset()
    with pytest.raises(ValueError, match="0 to 7"):
        venv.step([0, 8])
