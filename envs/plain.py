"""Every gymnasium environment that is no other family's: SB3's vector environments over it.

SB3 seeds row i of seed s with s + i, so that neighbouring seeds of a study share most episodes.
Here every row has a stream of its own, as in the other families.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import gymnasium
from gymnasium.envs.registration import load_env_creator
from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv, VecEnv

from envs.arguments import keywords
from envs.catalogue import EnvDescription, Family, Option, Request, registry
from envs.controllers import OF_GYMNASIUM, Experts
from envs.episode_seeds import EpisodeSeeds

_OF_WORLDS = ("hidden", "extent", "goals")
_BITS = 31  # of an episode's seed: environments hand theirs on to generators that take no more than 32


@registry.register("gymnasium")
class PlainFamily(Family):
    """Any registered gymnasium id. It is asked last, and brings no ids: they are gymnasium's.

    A class may say in an attribute ``reports`` which info entries it always fills, such as
    ``("reward_channels", "stats")``: then terms that require them work there. One that fills
    ``position`` may say with ``extent`` its bounds, with ``hidden`` the layers of the policies that
    populations have there, and with ``goals`` the names of the areas that ``area`` counts.
    """

    place = 90
    face_arguments = ()

    def ids(self) -> Sequence[str]:
        """None: `envs.env_ids()` lists ours."""
        return ()

    def options(self) -> Sequence[Option]:
        return (
            Option("classic/cartpole", "CartPole-v1", steps=50_000),
            Option("classic/pendulum", "Pendulum-v1", steps=50_000),
            Option("classic/mountain_car", "MountainCar-v0", steps=200_000),
            Option("custom", None),
        )

    def canonical(self, env_id: str) -> str | None:
        return env_id if env_id in gymnasium.registry else None

    def describe(self, env_id: str) -> EnvDescription:
        spec = gymnasium.spec(env_id)
        return EnvDescription(env_id, _reports(spec.entry_point), max_episode_steps=spec.max_episode_steps)

    def register(self, env_id: str) -> None:
        """Never called: there is nothing to register."""

    def arguments(self, env_id: str) -> frozenset[str] | None:
        """Those of `gymnasium.make` and of the environment's constructor, as far as one can see."""
        creator: Any = gymnasium.spec(env_id).entry_point
        if isinstance(creator, str):
            creator = load_env_creator(creator)
        accepted = None if creator is None else keywords(creator)
        return None if accepted is None else accepted | {"max_episode_steps", "disable_env_checker"}

    def experts(self, env_id: str) -> Experts:
        return OF_GYMNASIUM.get(env_id, {})

    def make_vec(self, env_id: str, request: Request, **kwargs: Any) -> VecEnv:
        """In this process, or with workers in one process a row."""
        if request.render_mode is not None:
            kwargs["render_mode"] = request.render_mode
        spec = gymnasium.spec(env_id)  # a worker process may not know the id

        def build(index: int) -> EpisodeStream:
            seeds = EpisodeSeeds(1, request.seed, request.split, first=index, bits=_BITS, alike=request.alike)
            return EpisodeStream(gymnasium.make(spec, **kwargs), seeds)

        builders: list[Callable[[], gymnasium.Env[Any, Any]]] = [partial(build, row) for row in range(request.n_envs)]
        if not request.workers:
            return _described(PlainVecEnv(builders), spec.entry_point, request)
        try:
            return _described(WorkerVecEnv(builders, start_method="spawn"), spec.entry_point, request)
        except (EOFError, ConnectionError) as error:
            raise ValueError(
                f"a worker process could not build {env_id}; its own error stands above. It has to find the module "
                "of the environment as this process does; workers=0 builds it here."
            ) from error


def _reports(creator: Any) -> frozenset[str]:
    """The info entries that an environment's class says it fills: its attribute `reports`."""
    reports = getattr(_class_of(creator), "reports", ())
    return frozenset([reports] if isinstance(reports, str) else reports)


def _class_of(creator: Any) -> Any:
    if isinstance(creator, str):
        try:
            return load_env_creator(creator)
        except ImportError:  # told when it is built
            return None
    return creator


def _described(venv: Any, creator: Any, request: Request) -> VecEnv:
    """With what populations ask a world: see `PlainFamily`."""
    world = _class_of(creator)
    venv.reported = _reports(creator) & set(request.report)
    for name in _OF_WORLDS:
        if hasattr(world, name):
            setattr(venv, name, getattr(world, name))
    described: VecEnv = venv
    return described


class EpisodeStream(gymnasium.Wrapper[Any, Any, Any, Any]):
    """Every reset plays the next episode of a stream of seeds; one with a seed plays that episode.

    The `info` of a reset and of an episode's last step names the episode's seed, `episode_seed`.
    """

    def __init__(self, env: gymnasium.Env[Any, Any], seeds: EpisodeSeeds) -> None:
        super().__init__(env)
        self.seeds = seeds
        self._episode_seed = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        self._episode_seed = self.seeds.next(0) if seed is None else seed
        observation, info = self.env.reset(seed=self._episode_seed, options=options)
        return observation, {**info, "episode_seed": self._episode_seed}

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            info = {**info, "episode_seed": self._episode_seed}
        return observation, reward, terminated, truncated, info

    def restart(self, seed: int) -> None:
        """Go to the beginning of the stream of another seed."""
        self.seeds.restart(seed)

    def stream_state(self) -> dict[str, Any]:
        """Where its stream stands."""
        return self.seeds.state_dict()

    def load_stream_state(self, state: Mapping[str, Any]) -> None:
        """Go on there; takes effect at the next reset."""
        self.seeds.load_state_dict(state)


class _Streams(VecEnv):
    """What SB3's two vector environments over `EpisodeStream`s do with seeds."""

    def seed(self, seed: int | None = None) -> list[int | None]:
        """Go to the beginning of the streams of `seed`; None leaves them. Call `reset` next."""
        if seed is not None:
            self.env_method("restart", seed)
        return [seed] * self.num_envs

    def state_dict(self) -> dict[str, Any]:
        """Where every row's stream stands; episodes in play are not continued."""
        return {"streams": self.env_method("stream_state")}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on in the streams. Raises ValueError for another number of rows."""
        if len(state["streams"]) != self.num_envs:
            raise ValueError(f"the state is of {len(state['streams'])} environments, these are {self.num_envs}")
        for index, stream in enumerate(state["streams"]):
            self.env_method("load_stream_state", stream, indices=index)


class PlainVecEnv(_Streams, DummyVecEnv):
    """SB3's DummyVecEnv with a stream of episode seeds a row."""


class WorkerVecEnv(_Streams, SubprocVecEnv):
    """SB3's SubprocVecEnv with a stream of episode seeds a row."""
