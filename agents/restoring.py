"""A model again: made of its configuration, then given the weights and counters of its file."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.save_util import recursive_setattr
from stable_baselines3.common.vec_env import VecEnv

from agents.players import MASKS
from foundation.plain_state import Untrusted
from foundation.saved_model import SavedModel

PLACES = frozenset(
    {"n_envs", "env", "observation_space", "action_space", "_last_obs", "_last_episode_starts", "_last_original_obs"}
)
"""Attributes that belong to where a model acts, not to what it has learned."""
_COUNTED = (bool, int, float, np.ndarray, np.random.Generator, deque)
_MOST_ROWS = 65_536


class Vacant(VecEnv):
    """The spaces of a vector environment without any environment: what a model is made in to play.

    Args:
        saved: of a model that learned in such a place.
        trust: see `SavedModel.object`.

    Raises:
        ValueError: the file does not say what the model observed and did.
    """

    def __init__(self, saved: SavedModel, *, trust: bool = False) -> None:
        try:
            rows = saved.object("n_envs")
            spaces = [saved.object(name, trust=trust) for name in ("observation_space", "action_space")]
        except KeyError as error:
            raise ValueError(f"{saved.path} is no file of a trained model: it has no {error}") from error
        if not isinstance(rows, int) or not 1 <= rows <= _MOST_ROWS:
            raise ValueError(f"{saved.path} is damaged: it was trained in {rows} environments")
        self.render_mode = None
        super().__init__(rows, *spaces)

    def has_attr(self, attr_name: str) -> bool:
        """Whether actions are masked shows where it plays."""
        return attr_name == MASKS

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Only `render_mode`, which SB3 asks for."""
        return [getattr(self, attr_name)] * self.num_envs

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Nobody is there."""
        raise self._nobody()

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Nobody is there."""
        raise self._nobody()

    def env_is_wrapped(self, wrapper_class: Any, indices: Any = None) -> list[bool]:
        """It is not."""
        return [False] * self.num_envs

    def reset(self) -> Any:
        """Nobody is there."""
        raise self._nobody()

    def step_async(self, actions: Any) -> None:
        """Nobody is there."""
        raise self._nobody()

    def step_wait(self) -> Any:
        """Nobody is there."""
        raise self._nobody()

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """There is nothing to seed."""
        return [seed] * self.num_envs

    def close(self) -> None:
        """There is nothing to close."""

    @staticmethod
    def _nobody() -> RuntimeError:
        return RuntimeError("a model that was loaded to play only cannot learn: load it with an environment")


def restore(model: BaseAlgorithm, saved: SavedModel, settings: set[str]) -> None:
    """Give a model that was just made what another of its configuration had learned.

    Weights, optimisers, and those of its attributes that are numbers, arrays, numpy's generators or
    deques. What else it has is as it was made: of the configuration, not of the file.

    Args:
        model: new.
        saved: of the other.
        settings: attributes that come from the configuration.

    Raises:
        ValueError: the other saw or did something else, or has other weights.
    """
    refuse_other_spaces(model, saved)
    for name in saved.names:
        if name not in settings and name not in PLACES and name in vars(model):
            value = _counted(saved, name)
            if value is not None:
                setattr(model, name, value)
    set_weights(model, saved)


def refuse_other_spaces(model: BaseAlgorithm, saved: SavedModel) -> None:
    """Raises ValueError where a file's model observed or did something else than this one."""
    for name in ("observation_space", "action_space"):
        with contextlib.suppress(KeyError, Untrusted):  # then its weights tell
            theirs, ours = saved.object(name), getattr(model, name)
            if theirs != ours:
                raise ValueError(
                    f"{saved.path} was trained with the {name.replace('_', ' ')} {theirs}; here it is {ours}"
                )


def set_weights(model: BaseAlgorithm, saved: SavedModel) -> None:
    """Give a model the weights, optimisers' states and further tensors of a file.

    Raises:
        ValueError: they are not those of such a model.
    """
    networks, tensors = model._get_torch_save_params()
    if set(saved.parameters) != set(networks) or not set(saved.variables) <= set(tensors):
        has = ", ".join(sorted([*saved.parameters, *saved.variables]))
        raise _others(saved, f"it has {has}, and the agent {', '.join(sorted([*networks, *tensors]))}")
    try:
        model.set_parameters(saved.parameters, exact_match=True, device=model.device)
        for name, tensor in saved.variables.items():
            if tensor is not None:  # an entropy that is not learned
                recursive_setattr(model, f"{name}.data", tensor.data)
    except (RuntimeError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise _others(saved, "; ".join(line.strip() for line in str(error).splitlines()[:2])) from error


def _others(saved: SavedModel, reason: str) -> ValueError:
    return ValueError(f"the weights of {saved.path} are not those of the agent that is configured: {reason}")


def _counted(saved: SavedModel, name: str) -> Any:
    try:
        value = saved.object(name)
    except Untrusted:  # an object of the algorithm's, which the configuration has made
        return None
    return value if isinstance(value, _COUNTED) else None
