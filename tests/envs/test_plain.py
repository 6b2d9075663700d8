"""Any gymnasium id: streams of episode seeds of its own a row, modules of one's own, workers."""

from __future__ import annotations

import sys
import textwrap

import gymnasium
import numpy as np
import pytest

import envs
from envs.plain import PlainVecEnv, WorkerVecEnv
from tests.foundation.copies import REPOSITORY, python

CARTPOLE = "CartPole-v1"


def first_observations(seed, n_envs=3, episodes=1, **kwargs):
    """(episodes, n_envs, 4): what every row begins its episodes with."""
    venv = envs.make_vec(CARTPOLE, n_envs, seed=seed, **kwargs)
    begun = [[observation] for observation in venv.reset()]
    while min(len(row) for row in begun) < episodes:
        observations, _, dones, _ = venv.step([1] * n_envs)
        for row in np.flatnonzero(dones):
            begun[row].append(observations[row])
    venv.close()
    return np.array([row[:episodes] for row in begun]).swapaxes(0, 1)


def test_neighbouring_seeds_share_no_episode():
    begun = np.concatenate([first_observations(seed, episodes=3).reshape(-1, 4) for seed in range(4)])
    assert len(np.unique(begun, axis=0)) == 4 * 3 * 3


def test_seeding_again_as_sb3_does_begins_the_same_streams():
    venv = envs.make_vec(CARTPOLE, 3, seed=4)
    begun = venv.reset()
    venv.seed(4)
    np.testing.assert_array_equal(venv.reset(), begun)
    venv.seed(5)
    assert not np.isclose(venv.reset(), begun).all(axis=1).any()


def test_evaluation_plays_no_episode_of_training():
    seeds = {
        split: [info["episode_seed"] for seed in range(20) for info in started(seed, split)]
        for split in ("train", "eval")
    }
    assert max(seeds["train"]) < 2**30 <= min(seeds["eval"])
    assert max(seeds["eval"]) < 2**31


def started(seed, split):
    venv = envs.make_vec(CARTPOLE, 4, seed=seed, split=split)
    venv.reset()
    return venv.reset_infos


def test_an_episode_is_played_again_by_the_seed_that_it_tells():
    venv = envs.make_vec(CARTPOLE, 2, seed=1)
    begun = venv.reset()
    seeds = [info["episode_seed"] for info in venv.reset_infos]
    alone = gymnasium.make(CARTPOLE)
    for row in range(2):
        np.testing.assert_array_equal(alone.reset(seed=seeds[row])[0], begun[row])
    dones = np.zeros(2, bool)
    while not dones[0]:
        _, _, dones, infos = venv.step([1, 1])
    assert infos[0]["episode_seed"] == seeds[0]


def test_a_stream_goes_on_where_it_stood_from_one_process_to_several():
    venv = envs.make_vec(CARTPOLE, 2, seed=3)
    assert isinstance(venv, PlainVecEnv)
    venv.reset()
    state = venv.state_dict()
    then = venv.reset()
    other = envs.make_vec(CARTPOLE, 2, seed=3, workers=1)
    assert isinstance(other, WorkerVecEnv)
    other.load_state_dict(state)
    np.testing.assert_array_equal(other.reset(), then)
    assert other.state_dict() == venv.state_dict()
    other.close()
    with pytest.raises(ValueError, match="of 2 environments, these are 3"):
        envs.make_vec(CARTPOLE, 3, seed=3).load_state_dict(state)


OWN = textwrap.dedent(
    """
    import gymnasium

    class Corridor(gymnasium.Env):
        observation_space = gymnasium.spaces.Box(0, 1, (2,))
        action_space = gymnasium.spaces.Discrete(2)
        def reset(self, *, seed=None, options=None):
            super().reset(seed=seed)
            return self.observation_space.sample(), {}
        def step(self, action):
            return self.observation_space.sample(), 0.0, False, False, {}

    gymnasium.register("Own/Corridor-v0", entry_point=Corridor, max_episode_steps=10)
    """
)


@pytest.fixture
def own_module(tmp_path, monkeypatch):
    (tmp_path / "corridors.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    gymnasium.registry.pop("Own/Corridor-v0", None)
    sys.modules.pop("corridors", None)


def test_the_module_before_the_colon_registers_the_id(own_module):
    assert envs.describe("corridors:Own/Corridor-v0").max_episode_steps == 10


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(ValueError, match=r"the module corridorz cannot be imported.*PYTHONPATH"):
        envs.describe("corridorz:Own/Corridor-v0")


def test_workers_build_an_environment_that_only_the_caller_has_registered(own_module):
    venv = envs.make_vec("corridors:Own/Corridor-v0", 1, workers=1)
    assert venv.reset().shape == (1, 2)
    venv.close()


def test_a_worker_that_cannot_build_says_what_to_do(own_module, monkeypatch, capfd):
    envs.describe("corridors:Own/Corridor-v0")
    monkeypatch.setitem(
        gymnasium.registry,
        "Own/Corridor-v0",
        gymnasium.envs.registration.EnvSpec("Own/Corridor-v0", entry_point="nowhere:Corridor"),
    )
    with pytest.raises(ValueError, match=r"a worker process could not build Own/Corridor-v0.*workers=0"):
        envs.make_vec("Own/Corridor-v0", 1, workers=1)
    capfd.readouterr()


LEVEL = textwrap.dedent(
    """
    import gymnasium
    from minihack import LevelGenerator, MiniHackNavigation

    class Mine(MiniHackNavigation):
        def __init__(self, *args, **kwargs):
            level = LevelGenerator(w=5, h=5)
            level.add_stair_down()
            super().__init__(*args, des_file=level.get_des(), **kwargs)

    import envs
    envs.env_ids()  # ours are known before it comes
    gymnasium.register("MiniHack-Mine-v0", entry_point="mine:Mine")
    gymnasium.register("MyMine-v0", entry_point="mine:Mine")
    """
)


def test_a_minihack_level_of_a_module_of_ones_own_is_played_as_the_others_are(tmp_path):
    (tmp_path / "mine.py").write_text(LEVEL)
    program = """
        import sys; sys.path.insert(0, PLACE)
        import numpy as np
        import mine, envs
        played = []
        for name, workers in (("MiniHack-Mine-v0", 0), ("MyMine-v0", 1)):
            venv = envs.make_vec(name, 2, seed=3, workers=workers, report=("caption",))
            first = venv.reset()["glyphs_crop"]
            seeds = [info["episode_seed"] for info in venv.reset_infos]
            played.append((first, seeds))
            venv.close()
        np.testing.assert_equal(*played)
        np.testing.assert_array_equal(envs.make(name).reset(seed=seeds[0])[0]["glyphs_crop"], first[0])
        print(type(venv.unwrapped).__name__)
    """.replace("PLACE", repr(str(tmp_path)))
    assert python(REPOSITORY, "-c", textwrap.dedent(program)).strip() == "NetHackVecEnv"
