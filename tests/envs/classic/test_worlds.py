"""Every small world keeps to the same rules: faces alike, seeds, time, resumes."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import envs
from envs.classic import worlds

IDS = list(worlds())


@pytest.fixture(params=IDS)
def env_id(request):
    return request.param


def actions(venv, steps, seed=0):
    venv.action_space.seed(seed)
    return [np.array([venv.action_space.sample() for _ in range(venv.num_envs)]) for _ in range(steps)]


def test_gymnasium_accepts_it(env_id):
    check_env(gymnasium.make(env_id).unwrapped, skip_render_check=True)
    assert gymnasium.spec(env_id).max_episode_steps == envs.describe(env_id).max_episode_steps


def test_it_is_on_a_card_that_can_be_chosen(env_id):
    cards = [card for card in envs.options().values() if card.id == env_id]
    assert cards
    for card in cards:
        envs.refuse_arguments(env_id, card.kwargs)


def test_both_faces_play_the_same_episode(env_id):
    many = envs.make_vec(env_id, 1, seed=3)
    single = gymnasium.make(env_id)
    rows = many.reset()
    for action in actions(many, 300, seed=1):
        if many.lengths[0] == 0:
            row, _ = single.reset(seed=many.reset_infos[0]["episode_seed"])
            np.testing.assert_array_equal(row, rows[0])
        row, reward, terminated, truncated, _ = single.step(action[0])
        rows, rewards, dones, infos = many.step(action)
        assert bool(dones[0]) == (terminated or truncated)
        assert reward == pytest.approx(rewards[0], abs=1e-6)
        np.testing.assert_array_equal(row, infos[0]["terminal_observation"] if dones[0] else rows[0])


def test_a_row_does_not_hang_on_how_many_others_there_are(env_id):
    few, many = envs.make_vec(env_id, 1, seed=5), envs.make_vec(env_id, 4, seed=5)
    np.testing.assert_array_equal(few.reset()[0], many.reset()[0])
    for action in actions(many, 150):
        lone, together = few.step(action[:1]), many.step(action)
        np.testing.assert_array_equal(lone[0][0], together[0][0])
        assert lone[1][0] == together[1][0]
        assert lone[2][0] == together[2][0]


def test_training_and_evaluation_share_no_episode_and_a_resume_goes_on_in_the_stream(env_id):
    def seeds(venv):
        venv.reset()
        return {info["episode_seed"] for info in venv.reset_infos}

    first = envs.make_vec(env_id, 8, seed=1)
    assert not seeds(first) & seeds(envs.make_vec(env_id, 8, seed=1, split="eval"))
    resumed = envs.make_vec(env_id, 8, seed=1)
    resumed.load_state_dict(first.state_dict())
    assert seeds(resumed) == seeds(first)


def test_what_it_can_report_it_reports_on_every_step(env_id):
    description = envs.describe(env_id)
    wanted = sorted(description.reports - {"events"})
    venv = envs.make_vec(env_id, 2, seed=0, report=wanted)
    venv.reset()
    for action in actions(venv, 30):
        for info in venv.step(action)[3]:
            assert not [name for name in wanted if name not in info]


def test_time_runs_out_as_a_truncation(env_id):
    venv = envs.make_vec(env_id, 1, seed=0, max_episode_steps=1)
    venv.reset()
    _, _, dones, infos = venv.step(actions(venv, 1)[0])
    assert dones[0]
    assert "terminal_observation" in infos[0]


def test_it_is_drawn(env_id):
    venv = envs.make_vec(env_id, 2, seed=0, render_mode="rgb_array")
    venv.reset()
    frame = venv.render()
    assert frame.dtype == np.uint8
    assert frame.ndim == 3
    assert frame.shape[2] == 3
    assert len(np.unique(frame.reshape(-1, 3), axis=0)) > 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"max_episode_steps": 0}, "max_episode_steps=0"),
        ({"sieze": 3}, "no argument 'sieze'"),
        ({"workers": 2}, "workers=2"),
    ],
)
def test_what_makes_no_sense_is_refused(env_id, arguments, message):
    with pytest.raises(ValueError, match=message):
        envs.make_vec(env_id, 2, **arguments)


def test_actions_out_of_bounds_are_refused(env_id):
    venv = envs.make_vec(env_id, 1)
    venv.reset()
    wrong = np.full_like(actions(venv, 1)[0], 10**6) if venv.action_space.shape == () else np.array([[np.nan]])
    with pytest.raises(ValueError, match="actions are"):
        venv.step(wrong)
