"""Attributed progress: contributions that add up, learned, bounded, and gone on with."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.vec_env import DummyVecEnv

from shaping import ShapedEnv, ShapedVecEnv, WeightedSum, make_term
from shaping.accumulation import StepProgress
from shaping.accumulation.action_features import ActionFeatures
from shaping.accumulation.episode_memory import EpisodeMemory
from shaping.accumulation.progress_estimator import ProgressEstimator
from shaping.accumulation.seen_steps import MOST_STEPS, SeenSteps
from shaping.episodes import registry
from tests.shaping.test_accumulation import TURNS, bound, episode, sum_of
from tests.shaping.worlds import Corridor, corridors, through_a_file

ACTIONS = np.random.default_rng(2).integers(0, 2, (320, 2))


def test_uniform_redistribution_spreads_the_outcome_evenly():
    transform = bound(StepProgress(redistribution="uniform", alpha=2.0))
    rest = sum_of("critic/format", "critic/edit", "progress")
    np.testing.assert_allclose(transform(episode()), 2.0 * 0.25 + 0.5 * rest)
    np.testing.assert_allclose(transform(episode(weights={"task": 4.0, "critic/format": 0.0})).sum(), 8 + 0.5 * 0.9)
    assert transform(episode(ending="cut")) is None
    assert transform.update(()) == {"outcome": 1.0}
    assert transform(episode({name: [] for name in TURNS})).shape == (0,)


def test_contributions_are_found_exactly_where_the_sums_tell_them():
    """{A, B} came to 3, {A, C} to 1 and {B, C} to 2: A is worth 1, B 2 and C nothing."""
    estimator = ProgressEstimator(learning_rate=0.02, weight_decay=0.0)
    estimator.build(3, seed=0)
    rows = np.eye(3, dtype=np.float32)
    episodes = [(rows[[0, 1]], 3.0), (rows[[2, 0]], 1.0), (rows[[1, 2]], 2.0)]
    losses = [estimator.learn(episodes) for _ in range(400)]
    np.testing.assert_allclose(estimator(rows), [1.0, 2.0, 0.0], atol=0.02)
    assert losses[-1] < 1e-3 < losses[0]


def test_a_recurrent_estimator_knows_what_came_before_and_padding_changes_nothing():
    estimator = ProgressEstimator("gru")
    estimator.build(3, seed=0)
    rows = np.eye(3, dtype=np.float32)
    assert estimator(rows[[0, 1]])[1] != estimator(rows[[2, 1]])[1]
    assert estimator(rows[[0, 1, 2]])[:2] == pytest.approx(estimator(rows[[0, 1]]), abs=1e-6)
    twin = ProgressEstimator("gru")
    twin.build(3, seed=0)
    alone = [ProgressEstimator("gru", batch_size=1) for _ in range(2)]
    for one, rows_of in zip(alone, ([0, 1, 2], [1]), strict=True):
        one.build(3, seed=0)
        one.loss = one.learn([(rows[rows_of], 1.0)])
    together = twin.learn([(rows[[0, 1, 2]], 1.0), (rows[[1]], 1.0)])
    assert together == pytest.approx(np.mean([one.loss for one in alone]), rel=1e-5)


class Counted(Corridor):
    """Nothing is paid before the end, and then 1 for every time that action 1 was taken."""

    def reset(self, **arguments):
        self.ones = 0
        return super().reset(**arguments)

    def step(self, action):
        self.ones += int(action)
        observation, _, _, truncated, info = super().step(action)
        return observation, float(self.ones * truncated), truncated, False, info


def counted(episode_transform, n=2, **terms):
    venv = DummyVecEnv([lambda: Counted(length=50, limit=8) for _ in range(n)])
    return ShapedVecEnv(venv, terms, combiner=WeightedSum(withheld=list(terms)), episode=episode_transform, gamma=1.0)


def settled(venv, actions, every=10):
    """What every step was paid in the end."""
    paid, first = np.zeros(actions.shape), venv.vector_steps
    metrics = {}
    for t, row in enumerate(actions):
        paid[t] = venv.step(row)[1]
        if t % every == every - 1:
            metrics |= venv.update_terms()
            for change in venv.pay_changes():
                start = change.step - first
                paid[start : start + len(change.deltas), change.env] += change.deltas
    return paid, metrics


@pytest.mark.parametrize(("network", "equivalent"), [("mlp", True), ("mlp", False), ("gru", True)])
def test_the_end_is_paid_where_it_was_earned(network, equivalent):
    transform = StepProgress.from_config(
        network=network, return_equivalent=equivalent, warm_up=8, learning_rate=0.01, weight_decay=0.0, updates=30
    )
    venv = counted(transform)
    venv.reset()
    paid, metrics = settled(venv, ACTIONS)
    first = paid[:16]
    assert not first[np.arange(16) % 8 != 7].any(), "nothing was learned yet: the end's pay stays there"
    late, taken = paid[240:].reshape(-1, 8, 2), ACTIONS[240:].reshape(-1, 8, 2)
    tolerance = 1e-5 if equivalent else 1.0
    np.testing.assert_allclose(late.sum(axis=1), taken.sum(axis=1), atol=tolerance)
    assert late[taken == 1].mean() - late[taken == 0].mean() == pytest.approx(1.0, abs=0.2)
    assert metrics["episode/explained"] > 0.8
    assert 0.0 < metrics["episode/loss"] < 1.0
    assert metrics["episode/attributed"] > 0.8


def test_other_signals_are_grounding():
    venv = counted(
        StepProgress(redistribution="uniform"), right=make_term("channels", names=["right"], known=["right", "moved"])
    )
    venv.reset()
    paid, _ = settled(venv, np.array([[1, 0]] * 8), every=8)
    np.testing.assert_allclose(paid, [[1.5, -0.5]] * 8)


@pytest.mark.parametrize("network", ["mlp", "gru"])
def test_it_goes_on_from_its_state_as_if_nothing_had_happened(network, tmp_path):
    def make():
        return counted(StepProgress.from_config(network=network, warm_up=4, hidden=8))

    venv = make()
    venv.reset()
    settled(venv, ACTIONS[:80])
    state = through_a_file(venv.state_dict(), tmp_path)
    venv.reset()
    expected = settled(venv, ACTIONS[80:140])
    torch.manual_seed(99)
    resumed = make()
    before = torch.get_rng_state()
    resumed.load_state_dict(state)
    resumed.reset()
    paid, metrics = settled(resumed, ACTIONS[80:140])
    np.testing.assert_array_equal(paid, expected[0])
    assert metrics == expected[1]
    assert torch.equal(torch.get_rng_state(), before), "what an agent draws is its own"


def test_a_state_of_another_network_is_refused():
    small, large = counted(StepProgress.from_config(hidden=8)), counted(StepProgress.from_config(hidden=16))
    with pytest.raises(ValueError, match="resume with the same network, hidden"):
        large.load_state_dict(small.state_dict())


def test_one_environment_without_a_learning_loop_is_paid_as_it_comes():
    env = ShapedEnv(Counted(length=50, limit=8), {}, episode=StepProgress(), gamma=1.0)
    env.reset()
    assert [env.step(1)[1] for _ in range(8)] == [0] * 7 + [8]


def test_memories_are_bounded():
    memory = EpisodeMemory(10)
    for length in (4, 4, 4, 11):
        memory.add(np.zeros((length, 2), np.float32), 1.0)
    assert (len(memory), memory.count) == (2, 4)
    seen = SeenSteps()
    for step in range(MOST_STEPS + 5):
        seen.add(step, np.full((2, 1), step, np.float32))
    assert seen.episode(0, 4, 3) is None
    assert seen.episode(1, 5, 3)[:, 0].tolist() == [5, 6, 7]
    assert seen.episode(1, MOST_STEPS + 4, 2) is None, "one of them has not come yet"
    seen.add(20_000, np.zeros((2, 1), np.float32))
    assert seen.episode(0, MOST_STEPS, 1) is None, "there is a gap"


@pytest.mark.parametrize(
    ("space", "actions", "rows"),
    [
        (spaces.Discrete(3, start=1), [1, 3], [[1, 0, 0], [0, 0, 1]]),
        (spaces.MultiDiscrete([2, 3]), [[1, 0], [0, 2]], [[0, 1, 1, 0, 0], [1, 0, 0, 0, 1]]),
        (spaces.MultiBinary(2), [[1, 0]], [[1, 0]]),
        (spaces.Box(-1, 1, (2,)), [[0.5, -0.5]], [[0.5, -0.5]]),
    ],
)
def test_actions_are_numbers(space, actions, rows):
    features = ActionFeatures(space)
    assert features(np.array(actions)).tolist() == rows
    assert features.width == len(rows[0])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"redistribution": "rudder"}, "expected one of learned, uniform"),
        ({"network": "cnn"}, "expected one of mlp, gru"),
        ({"warm_up": 0}, "warm_up=0"),
        ({"memory": 0}, "memory=0"),
        ({"hidden": 5000}, "from 1 to 4096"),
        ({"hiden": 8}, "no argument 'hiden'. Did you mean hidden"),
    ],
)
def test_settings_that_cannot_be_are_refused(arguments, says):
    with pytest.raises(ValueError, match=says):
        registry.make("step_progress", **arguments)


def test_what_has_no_numbers_is_refused_with_a_way_out():
    with pytest.raises(ValueError, match="redistribution=uniform"):
        ActionFeatures(spaces.Text(5))
    with pytest.raises(ValueError, match="keys can be cells, where"):
        ShapedVecEnv(corridors(1, dictionary=True), {}, episode=StepProgress(keys=["cels"]), gamma=0.9)
