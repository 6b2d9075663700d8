"""Families: one file in envs/ is a whole one, and every registered one keeps the contract."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest

import envs
from envs.arguments import keywords
from envs.catalogue import families, family_of
from envs.plain import PlainFamily
from tests.foundation.copies import copy, python

CARDS = list(envs.options().values())

MEADOW = '''"""Meadow: a field of size by size cells; the flower is in the far corner."""

import gymnasium
import numpy as np
from gymnasium import spaces

from envs.batched import BatchedVecEnv
from envs.catalogue import EnvDescription, Family, Option, Request, registry

ID = "breadcrumb/Meadow-v0"
DESCRIPTION = EnvDescription(ID, frozenset({"events"}), ("smelled_flower",), max_episode_steps=50)


class MeadowVecEnv(BatchedVecEnv):
    def __init__(self, request, size=5):
        super().__init__(DESCRIPTION, request, spaces.Box(0, 1, (2,), np.float32), spaces.Discrete(2))
        self.size, self.cells = size, np.zeros((request.n_envs, 2), int)
        self.tells = "events" in request.report and bool(request.events)

    def begin(self, row):
        seed = self.episodes.next(row)
        self.cells[row] = np.random.default_rng(seed).integers(self.size - 1, size=2)
        self.reset_infos[row] = {"episode_seed": seed}

    def reset(self):
        for row in range(self.num_envs):
            self.begin(row)
        return self.observe()

    def observe(self):
        return (self.cells / (self.size - 1)).astype(np.float32)

    def step_async(self, actions):
        self.actions = np.asarray(actions)

    def step_wait(self):
        rows = np.arange(self.num_envs)
        self.cells[rows, self.actions] = np.minimum(self.cells[rows, self.actions] + 1, self.size - 1)
        there, seen = (self.cells == self.size - 1).all(axis=1), self.observe()
        infos = [{"events": ("smelled_flower",)} if end and self.tells else {} for end in there]
        for row in np.flatnonzero(there):
            infos[row] |= {"terminal_observation": seen[row], "TimeLimit.truncated": False, "is_success": True}
            self.begin(row)
        return self.observe(), there.astype(np.float32), there, infos

    def frame(self, index):
        picture = np.zeros((self.size, self.size, 3), np.uint8)
        picture[tuple(self.cells[index])] = 255
        return picture


class MeadowEnv(gymnasium.Env):
    def __init__(self, size=5):
        self.venv = MeadowVecEnv(Request(1), size)
        self.observation_space, self.action_space = self.venv.observation_space, self.venv.action_space

    def reset(self, *, seed=None, options=None):
        self.venv.seed(seed)
        return self.venv.reset()[0], self.venv.reset_infos[0]

    def step(self, action):
        observations, rewards, dones, infos = self.venv.step([action])
        return infos[0].get("terminal_observation", observations[0]), float(rewards[0]), bool(dones[0]), False, {}


@registry.register("meadow")
class MeadowFamily(Family):
    def ids(self):
        return [ID]

    def options(self):
        return [Option("meadow/small", ID, 1_000, {"size": 3}, ("smelled_flower",), task="Find the flower.")]

    def describe(self, env_id):
        return DESCRIPTION

    def register(self, env_id):
        gymnasium.register(env_id, entry_point=MeadowEnv, max_episode_steps=50)

    def make_vec(self, env_id, request, *, size=5):
        return MeadowVecEnv(request, size)
'''

VISIT = """
import gymnasium, numpy as np, envs
assert "breadcrumb/Meadow-v0" in gymnasium.registry, "import envs registers it"
assert "breadcrumb/Meadow-v0" in envs.env_ids()
names = list(envs.options())
assert names.index("classic/caption_quest") < names.index("meadow/small") < names.index("custom")
card = envs.options()["meadow/small"]
asked = {"report": ["events"], "events": card.events, "render_mode": "rgb_array"}
venv = envs.make_vec("Meadow-v0", 3, seed=1, **asked, **card.kwargs)
venv.reset()
state, seeds = venv.state_dict(), [info["episode_seed"] for info in venv.reset_infos]
happened = [infos for step in range(9) for infos in venv.step(np.full(3, step % 2))[3]]
assert {"smelled_flower"} == {name for info in happened for name in info.get("events", ())}
assert venv.render().shape == (3, 3, 3) and len(venv.get_images()) == 3
venv.load_state_dict({"episodes": state["episodes"] - 1}), venv.reset()
assert seeds == [info["episode_seed"] for info in venv.reset_infos]
env = envs.make("Meadow-v0", size=3)
env.reset(seed=1)
assert gymnasium.make("breadcrumb/Meadow-v0").reset(seed=1)[0].shape == (2,)
for wrong in (
    lambda: envs.make_vec("Meadow-v0", 1, sise=3),
    lambda: envs.make_vec("Meadow-v0", 1, report=["caption"]),
    lambda: envs.make_vec("Meadow-v0", 1, events=["smelt_flower"]),
    lambda: envs.make_vec("Meadow-v0", 1, render_mode="human"),
    lambda: envs.make("Meadow-v0", "parallel"),
    lambda: envs.make("Meadow-v0", sise=3),
    lambda: envs.describe("Medow-v0"),
):
    try:
        wrong()
    except ValueError as error:
        print(error)
