"""The agents gail_td3 and gail_sac: their settings, what they refuse, their files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from agents.agent import AgentConfig, register
from agents.imitation.algorithm import GailSAC, GailTD3, refuse_spaces, refuse_together
from agents.imitation.expert import Expert
from agents.imitation.settings import Imitation
from agents.sb3.algorithm import AT_LEAST_1
from agents.sb3.off_policy import OffPolicyAgent, SACConfig, TD3Config
from foundation.demonstrations import Demonstrations, environment_of
from shaping import ShapedVecEnv

DEMONSTRATIONS = "demonstrations.npz"
"""Among a checkpoint's files: what the agent learned from."""
_SETTINGS = tuple(entry.name for entry in fields(Imitation))


@dataclass
class ImitationConfig:
    """What both have beside the settings of their algorithm; see `Imitation`."""

    demonstrations: str = ""  # a file of demonstrations: scripts.record_demonstrations writes one
    subsample: int = 1  # one step of so many is kept
    subsample_seed: int = 0
    reward: str = "minimax"  # minimax, airl, nonsat (of the discriminator); sqil; controls: constant, random
    constant: float = 1.0  # what reward=constant pays
    sees: str = "pair"  # what is judged: pair (s,a), state, transition (s,s')
    n_steps: int = 1  # of returns
    d_steps: int = 1  # minibatches of the discriminator after each update; -1: one pass over the demonstrations
    d_batch_size: int = 64
    d_learning_rate: float = 5e-4
    d_net_arch: Any = field(default_factory=lambda: [64, 64])
    penalty: str = "wgan"  # where the discriminator's slope is looked at: wgan, dragan, nagard, bare, none
    penalty_weight: float = 10.0
    penalty_slope: float = 1.0  # that is free
    penalty_one_sided: bool = True
    penalty_noise: float = 0.5  # of dragan and nagard
    spectral_norm: bool = False
    labels: str = "hard"  # of the expert: hard, uniform, soft, flipped
    label_amount: float = 0.1  # of soft and flipped
    d_entropy: float = 1e-3  # entropy bonus
    obs_clip: float = 0.0  # of the discriminator's observations; 0: not cut
    standardise: bool = False  # them, by the demonstrations
    absorbing: str = "none"  # none, dac, paper (n_envs=1)
    purple: str = "none"  # none, batch, sample
    purple_tau: float = 6.0
    purple_floor: float = 0.7
    fit_model: bool = False  # the forward model, for diagnostics alone
    model_learning_rate: float = 2.5e-4
    diagnose_every: int = 500  # updates between diagnostics with Jacobians; 0: never

    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {"n_steps": AT_LEAST_1}

    def imitation(self) -> Imitation:
        """The settings of the reward.

        Raises:
            ValueError: see `Imitation`.
        """
        return _imitation({name: getattr(self, name) for name in _SETTINGS})


@dataclass
class GailTD3Config(ImitationConfig, TD3Config):
    """TD3 that imitates demonstrations: adversarial imitation with a gradient penalty."""

    batch_size: int = 64
    learning_starts: int = 500
    paper_mode: bool = False  # the paper's networks, target and loss

    n_envs: ClassVar[int] = 1

    def check(self) -> None:
        TD3Config.check(self)
        refuse_together(self.imitation(), self.gamma, self.n_steps)


@dataclass
class PaperGailTD3Config(GailTD3Config):
    """The settings of the paper's experiments: millions of steps."""

    paper_mode: bool = True
    net_arch: Any = field(default_factory=lambda: {"pi": [300, 200], "qf": [400, 300]})
    learning_rate: float = 2.5e-4
    train_freq: int = 2
    gradient_steps: int = 2
    subsample: int = 20
    n_steps: int = 10
    d_steps: int = -1
    d_net_arch: Any = field(default_factory=lambda: [100, 100])
    spectral_norm: bool = True
    obs_clip: float = 5.0
    absorbing: str = "dac"
    penalty_noise: float = 10.0


