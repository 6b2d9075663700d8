"""The agent barfi: learns past a lure, goes on after a stop, refuses, tells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor

import agents
import envs
from agents.behaviour_alignment import algorithm
from scripts.running.checkpoints import latest_checkpoint
from scripts.running.progress_csv import read_rows
from scripts.train import main
from shaping import ShapedVecEnv, combine, make_term
from tests.agents.behaviour_alignment.worlds import Fork, forks

FAST = {"learning_rate": 0.01, "learning_rate_heads": 0.05, "lambda_pi": 0.01, "lambda_gamma": 0.0}
NAIVE = {"blend": "naive", "replay": False}


def learned(env=None, steps=3000, seed=1, **settings: Any) -> Any:
    model = agents.build("barfi", forks() if env is None else env, seed=seed, **{**FAST, **settings})
    return model.learn(steps, log_interval=None)


def passes(model: Any) -> float:
    """How likely the policy takes the way that the task pays, in the first place."""
    first = np.zeros((1, 1)) if isinstance(model.observation_space, spaces.Box) else np.zeros(1, np.int64)
    return float(model.probabilities(first)[0, 0])


# What it learns -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"hypergradient": "first_order"},
        {"hypergradient": "cg", "damping": 0.1},
        {"hypergradient": "exact", "damping": 1.0},
        {"hypergradient": "unrolled", "max_grad_norm": 1.0, "learn_discount": False},
        {"lower": "actor_critic", "learning_rate_critic": 0.02},
        {"learn_task_head": True, "batch": 2},
        {"replay": False, "learning_rate": 0.05},
    ],
    ids=lambda settings: "-".join(map(str, settings.values())) or "neumann",
)
def test_a_lure_that_the_sum_falls_for_is_turned_off(settings: dict[str, Any]) -> None:
    model = learned(steps=4000, **settings)
    assert passes(model) > 0.8
    factors = model.factors(np.arange(3))
    assert set(factors) == {"own", "task", "channels/lure"}


def test_the_sum_falls_for_the_lure() -> None:
    assert passes(learned(steps=4000, **NAIVE, learning_rate=0.02)) < 0.3


def test_the_frozen_sum_with_as_many_updates_does_not_turn_it_off() -> None:
    assert passes(learned(steps=4000, blend="frozen", start="naive")) < 0.6


@pytest.mark.parametrize("blend", ["primary", "pbrs"])
def test_the_task_alone_and_with_a_potential_pass_by(blend: str) -> None:
    assert passes(learned(steps=4000, blend=blend, replay=False, learning_rate=0.05)) > 0.7


def test_continuous_actions_learn_too() -> None:
    model = learned(forks(box=True, continuous=True), steps=3000, action_std=0.4, learning_rate=0.02, lambda_pi=0.0)
    action, _ = model.predict(np.zeros(1, np.float32), deterministic=True)
    assert action.shape == (1,)
    assert action[0] > 0.2
    with pytest.raises(ValueError, match="only one discrete action"):
        model.probabilities(np.zeros((1, 1)))


def test_without_terms_the_state_alone_is_blended_in() -> None:
    model = learned(forks(channels=False), steps=1000)
    assert list(model.factors(np.arange(3))) == ["own", "task"]


def test_fixed_factors_and_discounts_do_not_move() -> None:
    model = learned(steps=600, start="naive", learn_discount=False, learning_rate_heads=0.0)
    for name, value in (("own", 0.0), ("task", 1.0), ("channels/lure", 1.0)):
        np.testing.assert_allclose(model.factors(np.arange(3))[name], value)
    assert model.discount == 0.99
    fixed = learned(steps=600)
    np.testing.assert_array_equal(fixed.factors(np.arange(3))["task"], 1.0)
    assert fixed.discount != pytest.approx(0.99, abs=1e-6)
    frozen = learned(steps=600, blend="frozen")
    assert frozen.updates > 0
    assert frozen.discount == 0.99


def test_factors_may_start_at_the_task_alone() -> None:
    factors = learned(steps=100, start="task", learning_rate_heads=0.0).factors(np.arange(3))
    for name, value in (("own", 0.0), ("task", 1.0), ("channels/lure", 0.0)):
        np.testing.assert_array_equal(factors[name], value)


def test_scalar_heads_are_the_same_in_every_state() -> None:
    factors = learned(steps=600, heads="scalar").factors(np.arange(3))
    assert np.ptp(factors["channels/lure"]) == 0.0
    assert factors["channels/lure"][0] != 0.0


def test_a_costly_head_stays_small() -> None:
    free, costly = (learned(steps=2000, lambda_r=cost, start="naive") for cost in (0.0, 100.0))
    own = [np.abs(model.factors(np.arange(3))["own"]).max() for model in (free, costly)]
    assert own[1] < 0.3 * own[0]


def test_a_costly_horizon_shortens_it() -> None:
    assert learned(steps=2000, lambda_gamma=100.0).discount < 0.97


# Order of what happens ----------------------------------------------------------------------------


def test_the_blend_waits_for_the_warm_start_and_then_comes_a_burst(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("inner_step", "outer_step"):
        original = getattr(algorithm.BARFI, name)

        def told(self: Any, rows: Any, naive: bool = False, name: str = name, original: Any = original) -> Any:
            calls.append(f"{name}{'-naive' if naive else ''}")
            return original(self, rows, naive) if name == "inner_step" else original(self, rows)

        monkeypatch.setattr(algorithm.BARFI, name, told)
    model = agents.build("barfi", forks(), seed=1, **FAST, warm_start=6, inner_mul=2)
    model.learn(6 * 3 * 5, log_interval=None)
    burst = ["inner_step"] * (6 + 6)
    later = ["outer_step"] + ["inner_step"] * 6
    # rounds end at 3, 6, 9, ... episodes, and up to 6 + 2 of them are warm
    assert calls[: 2 + 12 + 14] == ["inner_step-naive"] * 2 + burst + later + later


def test_rounds_of_several_environments_count_the_same_number_of_episodes() -> None:
    model = agents.build("barfi", forks(2), seed=1, **FAST)
    model.learn(200, log_interval=None)
    assert model.replay.added % 3 == 0
    assert model.replay.added > 0


# Going on -----------------------------------------------------------------------------------------

RUN = [
    *("env=classic/sparse_square", "env.kwargs.heuristic=bad", "shaping=channels", "agent=barfi", "agent.buffer=20"),
    *("tracking=none", "evaluate_episodes=0", "seed=7"),
]


def checkpoint(run: Path) -> Path:
    newest = latest_checkpoint(run / "checkpoints")
    assert newest is not None
    return newest.path


def test_a_stopped_run_goes_on_bit_for_bit(tmp_path: Path) -> None:
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert main([*RUN, f"run_dir={whole}", "total_timesteps=2500"]) == 0
    assert main([*RUN, f"run_dir={stopped}", "total_timesteps=1300"]) == 0
    assert main([f"resume={stopped}", "total_timesteps=2500"]) == 0
    agent = agents.get("barfi")
    config = agents.configured("barfi", {"buffer": 20})
    one, other = (agent.load(checkpoint(run), None, config) for run in (whole, stopped))
    assert one.num_timesteps == other.num_timesteps
    for name in ("theta", "heads", "logit"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    stores = [torch.load(checkpoint(run) / "replay.pt", weights_only=True) for run in (whole, stopped)]
    assert stores[0]["added"] == stores[1]["added"] > 20
    assert torch.equal(stores[0]["rewards"]["array"], stores[1]["rewards"]["array"])
    rows = [read_rows(run / "progress.csv")[1][-1] for run in (whole, stopped)]
    means = [float(row["rollout/ep_rew_mean"]) for row in rows]
    assert means[0] == pytest.approx(means[1], rel=1e-5)
    for column in (
        "discount",
        "head_channels/heuristic",
        "share_own",
        "direction_norm",
        "hypergradient_norm",
        "entropy",
    ):
        assert np.isfinite(float(rows[0][f"train/{column}"]))


def test_a_saved_model_plays_as_before_and_holds_no_pickles_but_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent, config = agents.get("barfi"), agents.configured("barfi", FAST)
    env = forks(box=True)
    model: Any = agent.make(env, config, seed=3)
    model.learn(300, log_interval=None)
    agent.save(model, tmp_path)
    monkeypatch.setattr("cloudpickle.loads", lambda *_: pytest.fail("something was unpickled"))
    monkeypatch.setattr("pickle.loads", lambda *_: pytest.fail("something was unpickled"))
    for place in (env, None):
        again: Any = agent.load(tmp_path, place, config)
        np.testing.assert_array_equal(again.theta, model.theta)
        assert (again.replay is None) == (place is None)
        observations = np.array([[0.0], [1.0], [2.0]], np.float32)
        np.testing.assert_array_equal(
            again.predict(observations, deterministic=True)[0], model.predict(observations, deterministic=True)[0]
        )
    with pytest.raises(ValueError, match=r"agent\.order=3.*says 2"):
        agent.load(tmp_path, env, agents.configured("barfi", {**FAST, "order": 2}))


def test_sb3s_own_evaluation_works() -> None:
    model = learned(steps=2000)
    mean, _ = evaluate_policy(model, VecMonitor(forks()), n_eval_episodes=10, warn=False)
    assert mean > 0.3


def test_the_learner_says_how_likely_actions_are() -> None:
    model = learned(steps=300)
    learner = agents.get("barfi").learner(model)
    np.testing.assert_allclose(learner.probabilities(np.arange(3)).sum(axis=1), 1.0)
    with pytest.raises(ValueError, match="use agent=ppo"):
        learner.rises(np.zeros((1, 1)))


# What it tells ------------------------------------------------------------------------------------


def test_a_policy_that_has_saturated_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    model = agents.build("barfi", forks(), seed=1, **{**FAST, "learning_rate": 0.0})
    model.theta[:, -1] = [-50.0, 50.0]
    model.learn(1000, log_interval=None)
    assert capsys.readouterr().out.count("saturated at a wrong place") == 1
    assert "at a task return of 0" in agents.get("barfi").closing_remark(model)


def test_what_the_agent_has_to_say_at_the_end_stands_in_the_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(algorithm, "VANISHED", 1e9)
    monkeypatch.setattr(algorithm, "ROUNDS_VANISHED", 1)
    assert main([*RUN, f"run_dir={tmp_path / 'run'}", "total_timesteps=900"]) == 0
    remarks = json.loads((tmp_path / "run" / "summary.json").read_text())["remarks"]
    assert "saturated at a wrong place" in remarks["agent=barfi"]
    assert "WARNING: agent=barfi: from step" in capsys.readouterr().out


def test_a_broken_reward_names_the_tensor() -> None:
    model = agents.build("barfi", forks(), seed=1, **FAST)
    model.learn(100, log_interval=None)
    model.heads[:] = np.nan
    with pytest.raises(FloatingPointError, match="the solved direction q holds NaN"):
        model.learn(100, log_interval=None)


# What it refuses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"delta": 0}, "agent.delta=0: expected a whole number of at least 1"),
        ({"n_terms": -1}, "agent.n_terms=-1: expected a whole number of at least 0"),
        ({"eta": 0.0}, "agent.eta=0.0: expected a number above 0"),
        ({"buffer": 3}, "agent.buffer=3 holds no episode but the newest"),
        ({"batch": 8, "buffer": 10}, "agent.batch=8 is more than the 7 episodes"),
        ({"blend": "lerned"}, "Did you mean learned"),
        ({"gamma": 1.0}, "a learned discount starts there"),
        ({"hypergradient": "unrolled", "optimiser": "adam"}, "goes back through steps without momentum"),
        ({"blend": "pbrs"}, "replay=false"),
        ({"ranges": [[1.0, 0.0]]}, "expected the lower one first"),
        ({"ranges": 3}, "a pair for every number observed"),
        ({"device": "cuda"}, "computes on the CPU"),
    ],
)
def test_settings_that_cannot_work_are_refused(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError) as error:
        agents.configured("barfi", settings)
    assert says in str(error.value)


def with_spaces(observations: Any, actions: Any) -> Any:
    class Other(Fork):
        def __init__(self) -> None:
            super().__init__()
            self.observation_space, self.action_space = observations, actions

    return ShapedVecEnv(DummyVecEnv([Other]), {}, gamma=0.99)


TWO = spaces.Discrete(2)


@pytest.mark.parametrize(
    ("observations", "actions", "settings", "says"),
    [
        (spaces.Dict({"a": TWO, "b": TWO}), TWO, {}, "agent=ppo shaping.combiner.name=behaviour_alignment"),
        (spaces.MultiBinary(3), TWO, {}, "a Box of numbers or one Discrete number"),
        (TWO, spaces.MultiDiscrete([2, 2]), {}, "needs one discrete action (Discrete) or continuous actions (Box)"),
        (TWO, TWO, {"features": "tiles"}, "needs a vector of numbers"),
        (spaces.Box(-np.inf, np.inf, (2,)), TWO, {"features": "fourier"}, "Give agent.ranges="),
        (spaces.Box(0, 1, (2,)), TWO, {"features": "one_hot"}, "needs Discrete observations"),
        (spaces.Box(0, 1, (2,)), TWO, {"ranges": [[0, 1]]}, "has 1 pairs, and observations are 2 numbers"),
        (spaces.Box(0, 1, (9,)), TWO, {"features": "fourier"}, "makes 262,144 features of 9 numbers"),
    ],
)
def test_spaces_that_it_cannot_see_or_act_in_are_refused(
    observations: Any, actions: Any, settings: dict[str, Any], says: str
) -> None:
    with pytest.raises(ValueError) as error:
        agents.build("barfi", with_spaces(observations, actions), horizon=6, **settings)
    assert says in str(error.value)


def test_more_environments_than_episodes_of_a_round_are_refused() -> None:
    with pytest.raises(ValueError, match="give n_envs=3 or fewer"):
        agents.build("barfi", forks(4))


def test_another_combiner_is_refused() -> None:
    venv = envs.make_vec("breadcrumb/SparseSquare-v0", 1, report=("reward_channels",))
    combiner = combine.registry.make("behaviour_alignment")
    env = ShapedVecEnv(venv, {"channels": make_term("channels", names=["heuristic"])}, combiner=combiner, gamma=0.99)
    with pytest.raises(ValueError, match="does not see what another combiner makes"):
        agents.build("barfi", env)


def test_an_environment_without_a_limit_or_entries_is_refused() -> None:
    bare = DummyVecEnv([Fork])
    with pytest.raises(ValueError, match=r"give agent\.horizon=STEPS"):
        agents.build("barfi", bare)
    with pytest.raises(ValueError, match=r"put the environments into shaping\.ShapedVecEnv"):
        agents.build("barfi", bare, horizon=6).learn(20)


def test_an_episode_beyond_the_horizon_says_so() -> None:
    with pytest.raises(ValueError, match=r"agent\.horizon=4 was said to be the longest"):
        agents.build("barfi", forks(lure=0.0), horizon=4, seed=0).learn(200)


@pytest.mark.parametrize("preset", ["mountain_car", "cart_pole", "half_cheetah"])
def test_presets_are_sound(preset: str) -> None:
    agents.configured(f"barfi/{preset}", {})


@pytest.mark.parametrize(
    ("preset", "env_id"), [("mountain_car", "SparseMountainCar"), ("cart_pole", "AdvisedCartPole")]
)
def test_presets_run_in_their_worlds(preset: str, env_id: str) -> None:
    venv = envs.make_vec(f"breadcrumb/{env_id}-v0", 1, report=("reward_channels",), max_episode_steps=60)
    env = ShapedVecEnv(VecMonitor(venv), {"channels": make_term("channels", names=["heuristic"])}, gamma=0.99)
    agent = agents.get("barfi")
    model: Any = agent.make(env, agents.configured(f"barfi/{preset}", {"warm_start": 3}), seed=0)
    model.learn(2500, log_interval=None)
    assert model.updates > 2
    assert np.isfinite(model.heads).all()
