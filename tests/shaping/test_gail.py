"""The term gail: whom it pays, whom it refuses, what it keeps and what it says."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
import torch
from gymnasium import spaces

from foundation.demonstrations import Demonstrations, Header
from shaping import ShapedVecEnv, WeightedSum, make_term
from shaping.adversarial import (
    ActionFeatures,
    GailTerm,
    GradientPenalty,
    Judging,
    PairFeatures,
    Pairs,
    RandomDistillation,
)
from shaping.terms import Transitions
from tests.shaping.worlds import Corridor, corridors, walks

pytestmark = pytest.mark.filterwarnings("ignore:the expert.s episodes end with a success")
QUICK = Judging(batch_size=32, learning_rate=3e-3, passes=8)


def worn(task=0.0, n=4, folder=None, seed=0, **arguments):
    """Corridors that the term pays, and the term."""
    term = GailTerm(**{"demonstrations": walks(), "warm_up": 40, "judging": QUICK} | arguments)
    term.name = "gail"
    venv = ShapedVecEnv(
        corridors(n, length=5, limit=9),
        {"gail": term},
        combiner=WeightedSum({"task": task}),
        gamma=0.9,
        seed=seed,
        folder=folder,
    )
    venv.reset()
    return venv, term


def wander(venv, steps, seed=0):
    random = np.random.default_rng(seed)
    paid = []
    for index in range(steps):
        paid.append(venv.step(random.integers(0, 2, venv.num_envs))[1])
        if index % 32 == 31:
            metrics = venv.update_terms()
    return np.array(paid), {name.rpartition("/")[2]: value for name, value in metrics.items()}


def batch(cells, actions, after=None):
    """Transitions between cells of the corridor."""
    grid, n = np.eye(5, dtype=np.float32), len(cells)
    after = cells if after is None else after
    no = np.zeros(n, bool)
    return Transitions(grid[cells], np.array(actions), np.zeros(n), grid[after], no, no, [{}] * n)


@pytest.mark.parametrize("reward", ["minimax", "airl", "nonsat"])
def test_what_the_expert_does_comes_to_pay_more_than_what_it_never_did(reward):
    venv, term = worn(reward=reward)
    _, metrics = wander(venv, 320)
    right, left = term.rescore(batch([0, 1, 2], [1, 1, 1])), term.rescore(batch([0, 1, 2], [0, 0, 0]))
    assert (right > left + 0.3).all()
    assert metrics["expert"] > metrics["agent"]
    assert metrics["accuracy"] > 0.6
    assert 0.0 < metrics["slope"] <= metrics["steepest"] < 2.0
    assert 0.7 < metrics["validity"] <= 1.0


def test_without_the_penalty_the_discriminator_is_steeper():
    steep = Judging(batch_size=32, learning_rate=3e-3, passes=8, penalty=GradientPenalty("none"))
    (_, held), (_, free) = (wander(worn(judging=judging)[0], 160) for judging in (QUICK, steep))
    assert free["slope"] > 1.5 * held["slope"]
    assert free["penalty"] == 0.0


def test_states_alone_are_judged_by_where_a_step_leads():
    venv, term = worn(state_only=True)
    wander(venv, 320)
    there, nowhere = batch([1, 1], [1, 0], after=[2, 0]), batch([3, 3], [0, 1], after=[2, 0])
    np.testing.assert_array_equal(term.rescore(there), term.rescore(nowhere))
    assert term.rescore(there)[0] > term.rescore(there)[1]


def test_nothing_is_paid_in_the_warm_up_and_the_statistics_stand_still_after_it():
    venv, term = worn(warm_up=40)
    paid, _ = wander(venv, 32)
    assert not paid[:10].any()
    assert paid[10:].all()
    row = term.features(batch([2], [1]).observations, np.array([1])).observations
    wander(venv, 64)
    assert torch.equal(term.features(batch([2], [1]).observations, np.array([1])).observations, row)


def test_transitions_can_be_asked_for_again_as_they_are_paid_now():
    venv, term = worn()
    wander(venv, 64)
    one = batch([0, 3], [1, 0])
    again = term.rescore(one)
    np.testing.assert_array_equal(term(one), again)
    for _ in range(20):
        term._learn(term.judge.training)
    assert (term.rescore(one) != again).all()


def test_pairs_are_learned_from_as_often_in_many_short_rollouts_as_in_a_long_one():
    steps = []
    for every in (1, 50):
        venv, term = worn(n=3, warm_up=0, judging=Judging(batch_size=32, passes=4))
        learned = []
        term._learn = lambda training, learn=term._learn, learned=learned: learned.append(1) or learn(training)
        for index in range(100):
            venv.step(np.ones(3, np.int64))
            if index % every == every - 1:
                venv.update_terms()
        steps.append(len(learned))
    assert steps == [37, 37]  # 300 pairs, 4 times, by 32


def test_controls_pay_without_learning():
    first, _ = wander(worn(reward="constant")[0], 32)
    assert set(first[10:].ravel()) == {1.0}
    venv, term = worn(reward="random")
    one = batch([0, 1, 2, 3], [1, 0, 1, 0])
    wander(venv, 32)
    before = term.rescore(one)
    wander(venv, 64)
    np.testing.assert_array_equal(term.rescore(one), before)
    assert before.std() > 0.02


def test_red_pays_what_is_like_the_expert_and_learns_from_nothing_else():
    venv, term = worn(reward="red")
    wander(venv, 32)
    right, left = term.rescore(batch([0, 1, 2], [1, 1, 1])), term.rescore(batch([0, 1, 2], [0, 0, 0]))
    assert right.mean() == pytest.approx(0.9, abs=0.1)
    assert (right > left).all()
    wander(venv, 64)
    np.testing.assert_array_equal(term.rescore(batch([0, 1, 2], [1, 1, 1])), right)


def test_random_distillation_pays_the_experts_mean_error_what_was_said():
    random = torch.Generator().manual_seed(0)
    expert = Pairs(torch.randn((50, 3), generator=random), torch.randn((50, 1), generator=random))
    judge = RandomDistillation(3, 1, expert_pay=0.8)
    judge.fit(expert)
    errors = judge._errors(torch.cat(expert, dim=1))
    assert float(torch.exp(-judge.sharpness * errors.mean())) == pytest.approx(0.8)
    away = Pairs(expert.observations + 3.0, expert.actions)
    assert float(judge.pay(away).mean()) < 0.5 < float(judge.pay(expert).mean())


def test_actions_of_a_box_come_to_lie_between_minus_1_and_1_and_choices_are_marked():
    box = ActionFeatures(spaces.Box(np.array([-2.0, 0.0], np.float32), np.array([2.0, 4.0], np.float32)))
    assert box(np.array([[-2.0, 4.0], [0.0, 2.0]])).tolist() == [[-1.0, 1.0], [0.0, 0.0]]
    free = ActionFeatures(spaces.Box(-np.inf, np.inf, (1,)))
    assert free(np.array([[7.0]])).tolist() == [[7.0]]
    assert ActionFeatures(spaces.Discrete(3, start=5))(np.array([5, 7])).tolist() == [[1, 0, 0], [0, 0, 1]]
    several = ActionFeatures(spaces.MultiDiscrete([2, 3]))
    assert several(np.array([[1, 0], [0, 2]])).tolist() == [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]]
    assert ActionFeatures(spaces.MultiBinary(2))(np.array([[1, 0]])).tolist() == [[1, 0]]
    with pytest.raises(ValueError, match="expected Box, Discrete"):
        ActionFeatures(spaces.Dict({}))


def test_raw_numbers_are_taken_as_they_are_of_a_box_alone():
    space, random = spaces.Box(-9.0, 9.0, (2, 2)), np.random.default_rng(0)
    rows = PairFeatures(space, spaces.Discrete(2), standardise=False, random=random)
    assert not rows.learns
    assert rows(np.full((1, 2, 2), 8.0), np.array([1])).observations.tolist() == [[8.0] * 4]
    with pytest.raises(ValueError, match="standardise=false"):
        PairFeatures(spaces.Dict({"a": space}), spaces.Discrete(2), standardise=False, random=random)
    venv, term = worn(standardise=False)
    assert wander(venv, 32)[0].all(), "nothing has to be gathered"
    assert term.judge.training.network.observation_clip == 5.0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"demonstrations": ""}, "given none: say demonstrations=FILE.npz"),
        ({"reward": "gail"}, "reward='gail': expected one of minimax, airl"),
        ({"warm_up": -1}, "warm_up=-1"),
        ({"demonstrations": walks(length=4)}, r"shape \(4,\); expected \(5,\)"),
        ({"demonstrations": walks(dictionary=True)}, "observe a Dict"),
        ({"keys": ["cells"]}, "keys"),
    ],
)
def test_what_cannot_work_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        worn(**arguments)


@pytest.mark.parametrize(
    "arguments", [{"passes": 0}, {"batch_size": 0}, {"kept": 0}, {"hidden": 0}, {"slope": -1.0}, {"label_amount": 2.0}]
)
def test_numbers_out_of_range_are_refused_before_anything_is_built(arguments):
    with pytest.raises(ValueError, match=next(iter(arguments))):
        make_term("gail", demonstrations="nowhere.npz", **arguments)
    with pytest.raises(ValueError, match="there is no such file"):
        worn(demonstrations="nowhere.npz")


def test_pay_that_is_never_negative_is_warned_about_where_the_experts_episodes_end_by_themselves():
    with pytest.warns(UserWarning, match="reward=minimax is never negative"):
        worn()
    once = dataclasses.replace(walks(), rewards=np.ones(8))  # to be over pays no more than to go on
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        worn(reward="airl")
        worn(demonstrations=once)


def test_demonstrations_of_another_environment_that_fit_are_warned_about():
    with pytest.warns(UserWarning, match="are of corridor, and the environment is Maze-v0"):
        worn(env_id="Maze-v0")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        worn(env_id="ours/corridor", reward="airl")


def test_a_run_keeps_its_demonstrations_and_goes_on_without_the_file(tmp_path):
    walks().save(tmp_path / "walks.npz")
    venv, _ = worn(demonstrations=str(tmp_path / "walks.npz"), folder=tmp_path / "terms")
    assert len(Demonstrations.load(tmp_path / "terms" / "gail" / "demonstrations.npz")) == 8
    (tmp_path / "walks.npz").unlink()
    again, _ = worn(demonstrations=str(tmp_path / "walks.npz"), folder=tmp_path / "terms")
    np.testing.assert_array_equal(wander(venv, 64)[0], wander(again, 64)[0])


def test_it_says_where_the_task_is_paid_too_and_where_nothing_was():
    venv, term = worn(task=1.0)
    wander(venv, 64)
    assert "task_weight=0" in term.closing_remark()
    venv, term = worn(task=0.0)
    wander(venv, 64)
    assert term.closing_remark() is None
    venv, term = worn(warm_up=10_000)
    wander(venv, 32)
    assert "warm_up=10000" in term.closing_remark()


def test_it_says_that_pay_below_0_favours_an_end_that_the_expert_never_came_to():
    length, steps = 5, 6
    cells = np.eye(length, dtype=np.float32)[np.arange(steps) % 2]
    env = Corridor(length)
    lingers = Demonstrations.from_steps(
        Header.of("corridor", env.observation_space, env.action_space),
        observations=cells,
        actions=np.arange(steps) % 2,
        rewards=np.zeros(steps),
        next_observations=np.roll(cells, -1, axis=0),
        terminated=np.zeros(steps, bool),
        truncated=np.arange(steps) == steps - 1,
    )
    venv, term = worn(demonstrations=lingers, reward="nonsat")
    wander(venv, 96)
    assert "never positive" in term.closing_remark()


def test_a_state_of_other_sizes_is_refused():
    venv, term = worn()
    wander(venv, 32)
    _, other = worn(judging=Judging(kept=16))
    with pytest.raises(ValueError, match="resume with the same"):
        other.load_state_dict(term.state_dict())
