"""The policy alone of an agent's file: it plays, whichever algorithm trained it."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from envs.typing import Array, BoolArray
from foundation.plain_state import Untrusted
from foundation.saved_model import SavedModel


class SavedPolicy:
    """A player from an SB3 checkpoint (.zip), which samples its actions.

    It draws from torch's generator until it has a seed, and from a stream of its own from then on.
    A recurrent policy's states are kept from call to call, and are zero where an episode begins; a
    maskable policy's actions are among those of the masks. The exploration that an algorithm adds
    to its policy (DQN's epsilon) is not in the policy, and is not played. Loading leaves the random
    states as they were, and runs nothing of the file's: its policy is one of SB3's or of ours.

    Args:
        path: of the file.
        trust: take any policy, unpickled, which runs whatever the file says.

    Raises:
        Untrusted: its policy could only be unpickled, and is not trusted.
        ValueError: it holds no agent.
    """

    def __init__(self, path: str | Path, *, trust: bool = False) -> None:
        self._policy = _load(path, trust)
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


def _load(path: str | Path, trust: bool) -> Any:
    import torch

    needed = ("policy_class", "observation_space", "action_space", "policy_kwargs")
    try:
        saved = SavedModel(path)
        if "policy" not in saved.parameters:
            raise ValueError("there is no policy in it")
        if lacking := [name for name in needed if name not in saved.names]:
            raise ValueError(f"it lacks {', '.join(lacking)}")
        cls, observations, actions, arguments = (saved.object(name, trust=trust) for name in needed)
        arguments = {name: value for name, value in arguments.items() if name != "device"}
        if "use_sde" in saved.names and saved.object("use_sde") is True:
            arguments["use_sde"] = True
        with torch.random.fork_rng(devices=[]):
            policy = cls(observations, actions, lambda _: 0.0, **arguments)
        policy.load_state_dict(saved.parameters["policy"])
    except Untrusted:
        raise
    except Exception as error:
        raise ValueError(f"{path}: it holds no agent of SB3's ({error})") from error
    policy.set_training_mode(False)
    return policy
