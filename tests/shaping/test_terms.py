"""What every registered reward term, transform and combiner keeps to, and how a new one joins."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
from omegaconf import OmegaConf
from omegaconf.errors import ConfigAttributeError, ValidationError

import shaping
from foundation.plain_state import arrays, plain
from foundation.registry import import_all
from shaping import (
    Rollout,
    Schedule,
    ShapedVecEnv,
    WeightedSum,
    combine,
    episodes,
    make_term,
    term_names,
    term_schema,
    terms,
    transforms,
)
from tests.shaping.worlds import corridors, driven, sending, tabled, through_a_file, walks

NEEDED = {
    "potential": {"potential": "distance"},
    "events": {"events": ["left_start", "middle"]},
    "rnd": {"warm_up": 8},
    "calm": {"subgoals": {"leave": "left_start", "get to the middle": "middle"}, "detector": "symbolic"},
    "channels": {"names": ["moved", "right"]},
    "gail": {"warm_up": 8, "batch_size": 8},
    "oni": {"annotator": "rules", "rules": ["cell [2-9]"], "function": "classification"},
}
"""Arguments in the corridor for terms whose defaults cannot work there; the others get none."""

WORLDS = {"kinesthetic": driven, "designed": tabled, "bayes_receiver": sending}
"""The world of a term that the plain corridors cannot feed."""


OBJECTS = {"gail": lambda dictionary: {"demonstrations": walks(dictionary)}}
"""Arguments in the corridor that no configuration holds."""


class Undecided:
    """The learner that terms meet which read the policy: one action is as likely as another."""

    def probabilities(self, observations):
        first = next(iter(observations.values())) if isinstance(observations, dict) else observations
        return np.full((len(first), 2), 0.5)


ACTIONS = np.random.default_rng(0).integers(0, 2, (120, 3)) | (np.arange(120) % 2)[:, None]


def shaped(name, n=3, seed=5, dictionary=True):
    term = make_term(name, **NEEDED.get(name, {}))
    for argument, value in OBJECTS.get(name, lambda _: {})(dictionary).items():
        setattr(term, argument, value)
    signals = [f"{name}/{channel}" for channel in term.channels] or [name]
    venv = ShapedVecEnv(
        WORLDS.get(name, corridors)(n, length=5, limit=9, dictionary=dictionary),
        {name: term},
        transforms={signal: [transforms.registry.make("running_normalise")] for signal in signals},
        combiner=WeightedSum({name: "linear(1,0,1000)"}),
        gamma=0.9,
        seed=seed,
    )
    venv.meet(Undecided())
    return venv


def play(venv, actions):
    """Rewards and published entries; learns on the way."""
    rewards, published = [], []
    for index, row in enumerate(actions):
        observations, reward, _, infos = venv.step(row)
        assert reward.shape == (venv.num_envs,)
        assert np.isfinite(reward).all()
        assert all(set(info["reward_terms"]) == set(venv.shaper.signals) for info in infos)
        for name in venv.terms:
            if name in observations:
                assert venv.observation_space[name].contains(observations[name][0])
                published.append(observations[name])
        rewards.append(reward)
        if index % 16 == 15:
            assert all(np.isfinite(value) for value in venv.update_terms().values())
    return np.array(rewards), np.array(published)


@pytest.mark.parametrize("dictionary", [True, False])
@pytest.mark.parametrize("name", term_names())
def test_a_term_gives_finite_rewards_and_repeats_under_the_same_seed(name, dictionary):
    runs = []
    for _ in range(2):
        venv = shaped(name, dictionary=dictionary)
        venv.reset()
        runs.append(play(venv, ACTIONS))
    np.testing.assert_array_equal(runs[0][0], runs[1][0])
    np.testing.assert_array_equal(runs[0][1], runs[1][1])


@pytest.mark.parametrize("name", term_names())
def test_a_term_goes_on_from_its_state_as_if_nothing_had_happened(name, tmp_path):
    venv = shaped(name)
    venv.reset()
    play(venv, ACTIONS[:64])
    state = through_a_file(venv.state_dict(), tmp_path)
    venv.reset()
    expected, _ = play(venv, ACTIONS[64:])

    resumed = shaped(name, seed=99)
    resumed.load_state_dict(state)
    resumed.reset()
    rewards, _ = play(resumed, ACTIONS[64:])
    np.testing.assert_array_equal(rewards, expected)
    assert resumed.shaper.steps == venv.shaper.steps
    assert resumed.episode_statistics() == venv.episode_statistics()


@pytest.mark.parametrize("name", term_names())
def test_a_state_is_a_copy(name):
    venv = shaped(name)
    venv.reset()
    play(venv, ACTIONS[:32])
    state = venv.terms[name].state_dict()
    kept = copy.deepcopy(state)
    play(venv, ACTIONS[32:64])
    if name == "rnd":
        state, kept = ({k: v for k, v in s.items() if k != "optimiser"} for s in (state, kept))
    assert repr(state) == repr(kept)


@pytest.mark.parametrize("name", term_names())
def test_a_terms_arguments_are_its_configuration(name):
    schema = OmegaConf.structured(term_schema(name))
    with pytest.raises(ConfigAttributeError):
        schema.no_such_argument = 1
    with pytest.raises(ValueError, match=f"reward term '{name}' has no argument"):
        make_term(name, no_such_argument=1)
    given = OmegaConf.merge(schema, NEEDED.get(name, {}))
    assert make_term(name, **OmegaConf.to_container(given)).name == name


def test_a_configuration_of_a_wrong_type_is_refused():
    schema = OmegaConf.structured(term_schema("potential"))
    with pytest.raises(ValidationError):
        schema.scale = "much"
    with pytest.raises(ValidationError):
        schema.truncation = "drop"
    schema.truncation = "zero"
    assert make_term("potential", **OmegaConf.to_container(schema)).truncation == "zero"


@pytest.mark.parametrize("module", [terms, transforms, combine, episodes])
def test_every_registered_class_has_a_schema(module):
    for name in module.registry.names():
        OmegaConf.structured(module.registry.schema(name))


COMPANIONS = [
    (kind, name)
    for kind, module in (("transforms", transforms), ("combiner", combine), ("episode", episodes))
    for name in module.registry.names()
]


def companion(kind, name):
    """Corridors whose count term has this transform, combiner or episode transform, by default."""
    part = {"transforms": transforms, "combiner": combine, "episode": episodes}[kind].registry.make(name)
    return ShapedVecEnv(
        corridors(3, length=5, limit=9, dictionary=True),
        {"count": make_term("count")},
        gamma=0.9,
        **{kind: {"count": [part]} if kind == "transforms" else part},
    )


def settled(venv, actions):
    """Rewards of every step with what was changed afterwards."""
    rewards, first = np.zeros(actions.shape), venv.vector_steps
    for index, row in enumerate(actions):
        rewards[index] = venv.step(row)[1]
        if index % 16 == 15:
            assert all(np.isfinite(value) for value in venv.update_terms().values())
            for change in venv.pay_changes():
                start = change.step - first
                rewards[start : start + len(change.deltas), change.env] += change.deltas
    assert np.isfinite(rewards).all()
    return rewards


@pytest.mark.parametrize(("kind", "name"), COMPANIONS)
def test_every_transform_combiner_and_episode_transform_repeats_and_resumes(kind, name, tmp_path):
    first, second = companion(kind, name), companion(kind, name)
    for venv in (first, second):
        venv.reset()
    np.testing.assert_array_equal(settled(first, ACTIONS[:64]), settled(second, ACTIONS[:64]))
    state = through_a_file(first.state_dict(), tmp_path)
    kept = copy.deepcopy(first.state_dict())
    first.reset()
    expected = settled(first, ACTIONS[64:])
    resumed = companion(kind, name)
    assert repr(state) == repr(arrays(plain(kept))), "a state is a copy"
    resumed.load_state_dict(state)
    resumed.reset()
    np.testing.assert_array_equal(settled(resumed, ACTIONS[64:]), expected)
    assert resumed.episode_statistics() == first.episode_statistics()


@pytest.mark.parametrize("name", term_names())
def test_what_a_term_says_of_its_configuration_are_arguments_it_has(name):
    term, fields = terms.registry.get(name), {field.name for field in dataclasses.fields(term_schema(name))}
    assert set(term.card) <= fields
    assert set(term.defaults) <= fields | {"weight", "normalise", "clip"}
    for arguments in term.presets.values():
        assert set(arguments) <= fields
        OmegaConf.merge(OmegaConf.structured(term_schema(name)), arguments)


def test_an_unknown_name_offers_the_nearest():
    with pytest.raises(ValueError, match=r"there is no reward term 'evnts'\. Did you mean events"):
        make_term("evnts")


def test_a_state_of_other_terms_is_refused():
    venv = shaped("events")
    with pytest.raises(ValueError, match="resume with the same"):
        shaped("count").load_state_dict(venv.state_dict())


USER_TERM = '''
"""Pays for moving."""

import numpy as np

from shaping.registry import register_term
from shaping.terms import FloatArray, RewardTerm, Transitions


@register_term("restless")
class Restless(RewardTerm):
    """Pays ``bonus`` for every step that changes the observation by more than ``least``."""

    def __init__(self, bonus: float = 0.1, least: float = 0.0) -> None:
        self.bonus = bonus
        self.least = least

    def __call__(self, batch: Transitions) -> FloatArray:
        change = np.abs(batch.next_observations - batch.observations).max(axis=1)
        return np.where(change > self.least, self.bonus, 0.0)
'''


def test_a_file_dropped_into_the_package_is_a_term(tmp_path, monkeypatch):
    (tmp_path / "restless.py").write_text(USER_TERM)
    monkeypatch.setattr(shaping, "__path__", [*shaping.__path__, str(tmp_path)])
    monkeypatch.setattr(terms.registry, "_classes", dict(terms.registry._classes))
    import_all.cache_clear()
    try:
        assert "restless" in term_names()
        assert OmegaConf.to_container(OmegaConf.structured(term_schema("restless"))) == {"bonus": 0.1, "least": 0.0}
        venv = ShapedVecEnv(corridors(2), {"restless": make_term("restless", bonus=0.5)}, gamma=0.9)
        venv.reset()
        _, rewards, _, _ = venv.step(np.array([1, 0]))
        assert rewards.tolist() == [0.5, 0.0]
    finally:
        import_all.cache_clear()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("0.5", {0: 0.5, 10**9: 0.5}),
        (2, {0: 2.0}),
        ("linear(1.0,0.0,200)", {0: 1.0, 50: 0.75, 200: 0.0, 999: 0.0}),
        ("exponential(1,0.2,100)", {0: 1.0, 100: 0.6, 200: 0.4}),
        ("piecewise(0:0,100:1,300:0.5)", {0: 0.0, 50: 0.5, 100: 1.0, 200: 0.75, 1000: 0.5}),
    ],
)
def test_schedules_count_environment_steps(text, values):
    schedule = Schedule.parse(text)
    for steps, value in values.items():
        assert schedule(steps) == pytest.approx(value)


@pytest.mark.parametrize(
    "text", ["nan", "inf", "linear(1,nan,5)", "linear(1,0)", "linear(1,0,0)", "cubic(1,0,5)", "", True]
)
def test_bad_schedules_are_refused_with_the_term_they_weigh(text):
    with pytest.raises(ValueError, match="weight of 'events'"):
        WeightedSum({"events": text})


class Unread(Rollout):
    """A rollout that nobody may look at."""

    def __len__(self):
        raise AssertionError("the rollout was read")

    __iter__ = __getitem__ = stack = __len__


@pytest.mark.parametrize("name", [name for name in term_names() if not terms.registry.get(name).reads_rollout])
def test_a_term_that_says_so_does_not_read_the_rollout_and_none_is_kept_for_it(name):
    venv = shaped(name)
    venv.reset()
    venv.step(np.array([1] * venv.num_envs))
    assert venv.take_rollout()._transitions == []
    venv.terms[name].update(Unread([]))
    venv.close()
