"""gail_td3 and gail_sac: the task's reward never reaches them; returns, files and refusals."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from stable_baselines3.common.buffers import NStepReplayBuffer, ReplayBuffer
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv, VecMonitor

import agents
from agents.imitation import Expert, GailTD3, Imitation, LearnedReward, RelabelledReplayBuffer
from foundation.demonstrations import Demonstrations, Header
from shaping.adversarial import reward_from_logits
from tests.agents.worlds import Counted

SEEN, ACT = spaces.Box(-5, 5, (3,), np.float32), spaces.Box(-2, 2, (2,), np.float32)
SMALL: dict[str, Any] = {
    "net_arch": [8],
    "buffer_size": 300,
    "learning_starts": 40,
    "batch_size": 16,
    "d_batch_size": 8,
}
NAMES = ("gail_td3", "gail_sac")


class Drift(Counted):
    """Goes where it is pushed; terminates after 17 steps, or is truncated then."""

    observation_space, action_space = SEEN, ACT

    def __init__(self, pay: float = 0.0, ends: bool = True) -> None:
        self.pay, self.ends = pay, ends

    def step(self, action: Any) -> Any:
        self.steps += 1
        over = self.steps >= 17
        return self._observe(), self.pay, over and self.ends, over and not self.ends, {}

    def _observe(self) -> Any:
        return self.np_random.uniform(-1, 1, 3).astype(np.float32)


def drift(n_envs: int = 1, **arguments: Any) -> VecEnv:
    return DummyVecEnv([lambda: Drift(**arguments)] * n_envs)


def demonstrations(ends: bool = False, steps: int = 20) -> Demonstrations:
    random = np.random.default_rng(0)
    last = np.arange(2 * steps) % steps == steps - 1
    return Demonstrations.from_steps(
        Header.of("Drift", SEEN, ACT),
        observations=random.uniform(-1, 1, (2 * steps, 3)).astype(np.float32),
        actions=random.uniform(1, 2, (2 * steps, 2)).astype(np.float32),
        rewards=np.zeros(2 * steps),
        next_observations=random.uniform(-1, 1, (2 * steps, 3)).astype(np.float32),
        terminated=last & ends,
        truncated=last & (not ends),
    )


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "expert.npz"
    demonstrations().save(path)
    return str(path)


def learned(name: str, env: VecEnv, file: str, steps: int = 80, **settings: Any) -> Any:
    config = agents.configured(name, {**SMALL, "demonstrations": file, **settings})
    agent = agents.get(name)
    agent.refuse(env, config)
    model = agent.make(env, config, seed=3)
    return model.learn(steps)


def same(first: Any, second: Any) -> None:
    assert repr(first.get_parameters()) == repr(second.get_parameters())
    for ours, theirs in zip(first.policy.parameters(), second.policy.parameters(), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("gail_td3", {}),
        ("gail_td3", {"n_steps": 3, "absorbing": "dac", "purple": "batch"}),
        ("gail_td3", {"absorbing": "paper", "paper_mode": True}),
        ("gail_td3", {"reward": "sqil"}),
        ("gail_sac", {"n_steps": 2}),
    ],
)
def test_weights_are_the_same_to_the_bit_whatever_the_task_pays(name: str, settings: Any, file: str) -> None:
    same(learned(name, drift(pay=0.0), file, **settings), learned(name, drift(pay=1e6), file, **settings))


@pytest.mark.parametrize("settings", [{}, {"d_steps": -1, "purple": "sample", "absorbing": "dac", "standardise": True}])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_saved_goes_on_as_what_was_never_interrupted(
    name: str, settings: Any, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    env, agent = drift(2), agents.get(name)
    config = agents.configured(name, {**SMALL, "demonstrations": file, **settings})
    model = learned(name, env, file, **settings)
    folder = tmp_path / "checkpoint"
    folder.mkdir()
    agent.save(model, folder)
    Path(file).unlink()  # the checkpoint holds the demonstrations
    monkeypatch.setattr("pickle.loads", lambda *_: pytest.fail("something was unpickled"))
    monkeypatch.setattr("cloudpickle.loads", lambda *_: pytest.fail("something was unpickled"))
    loaded: Any = agent.load(folder, env, config)
    same(model, loaded)
    loaded.set_logger(model.logger)
    for each in (model, loaded):
        np.random.seed(5)  # noqa: NPY002 - SB3 draws from it
        torch.manual_seed(5)
        each.train(3, 16)
    same(model, loaded)
    (folder / "demonstrations.npz").unlink()  # who plays only needs none
    player: Any = agent.load(folder, None, config)
    seen = np.zeros((2, 3), np.float32)
    np.testing.assert_array_equal(
        player.predict(seen, deterministic=True)[0], agent.player(player, 2, deterministic=True)(seen)
    )


class Counting:
    """Pays 1 for the first step stored, 10 for the second, and so on."""

    def pay(self, observations: Any, actions: Any, next_observations: Any, absorbing: Any) -> Any:
        return 10.0 ** observations[:, 0]

    def beyond(self, gamma: float) -> float:
        return 0.0

    def mix(self, samples: Any) -> Any:
        return samples


def buffers(n_steps: int, endings: dict[int, str], size: int = 8, steps: int = 6, stored: float | None = None) -> Any:
    """Ours, and SB3's with the same pay stored (or another)."""
    ours = RelabelledReplayBuffer(size, SEEN, ACT, "cpu", n_steps=n_steps, gamma=0.5)
    ours.payer = Counting()
    theirs = (
        ReplayBuffer(size, SEEN, ACT, "cpu") if n_steps == 1 else
        NStepReplayBuffer(size, SEEN, ACT, "cpu", n_steps=n_steps, gamma=0.5)
    )  # fmt: skip
    for step in range(steps):
        ending = endings.get(step, "")
        seen, after = np.full((1, 3), step, np.float32), np.full((1, 3), step + 0.5, np.float32)
        info = [{"TimeLimit.truncated": ending == "truncated"}]
        pay = 10.0**step if stored is None else stored
        for buffer in (ours, theirs):
            buffer.add(seen, after, np.full((1, 2), 0.1), np.array([pay]), np.array([bool(ending)]), info)
    return ours, theirs


