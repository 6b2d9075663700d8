"""Episodes as transforms see them, the changes of pay, and what the statistics say was paid."""

from __future__ import annotations

import numpy as np
import pytest
from stable_baselines3.common.vec_env import VecMonitor

from shaping import (
    Combiner,
    Episode,
    EpisodeTransform,
    RewardTerm,
    RewardTermError,
    ShapedEnv,
    ShapedVecEnv,
    WeightedSum,
    make_term,
    pay,
)
from shaping.episodes import PerStep, TerminalRelease
from tests.shaping.worlds import Corridor, corridors

EVENTS = {"events": ["left_start", "middle"], "rewards": {"middle": 0.3}, "publish": False}


def shaped(episode=None, *, withheld=(), n=2, weight=0.7, terms=None, **world):
    terms = {"events": make_term("events", **EVENTS)} if terms is None else terms
    weights = dict.fromkeys(terms, weight)
    return ShapedVecEnv(
        corridors(n, **{"length": 4, "limit": 7} | world),
        terms,
        combiner=WeightedSum(weights, withheld),
        episode=episode,
        gamma=0.9,
    )


def played(venv, actions, every=5):
    """What every step (T, n_envs) was paid in the end; changes are asked for at times."""
    paid = np.zeros(actions.shape)
    over = np.zeros(actions.shape, bool)
    venv.reset()
    for t, row in enumerate(actions):
        assert venv.vector_steps == t
        _, paid[t], over[t], _ = venv.step(row)
        if t % every == every - 1:
            venv.update_terms()
            for change in venv.pay_changes():
                paid[change.step : change.step + len(change.deltas), change.env] += change.deltas
    return paid, over


def returns(paid, over):
    """The returns of finished episodes, in the order of their ends."""
    sums, starts = [], [0] * paid.shape[1]
    for t, env in np.argwhere(over):
        sums.append(paid[starts[env] : t + 1, env].sum())
        starts[env] = t + 1
    return sums


ACTIONS = np.random.default_rng(0).integers(0, 2, (60, 2)) | (np.arange(60) % 3 == 0)[:, None]


class Keeps(EpisodeTransform):
    """Changes nothing and keeps what it was shown."""

    def __init__(self):
        self.episodes = []

    def __call__(self, episode: Episode):
        self.episodes.append(episode)


def test_an_episode_has_raw_signals_the_weights_of_each_step_what_was_paid_and_how_it_ended():
    keeps = Keeps()
    venv = shaped(keeps, n=1, length=4, limit=5, weight="linear(1,0,10)", withheld=["events"])
    venv.reset()
    for action in (0, 1, 1, 1, 0, 0, 0, 0, 0, 1):
        venv.step([action])
    venv.pay_changes()
    ended, truncated, running = keeps.episodes
    assert [episode.ending for episode in keeps.episodes] == ["terminated", "truncated", "cut"]
    assert ended.signals["events"].tolist() == [0, 1, 0.3, 0]
    assert ended.weights["events"] == pytest.approx([1.0, 0.9, 0.8, 0.7])
    assert ended.contributions["events"] == pytest.approx([0, 0.9, 0.24, 0])
    assert ended.paid.tolist() == ended.signals["task"].tolist() == [0, 0, 0, 1]
    assert (ended.last_info["distance"], truncated.last_info["distance"]) == (0.0, 1.0)
    assert running.last_info["events"] == ("left_start",)
    assert (ended.gamma, len(truncated), len(running)) == (0.9, 5, 1)
    venv.step([0])
    venv.pay_changes()
    assert [len(episode) for episode in keeps.episodes[3:]] == [2], "what ended was decided about"


@pytest.mark.parametrize("every", [1, 5, 60])
def test_a_per_step_transform_pays_what_the_term_itself_pays(every):
    expected, over = played(shaped(), ACTIONS)
    paid, _ = played(shaped(PerStep(), withheld=["events"]), ACTIONS, every)
    untouched, _ = played(shaped(withheld=["events"]), ACTIONS)
    np.testing.assert_allclose(paid, expected, atol=1e-6)
    assert over.any()
    assert abs(untouched - expected).max() > 0.1, "the term matters"


@pytest.mark.parametrize("every", [1, 5, 60])
def test_a_release_at_the_end_keeps_episode_sums(every):
    expected, over = played(shaped(), ACTIONS)
    paid, _ = played(shaped(TerminalRelease(), withheld=["events"]), ACTIONS, every)
    assert returns(paid, over) == pytest.approx(returns(expected, over), abs=1e-6)
    assert not paid[:-1][~over[:-1]].any(), "nothing before the end"


