"""From a name and hyper-parameters to a Stable-Baselines3 algorithm, with everything that cannot work refused here."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from sb3_contrib import QRDQN, MaskablePPO, RecurrentPPO
from sb3_contrib.common.maskable.utils import is_masking_supported
from stable_baselines3 import A2C, DQN, PPO, SAC, TD3
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.noise import NormalActionNoise
from stable_baselines3.common.off_policy_algorithm import OffPolicyAlgorithm
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv

from agents.features import SHARDED, features_for, reads_matrix
from agents.lucy import AuxPPO
from agents.policies import LeanMultiInputPolicy

algorithms: Mapping[str, type[BaseAlgorithm]] = MappingProxyType(
    {
        "ppo": PPO,
        "a2c": A2C,
        "dqn": DQN,
        "recurrent_ppo": RecurrentPPO,
        "maskable_ppo": MaskablePPO,
        "qrdqn": QRDQN,
        "sac": SAC,
        "td3": TD3,
        "lucy": AuxPPO,
    }
)
"""Agent name -> Stable-Baselines3 class."""

POLICIES = ("MlpPolicy", "CnnPolicy", "MultiInputPolicy")
SCHEDULES = ("constant", "linear")

_ADAM_OF_ACTOR_CRITICS = {"ppo", "maskable_ppo", "recurrent_ppo", "lucy"}
_DISCRETE_ONLY = {"dqn", "qrdqn"}
_CONTINUOUS_ONLY = {"sac", "td3"}
_REPLAY_MEMORY_SHARE = 0.8
"""A replay buffer may take this share of the machine's memory. SB3 allocates it lazily, so one that does not fit is
killed by the kernel an hour into training instead of at the start."""


def build(
    name: str,
    env: VecEnv,
    *,
    seed: int | None = None,
    device: str = "cpu",
    tensorboard: str | None = None,
    policy: str = "auto",
    features: str = "auto",
    net_arch: Any = None,
    policy_kwargs: Mapping[str, Any] | None = None,
    learning_rate_schedule: str = "constant",
    threads: int = 1,
    **hyperparameters: Any,
) -> BaseAlgorithm:
    """The algorithm called `name`, ready to learn in `env`.

    Args:
        name: a key of `algorithms`.
        env: the stack that the agent acts in.
        seed: of networks, sampling and action spaces (`env` is seeded with it too, as SB3 does).
        device: "cpu", "cuda", "cuda:1" or "auto".
        tensorboard: folder for SB3's own TensorBoard log; None where a logger is set by the caller.
        policy: "auto", or one of `POLICIES`.
        features: "auto" (by the observation space), "none" (SB3's own), or a name of `agents.features`.
        net_arch: hidden layers after the features, as SB3 takes them; None for SB3's default.
        policy_kwargs: further keyword arguments of the policy class.
        learning_rate_schedule: "constant", or "linear" (down to 0 at the last step).
        threads: cores to learn with. Where the feature extractor can share a batch between threads, torch's own are
            set to
            one, because the two kinds would take each other's core; else torch's own are set to `threads`.
        hyperparameters: keyword arguments of the algorithm's class; `lstm_hidden_size` and `n_lstm_layers`
            (recurrent_ppo), `n_quantiles` (qrdqn) and `action_noise_std` (td3, sac) are understood as well.

    Raises:
        ValueError: an unknown name, or an agent that cannot act in `env`; the message says why and what would do.
    """
    if name not in algorithms:
        near = difflib.get_close_matches(name, algorithms, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"There is no agent {name!r}.{hint} The agents are {', '.join(algorithms)}.")
    refuse_impossible(name, env, policy=policy)

    policy_kwargs = dict(policy_kwargs or {})
    if net_arch is not None:
        policy_kwargs["net_arch"] = net_arch
    if "features_extractor_class" not in policy_kwargs:
        arguments = policy_kwargs.pop("features_extractor_kwargs", {})
        found = _features(env.observation_space, features, arguments)
        if found is not None:
            policy_kwargs["features_extractor_class"], policy_kwargs["features_extractor_kwargs"] = found
    sharded = policy_kwargs.get("features_extractor_class") in SHARDED
    if sharded:
        policy_kwargs["features_extractor_kwargs"] = {"threads": threads, **policy_kwargs["features_extractor_kwargs"]}
    torch.set_num_threads(1 if sharded else threads)
    if name in _ADAM_OF_ACTOR_CRITICS and "optimizer_class" not in policy_kwargs:
        policy_kwargs.setdefault(
            "optimizer_kwargs", {"eps": 1e-5, "fused": True}
        )  # SB3's eps; one kernel for all weights
    for key in ("lstm_hidden_size", "n_lstm_layers", "n_quantiles"):
        if key in hyperparameters:
            policy_kwargs[key] = hyperparameters.pop(key)

    if learning_rate_schedule not in SCHEDULES:
        raise ValueError(
            f"learning_rate_schedule is {learning_rate_schedule!r}; it can be {' or '.join(map(repr, SCHEDULES))}."
        )
    if learning_rate_schedule == "linear":
        hyperparameters["learning_rate"] = LinearSchedule(hyperparameters["learning_rate"], 0.0, 1.0)

    noise = hyperparameters.pop("action_noise_std", 0.0)
    if noise:
        size = int(np.prod(env.action_space.shape or ()))
        hyperparameters["action_noise"] = NormalActionNoise(np.zeros(size), np.full(size, noise))

    algorithm = algorithms[name]
    if issubclass(algorithm, OffPolicyAlgorithm):
        _refuse_replay_beyond_memory(env, int(hyperparameters.get("buffer_size", 1_000_000)))
    try:
        return algorithm(
            _policy(name, env, policy, sharded),
            env,
            seed=seed,
            device=device,
            tensorboard_log=tensorboard,
            policy_kwargs=policy_kwargs,
            **hyperparameters,
        )
    except (TypeError, AssertionError) as error:  # SB3 reports a bad hyper-parameter by either
        raise ValueError(f"agent={name} cannot be built: {error}") from error


def refuse_impossible(name: str, env: VecEnv, *, policy: str = "auto") -> None:
    """Raises ValueError, with the reason, where the agent `name` cannot act in `env`."""
    actions = env.action_space
    if name in _CONTINUOUS_ONLY and not isinstance(actions, spaces.Box):
        raise ValueError(
            f"agent={name} needs continuous actions (Box), and this environment's are {actions}. "
            "Agents for discrete actions: ppo, a2c, dqn, qrdqn, recurrent_ppo, lucy."
        )
    if name in _DISCRETE_ONLY and not isinstance(actions, spaces.Discrete):
        raise ValueError(
            f"agent={name} needs one discrete action (Discrete), and this environment's are {actions}. "
            "Agents for continuous actions: sac, td3, ppo, a2c."
        )
    if name == "maskable_ppo":
        if isinstance(actions, spaces.Box):
            raise ValueError(
                f"agent=maskable_ppo masks discrete actions, and this environment's are continuous ({actions}). "
                "Use agent=ppo."
            )
        if not _has_action_masks(env):
            raise ValueError(
                "agent=maskable_ppo asks the environment for the valid actions at every step, and this environment "
                "has no action_masks() method. Use agent=ppo, or give the environment one."
            )
    if name == "lucy" and isinstance(env.observation_space, spaces.Dict):
        raise ValueError(
            "agent=lucy attends over the rows of one matrix, and this environment observes "
            f"{', '.join(env.observation_space.spaces)}. Terms that publish what they remember add such entries "
            "(shaping=events does): use shaping=kinesthetic, count, rnd or none, or agent=ppo."
        )
    if name == "lucy" and not reads_matrix(env.observation_space):
        raise ValueError(
            f"agent=lucy attends over the rows of a matrix, and this environment observes {env.observation_space}. Use "
            "an environment of the family rocket with env.kwargs.observation=lucy or necto, or agent=ppo."
        )
    if not isinstance(actions, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
        raise ValueError(
            f"No agent takes actions of the kind {actions}; expected Box or (Multi)Discrete or MultiBinary."
        )

    observations = env.observation_space
    _refuse_unreadable(observations, "observations")
    if policy == "auto":
        return
    if policy not in POLICIES:
        near = difflib.get_close_matches(policy, ("auto", *POLICIES), n=1, cutoff=0.3)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"agent.policy is {policy!r}; it can be 'auto', {', '.join(map(repr, POLICIES))}.{hint}")
    is_dict = isinstance(observations, spaces.Dict)
    if isinstance(observations, spaces.Dict) and policy != "MultiInputPolicy":
        what = "a single image" if policy == "CnnPolicy" else "a single vector"
        entries = ", ".join(observations.spaces)
        raise ValueError(
            f"agent.policy={policy} reads {what}, and this environment observes several entries ({entries}). "
            "Use agent.policy=auto or MultiInputPolicy."
        )
    if not is_dict and policy == "MultiInputPolicy":
        raise ValueError(
            f"agent.policy=MultiInputPolicy reads a Dict of observations, and this environment's are {observations}. "
            "Use agent.policy=auto."
        )
    if policy == "CnnPolicy" and not is_image_space(observations):
        raise ValueError(
            f"agent.policy=CnnPolicy reads images (uint8, three axes, 0 to 255), and this environment's observations "
            f"are {observations}. Use agent.policy=auto."
        )


def replay_bytes(observation_space: spaces.Space[Any], action_space: spaces.Space[Any], buffer_size: int) -> int:
    """Bytes that a replay buffer of `buffer_size` transitions fills (each observation is kept twice)."""
    if isinstance(observation_space, spaces.Dict):
        observation = sum(_bytes(space) for space in observation_space.spaces.values())
    else:
        observation = _bytes(observation_space)
    return buffer_size * (2 * observation + 8 * int(np.prod(action_space.shape or (1,))) + 12)


def _bytes(space: spaces.Space[Any]) -> int:
    return int(np.prod(space.shape or (1,))) * np.dtype(space.dtype or np.float32).itemsize


def _refuse_unreadable(space: spaces.Space[Any], what: str) -> None:
    if isinstance(space, spaces.Dict):
        for key, entry in space.spaces.items():
            if isinstance(entry, spaces.Dict | spaces.Tuple):
                raise ValueError(
                    f"The {what} entry {key!r} is nested ({entry}); SB3's policies read one level. Flatten it."
                )
            _refuse_unreadable(entry, f"{what} entry {key!r}")
        return
    if isinstance(space, spaces.Text):
        raise ValueError(
            f"The {what} are text ({space}), which no policy here reads. "
            "Choose numeric observation keys (such as the message's bytes), or encode the text in a wrapper."
        )
    if not isinstance(space, spaces.Box | spaces.Discrete | spaces.MultiDiscrete | spaces.MultiBinary):
        raise ValueError(
            f"The {what} are {space}, which no policy here reads; expected Box, Discrete or a Dict of them."
        )


def _has_action_masks(env: VecEnv) -> bool:
    try:
        return bool(is_masking_supported(env))
    except (AttributeError, NotImplementedError):
        return False


def _features(
    observation_space: spaces.Space[Any], name: str, arguments: Mapping[str, Any]
) -> tuple[type, dict[str, Any]] | None:
    found = None if name == "none" else features_for(observation_space, name, **arguments)
    if found is None and arguments:
        raise ValueError(
            f"agent.features={name} leaves the features of {observation_space} to SB3, which takes no "
            f"features_extractor_kwargs ({', '.join(arguments)}). Name an extractor: agent.features=NAME."
        )
    return found


def _policy(name: str, env: VecEnv, policy: str, sharded: bool) -> str | type[LeanMultiInputPolicy]:
    if policy == "auto" and sharded and name in ("ppo", "a2c") and isinstance(env.action_space, spaces.Discrete):
        return LeanMultiInputPolicy
    return _policy_name(name, env.observation_space, policy)


def _policy_name(name: str, observation_space: spaces.Space[Any], policy: str) -> str:
    if policy == "auto":
        if isinstance(observation_space, spaces.Dict):
            policy = "MultiInputPolicy"
        elif is_image_space(observation_space):
            policy = "CnnPolicy"
        else:
            policy = "MlpPolicy"
    if name == "recurrent_ppo":
        return policy.replace("Policy", "LstmPolicy")
    return policy


def _refuse_replay_beyond_memory(env: VecEnv, buffer_size: int) -> None:
    needed = replay_bytes(env.observation_space, env.action_space, buffer_size)
    available = _memory_bytes() * _REPLAY_MEMORY_SHARE
    if needed > available:
        fitting = max(1, int(buffer_size * available / needed))
        raise ValueError(
            f"agent.buffer_size={buffer_size} transitions of this environment take {needed / 2**30:.1f} GiB, and "
            f"{available / 2**30:.1f} GiB are free. Use agent.buffer_size={fitting} or less, or fewer observation keys."
        )


def _memory_bytes() -> int:
    """Memory that this process can still take: what the machine has available, or its container's limit if lower."""
    available = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                available = int(line.split()[1]) * 1024
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists():
        text = limit.read_text().strip()
        if text.isdigit():
            available = min(available, int(text))
    return available


def resolve_device(device: str) -> str:
    """The device to put in `build`: "auto" becomes "cuda" where there is one.

    Raises:
        ValueError: the device does not exist here.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise ValueError(f"device={device} is no device; expected cpu, cuda, cuda:N or auto.") from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device={device} was asked for, and torch sees no GPU here. Use device=cpu or device=auto.")
    return device