@pytest.mark.parametrize("n_steps", [1, 3])
@pytest.mark.parametrize("steps", [6, 21])
def test_batches_are_those_of_sb3s_buffers_with_the_same_pay(n_steps: int, steps: int) -> None:
    ours, theirs = buffers(n_steps, {1: "terminated", 4: "truncated", 15: "terminated"}, steps=steps)
    for _ in range(5):
        np.random.seed(1)  # noqa: NPY002 - SB3 draws from it
        mine = ours.sample(32)
        np.random.seed(1)  # noqa: NPY002 - SB3 draws from it
        other = theirs.sample(32)
        for name in ("observations", "actions", "next_observations", "dones", "rewards"):
            torch.testing.assert_close(getattr(mine, name), getattr(other, name), rtol=1e-6, atol=0)
        if n_steps == 1:
            assert mine.discounts is None
        else:
            torch.testing.assert_close(mine.discounts, other.discounts)


@pytest.mark.parametrize(
    ("ending", "at", "returned", "over", "discount", "last"),
    [
        ("terminated", 2, 1 + 5 + 25, 1, 0.125, 2.5),  # on the window's last step: nothing beyond it
        ("terminated", 1, 1 + 5, 1, 0.25, 1.5),
        ("truncated", 2, 1 + 5 + 25, 0, 0.125, 2.5),  # bootstrapped from the true successor
        ("truncated", 1, 1 + 5, 0, 0.25, 1.5),
        ("", 0, 1 + 5 + 25, 0, 0.125, 2.5),
    ],
)
def test_returns_end_at_terminations_and_go_on_through_truncations(
    ending: str, at: int, returned: float, over: float, discount: float, last: float
) -> None:
    ours, _ = buffers(3, {at: ending} if ending else {}, stored=1e6)
    batch = ours._get_samples(np.array([0]))
    assert batch.rewards.item() == pytest.approx(returned)
    assert batch.dones.item() == over
    assert batch.discounts.item() == pytest.approx(discount)
    assert batch.next_observations[0, 0].item() == pytest.approx(last)


def test_a_window_stops_at_the_newest_step_of_a_full_buffer() -> None:
    ours, _ = buffers(4, {}, size=8, steps=11)  # rows 0 to 2 hold steps 8 to 10; row 3 the oldest, step 3
    batch = ours._get_samples(np.array([1, 2, 7]))
    np.testing.assert_allclose(batch.discounts[:, 0], [0.25, 0.5, 0.5**4])
    np.testing.assert_allclose(batch.next_observations[:, 0], [10.5, 10.5, 10.5])


