"""BatchedVecEnv: what vector environments have in common whose rows are no objects of their own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from gymnasium import spaces
from stable_baselines3.common.vec_env.base_vec_env import VecEnv, VecEnvIndices

from envs.catalogue import EnvDescription, Request
from envs.episode_seeds import EpisodeSeeds
from envs.typing import Array


class BatchedVecEnv(VecEnv):
    """Worlds stepped together, by array operations or elsewhere, behind SB3's interface.

    A subclass writes `reset`, `step_async`, `step_wait` and `frame`; the seeds of its episodes come
    from `self.episodes`, one stream a world. Several rows may be of one
    world (the cars of an arena).

    Args:
        description: what it can report and detect; its id stands in messages.
        request: what is asked for.
        observation_space, action_space: of a row.
        episodes: the streams of seeds, one a world; None where every row is a world.

    Raises:
        ValueError: a report, an event or a render mode that does not exist.
    """

    row_methods: tuple[str, ...] = ()
    """Methods that give one entry a row, which `env_method` may call."""

    def __init__(
        self,
        description: EnvDescription,
        request: Request,
        observation_space: spaces.Space[Any],
        action_space: spaces.Space[Any],
        *,
        episodes: EpisodeSeeds | None = None,
    ) -> None:
        refuse(description, request)
        if episodes is None:
            episodes = EpisodeSeeds(request.n_envs, request.seed, request.split, alike=request.alike)
        self.episodes = episodes
        self.render_mode = request.render_mode
        self.detects = request.events if "events" in request.report else ()
        """The events that reach ``info["events"]``; for whoever is paid by them."""
        super().__init__(request.n_envs, observation_space, action_space)

    @abstractmethod
    def frame(self, index: int) -> Array:
        """A picture of one world, (height, width, 3) uint8."""

    # Seeds and state -----------------------------------------------------------------------------

    def seed(self, seed: int | None = None) -> list[int | None]:
        """Go to the beginning of the stream of `seed`; None leaves it as it is.

        Call `reset` next.
        """
        if seed is not None:
            self.episodes.restart(int(seed))
        return [seed] * self.num_envs

    def state_dict(self) -> dict[str, Any]:
        """See `EpisodeSeeds.state_dict`."""
        return self.episodes.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """See `EpisodeSeeds.load_state_dict`."""
        self.episodes.load_state_dict(state)

    # Pictures ------------------------------------------------------------------------------------

    def get_images(self) -> Sequence[Array | None]:
        """The picture of every row's world; None each without a render_mode."""
        if self.render_mode is None:
            return [None] * self.num_envs
        worlds = len(self.episodes)
        frames = [self.frame(index) for index in range(worlds)]
        return [frames[row * worlds // self.num_envs] for row in range(self.num_envs)]

    def render(self, mode: str | None = None) -> Array | None:
        """The picture of the first world, (height, width, 3) uint8; None without a render_mode."""
        return None if self.render_mode is None else self.frame(0)

    # The rest of SB3's interface -----------------------------------------------------------------

    def close(self) -> None:
        """Nothing is held, unless a subclass says otherwise."""

    def get_attr(self, attr_name: str, indices: VecEnvIndices = None) -> list[Any]:
        """The same attribute of this object for every row."""
        return [getattr(self, attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: VecEnvIndices = None) -> None:
        setattr(self, attr_name, value)

    def has_attr(self, attr_name: str) -> bool:
        return hasattr(self, attr_name)

    def env_method(self, method_name: str, *args: Any, indices: VecEnvIndices = None, **kwargs: Any) -> list[Any]:
        """What a method of `row_methods` gives for these rows.

        Raises:
            AttributeError: another method.
        """
        if method_name not in self.row_methods:
            raise AttributeError(
                f"the rows of a {type(self).__name__} are no objects of their own: they have no {method_name!r}"
            )
        rows = getattr(self, method_name)(*args, **kwargs)
        return [rows[row] for row in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: VecEnvIndices = None) -> list[bool]:
        return [False] * len(list(self._get_indices(indices)))


def refuse(description: EnvDescription, request: Request) -> None:
    """Raises ValueError for a report, an event or a render mode that does not exist."""
    description.refuse(request.report, request.events)
    if request.render_mode not in (None, "rgb_array"):
        raise ValueError(f'render_mode={request.render_mode!r}: {description.id} renders "rgb_array" or nothing (None)')
