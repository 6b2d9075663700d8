"""Every part may publish, learn, keep a state; channels, rescoring, play without learning."""

from __future__ import annotations

import numpy as np
import pytest
from gymnasium import spaces

from shaping import (
    Combiner,
    EpisodeTransform,
    RewardTerm,
    RewardTermError,
    ShapedVecEnv,
    Transform,
    Transitions,
    WeightedSum,
    make_term,
)
from shaping.transforms import Clip, RunningNormalise
from tests.shaping.worlds import corridors


class Constant(RewardTerm):
    def __init__(self, pay=1.0):
        self.pay, self.closed = pay, False

    def __call__(self, batch):
        return np.full(len(batch), self.pay)

    def close(self):
        self.closed = True


class Critic(RewardTerm):
    channels = ("format", "edit")

    def __call__(self, batch):
        return np.stack([np.full(len(batch), 1.0), np.full(len(batch), 10.0)])


class Learns:
    """A part that publishes how often it has learned, and says what it was told."""

    def bind(self, setting):
        super().bind(setting)
        self.setting, self.times = setting, 0
        self.observation_space = spaces.Box(0.0, np.inf, (1,), np.float32)

    def reset(self, observations, infos, mask):
        self.started = mask

    def observe(self):
        return np.full((self.setting.n_envs, 1), self.times, np.float32)

    def update(self, rollout):
        self.times += 1
        return {"times": self.times, "steps": len(rollout)}

    def state_dict(self):
        return {"times": self.times}

    def load_state_dict(self, state):
        self.times = state["times"]


class LearnedBlend(Learns, Combiner):
    """Task plus a share of everything else that grows with every update."""

    def __call__(self, signals, batch, steps):
        parts = [values if name == "task" else self.times * values for name, values in signals.items()]
        return np.sum(parts, axis=0), parts


class Doubling(Learns, Transform):
    def __call__(self, values, batch):
        return 2.0 * values


class Watching(Learns, EpisodeTransform):
    def __call__(self, episode):
        return None


def shaped(n=2, dictionary=True, **arguments):
    return ShapedVecEnv(corridors(n, length=6, dictionary=dictionary), **{"terms": {}, "gamma": 0.9} | arguments)


@pytest.mark.parametrize("dictionary", [True, False])
def test_every_kind_of_part_publishes_learns_and_resumes(dictionary, tmp_path):
    def build():
        return shaped(
            terms={"a": Constant(), "critic": Critic()},
            transforms={"a": [Clip(), Doubling(), Doubling()], "critic/edit": [Doubling()], "task": [Clip()]},
            combiner=WeightedSum(),
            episode=Watching(),
            dictionary=dictionary,
            folder=tmp_path,
        )

    venv = build()
    paths = ["a/Doubling", "a/Doubling_2", "critic/edit/Doubling", "episode"]
    observations = venv.reset()
    assert [key for key in observations if key in paths] == paths
    assert venv.shaper.parts["episode"].started.tolist() == [True, True]
    _, rewards, _, infos = venv.step([1, 1])
    assert infos[0]["reward_terms"] == {"task": 0.0, "a": 4.0, "critic/format": 1.0, "critic/edit": 20.0}
    assert rewards.tolist() == [25.0, 25.0]
    metrics = venv.update_terms()
    prefixes = ["terms/a/Doubling", "terms/a/Doubling_2", "terms/critic/edit/Doubling", "episode"]
    assert metrics == {f"{prefix}/{name}": 1.0 for prefix in prefixes for name in ("times", "steps")}
    observations = venv.step([1, 1])[0]
    assert all(observations[path].tolist() == [[1], [1]] for path in paths)
    assert set(venv.shaper.unpublish(observations)) == {"cells", "where"} if dictionary else True
    if not dictionary:
        assert venv.shaper.unpublish(observations).shape == (2, 6)

    resumed = build()
    resumed.load_state_dict(venv.state_dict())
    assert resumed.reset()["critic/edit/Doubling"].tolist() == [[1], [1]]
    settings = [venv.shaper.parts[path].setting for path in paths]
    assert len({setting.seed for setting in settings}) == len(paths)
    assert settings[2].folder == tmp_path / "critic/edit/Doubling"
    assert settings[0].signals == ("task", "a", "critic/format", "critic/edit")


def test_a_combiner_that_learns_and_publishes():
    venv = shaped(terms={"a": Constant(3.0)}, combiner=LearnedBlend())
    assert venv.observation_space["combiner"].shape == (1,)
    venv.reset()
    rewards = []
    for _ in range(3):
        observations, reward, _, infos = venv.step([0, 0])
        rewards.append(reward.tolist())
        assert infos[0]["reward_terms"]["a"] == reward[0]
        venv.update_terms()
    assert rewards == [[0, 0], [3, 3], [6, 6]]
    assert observations["combiner"].tolist() == [[2], [2]]
    assert venv.update_terms() == {}, "nothing happened since"
    resumed = shaped(terms={"a": Constant(3.0)}, combiner=LearnedBlend())
    resumed.load_state_dict(venv.state_dict())
    assert resumed.reset()["combiner"].tolist() == [[3], [3]]


