"""What all agents on an SB3 algorithm share: policy, features, checks, threads, files."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar

import torch
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.preprocessing import is_image_space
from stable_baselines3.common.utils import LinearSchedule
from stable_baselines3.common.vec_env import VecEnv

from agents.agent import AGENT_FILE, Agent, AgentConfig
from agents.device import resolve_device
from agents.features import FEATURES, SHARDED, features_for
from agents.features.shards import Threads
from agents.policies import LeanMultiInputPolicy, LeanPolicy
from agents.restoring import Vacant, restore
from agents.spaces import refuse_small_images, refuse_unreadable
from foundation.checks import one_of, whole
from foundation.naming import nearest
from foundation.saved_model import SavedModel

POLICIES = ("MlpPolicy", "CnnPolicy", "MultiInputPolicy")
SCHEDULES = ("constant", "linear")
NETWORKS = ("pi", "vf", "qf")
WIDEST = 16_384  # units of a layer: two such layers are a gigabyte
AT_LEAST_0, AT_LEAST_1, ABOVE_0 = {"least": 0.0}, {"least": 1.0}, {"above": 0.0}
SHARE = {"least": 0.0, "most": 1.0}


@dataclass
class SB3Config(AgentConfig):
    """What every agent on an SB3 algorithm has."""

    policy: str = "auto"  # auto, MlpPolicy, CnnPolicy, MultiInputPolicy
    features: str = "auto"  # auto (by the observations), none (SB3's own), or a name of agents.features
    net_arch: Any = None  # hidden layers after the features, as SB3 takes them: [64,64] or {pi: [64], vf: [64]}
    policy_kwargs: dict[str, Any] = field(default_factory=dict)  # further arguments of SB3's policy class
    learning_rate: float = 3e-4
    learning_rate_schedule: str = "constant"  # constant, linear (to 0 at the last step)

    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {"learning_rate": AT_LEAST_0}

    def check(self) -> None:
        super().check()
        one_of("agent.learning_rate_schedule", self.learning_rate_schedule, SCHEDULES)
        refuse_net_arch(self.net_arch)
        if "net_arch" in self.policy_kwargs:
            if self.net_arch is not None:
                raise ValueError("agent.net_arch and agent.policy_kwargs.net_arch are both given: give one of them")
            refuse_net_arch(self.policy_kwargs["net_arch"])


class SB3Agent(Agent):
    """An agent on an algorithm of Stable-Baselines3, or on a subclass of one."""

    algorithm: ClassVar[type[BaseAlgorithm]]
    config: ClassVar[type[AgentConfig]] = SB3Config

    policy_arguments: ClassVar[tuple[str, ...]] = ()
    """Settings that go to the policy class."""

    not_arguments: ClassVar[tuple[str, ...]] = ()
    """Settings that the algorithm's constructor does not see."""

    gathered: ClassVar[tuple[str, ...]] = ()
    """Settings that `arguments` makes one keyword argument of."""

    actor_critic = False
    """Adam with SB3's epsilon for actor-critics."""

    lean = False
    """Can a policy of `agents.policies` stand for SB3's, where spaces allow it?"""

    splits = False
    """Does its `train` share a minibatch of discrete actions between threads (`threads`)?"""

    def refuse(self, env: VecEnv, config: Any) -> None:
        self.refuse_spaces(env, config.policy)

    def refuse_spaces(self, env: VecEnv, policy: str) -> None:
        """Raises ValueError where it cannot act in `env` with this policy; `build` asks as well."""
        self.refuse_actions(env.action_space)
        refuse_unreadable(env.observation_space, "observations")
        refuse_policy(policy, env.observation_space)

    def make(self, env: VecEnv, config: Any, *, seed: int | None, threads: int = 1) -> BaseAlgorithm:
        given = {entry.name: getattr(config, entry.name) for entry in fields(config)}
        given["device"] = resolve_device(given["device"])
        return self.build(env, seed=seed, threads=threads, **given)

    def build(
        self,
        env: VecEnv,
        *,
        seed: int | None = None,
        threads: int = 1,
        device: str = "cpu",
        tensorboard: str | None = None,
        policy: str = "auto",
        features: str = "auto",
        net_arch: Any = None,
        policy_kwargs: Mapping[str, Any] | None = None,
        learning_rate_schedule: str = "constant",
        **settings: Any,
    ) -> BaseAlgorithm:
        """A new model; what is not given has SB3's own default.

        Args:
            env: the stack that the agent acts in.
            seed: of networks, sampling and action spaces (`env` is seeded with it too, as SB3
                does).
            threads: cores to learn with. Where the algorithm or the feature extractor can share a
                batch between threads, torch's own are set to one, because the two kinds would take
                each other's core; else torch's are set to `threads`.
            device: "cpu", "cuda", "cuda:1" or "auto".
            tensorboard: folder for SB3's own TensorBoard log; None where a logger is set by the
                caller.
            policy: "auto", or one of `POLICIES`.
            features: "auto" (by the observation space), "none" (SB3's own), or a name of
                `agents.features`.
            net_arch: hidden layers after the features, as SB3 takes them; None for SB3's default.
            policy_kwargs: further keyword arguments of the policy class.
            learning_rate_schedule: "constant", or "linear" (down to 0 at the last step).
            settings: keyword arguments of the algorithm's class, and `policy_arguments`.

        Raises:
            ValueError: an agent that cannot act in `env`, or a setting that cannot work; the
                message says what would.
        """
        self.refuse_spaces(env, policy)
        settings = {name: value for name, value in settings.items() if name not in self.not_arguments}
        policy_kwargs = dict(policy_kwargs or {})
        if net_arch is not None:
            policy_kwargs["net_arch"] = net_arch
        if "features_extractor_class" not in policy_kwargs:
            arguments = policy_kwargs.pop("features_extractor_kwargs", {})
            extractor = _extractor(env.observation_space, features, arguments)
            if extractor is not None:
                policy_kwargs["features_extractor_class"], policy_kwargs["features_extractor_kwargs"] = extractor
            else:
                refuse_small_images(env.observation_space, policy)
        extractor_class = policy_kwargs.get("features_extractor_class")
        sharded, splits = extractor_class in SHARDED, self._splits(env, device, extractor_class)
        if sharded:
            arguments = policy_kwargs["features_extractor_kwargs"]
            policy_kwargs["features_extractor_kwargs"] = {"threads": 1 if splits else threads, **arguments}
        if "optimizer_class" not in policy_kwargs:
            epsilon = {"eps": 1e-5} if self.actor_critic else {}
            policy_kwargs.setdefault("optimizer_kwargs", {**epsilon, "fused": True})
        for key in self.policy_arguments:
            if key in settings:
                policy_kwargs[key] = settings.pop(key)
        one_of("learning_rate_schedule", learning_rate_schedule, SCHEDULES)
        if learning_rate_schedule == "linear":
            settings["learning_rate"] = LinearSchedule(settings["learning_rate"], 0.0, 1.0)
        settings = self.arguments(env, settings)
        refuse_settings(self, settings)
        torch.set_num_threads(1 if sharded or splits else threads)
        make: Any = self.algorithm
        model: BaseAlgorithm = make(
            self._policy(env, policy, sharded),
            env,
            seed=seed,
            device=device,
            tensorboard_log=tensorboard,
            policy_kwargs=policy_kwargs,
            **settings,
        )
        if splits:
            model.threads = Threads(threads)  # type: ignore[attr-defined]
        return model

    def arguments(self, env: VecEnv, settings: dict[str, Any]) -> dict[str, Any]:
        """The keyword arguments of the algorithm's class from settings.

        Raises ValueError for what cannot work.
        """
        return settings

    def load(
        self, folder: Path, env: VecEnv | None, config: Any, *, threads: int = 1, trust: bool = False
    ) -> BaseAlgorithm:
        """Made of `config` anew, so that nothing of the file's has to be unpickled."""
        saved = SavedModel(folder / AGENT_FILE, resolve_device(config.device))
        torchs_own = torch.get_num_threads()
        place = env if env is not None else Vacant(saved, trust=trust)
        model = self.make(place, config, seed=_seed(saved), threads=threads)
        restore(model, saved, constructor_arguments(self.algorithm))
        if env is None:
            model.env = None
            torch.set_num_threads(torchs_own)
        return model

    def over_the_run(self, config: Any) -> tuple[str, ...]:
        return ("agent.learning_rate",) if config.learning_rate_schedule == "linear" else ()

    def policy_name(self, name: str) -> str:
        """The algorithm's own word for one of `POLICIES`."""
        return name

    def _splits(self, env: VecEnv, device: str, extractor: type | None) -> bool:
        """Are minibatches shared, of a network that treats rows one by one?"""
        row_by_row = extractor is None or extractor in FEATURES.values()
        return self.splits and row_by_row and device == "cpu" and isinstance(env.action_space, spaces.Discrete)

    def _policy(self, env: VecEnv, policy: str, sharded: bool) -> str | type[LeanPolicy]:
        if policy == "auto":
            space = env.observation_space
            wide = "CnnPolicy" if is_image_space(space) else "MlpPolicy"
            policy = "MultiInputPolicy" if isinstance(space, spaces.Dict) else wide
            if self.lean and isinstance(env.action_space, spaces.Discrete):
                if sharded:
                    return LeanMultiInputPolicy
                if policy == "MlpPolicy":
                    return LeanPolicy
        return self.policy_name(policy)