@pytest.mark.parametrize("reset", [False, True])
def test_no_window_joins_two_episodes_where_learning_is_called_again(file: str, reset: bool) -> None:
    model = learned("gail_td3", VecMonitor(drift()), file, steps=25, n_steps=4)  # stops 8 steps into the second episode
    model.learn(25, reset_num_timesteps=reset)
    buffer = model.replay_buffer
    over, cut = buffer.dones[:50, 0] > 0, buffer.timeouts[:50, 0] > 0
    assert over.nonzero()[0].tolist() == ([16, 24, 41] if reset else [16, 33])
    assert cut.nonzero()[0].tolist() == ([24] if reset else [])
    for row in range(46):
        _, last, _ = buffer._returns(np.array([row]), np.array([0]))
        assert not over[row : last[0]].any()
    assert [episode["l"] for episode in model.ep_info_buffer] == ([17, 17] if not reset else [17])


def rewarder(**settings: Any) -> LearnedReward:
    chosen = Imitation(**settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return LearnedReward(chosen, 3, 2, Expert(demonstrations(ends=True), SEEN, ACT, chosen), seed=1)


def filled(payer: Any, n_steps: int = 1, rows: bool = False) -> RelabelledReplayBuffer:
    buffer = RelabelledReplayBuffer(50, SEEN, ACT, "cpu", n_steps=n_steps, gamma=0.9, absorbing_rows=rows)
    buffer.payer = payer
    random = np.random.default_rng(2)
    for step in range(30):
        seen, after = random.uniform(-1, 1, (2, 1, 3))
        ending = [{"TimeLimit.truncated": step == 20}]
        done = np.array([step in (9, 20)])
        buffer.add(seen, after, random.uniform(-1, 0, (1, 2)), np.zeros(1), done, ending)
    return buffer


def test_after_a_termination_dac_pays_the_absorbing_state_for_ever() -> None:
    reward = rewarder(absorbing="dac", reward="airl")
    buffer = filled(reward)
    batch = buffer._get_samples(np.array([9, 20, 5]))
    steps = buffer.steps(np.array([9, 20, 5]), np.zeros(3, int))
    alone = reward.network.score(reward.view(*steps)).numpy()
    absorbing = reward.network.score(reward.view.absorbing(1)).item()
    expected = alone + np.array([0.9 * absorbing / (1 - 0.9), 0.0, 0.0])
    np.testing.assert_allclose(batch.rewards[:, 0], expected, rtol=1e-5)
    np.testing.assert_array_equal(batch.dones[:, 0], [1, 0, 0])


def test_absorbing_pairs_of_both_sides_are_learned_from_after_subsampling() -> None:
    reward = rewarder(absorbing="dac", subsample=20)
    assert reward.expert is not None
    assert (len(reward.expert), reward.expert.absorbed) == (2, 2)
    pairs = reward._of_expert(np.arange(4))
    np.testing.assert_array_equal(pairs.observations[:, -1], [0, 0, 1, 1])
    np.testing.assert_array_equal(pairs.actions[2:], [[0, 0, 1]] * 2)
    drawn = reward._of_agent(filled(reward), 4000)
    assert drawn.observations[:, -1].mean().item() == pytest.approx(1 / 31, abs=0.015)  # one termination, 30 steps


def test_the_papers_absorbing_row_is_the_last_step_again_judged_as_the_absorbing_pair() -> None:
    reward = rewarder(absorbing="paper", reward="airl")
    buffer = filled(reward, rows=True)
    assert (buffer.filled(), buffer.terminations()) == (31, 1)
    batch = buffer._get_samples(np.array([9, 10]))
    assert torch.equal(batch.observations[0], batch.observations[1])
    absorbing = reward.network.score(reward.view.absorbing(1)).item()
    assert batch.rewards[1].item() == pytest.approx(absorbing, rel=1e-5)
    assert batch.dones[:, 0].tolist() == [1, 1]


def test_demonstrations_are_scaled_to_the_buffers_units() -> None:
    expert = Expert(demonstrations(), SEEN, ACT, Imitation())
    np.testing.assert_allclose(expert.actions, demonstrations().actions / 2, rtol=1e-6)
    lopsided = spaces.Box(np.array([0, -2], np.float32), np.array([2, 2], np.float32), dtype=np.float32)
    scaled = Expert(demonstrations(), SEEN, lopsided, Imitation()).actions
    np.testing.assert_allclose(scaled[:, 0], demonstrations().actions[:, 0] - 1, rtol=1e-5)


@pytest.mark.parametrize(
    "settings",
    [{}, {"sees": "state", "absorbing": "dac"}, {"sees": "transition", "standardise": True}, {"reward": "nonsat"},
     {"absorbing": "paper", "spectral_norm": True, "obs_clip": 0.5}],
)  # fmt: skip
def test_rewards_are_those_of_the_discriminator_itself(settings: Any) -> None:
    reward = rewarder(**settings)
    buffer = filled(reward, rows=settings.get("absorbing") == "paper")
    for _ in range(20):
        reward.learn(buffer)
    steps = buffer.steps(np.arange(30), np.zeros(30, int))
    logits = reward.network.score(reward.view(*steps))
    expected = reward_from_logits(logits, reward.settings.reward).numpy()
    np.testing.assert_allclose(reward.pay(*steps), expected, atol=1e-5)
    assert expected.std() > 1e-3


def test_paying_moves_nothing_in_a_discriminator_with_spectral_norms() -> None:
    reward = rewarder(spectral_norm=True)
    before = reward.network.plain_state()
    filled(reward).sample(32)
    assert all(torch.equal(before[name], tensor) for name, tensor in reward.network.plain_state().items())


def test_the_discriminator_tells_them_apart_and_the_reward_follows() -> None:
    reward = rewarder(penalty="none", d_learning_rate=0.01, d_steps=4)
    buffer = filled(reward)
    before = buffer._get_samples(np.arange(30)).rewards
    for _ in range(50):
        metrics = reward.learn(buffer)
    assert metrics["d_accuracy"] > 0.95
    assert metrics["d_agent"] < 0.2 < 0.8 < metrics["d_expert"]
    assert (buffer._get_samples(np.arange(30)).rewards < before).all()


def test_a_penalty_keeps_the_discriminators_slope_near_what_is_free() -> None:
    slopes = {}
    for penalty in ("wgan", "none"):
        reward = rewarder(penalty=penalty, d_learning_rate=0.01, d_steps=4)
        buffer = filled(reward)
        for _ in range(100):
            reward.learn(buffer)
        steps = (torch.as_tensor(part).float() for part in buffer.steps(np.arange(30), np.zeros(30, int))[:3])
        slopes[penalty] = reward.gradient_of_logit(*steps).mean().item()
    assert slopes["wgan"] < 1.5 < 3.0 < slopes["none"]


def test_half_of_a_batch_of_sqil_is_the_experts_and_paid_one() -> None:
    reward = rewarder(reward="sqil")
    batch = filled(reward).sample(10)
    assert batch.rewards[:, 0].tolist() == [0.0] * 5 + [1.0] * 5
    assert (batch.actions[5:] >= 0.5).all()
    assert (batch.actions[:5] <= 0.0).all()


def test_controls_pay_what_says_nothing_of_the_expert() -> None:
    constant, random = rewarder(reward="constant", constant=0.5), rewarder(reward="random")
    assert set(filled(constant).sample(20).rewards[:, 0].tolist()) == {0.5}
    before = random.network.plain_state()
    buffer = filled(random)
    assert random.learn(buffer) == {}
    assert all(torch.equal(before[name], tensor) for name, tensor in random.network.plain_state().items())
    assert buffer._get_samples(np.arange(30)).rewards.std().item() > 0.1


@pytest.mark.parametrize("mode", ["batch", "sample"])
def test_purple_pays_less_where_what_follows_is_sensitive_and_never_less_than_its_floor(mode: str) -> None:
    reward = rewarder(purple=mode, purple_tau=0.0, purple_floor=0.2, reward="constant", constant=1.0)
    buffer = filled(reward)
    assert reward.model is not None
    with torch.no_grad():
        reward.model.get_parameter("layers.4.weight").mul_(1.5)
    paid = buffer._get_samples(np.arange(30)).rewards[:, 0]
    assert 0.2 - 1e-6 <= paid.min().item() < 1.0
    assert (len(set(paid.tolist())) == 1) == (mode == "batch")
    flat = rewarder(purple=mode, purple_tau=1e6, reward="constant")
    assert set(filled(flat)._get_samples(np.arange(30)).rewards[:, 0].tolist()) == {1.0}


@pytest.mark.parametrize("name", NAMES)
def test_diagnostics_are_logged_and_disturb_nothing(name: str, file: str) -> None:
    logged = learned(name, drift(), file, fit_model=True, diagnose_every=10)
    silent = learned(name, drift(), file, fit_model=True, diagnose_every=0)
    same(logged, silent)
    values = logged.logger.name_to_value
    for metric in (
        "d_expert", "d_agent", "d_accuracy", "d_penalty", "d_slope_mean", "d_slope_max", "d_slope_replay_mean",
        "validity", "policy_jacobian", "model_jacobian", "gamma2_c", "q_slope", "q_lipschitz_published",
        "q_lipschitz_safe",
    ):  # fmt: skip
        assert f"train/{metric}" in values, metric
    assert "train/q_slope" not in silent.logger.name_to_value


def test_paper_mode_has_layer_norms_before_every_rectifier(file: str) -> None:
    model = learned("gail_td3", drift(), file, paper_mode=True)
    kinds = [type(layer).__name__ for layer in model.critic.q_networks[0]]
    assert kinds == ["Linear", "LayerNorm", "ReLU", "Linear"]
    assert [type(layer).__name__ for layer in model.actor.mu] == ["Linear", "LayerNorm", "ReLU", "Linear", "Tanh"]
    assert model._n_updates == 40


def refused(name: str, env: VecEnv, file: str, **settings: Any) -> str:
    with pytest.raises(ValueError) as error:
        agents.get(name).refuse(env, agents.configured(name, {"demonstrations": file, **settings}))
    return str(error.value)


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"penalty_weight": -1.0}, "penalty_weight"), ({"penalty_slope": -1.0}, "slope"), ({"penalty": "gwan"}, "wgan"),
        ({"reward": "minmax"}, "minimax"), ({"purple_floor": 0.0}, "purple_floor"), ({"d_steps": 0}, "d_steps"),
        ({"d_batch_size": 0}, "d_batch_size"), ({"n_steps": 0}, "n_steps"), ({"d_net_arch": [0]}, "net_arch"),
        ({"reward": "sqil", "n_steps": 2}, "n_steps=1"), ({"reward": "sqil", "absorbing": "dac"}, "absorbing"),
        ({"absorbing": "dac", "gamma": 1.0}, "gamma"), ({"sees": "transition", "absorbing": "dac"}, "sees"),
        ({"labels": "soft", "label_amount": 2.0}, "label_amount"), ({"d_learning_rate": 0.0}, "d_learning_rate"),
        ({"subsample": 30}, "episode 0"), ({"demonstrations": ""}, "record_demonstrations"),
        ({"demonstrations": "nowhere.npz"}, "nowhere.npz"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", NAMES)
def test_what_cannot_work_is_refused_before_anything_starts(name: str, settings: Any, word: str, file: str) -> None:
    assert word in refused(name, drift(), file, **{"demonstrations": file, **settings})


def test_spaces_that_are_no_vectors_are_refused_with_what_imitates_there(file: str) -> None:
    class Other(Drift):
        observation_space: Any
        action_space: Any

    for seen, act in (
        (SEEN, spaces.Discrete(3)), (spaces.Dict({"a": SEEN}), ACT), (spaces.Box(0, 255, (36, 36, 3), np.uint8), ACT),
    ):  # fmt: skip
        Other.observation_space, Other.action_space = seen, act
        assert "shaping=gail with agent=ppo" in refused("gail_td3", DummyVecEnv([Other]), file)
    Other.observation_space, Other.action_space = SEEN, spaces.Box(-2, 2, (3,), np.float32)
    assert "expected (3,)" in refused("gail_td3", DummyVecEnv([Other]), file)
    assert "n_envs=1" in refused("gail_sac", drift(2), file, absorbing="paper")


def test_rewards_whose_sign_says_more_than_the_expert_are_warned_of() -> None:
    for ends, reward in ((True, "minimax"), (False, "nonsat")):
        with pytest.warns(UserWarning, match="absorbing=dac"):
            Expert(demonstrations(ends=ends), SEEN, ACT, Imitation(reward=reward))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Expert(demonstrations(ends=True), SEEN, ACT, Imitation(absorbing="dac"))
        Expert(demonstrations(), SEEN, ACT, Imitation())


def test_sb3s_own_save_and_load_hold_the_discriminator_and_no_reference_from_the_buffer(tmp_path: Path) -> None:
    settings = Imitation(purple="sample")
    given: dict[str, Any] = {"demonstrations": demonstrations(), "imitation": settings}
    model = GailTD3("MlpPolicy", drift(), learning_starts=20, batch_size=8, buffer_size=200, n_steps=2, seed=1, **given)
    model.learn(40)
    model.save(tmp_path / "model.zip")
    model.save_replay_buffer(tmp_path / "buffer.pkl")
    loaded = GailTD3.load(tmp_path / "model.zip", env=drift(), **given)
    same(model, loaded)
    loaded.load_replay_buffer(tmp_path / "buffer.pkl")
    assert getattr(loaded.replay_buffer, "payer", None) is None
    loaded.learn(10)
    assert loaded.n_steps == 2
    with pytest.raises(ValueError, match="without demonstrations"):
        GailTD3("MlpPolicy", drift(), learning_starts=20, imitation=settings).learn(40)
