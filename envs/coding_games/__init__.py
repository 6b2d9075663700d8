"""Markov coding games: any world of discrete actions in which a message is sent by acting.

The sender alone, behind SB3's and gymnasium's interfaces (`sender.py`), and the game of two behind
PettingZoo's (`aec.py`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gymnasium
from stable_baselines3.common.vec_env import VecEnv

from envs.arguments import keywords
from envs.catalogue import NAMESPACE, EnvDescription, Family, Option, Request, family_of, registry
from envs.coding_games.aec import CodingGame, coding_game_v0
from envs.coding_games.sender import ENTRY, WORLD, SenderEnv, SenderVecEnv, sender_vec_env
from foundation.naming import nearest

__all__ = ["CodingGame", "CodingGamesFamily", "SenderEnv", "SenderVecEnv", "coding_game_v0", "sender_vec_env"]

ID = f"{NAMESPACE}CodingGame-v0"
_CARDS = (
    ("code_grid", "CodeGrid-v0", 64, 200_000),
    ("code_grid_noisy", "CodeGridNoisy-v0", 512, 500_000),
    ("cartpole", "CartPole-v1", 16, 200_000),
    ("matrix_game", "MatrixGame-v0", 2, 20_000),
    ("referential_chain", "ReferentialChain-v0", 64, 100_000),
    ("source_coding", "SourceCoding-v0", 8, 100_000),
)


@registry.register("coding_games")
class CodingGamesFamily(Family):
    """One id: the world is an argument."""

    face_arguments = ("render_mode",)

    def ids(self) -> Sequence[str]:
        return (ID,)

    def options(self) -> Sequence[Option]:
        return tuple(
            Option(f"coding_games/{name}", ID, steps=steps, kwargs={"world": world, "messages": messages})
            for name, world, messages, steps in _CARDS
        )

    def describe(self, env_id: str) -> EnvDescription:
        return EnvDescription(env_id, frozenset({ENTRY}))

    def register(self, env_id: str) -> None:
        gymnasium.register(env_id, entry_point="envs.coding_games.sender:SenderEnv")

    def arguments(self, env_id: str) -> frozenset[str] | None:
        accepted = keywords(sender_vec_env)
        return None if accepted is None else accepted - {"request"}

    def refuse(self, env_id: str, kwargs: Mapping[str, Any], also: Sequence[str] = ()) -> None:
        """Also an argument that the world does not have."""
        super().refuse(env_id, kwargs, also)
        family, world = family_of(kwargs.get("world", WORLD))
        family.refuse(world, kwargs.get("arguments") or {})

    def rows_together(self, env_id: str, **kwargs: Any) -> int:
        """The world's."""
        family, world = family_of(kwargs.get("world", WORLD))
        return family.rows_together(world, **(kwargs.get("arguments") or {}))

    def faces(self, env_id: str) -> Mapping[str, Callable[..., Any]]:
        """The sender for gymnasium, both players for PettingZoo."""
        return {"gymnasium": functools.partial(gymnasium.make, env_id), "aec": coding_game_v0}

    def make(self, env_id: str, face: str = "gymnasium", **kwargs: Any) -> Any:
        """See `envs.make`; "aec" takes the arguments of `CodingGame`."""
        if face != "aec":
            return super().make(env_id, face, **kwargs)
        accepted = keywords(CodingGame) or frozenset()
        for argument in kwargs:
            if argument not in accepted:
                hint = nearest(argument, accepted) or f" It takes {', '.join(sorted(accepted))}."
                raise ValueError(f"{env_id} has no argument {argument!r} as a game of two.{hint}")
        return coding_game_v0(**kwargs)

    def make_vec(self, env_id: str, request: Request, **kwargs: Any) -> VecEnv:
        """See `sender_vec_env` for the arguments."""
        return sender_vec_env(request, **kwargs)