def refuse_net_arch(net_arch: Any) -> None:
    """Raises ValueError for hidden layers that SB3 would build otherwise than they are written."""
    if net_arch is None:
        return
    by_network = dict(net_arch) if isinstance(net_arch, Mapping) else {"": net_arch}
    for network, widths in by_network.items():
        if network not in ("", *NETWORKS):
            raise ValueError(f"agent.net_arch has layers for {network!r}; networks are {', '.join(NETWORKS)}")
        if isinstance(widths, str) or not isinstance(widths, Sequence):
            raise ValueError(f"agent.net_arch={net_arch}: expected widths in a list, such as [64,64]")
        for width in widths:
            where = f"agent.net_arch{'.' + network if network else ''}"
            if whole(where, width) > WIDEST:
                raise ValueError(f"{where}={width}: expected at most {WIDEST} units in a layer")


def refuse_policy(policy: str, observations: spaces.Space[Any]) -> None:
    """Raises ValueError where one of SB3's policies cannot read observations of this space."""
    one_of("agent.policy", policy, ("auto", *POLICIES))
    if isinstance(observations, spaces.Dict) and policy not in ("auto", "MultiInputPolicy"):
        what = "a single image" if policy == "CnnPolicy" else "a single vector"
        entries = ", ".join(observations.spaces)
        raise ValueError(
            f"agent.policy={policy} reads {what}, and this environment observes several entries ({entries}). "
            "Use agent.policy=auto or MultiInputPolicy."
        )
    if not isinstance(observations, spaces.Dict) and policy == "MultiInputPolicy":
        raise ValueError(
            f"agent.policy=MultiInputPolicy reads a Dict of observations, and this environment's are {observations}. "
            "Use agent.policy=auto."
        )
    if policy == "CnnPolicy" and not is_image_space(observations):
        raise ValueError(
            f"agent.policy=CnnPolicy reads images (uint8, three axes, 0 to 255), and this environment's observations "
            f"are {observations}. Use agent.policy=auto."
        )