@dataclass
class GailSACConfig(ImitationConfig, SACConfig):
    """SAC that imitates demonstrations: adversarial imitation with a gradient penalty."""

    batch_size: int = 64
    learning_starts: int = 500
    learning_rate: float = 1e-3

    n_envs: ClassVar[int] = 1

    def check(self) -> None:
        SACConfig.check(self)
        refuse_together(self.imitation(), self.gamma, self.n_steps)
        if self.target_update_interval != 1:
            raise ValueError(
                f"agent.target_update_interval={self.target_update_interval}: gail_sac updates its targets with every "
                "update; make agent.tau smaller instead"
            )


class ImitationAgent(OffPolicyAgent):
    """What both share."""

    actions = (spaces.Box,)
    gathered = _SETTINGS

    def refuse(self, env: VecEnv, config: Any) -> None:
        self.refuse_spaces(env, config.policy)
        settings = config.imitation()
        if settings.absorbing == "paper" and env.num_envs > 1:
            raise ValueError(
                f"agent.absorbing=paper needs one environment, and there are {env.num_envs}: use n_envs=1, or "
                "agent.absorbing=dac"
            )
        if isinstance(env, ShapedVecEnv) and env.shaper.terms:
            raise ValueError(
                f"agent={self.name} learns from demonstrations alone, and would never see what "
                f"{', '.join(env.shaper.terms)} pays: use shaping=none, or, to add them up, shaping=gail with "
                "another agent"
            )
        assert isinstance(env.action_space, spaces.Box)
        demonstrations = self._demonstrations(config.demonstrations)
        demonstrations.check(env.observation_space, env.action_space, environment_of(env))
        Expert(demonstrations, env.observation_space, env.action_space, settings)

    def refuse_spaces(self, env: VecEnv, policy: str) -> None:
        refuse_spaces(env.observation_space, env.action_space)
        super().refuse_spaces(env, policy)

    def arguments(self, env: VecEnv, settings: dict[str, Any]) -> dict[str, Any]:
        given = {name: settings.pop(name) for name in self.gathered if name in settings}
        settings["imitation"] = _imitation(given)
        demonstrations = settings.get("demonstrations")
        if isinstance(demonstrations, str):
            settings["demonstrations"] = self._demonstrations(demonstrations) if demonstrations != _NOBODY else None
        return super().arguments(env, settings)

    def save(self, model: Any, folder: Path) -> None:
        super().save(model, folder)
        if model.demonstrations is not None:
            model.demonstrations.save(folder / DEMONSTRATIONS)

    def load(
        self, folder: Path, env: VecEnv | None, config: Any, *, threads: int = 1, trust: bool = False
    ) -> BaseAlgorithm:
        kept = folder / DEMONSTRATIONS  # of the run's beginning, whatever has become of the file since
        if env is None:  # who plays only imitates nobody
            config = replace(config, demonstrations=_NOBODY)
        elif kept.is_file():
            config = replace(config, demonstrations=str(kept))
        return super().load(folder, env, config, threads=threads, trust=trust)

    def _demonstrations(self, file: str) -> Demonstrations:
        if not file:
            raise ValueError(
                f"agent={self.name} imitates demonstrations, and was given none: say agent.demonstrations=FILE.npz. "
                "python -m scripts.record_demonstrations records them of an expert or a run."
            )
        if not Path(file).is_file():
            raise ValueError(f"agent.demonstrations={file}: there is no such file")
        return Demonstrations.load(file)


_NOBODY = "\0"
"""In place of a file: no demonstrations are wanted."""


def _imitation(given: Mapping[str, Any]) -> Imitation:
    settings = dict(given)
    if "d_net_arch" in settings:
        settings["d_net_arch"] = tuple(settings["d_net_arch"])
    return Imitation(**settings)


@register("gail_td3")
class GailTD3Agent(ImitationAgent):
    """TD3 that imitates (Blondé et al. 2020, arXiv 2006.16785)."""

    algorithm: ClassVar[type[BaseAlgorithm]] = GailTD3
    config: ClassVar[type[AgentConfig]] = GailTD3Config
    presets: ClassVar[Mapping[str, type[AgentConfig]]] = {"paper": PaperGailTD3Config}


@register("gail_sac")
class GailSACAgent(ImitationAgent):
    """SAC that imitates."""

    algorithm: ClassVar[type[BaseAlgorithm]] = GailSAC
    config: ClassVar[type[AgentConfig]] = GailSACConfig