"""


def test_a_file_dropped_into_envs_is_a_family_and_envs_needs_nothing_but_the_foundation(tmp_path):
    copy(tmp_path, "foundation", "envs")
    (tmp_path / "envs" / "meadow.py").write_text(MEADOW)
    says = python(tmp_path, "-c", VISIT).splitlines()
    assert says[0] == "breadcrumb/Meadow-v0 has no argument 'sise'. Did you mean size?"
    assert says[1] == "breadcrumb/Meadow-v0 cannot report caption. It reports events."
    assert "cannot detect smelt_flower. Did you mean smelled_flower?" in says[2]
    assert 'renders "rgb_array" or nothing' in says[3]
    assert "has no face 'parallel'; it has gymnasium" in says[4]
    assert says[5] == says[0]
    assert "Did you mean Meadow-v0" in says[6]


# What every family keeps --------------------------------------------------------------------------


def test_the_cards_stand_in_the_order_of_their_families_with_custom_last():
    folders = list(dict.fromkeys(name.partition("/")[0] for name in envs.options()))
    assert folders == ["minihack", "nethack", "rocket", "classic", "swe", "coding_games", "custom"]


@pytest.mark.parametrize("family", families(), ids=lambda family: family.name)
def test_a_familys_ids_are_registered_and_its_own(family):
    for env_id in family.ids():
        assert env_id in gymnasium.registry
        assert family_of(env_id) == (family, env_id)
        assert family_of(env_id.removeprefix("breadcrumb/")) == (family, env_id)
        assert family.describe(env_id).id == env_id
        assert "gymnasium" in family.faces(env_id)


@pytest.mark.parametrize("card", CARDS, ids=lambda card: card.name)
def test_a_card_names_only_what_its_environment_has(card):
    assert card.steps >= 1
    if card.id is None:
        return
    description = envs.describe(card.id)
    assert set(card.events) <= set(description.events)
    assert {event for event in card.subgoals.values() if event} <= set(description.events)
    assert not card.events or "events" in description.reports
    assert card.potential is None or card.potential.entry in description.reports
    assert not card.statistics or "stats" in description.reports
    envs.refuse_arguments(card.id, card.kwargs)
    assert envs.rows_together(card.id, **card.kwargs) >= 1


@pytest.mark.parametrize("card", [card for card in CARDS if card.id], ids=lambda card: card.name)
def test_an_unknown_argument_is_refused_with_the_name_of_the_environment(card):
    for build in (
        lambda: envs.make_vec(card.id, envs.rows_together(card.id), no_such_argument=1),
        lambda: envs.make(card.id, no_such_argument=1),
        lambda: envs.rows_together(card.id, no_such_argument=1),
    ):
        with pytest.raises(ValueError, match=f"{card.id} has no argument 'no_such_argument'"):
            build()


@pytest.mark.parametrize("env_id", ["Room-5x5", "rocket", "CaptionQuest-v0"])
def test_a_batched_environment_goes_on_in_a_stream_that_was_loaded_after_it_was_seeded(env_id):
    """SB3 seeds an environment when it loads an agent, before the environment's state is loaded."""
    env_id = {"Room-5x5": "MiniHack-Room-5x5-v0", "rocket": "Rocket1v1-v0"}.get(env_id, env_id)
    first, second = (envs.make_vec(env_id, 2, seed=3) for _ in range(2))
    first.reset()
    first.reset()
    second.seed(3)
    second.load_state_dict(first.state_dict())
    seeds = []
    for venv in (first, second):
        venv.reset()
        seeds.append([info["episode_seed"] for info in venv.reset_infos])
        assert venv.get_attr("num_envs", [0]) == [2]
        assert venv.has_attr("num_envs")
        assert not venv.has_attr("no_such_attribute")
        assert venv.env_is_wrapped(gymnasium.Wrapper) == [False, False]
        assert venv.get_images() == [None, None]
        with pytest.raises(AttributeError, match="no objects of their own"):
            venv.env_method("no_such_method")
        venv.close()
    assert seeds[0] == seeds[1]