def refuse_settings(agent: SB3Agent, settings: Mapping[str, Any]) -> None:
    """Raises ValueError for a keyword argument that the algorithm's class has not."""
    known = constructor_arguments(agent.algorithm)
    for name in settings:
        if name not in known:
            raise ValueError(f"agent={agent.name} has no setting {name!r}.{nearest(name, known)}")


def constructor_arguments(algorithm: type) -> set[str]:
    """The keyword arguments of a class, and those of the classes that it hands its ** on to."""
    known: set[str] = set()
    for cls in algorithm.__mro__:
        if "__init__" in vars(cls):
            parameters = inspect.signature(vars(cls)["__init__"]).parameters
            known |= set(parameters)
            if not any(parameter.kind is inspect.Parameter.VAR_KEYWORD for parameter in parameters.values()):
                break
    return known


def _extractor(
    observation_space: spaces.Space[Any], name: str, arguments: Mapping[str, Any]
) -> tuple[type, dict[str, Any]] | None:
    extractor = None if name == "none" else features_for(observation_space, name, **arguments)
    if extractor is None and arguments:
        raise ValueError(
            f"agent.features={name} leaves the features of {observation_space} to SB3, which takes no "
            f"features_extractor_kwargs ({', '.join(arguments)}). Name an extractor: agent.features=NAME."
        )
    return extractor


def _seed(saved: SavedModel) -> int | None:
    seed = saved.object("seed") if "seed" in saved.names else None
    return seed if isinstance(seed, int) else None