def test_learning_that_gives_nan_names_the_part():
    class Broken(LearnedBlend):
        def update(self, rollout):
            return {"loss": float("nan")}

    venv = shaped(combiner=Broken())
    venv.reset()
    venv.step([0, 0])
    with pytest.raises(RewardTermError, match="combiner Broken gave loss = nan"):
        venv.update_terms()


# Channels -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ({}, (1.0, 10.0)),
        ({"critic": 2.0}, (2.0, 20.0)),
        ({"critic/edit": 0.5}, (1.0, 5.0)),
        ({"critic": 2.0, "critic/edit": 0.5}, (2.0, 10.0)),
        ({"critic/edit": "linear(1,0,4)", "critic": "linear(1,0,4)"}, (0.5, 2.5)),
        ({"critic/edit": "linear(1,0,4)", "critic": 2.0}, (2.0, 10.0)),
    ],
)
def test_a_channels_weight_comes_on_top_of_its_terms(weights, expected):
    combiner = WeightedSum(weights)
    venv = shaped(terms={"critic": Critic()}, combiner=combiner)
    venv.reset()
    venv.step([0, 0])
    assert venv.shaper.steps == 2
    stated = dict(combiner.weights(2))
    _, rewards, _, infos = venv.step([0, 0])
    parts = infos[0]["reward_terms"]
    assert (parts["critic/format"], parts["critic/edit"]) == pytest.approx(expected)
    assert rewards[0] == pytest.approx(sum(expected))
    assert stated == pytest.approx({"task": 1.0, "critic/format": expected[0], "critic/edit": expected[1] / 10})


def test_a_term_is_withheld_with_all_its_channels_or_by_one():
    for withheld, expected in ((["critic"], 0.0), (["critic/edit"], 1.0)):
        venv = shaped(terms={"critic": Critic()}, combiner=WeightedSum({}, withheld))
        venv.reset()
        assert venv.step([0, 0])[1].tolist() == [expected, expected]


def test_channels_of_another_number_are_an_error():
    class Wrong(Critic):
        def __call__(self, batch):
            return np.zeros(len(batch))

    venv = shaped(terms={"critic": Wrong()})
    venv.reset()
    with pytest.raises(RewardTermError, match=r"'critic' gave shape \(2,\) .* \(2, 2\), one number an environment and"):
        venv.step([0, 0])


def test_nan_in_a_channel_names_it():
    class Wrong(Critic):
        def __call__(self, batch):
            return np.array([[0.0, 0.0], [0.0, np.nan]])

    venv = shaped(terms={"critic": Wrong()})
    venv.reset()
    with pytest.raises(RewardTermError, match="'critic/edit' gave nan for environment 1"):
        venv.step([0, 0])


@pytest.mark.parametrize("name", ["../../x", "..", ".", "", "/x", "x/", "a//b", "a/../b", "a\0b"])
def test_a_name_that_leads_out_of_the_folder_of_the_terms_is_refused(name, tmp_path):
    with pytest.raises(ValueError, match="give it a plain name"):
        ShapedVecEnv(corridors(2), {name: Constant()}, gamma=0.9, folder=tmp_path / "terms")
    assert not list(tmp_path.iterdir())


def test_names_that_clash_are_refused():
    for terms, words in (
        ({"combiner": Constant()}, "cannot be called 'combiner'"),
        ({"critic": Critic(), "critic/edit": Constant()}, "two signals have one name"),
    ):
        with pytest.raises(ValueError, match=words):
            shaped(terms=terms)
    with pytest.raises(ValueError, match="two parts have one path"):
        shaped(terms={"a": Constant(), "a/clip": Constant()}, transforms={"a": [Clip()]})
    with pytest.raises(ValueError, match="critic/format"):
        shaped(terms={"critic": Critic()}, transforms={"critic": [Clip()]})


def test_one_object_cannot_be_two_parts():
    term, clip = Constant(), Clip()
    with pytest.raises(ValueError, match="one object is both a and b"):
        shaped(terms={"a": term, "b": term})
    with pytest.raises(ValueError, match="both a transform of a and a transform of b"):
        shaped(terms={"a": Constant(), "b": Constant()}, transforms={"a": [clip], "b": [clip]})


# Rescoring ----------------------------------------------------------------------------------------