def test_seeds_with_a_name_of_the_run_are_no_arguments_of_an_environment():
    with pytest.raises(ValueError, match="seed is no argument of CartPole-v1"):
        envs.refuse_arguments("CartPole-v1", {"seed": 3})
    envs.refuse_arguments("CartPole-v1", {"render_mode": "rgb_array", "max_episode_steps": 9})


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({"n_envs": 0}, "n_envs=0"),
        ({"workers": -1}, "workers=-1"),
        ({"split": "tain"}, "Did you mean train"),
        ({"report": ("caption",)}, "cannot report caption"),
        ({"events": ("flew",)}, "cannot detect flew"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_for_any_gymnasium_id_too(numbers, says):
    with pytest.raises(ValueError, match=says):
        envs.make_vec("CartPole-v1", **{"n_envs": 1, **numbers})


# Faces, pictures ----------------------------------------------------------------------------------


def test_the_faces_of_rocket_are_gymnasiums_and_pettingzoos():
    parallel, aec = (envs.make("Rocket1v1-v0", face, seconds=1.0) for face in ("parallel", "aec"))
    assert parallel.possible_agents == aec.possible_agents == ["blue-0", "orange-0"]
    aec.reset(seed=1)
    assert aec.agent_selection == "blue-0"
    with pytest.raises(ValueError, match=r"no face 'text'; it has gymnasium, parallel, aec"):
        envs.make("Rocket1v1-v0", "text")
    with pytest.raises(ValueError, match="Did you mean seconds"):
        envs.make("Rocket1v1-v0", "aec", second=1.0)
    with pytest.raises(ValueError, match=r"no face 'parallel'; it has gymnasium"):
        envs.make("CartPole-v1", "parallel")


def test_a_clips_pictures_are_scaled_down_and_nethacks_are_cropped():
    wide = [np.zeros((376, 1264, 3), np.uint8) for _ in range(2)]
    wide[0][100:140, 600:640] = 255
    assert {frame.shape for frame in envs.trim("CartPole-v1", wide)} == {(190, 640, 3)}
    small = [np.zeros((40, 30, 3), np.uint8)]
    assert envs.trim("CaptionQuest-v0", small)[0] is small[0]
    cropped = envs.trim("MiniHack-Room-5x5-v0", wide)
    assert cropped[0].shape[1] < 640
    assert (cropped[0] == 255).sum() == 40 * 40 * 3


# Arguments ----------------------------------------------------------------------------------------


class Walls:
    def __init__(self, size=1, lit=True):
        self.size, self.lit = size, lit


class Named(Walls):
    def __init__(self, *args, **kwargs):
        self.colour = kwargs.pop("colour", "green")
        if "size" not in kwargs:
            kwargs["size"] = 3
        super().__init__(*args, lit=False, **kwargs)


class Opaque(Walls):
    def __init__(self, **kwargs):
        self.rest = dict(kwargs)
        super().__init__()


@pytest.mark.parametrize(
    ("target", "names"),
    [
        (Walls, {"size", "lit"}),
        (Named, {"size", "colour"}),  # lit is fixed
        (Opaque, None),
        (lambda size, *, lit: None, {"size", "lit"}),
        (lambda **anything: None, None),
    ],
)
def test_the_arguments_of_a_constructor_are_read_off_its_signature_and_its_bases(target, names):
    assert keywords(target) == names


def test_the_arguments_of_every_nethack_task_can_be_known():
    nethack, name = family_of("MiniHack-River-Narrow-v0")
    assert all(nethack.arguments(env_id) is not None for env_id in nethack.ids())
    assert {"n_monster", "penalty_step", "crop_size", "stock"} <= nethack.arguments(name)
    assert not {"narrow", "des_file", "fix_moon_phase"} & nethack.arguments(name)


class Buggy(gymnasium.Env):
    """Its constructor has a bug of the kind that a typing error of the user would cause, too."""

    def __init__(self, size=3):
        len(size)


def test_a_bug_inside_a_constructor_surfaces_as_the_bug_it_is(monkeypatch):
    monkeypatch.setattr(gymnasium.envs.registration, "registry", dict(gymnasium.registry))
    monkeypatch.setattr(gymnasium, "registry", gymnasium.envs.registration.registry)
    gymnasium.register("Buggy-v0", entry_point=Buggy)
    with pytest.raises(ValueError, match=r"'sise'\. Did you mean size"):
        envs.make_vec("Buggy-v0", 1, sise=4)
    with pytest.raises(TypeError, match="has no len"):
        envs.make_vec("Buggy-v0", 1, size=4)
    assert isinstance(family_of("Buggy-v0")[0], PlainFamily)
