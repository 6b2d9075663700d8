"""ShapedVecEnv and ShapedEnv: true successors, parts, statistics, faults that name their origin."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from stable_baselines3 import PPO
from stable_baselines3.common.vec_env import VecMonitor

from shaping import RewardTerm, RewardTermError, ShapedEnv, ShapedVecEnv, WeightedSum, make_term
from shaping.transforms import Clip, RunningNormalise, Sigmoid
from tests.shaping.worlds import Corridor, corridors


class Watcher(RewardTerm):
    """Keeps what it was shown; pays what it is told to."""

    def __init__(self, pay=0.0):
        self.pay, self.batches, self.resets = pay, [], []

    def reset(self, observations, infos, mask):
        self.resets.append(mask.copy())

    def __call__(self, batch):
        self.batches.append(batch)
        return self.pay(batch) if callable(self.pay) else np.full(len(batch), self.pay)

    def update(self, rollout):
        self.rollout = rollout
        return {"seen": float(len(rollout))}


@pytest.mark.parametrize("dictionary", [False, True])
def test_terms_see_the_true_successor_and_which_way_an_episode_ended(dictionary):
    term = Watcher()
    venv = ShapedVecEnv(corridors(2, length=3, limit=3, dictionary=dictionary), {"w": term}, gamma=0.9)
    venv.reset()
    for actions in ([1, 0], [1, 0], [0, 0]):
        venv.step(np.array(actions))
    cells = [b.next_observations["cells"] if dictionary else b.next_observations for b in term.batches]
    assert cells[1].argmax(1).tolist() == [2, 0], "the last cell, not the first one of the next episode"
    assert term.batches[1].terminated.tolist() == [True, False]
    assert term.batches[1].truncated.tolist() == [False, False]
    assert term.batches[2].terminated.tolist() == [False, False]
    assert term.batches[2].truncated.tolist() == [False, True]
    assert [mask.tolist() for mask in term.resets] == [[True, True], [True, False], [False, True]]
    before = term.batches[2].observations
    assert (before["cells"] if dictionary else before).argmax(1).tolist() == [0, 0]


def test_time_that_runs_out_on_the_last_step_of_the_task_is_termination():
    term = Watcher()
    venv = ShapedVecEnv(corridors(1, length=3, limit=2), {"w": term}, gamma=0.9)
    venv.reset()
    venv.step([1])
    venv.step([1])
    assert (term.batches[1].terminated.tolist(), term.batches[1].truncated.tolist()) == ([True], [False])


def test_parts_add_up_and_are_weighted_over_time():
    combiner = WeightedSum({"a": "linear(1,0,8)", "task": 2.0}, withheld=["b"])
    terms = {"a": Watcher(3.0), "b": Watcher(5.0)}
    venv = ShapedVecEnv(corridors(2, length=3), terms, combiner=combiner, gamma=0.9)
    venv.reset()
    for expected in (3.0, 2.25, 1.5, 0.75, 0.0, 0.0):
        _, rewards, _, infos = venv.step(np.array([1, 1]))
        parts = infos[1]["reward_terms"]
        assert list(parts) == ["task", "a", "b"]
        assert parts["a"] == pytest.approx(expected)
        assert rewards[1] == pytest.approx(parts["task"] + parts["a"])


def test_the_task_reward_under_the_shaping_stays_its_own_even_where_the_agent_writes_to_rewards():
    term = Watcher()
    venv = ShapedVecEnv(corridors(1, length=3), {"w": term}, combiner=WeightedSum({}, ["w"]), gamma=0.9)
    venv.reset()
    rewards = venv.step([1])[1]
    rewards[:] = 99  # SB3 adds γV like this
    assert term.batches[0].rewards.tolist() == [0.0]
    assert venv.shaper._totals.max() == 0.0


def test_a_monitor_underneath_reports_the_task_and_statistics_report_the_parts():
    venv = ShapedVecEnv(VecMonitor(corridors(2, length=4)), {"w": Watcher(0.5)}, gamma=0.9)
    assert venv.episode_statistics() == {}
    venv.reset()
    for _ in range(6):
        infos = venv.step(np.array([1, 1]))[3]
    assert infos[0]["episode"]["r"] == 1.0
    assert venv.episode_statistics() == {"shaped_return": 2.5, "reward/task": 1.0, "reward/w": 1.5}


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
@pytest.mark.parametrize("transforms", [{}, {"bad": [Clip()]}])
def test_nan_and_infinity_stop_the_run_with_name_environment_and_step(wrong, transforms):
    term = Watcher(lambda batch: np.array([0.0, wrong if len(term.batches) == 2 else 0.0]))
    venv = ShapedVecEnv(corridors(2), {"good": Watcher(), "bad": term}, transforms=transforms, gamma=0.9)
    venv.reset()
    venv.step(np.array([1, 1]))
    with pytest.raises(RewardTermError, match=r"'bad' gave .* environment 1 at step 2"):
        venv.step(np.array([1, 1]))


@pytest.mark.parametrize("value", [np.zeros(3), np.zeros((2, 1)), 0.0, None])
def test_a_wrong_shape_stops_the_run(value):
    venv = ShapedVecEnv(corridors(2), {"bad": Watcher(lambda batch: value)}, gamma=0.9)
    venv.reset()
    with pytest.raises(RewardTermError, match=r"'bad' gave .* step 0 .* shape \(2,\)"):
        venv.step(np.array([1, 1]))


def test_training_stops_on_nan_before_anything_is_learned():
    venv = ShapedVecEnv(corridors(2), {"bad": Watcher(float("nan"))}, gamma=0.9)
    with pytest.raises(RewardTermError, match="'bad'"):
        PPO("MlpPolicy", venv, n_steps=8, batch_size=16, device="cpu").learn(16)


@pytest.mark.parametrize("name", ["task", "cells"])
def test_names_that_clash_are_refused(name):
    with pytest.raises(ValueError, match=f"cannot be called '{name}'"):
        ShapedVecEnv(corridors(1, dictionary=True), {name: Watcher()}, gamma=0.9)


def test_settings_for_signals_that_do_not_exist_are_refused():
    with pytest.raises(ValueError, match="Did you mean events"):
        ShapedVecEnv(corridors(1), {"events": Watcher()}, combiner=WeightedSum({"event": 1.0}), gamma=0.9)
    with pytest.raises(ValueError, match="no signal here"):
        ShapedVecEnv(corridors(1), {"events": Watcher()}, transforms={"event": [Clip()]}, gamma=0.9)


def test_rollouts_are_handed_over_once_and_stacked_on_demand():
    term = Watcher()
    venv = ShapedVecEnv(corridors(2, dictionary=True), {"w": term}, gamma=0.9)
    venv.reset()
    for _ in range(5):
        venv.step(np.array([1, 0]))
    assert venv.update_terms() == {"terms/w/seen": 5.0}
    assert term.rollout.stack("next_observations", "cells").shape == (5, 2, 6)
    assert term.rollout.stack("rewards").shape == (5, 2)
    assert term.rollout.flat("next_observations")["cells"].shape == (10, 6)
    np.testing.assert_array_equal(term.rollout.flat("rewards"), term.rollout.stack("rewards").reshape(-1))
    with pytest.raises(ValueError, match="stack"):
        term.rollout.flat("infos")
    for arguments in (("rewards", "x"), ("observations",), ("infos",), ("observations", "cell")):
        with pytest.raises(ValueError, match=r"entry|stack"):
            term.rollout.stack(*arguments)
    assert venv.update_terms() == {}
    plain = ShapedVecEnv(corridors(1), {"e": make_term("events", events=["middle"])}, gamma=0.9)
    plain.reset()
    plain.step([1])
    assert len(plain.take_rollout()) == 0, "nothing is kept when nobody learns"


TERMS = {
    "potential": {"potential": "distance", "scale": -1.0},
    "events": {"events": ["left_start", "middle"]},
    "count": {"scope": "episodic"},
}


def test_eight_environments_are_eight_times_one():
    actions = np.random.default_rng(0).integers(0, 2, (60, 8))
    actions[:, ::2] |= np.random.default_rng(1).integers(0, 2, (60, 4))

    def play(columns):
        terms = {name: make_term(name, **arguments) for name, arguments in TERMS.items()}
        venv = ShapedVecEnv(corridors(len(columns), length=4, limit=9), terms, gamma=0.9)
        venv.reset()
        steps = [venv.step(row) for row in actions[:, columns]]
        return np.array([rewards for _, rewards, _, _ in steps]), np.array([obs["events"] for obs, *_ in steps])

    rewards, bits = play(list(range(8)))
    for column in range(8):
        alone, alone_bits = play([column])
        np.testing.assert_allclose(alone[:, 0], rewards[:, column], rtol=1e-12)
        np.testing.assert_array_equal(alone_bits[:, 0], bits[:, column])


def test_one_environment_shaped_by_itself_equals_the_vector_of_one():
    actions = np.random.default_rng(0).integers(0, 2, 60)
    vector = ShapedVecEnv(corridors(1, length=4, limit=9), {n: make_term(n, **a) for n, a in TERMS.items()}, gamma=0.9)
    single = ShapedEnv(Corridor(length=4, limit=9), {n: make_term(n, **a) for n, a in TERMS.items()}, gamma=0.9)
    vector.reset()
    observation, _ = single.reset(seed=0)
    for action in actions:
        observations, rewards, dones, infos = vector.step([action])
        observation, reward, terminated, truncated, info = single.step(action)
        assert rewards[0] == pytest.approx(reward)
        assert infos[0]["reward_terms"] == pytest.approx(info["reward_terms"])
        assert dones[0] == (terminated or truncated)
        last = infos[0]["terminal_observation"] if dones[0] else {key: array[0] for key, array in observations.items()}
        assert all(np.array_equal(last[key], observation[key]) for key in ("observation", "events"))
        if dones[0]:
            single.reset()
    assert single.episode_statistics() == pytest.approx(vector.episode_statistics())


def test_gymnasium_accepts_a_shaped_environment():
    env = gymnasium.make("CartPole-v1").unwrapped
    terms = {
        "events": make_term("events", predicates={"tilted": lambda b: np.abs(b.next_observations[:, 2]) > 0.05}),
        "count": make_term("count", resolution=0.1, scope="episodic"),  # lifetime novelty differs from reset to reset
        "rnd": make_term("rnd"),
    }
    check_env(ShapedEnv(env, terms, gamma=0.99), skip_render_check=True)


def test_transforms_have_exact_values():
    batch = None
    normalise = RunningNormalise()
    rows = np.random.default_rng(0).normal(3.0, 2.0, (50, 4))
    for row in rows:
        last = normalise(row, batch)
    np.testing.assert_allclose(last, (rows[-1] - rows.mean()) / rows.std(), rtol=1e-6)
    scaled = RunningNormalise(scale_only=True)
    np.testing.assert_allclose(scaled(np.array([3.0, 3.0]), batch), [1.0, 1.0], rtol=1e-6)
    assert Clip(-1, 2)(np.array([-5.0, 0.5, 5.0]), batch).tolist() == [-1, 0.5, 2]
    values = np.array([-1e9, 1.0, 3.0, 1e9])
    np.testing.assert_allclose(Sigmoid(1.0)(values, batch), [-0.5, 0.0, 1 / (1 + np.exp(-2)) - 0.5, 0.5])
    np.testing.assert_allclose(Sigmoid(1.0, centred=False)(values, batch), [0, 0.5, 1 / (1 + np.exp(-2)), 1])


def test_step_before_reset_is_an_error():
    with pytest.raises(RuntimeError, match="reset"):
        ShapedVecEnv(corridors(1), {}, gamma=0.9).step([0])


def test_key_room_events_reach_the_term():
    envs = pytest.importorskip("envs")
    events = ("picked_up_key", "opened_door")
    venv = envs.make_vec("MiniHack-KeyRoom-S5-v0", 4, seed=0, report=("events",), events=events)
    terms = {"events": make_term("events", events=list(events)), "count": make_term("count", keys=["blstats"])}
    venv = ShapedVecEnv(VecMonitor(venv), terms, gamma=0.99)
    try:
        observations = venv.reset()
        assert observations["events"].shape == (4, 2)
        rng = np.random.default_rng(0)
        earned = 0.0
        for _ in range(400):
            observations, rewards, dones, infos = venv.step(rng.integers(0, venv.action_space.n, 4))
            earned += sum(info["reward_terms"]["events"] for info in infos)
            assert np.isfinite(rewards).all()
            for index in np.flatnonzero(dones):
                assert "events" in infos[index]["terminal_observation"]
        assert earned > 0, "random play picks up the key now and then"
    finally:
        venv.close()