def test_changes_count_from_the_episodes_start_and_leave_out_what_was_changed_before():
    class Marks(EpisodeTransform):
        def __call__(self, episode):
            steps = np.arange(1.0, len(episode) + 1)
            return steps if episode.ending != "cut" else np.ones(len(episode))

    venv = shaped(Marks(), n=1, terms={}, length=50, limit=6)
    venv.reset()
    changes = []
    for _ in range(2):
        for _ in range(4):
            venv.step([1])
        changes.append([(change.env, change.step, change.deltas.tolist()) for change in venv.pay_changes()])
    assert changes[0] == [(0, 0, [1, 1, 1, 1])]
    assert changes[1] == [(0, 0, [0, 1, 2, 3, 5, 6]), (0, 6, [1, 1])]
    assert venv.pay_changes() == [], "nothing happened since"


def test_a_reset_in_the_middle_begins_another_episode():
    keeps = Keeps()
    venv = shaped(keeps, n=1, terms={}, length=50)
    venv.reset()
    venv.step([1])
    venv.reset()
    venv.step([1])
    venv.step([1])
    venv.pay_changes()
    assert [len(episode) for episode in keeps.episodes] == [2]


class Gate(EpisodeTransform):
    """A closed gate takes all but the outcome: it opens by raw channels and by the last info."""

    def __init__(self, least: float):
        self.least = least

    def __call__(self, episode):
        if episode.ending == "cut":
            return None
        opened = episode.signals["critic/moved"].sum() >= self.least and episode.last_info["distance"] < 1.0
        wanted = episode.contributions["task"].copy()
        if opened:
            wanted += episode.contributions["critic/moved"] + episode.contributions["critic/right"]
        return wanted


class Critic(RewardTerm):
    """Two channels: did the cell change, was it to the right."""

    channels = ("moved", "right")

    def __call__(self, batch):
        change = batch.next_observations.argmax(axis=1) - batch.observations.argmax(axis=1)
        return np.stack([change != 0, change > 0]).astype(float)


def test_a_gate_sees_several_raw_channels_and_the_last_info():
    venv = ShapedVecEnv(
        corridors(1, length=50, limit=4),
        {"critic": Critic()},
        combiner=WeightedSum({"critic": 2.0, "critic/right": 0.1}),
        episode=Gate(3),
        gamma=1.0,
    )
    # three moves that end elsewhere; three that come back to the start; too few moves
    actions = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 1]]).reshape(-1, 1)
    actions[3] = 1
    paid, _ = played(venv, actions, every=3)
    assert paid[:, 0] == pytest.approx([2.2, 2.2, 2.0, 2.2, 0, 0, 0, 0, 0, 0, 0, 0], abs=1e-6)
    statistics = venv.episode_statistics()
    assert statistics["shaped_return"] == pytest.approx(8.6 / 3, abs=1e-6)
    assert statistics["reward/critic/moved"] == pytest.approx(2 * (4 + 4 + 1) / 3)


class Hindsight(RewardTerm):
    """Pays 1 a step; at the rollout's end it should have been 3 where the agent went right."""

    relabels = True

    def __init__(self):
        self.rights = []

    def __call__(self, batch):
        self.rights.append(np.asarray(batch.actions) == 1)
        return np.ones(len(batch))

    def relabel(self):
        deltas = 2.0 * np.array(self.rights)
        self.rights = []
        return deltas