class Distance(RewardTerm):
    """A function of the transition alone, and of a factor that is learned."""

    factor = 1.0

    def __call__(self, batch):
        return self.rescore(batch)

    def rescore(self, batch):
        return self.factor * batch.next_observations["where"][:, 0].astype(float)

    def update(self, rollout):
        self.factor += 1.0
        return {}


def test_a_term_that_is_a_function_of_the_transition_is_asked_again():
    terms = {"distance": Distance(), "a": Constant(), "held": Distance()}
    combiner = WeightedSum({"distance": "linear(1,0,8)", "a": 5.0}, withheld=["held"])
    venv = shaped(terms=terms, combiner=combiner)
    assert venv.rescored == ("distance",)
    venv.reset()
    where = np.linspace(0, 1, 5)
    nothing = np.zeros(5)
    batch = Transitions({}, nothing, nothing, {"where": where[:, None]}, nothing > 0, nothing > 0, ())
    assert venv.rescore(batch) == pytest.approx(where)
    _, _, _, infos = venv.step([1, 1])
    assert infos[0]["reward_terms"]["distance"] == pytest.approx(0.2)
    assert venv.rescore(batch) == pytest.approx(0.75 * where), "the weight of now"
    venv.update_terms()
    assert venv.rescore(batch) == pytest.approx(2 * 0.75 * where), "what was learned since"


def test_rescored_values_go_through_their_transforms_which_learn_nothing_from_them():
    normalise = RunningNormalise(scale_only=True)
    venv = shaped(terms={"distance": Distance()}, transforms={"distance": [normalise, Clip(high=1.5)]})
    venv.reset()
    venv.step([1, 1])
    nothing = np.zeros(2)
    batch = Transitions({}, nothing, nothing, {"where": np.array([[0.2], [1.0]])}, nothing > 0, nothing > 0, ())
    assert venv.rescore(batch) == pytest.approx([1.0, 1.5])
    assert normalise.moments.count == 2
    terms = {"distance": Distance()}
    terms["distance"].rescore = lambda batch: np.zeros(3)
    with pytest.raises(RewardTermError, match=r"gave shape \(3,\) when it was asked again"):
        shaped(terms=terms).rescore(batch)


def test_channels_are_rescored_side_by_side():
    class Both(Critic):
        def rescore(self, batch):
            return self(batch)

    venv = shaped(terms={"critic": Both()}, combiner=WeightedSum({"critic/edit": 0.5}))
    nothing = np.zeros(3)
    batch = Transitions(nothing, nothing, nothing, nothing, nothing > 0, nothing > 0, ())
    assert venv.rescore(batch).tolist() == [6.0, 6.0, 6.0]
    with pytest.raises(NotImplementedError, match="Critic"):
        Critic().rescore(batch)


# Play without learning ----------------------------------------------------------------------------


def test_only_what_publishes_plays_where_nobody_learns():
    silent, events = Constant(), make_term("events", events=["left_start"])
    venv = shaped(
        terms={"silent": silent, "events": events, "doubled": Constant()},
        transforms={"silent": [Clip()], "doubled": [Doubling()]},
        combiner=WeightedSum({"silent": 2.0, "events": 3.0}),
        episode=Keeps(),
        publishing_only=True,
    )
    assert silent.closed
    assert list(venv.terms) == ["events", "doubled"]
    assert not venv.changes_pay
    observations = venv.reset()
    assert set(observations) == {"cells", "where", "events", "doubled/Doubling"}
    observations, rewards, _, infos = venv.step([1, 0])
    assert observations["events"].tolist() == [[1], [0]]
    assert rewards.tolist() == [0.0, 0.0], "the task's own"
    assert infos[0]["reward_terms"] == {"task": 0.0, "events": 1.0, "doubled": 2.0}


class Keeps(EpisodeTransform):
    def __call__(self, episode):
        raise AssertionError("nobody asks")


def test_a_combiner_that_publishes_keeps_what_it_reads():
    venv = shaped(terms={"silent": Constant()}, combiner=LearnedBlend(), publishing_only=True)
    assert list(venv.terms) == ["silent"]
    assert "combiner" in venv.reset()


def test_play_without_learning_takes_what_it_needs_of_a_checkpoint():
    def build(n=2, **arguments):
        return shaped(
            n,
            terms={"silent": Constant(), "events": make_term("events", events=["left_start"])},
            transforms={"silent": [Clip()], "events": [Doubling()]},
            **arguments,
        )

    trained = build()
    trained.reset()
    trained.step([1, 1])
    trained.update_terms()
    playing = build(publishing_only=True)
    playing.load_state_dict(trained.state_dict())
    assert playing.reset()["events/Doubling"].tolist() == [[1], [1]]
    more = build(5, publishing_only=True)
    more.load_learned(trained.state_dict())
    assert more.reset()["events/Doubling"].shape == (5, 1)
    assert more.step(np.ones(5))[0]["events/Doubling"][4] == [1]
