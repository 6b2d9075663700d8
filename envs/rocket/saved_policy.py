"""The policy alone of an agent's file: it plays, whichever algorithm trained it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from envs.typing import Array, BoolArray


class SavedPolicy:
    """A player from an SB3 checkpoint (.zip), which samples its actions.

    It draws from torch's generator until it has a seed, and from a stream of its own from then on.
    A recurrent policy's states are kept from call to call, and are zero where an episode begins; a
    maskable policy's actions are among those of the masks. The exploration that an algorithm adds
    to its policy (DQN's epsilon) is not in the policy, and
    is not played. Loading leaves the random states as they were.

    Args:
        path: of the file.

    Raises:
        ValueError: it holds no agent.
    """

    def __init__(self, path: str | Path) -> None:
        self._policy = _load(path)
        self.observation_space = self._policy.observation_space
        self.action_space = self._policy.action_space
        self._states: Any = None
        self._masked = "action_masks" in inspect.signature(self._policy.predict).parameters
        self._random: Any = None  # the state of its own generator

    def seed(self, seed: int) -> None:
        """Draw from a stream of its own from now on, the one of this seed."""
        import torch

        self._random = torch.Generator().manual_seed(seed % 2**63).get_state()

    def __call__(self, observations: Array, begins: BoolArray, masks: BoolArray) -> Array:
        """See `envs.rocket.drivers.Player`."""
        import torch

        keywords = {"action_masks": masks} if self._masked else {}
        with torch.random.fork_rng(devices=[], enabled=self._random is not None):
            if self._random is not None:
                torch.set_rng_state(self._random)
            actions, self._states = self._policy.predict(
                observations, state=self._states, episode_start=begins, deterministic=False, **keywords
            )
            if self._random is not None:
                self._random = torch.get_rng_state()
        return actions


def _load(path: str | Path) -> Any:
    import torch
    from stable_baselines3.common.save_util import load_from_zip_file

    needed = ("policy_class", "observation_space", "action_space", "policy_kwargs")
    try:
        data, parameters, _ = load_from_zip_file(path, device="cpu")
        if data is None or "policy" not in parameters:
            raise ValueError("there is no policy in it")
        if lacking := [name for name in needed if name not in data]:
            raise ValueError(f"it lacks {', '.join(lacking)}")
    except Exception as error:
        raise ValueError(f"{path}: it holds no agent of SB3's ({error})") from error
    arguments = {name: value for name, value in data["policy_kwargs"].items() if name != "device"}
    if data.get("use_sde"):
        arguments["use_sde"] = True
    with torch.random.fork_rng(devices=[]):
        policy = data["policy_class"](data["observation_space"], data["action_space"], lambda _: 0.0, **arguments)
    policy.load_state_dict(parameters["policy"])
    policy.set_training_mode(False)
    return policy