@pytest.mark.parametrize("every", [1, 5, 7])
@pytest.mark.parametrize(
    ("arguments", "withheld"),
    [
        ({"episode": PerStep()}, ["events"]),
        ({"episode": TerminalRelease()}, ["events"]),
        ({"terms": {"late": Hindsight()}}, []),
        ({"terms": {"late": Hindsight()}, "episode": TerminalRelease()}, ["late"]),
        ({"terms": {"late": Hindsight()}, "episode": TerminalRelease()}, []),
    ],
)
def test_the_shaped_return_is_what_was_paid(arguments, withheld, every):
    venv = shaped(withheld=withheld, **arguments)
    paid, over = played(venv, ACTIONS[: 60 // every * every], every)
    assert venv.episode_statistics()["shaped_return"] == pytest.approx(np.mean(returns(paid, over)), abs=1e-6)
    if "terms" in arguments:
        rights = 0.7 * (1.0 + 2.0 * (ACTIONS[: len(paid)] == 1))
        expected = np.mean(returns(rights, over))
        assert venv.episode_statistics()["reward/late"] == pytest.approx(expected, abs=1e-6)
        task = venv.episode_statistics()["reward/task"]
        assert venv.episode_statistics()["shaped_return"] == pytest.approx(task + expected, abs=1e-6)


def test_scoring_again_pays_the_weighted_difference_at_the_weight_of_the_step():
    venv = shaped(n=2, terms={"late": Hindsight()}, weight="linear(1,0,20)", length=50, limit=50)
    paid, _ = played(venv, np.array([[1, 0]] * 4), every=4)
    assert paid[:, 0] == pytest.approx(3.0 * np.array([1.0, 0.9, 0.8, 0.7]))
    assert paid[:, 1] == pytest.approx([1.0, 0.9, 0.8, 0.7])


def test_scoring_again_is_refused_for_transformed_rewards():
    from shaping.transforms import Clip

    with pytest.raises(ValueError, match="transformed"):
        ShapedVecEnv(corridors(1), {"late": Hindsight()}, transforms={"late": [Clip()]}, gamma=0.9)


@pytest.mark.parametrize("wrong", [np.zeros((2, 3)), np.zeros(2), np.full((2, 2), np.nan), np.zeros((9, 2))])
def test_scoring_again_with_other_shapes_or_nan_is_an_error(wrong):
    term = Hindsight()
    venv = shaped(terms={"late": term})
    venv.reset()
    for _ in range(2):
        venv.step([1, 1])
    term.relabel = lambda: wrong
    with pytest.raises(RewardTermError, match=r"'late' scored again and gave|9 steps were scored again"):
        venv.pay_changes()


def test_one_environment_pays_the_differences_on_an_episodes_last_step():
    env = ShapedEnv(
        Corridor(length=4),
        {"events": make_term("events", **EVENTS)},
        combiner=WeightedSum(withheld=["events"]),
        episode=TerminalRelease(),
        gamma=0.9,
    )
    for _ in range(2):
        env.reset()
        assert [env.step(1)[1] for _ in range(3)] == pytest.approx([0, 0, 1 + 1.3])
    assert env.episode_statistics()["shaped_return"] == pytest.approx(2.3)


@pytest.mark.parametrize("wrong", [np.zeros(3), np.full(4, np.nan), np.full((4, 1), 1.0)])
def test_rewards_of_a_wrong_shape_or_not_finite_are_an_error_that_names_the_transform(wrong):
    class Wrong(EpisodeTransform):
        name = "wrong"

        def __call__(self, episode):
            return wrong

    venv = shaped(Wrong(), n=1, length=50)
    venv.reset()
    for _ in range(4):
        venv.step([1])
    with pytest.raises(RewardTermError, match=r"episode transform 'wrong' must give \(4,\) finite rewards"):
        venv.pay_changes()


def test_a_combiner_that_is_no_sum_is_refused_where_pay_may_change():
    class Product(Combiner):
        def __call__(self, signals, batch, steps):
            return np.prod(list(signals.values()), axis=0), list(signals.values())

    with pytest.raises(ValueError, match="Product is no weighted sum"):
        ShapedVecEnv(corridors(1), {}, combiner=Product(), episode=TerminalRelease(), gamma=0.9)
    with pytest.raises(ValueError, match=r"weight is given for 'event', .* Did you mean events"):
        shaped(PerStep({"event": 1.0}))


def test_what_is_kept_is_bounded_and_episodes_that_nobody_asks_about_are_an_error(monkeypatch):
    venv = shaped(TerminalRelease(), n=1, terms={}, limit=7)
    venv.reset()
    for step in range(2000):
        venv.step([0])
        if step % 16 == 0:
            venv.pay_changes()
    assert len(venv.shaper._ledger._values) == 64
    monkeypatch.setattr(pay, "MOST_UNDECIDED", 10)
    for _ in range(40):
        venv.step([0])
    with pytest.raises(RuntimeError, match=r"pay_changes\(\)"):
        np.array([venv.step([0])[1] for _ in range(60)])


def test_long_episodes_are_kept_whole():
    keeps = Keeps()
    venv = shaped(keeps, n=2, length=50, limit=300)
    actions = np.random.default_rng(1).integers(0, 2, (300, 2))
    expected, _ = played(shaped(n=2, length=50, limit=300), actions)
    played(venv, actions, every=100)
    assert [len(episode) for episode in keeps.episodes] == [100, 100, 200, 200, 300, 300]
    np.testing.assert_array_equal(keeps.episodes[-1].paid, expected[:, 1])


def test_the_transforms_state_is_in_the_checkpoint_and_older_ones_have_none():
    class Counting(TerminalRelease):
        asked = 0

        def __call__(self, episode):
            self.asked += 1
            return super().__call__(episode)

        def state_dict(self):
            return {"asked": self.asked}

        def load_state_dict(self, state):
            self.asked = state["asked"]

    first, second, third = Counting(), Counting(), Counting()
    venv = shaped(first)
    played(venv, ACTIONS)
    shaped(second).load_state_dict(venv.state_dict())
    assert second.asked == first.asked > 0
    older = venv.state_dict()
    del older["episode"]
    shaped(third).load_state_dict(older)
    assert third.asked == 0
    assert venv.shaper.state_dict().keys() >= {"steps", "window", "terms", "transforms", "combiner"}


def test_without_anything_that_changes_pay_nothing_is_kept():
    venv = ShapedVecEnv(VecMonitor(corridors(2)), {"events": make_term("events", **EVENTS)}, gamma=0.9)
    venv.reset()
    venv.step([1, 1])
    assert not venv.changes_pay
    assert venv.pay_changes() == []
    assert venv.shaper._ledger is None
