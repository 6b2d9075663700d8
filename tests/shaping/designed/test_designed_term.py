"""The term pays its table: designed or from a file, replaced or added, scored anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import yaml
from gymnasium import spaces

import envs
from envs.classic.room import room
from foundation.tabular_mdp import solve
from shaping import RewardTermError, Setting, ShapedVecEnv, Transitions, make_term
from shaping.designed import (
    Bins,
    Infeasible,
    RewardTable,
    designed_table,
    expadard,
    exprd,
    invariant,
    read_table,
    structure,
)
from tests.shaping.worlds import corridors, tabled, through_a_file


def rooms(n=4, seed=0, **arguments):
    return envs.make_vec("TabularRoom-v0", n, seed=seed, report=["mdp"], version="2021", **arguments)


def shaped(term, n=4, folder=None, gamma=0.95, **arguments):
    return ShapedVecEnv(rooms(n, **arguments), {"designed": term}, gamma=gamma, folder=folder)


def played(venv, steps=60, seed=0):
    """Observations, actions, rewards and infos of random play."""
    random, seen = np.random.default_rng(seed), venv.reset()
    for _ in range(steps):
        actions = random.integers(4, size=venv.num_envs)
        following, rewards, _, infos = venv.step(actions)
        yield seen, actions, rewards, infos
        seen = following


class Leaning:
    """A learner that goes right with a share of its own."""

    def __init__(self, share):
        self.share = share

    def probabilities(self, observations):
        policy = np.full((len(observations), 4), (1.0 - self.share) / 3.0)
        policy[:, 3] = self.share
        return policy


def test_replace_pays_the_design_in_place_of_the_task_and_logs_the_task_s_own():
    venv = shaped(make_term("designed", budget=1))
    mdp = room("2021")
    designed = exprd(mdp, 1).rewards
    for seen, actions, rewards, infos in played(venv):
        np.testing.assert_allclose(rewards, designed[seen, actions], atol=1e-6)
        np.testing.assert_allclose([i["reward_terms"]["task"] for i in infos], mdp.rewards[seen, actions])


def test_add_pays_the_design_on_top_and_the_sum_keeps_the_best_policy():
    venv = shaped(make_term("designed", budget=1, mode="add"))
    mdp = room("2021")
    both = exprd(mdp, 1).rewards + mdp.rewards
    for seen, actions, rewards, _ in played(venv):
        np.testing.assert_allclose(rewards, both[seen, actions], atol=1e-6)
    assert invariant(mdp, both).holds


def test_the_design_is_for_the_agent_s_own_discount():
    term = make_term("designed", budget=0)
    shaped(term, gamma=0.8).reset()
    far = make_term("designed", budget=1)
    shaped(far, gamma=0.8).reset()
    mdp = replace(room("2021"), gamma=0.8)
    assert far.update(None)["informativeness"] == pytest.approx(exprd(mdp, 1).informativeness)
    assert far.update(None)["informativeness"] > term.update(None)["informativeness"]
    assert far.update(None)["changed_states"] == 0


def test_a_tiny_price_takes_the_least_reward_of_those_that_tell_as_much():
    terms = {}
    for price in (0.0, 1e-6):
        terms[price] = make_term("designed", budget=1, l1=price)
        shaped(terms[price]).reset()
    free, least = (terms[price].state_dict() for price in (0.0, 1e-6))
    assert least["metrics"]["informativeness"] == pytest.approx(free["metrics"]["informativeness"], abs=1e-6)
    assert np.abs(least["rewards"]).sum() < 0.8 * np.abs(free["rewards"]).sum()


def test_what_is_paid_can_be_asked_for_again_in_the_shapes_of_a_replay_buffer():
    term = make_term("designed", budget=1)
    venv = shaped(term)
    for seen, actions, _, infos in played(venv, 20):
        batch = Transitions(
            seen[:, None], actions, np.zeros(4), seen[:, None], np.zeros(4, bool), np.zeros(4, bool), ()
        )
        paid = [info["reward_terms"]["designed"] for info in infos]
        np.testing.assert_allclose(term.rescore(batch), paid)


def test_expadard_designs_anew_for_the_learner_it_meets_after_so_many_episodes():
    term = make_term("designed", method="expadard", every=3, structure="each")
    venv = shaped(term, max_episode_steps=10)
    venv.reset()
    mdp = room("2021")
    anything = expadard(mdp, np.full(mdp.rewards.shape, 0.25))
    assert term.update(None)["designs"] == 1
    assert term.update(None)["informativeness"] == pytest.approx(anything.informativeness)
    learner = Leaning(0.7)
    venv.shaper.meet(learner)
    for _ in played(venv, 5):
        pass
    assert term.update(None)["designs"] == 1, "no episode has ended"
    for _ in played(venv, 11):
        pass
    metrics = term.update(None)
    assert metrics["designs"] == 2
    designed = expadard(mdp, learner.probabilities(np.arange(50)))
    assert metrics["informativeness"] == pytest.approx(designed.informativeness)
    assert metrics["changed_states"] == 0
    assert metrics["informativeness"] != pytest.approx(anything.informativeness)


def test_a_resume_goes_on_with_the_same_table_and_designs_nothing_at_its_start(tmp_path):
    term = make_term("designed", method="expadard", every=1)
    venv = shaped(term, max_episode_steps=10)
    venv.reset()
    venv.shaper.meet(Leaning(0.7))
    for _ in played(venv, 12):
        pass
    term.update(None)
    state = through_a_file(venv.state_dict(), tmp_path)
    resumed = make_term("designed", method="expadard", every=1)
    again = shaped(resumed, max_episode_steps=10)
    again.load_state_dict(state)
    for seen, actions, rewards, _ in played(again, 8):
        np.testing.assert_allclose(rewards, term.state_dict()["rewards"][seen, actions], atol=1e-6)
    np.testing.assert_array_equal(term.state_dict()["rewards"], resumed.state_dict()["rewards"])
    assert resumed.state_dict()["metrics"]["designs"] == 2


def test_the_table_is_written_for_people_and_taken_up_as_they_left_it(tmp_path):
    first = make_term("designed", budget=1)
    shaped(first, folder=tmp_path).reset()
    path = tmp_path / "designed" / "reward.yaml"
    content = yaml.safe_load(path.read_text())
    assert content["design"]["states"] == [48, 0]
    content["rewards"][0] = [1.0, 2.0, 3.0, 4.0]
    path.write_text(yaml.safe_dump(content))
    edited = make_term("designed", budget=1)
    edited.take_up(tmp_path / "designed")
    venv = shaped(edited, folder=tmp_path)
    venv.load_state_dict(shaped(make_term("designed", budget=1)).state_dict())
    venv.reset()
    assert edited.state_dict()["rewards"][0].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert edited.update(None)["changed_states"] > 0
    assert "changes what is best" in edited.closing_remark()


def test_a_table_comes_back_from_its_file_as_it_went(tmp_path):
    mdp = room("2021")
    table = designed_table(mdp, exprd(mdp, 2), None)
    table.write(tmp_path / "a.yaml")
    back = read_table(tmp_path / "a.yaml")
    np.testing.assert_array_equal(back.rewards, table.rewards)
    np.testing.assert_array_equal(back.task, mdp.rewards)
    assert (back.gamma, back.bins) == (0.95, None)
    binned = RewardTable(np.ones((7, 2)), np.zeros((7, 2)), 0.9, Bins((0.0, -1.0), (1.0, 1.0), (3, 2)))
    binned.write(tmp_path / "b.yaml")
    assert read_table(tmp_path / "b.yaml").bins == binned.bins


def test_a_file_needs_no_world_that_knows_itself_and_says_when_the_discount_differs(tmp_path):
    mdp = room("2021")
    designed_table(mdp, exprd(mdp, 1)).write(tmp_path / "a.yaml")
    term = make_term("designed", file=str(tmp_path / "a.yaml"))
    assert not term.requires
    plain = envs.make_vec("TabularRoom-v0", 4, seed=0, version="2021")
    venv = ShapedVecEnv(plain, {"designed": term}, gamma=0.95)
    designed = exprd(mdp, 1).rewards
    for seen, actions, rewards, _ in played(venv, 20):
        np.testing.assert_allclose(rewards, designed[seen, actions], atol=1e-6)
    assert term.closing_remark() is None
    other = make_term("designed", file=str(tmp_path / "a.yaml"))
    ShapedVecEnv(rooms(), {"designed": other}, gamma=0.9)
    assert "designed for gamma=0.95" in other.closing_remark()


def test_bins_of_a_file_lift_the_table_to_continuous_observations(tmp_path):
    bins = Bins((0.0, 0.0), (1.0, 1.0), (4, 2))
    rewards = np.arange(27.0).reshape(9, 3)
    RewardTable(rewards, np.zeros((9, 3)), 0.95, bins).write(tmp_path / "a.yaml")
    term = make_term("designed", file=str(tmp_path / "a.yaml"), mode="add")
    world = envs.make_vec("ContinuousLineKey-v0", 3, seed=0)
    venv = ShapedVecEnv(world, {"designed": term}, gamma=0.95)
    for seen, actions, _, infos in played_line(venv):
        cell = np.minimum((seen[:, 0] * 4).astype(int), 3) * 2 + (seen[:, 1] > 0.5)
        paid = [info["reward_terms"]["designed"] for info in infos]
        np.testing.assert_allclose(paid, rewards[cell, actions])


def played_line(venv):
    random, seen = np.random.default_rng(0), venv.reset()
    for _ in range(100):
        actions = random.integers(3, size=venv.num_envs)
        following, rewards, _, infos = venv.step(actions)
        yield seen, actions, rewards, infos
        seen = following


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "explores"}, "Did you mean"),
        ({"method": "expadard"}, "every=100"),
        ({"method": "expadard", "every": 5, "budget": 3}, "are of method=exprd"),
        ({"method": "expadard", "every": 5, "counted": "h"}, "are of method=exprd"),
        ({"method": "expadard", "every": 5, "l1": 1e-6}, "are of method=exprd"),
        ({"l1": -1.0}, "l1=-1"),
        ({"every": 5}, "designs once"),
        ({"epsilon": 0.1}, "designs once"),
        ({"budget": 3, "structure": "room_blocks"}, "budget=null"),
        ({"structure": "blocks"}, "expected one of each"),
        ({"horizons": []}, "horizons is empty"),
        ({"file": "/nowhere/a.yaml"}, "cannot be read"),
        ({"mode": "instead"}, "mode='instead'"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        make_term("designed", **arguments)


def setting(observations, actions=None, gamma=0.95):
    return Setting(2, observations, actions or spaces.Discrete(4), gamma, 0)


@pytest.mark.parametrize(
    ("observations", "actions", "message"),
    [
        (spaces.Discrete(49), None, "the table is for 50 states"),
        (spaces.Box(0, 1, (2,)), None, "the table is for 50 states"),
        (spaces.Discrete(50), spaces.Discrete(3), "the table is for 4 actions, and the world has 3"),
        (spaces.Discrete(50), spaces.Box(0, 1, (1,)), "actions by number"),
    ],
)
def test_a_file_of_another_world_is_refused(tmp_path, observations, actions, message):
    mdp = room("2021")
    designed_table(mdp, exprd(mdp, 0)).write(tmp_path / "a.yaml")
    term = make_term("designed", file=str(tmp_path / "a.yaml"))
    with pytest.raises(ValueError, match=message):
        term.bind(setting(observations, actions))


def test_bins_of_other_observations_and_worlds_of_pictures_are_refused(tmp_path):
    RewardTable(np.ones((7, 4)), np.zeros((7, 4)), 0.9, Bins((0.0,), (1.0,), (3,))).write(tmp_path / "a.yaml")
    term = make_term("designed", file=str(tmp_path / "a.yaml"))
    with pytest.raises(ValueError, match="observations of 1 numbers"):
        term.bind(setting(spaces.Box(0, 1, (2,))))
    with pytest.raises(ValueError, match="7 states, and its bins make 3 cells"):
        term.bind(setting(spaces.Box(0, 1, (1,))))
    with pytest.raises(ValueError, match=r"scripts\.design_reward"):
        make_term("designed").bind(setting(spaces.Box(0, 1, (2,))))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1, 2]", "lacks states"),
        ("states: 2", "lacks actions"),
        ("{states: 2, actions: 1, gamma: 2, bins: null, design: {}, task: {}, rewards: {}}", "gamma=2"),
        ("{states: 2, actions: 1, gamma: 1, bins: null, design: {}, task: {}, rewards: {3: [1]}}", "a state 3"),
        ("{states: 2, actions: 1, gamma: 1, bins: null, design: {}, task: {}, rewards: {1: [1, 2]}}", "1 numbers"),
        ("{states: 2, actions: 1, gamma: 1, bins: null, design: {}, task: {}, rewards: {1: [.nan]}}", "finite"),
        (
            "{states: 2, actions: 1, gamma: 1, bins: {low: [0]}, design: {}, task: {}, rewards: {}}",
            "no designed reward",
        ),
        ("{states: x, actions: 1, gamma: 1, bins: null, design: {}, task: {}, rewards: {}}", "states=x"),
        ("a: [", "no designed reward"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, text, message):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_table(path)


def test_a_world_that_does_not_say_what_it_is_cannot_be_designed_for():
    term = make_term("designed")
    venv = ShapedVecEnv(envs.make_vec("TabularRoom-v0", 1), {"designed": term}, gamma=0.95)
    with pytest.raises(RewardTermError, match="reports no info entry 'mdp'"):
        venv.reset()
    with pytest.raises(ValueError, match="states by number"):
        ShapedVecEnv(corridors(2), {"designed": make_term("designed")}, gamma=0.9)


def test_a_structure_that_is_none_of_the_world_s_is_refused_at_the_first_reset():
    venv = ShapedVecEnv(tabled(2, length=5), {"designed": make_term("designed", structure="room_blocks")}, gamma=0.9)
    with pytest.raises(ValueError, match="is for 50 states"):
        venv.reset()
    venv = ShapedVecEnv(tabled(2, length=5), {"designed": make_term("designed", budget=1, r_max=1e-3)}, gamma=0.9)
    with pytest.raises(Infeasible, match="larger r_max"):
        venv.reset()


def test_the_blocks_of_the_room_are_a_structure_of_its_own():
    term = make_term("designed", structure="room_blocks")
    world = envs.make_vec("TabularRoom-v0", 1, report=["mdp"], version="2024")
    ShapedVecEnv(world, {"designed": term}, gamma=0.95).reset()
    rewards = term.state_dict()["rewards"]
    features = structure("room_blocks", room("2024")).toarray()
    weights = np.linalg.lstsq(features, rewards.ravel(), rcond=None)[0]
    np.testing.assert_allclose(features @ weights, rewards.ravel(), atol=1e-6)
    assert (solve(room("2024"), rewards).policy == solve(room("2024")).policy).all()
