"""The agent barfi: settings, presets, what it refuses, its files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from agents.agent import AGENT_FILE, Agent, AgentConfig, register
from agents.behaviour_alignment import optimisers
from agents.behaviour_alignment.algorithm import BARFI
from agents.behaviour_alignment.features import FEATURES, kind_for
from agents.behaviour_alignment.objectives import MODES, FloatArray
from agents.memory import refuse_beyond_memory, step_bytes
from agents.time_limits import longest_episode
from foundation.checks import number, one_of, whole
from foundation.plain_state import read_state, write_state
from shaping import FloatArray as Probabilities
from shaping import Learner, Observations, ShapedVecEnv
from shaping.combine import WeightedSum
from shaping.transitions import BoolArray

REPLAY_FILE = "replay.pt"
BLENDS = ("learned", "frozen", "primary", "naive", "pbrs")
AT_LEAST_0, ABOVE_0, DECAY = {"least": 0.0}, {"above": 0.0}, {"least": 0.0, "below": 1.0}


@dataclass
class BARFIConfig(AgentConfig):
    """BARFI: learns the blend of task and terms, and the discount, that serve the task best."""

    blend: str = "learned"  # learned; frozen (as it starts), primary (the task alone), naive (a sum), pbrs
    lower: str = "reinforce"  # how the policy learns from the blend: reinforce, actor_critic
    hypergradient: str = "neumann"  # neumann, cg, exact, first_order, unrolled
    features: str = "auto"  # of states: fourier, tiles, random_relu, one_hot, auto (by the observations)
    order: int = 3  # of fourier
    tilings: int = 5  # of tiles
    tiles: int = 4  # to a coordinate
    width: int = 32  # of random_relu
    ranges: Any = None  # [[low, high], ...] of the observation's numbers; null: the space's own
    heads: str = "state"  # what the blend's factors depend on: state, scalar (nothing)
    start: str = "random"  # of the factors: random, naive (the sum of task and terms), task (it alone)
    learn_task_head: bool = False  # also the task's factor; else it is 1
    learn_discount: bool = True
    replay: bool = True  # inner steps on random earlier episodes; false: one on those just played
    delta: int = 3  # episodes of a round
    inner_mul: int = 5  # inner steps of a round are delta times as many
    warm_start: int = 0  # episodes before the blend is learned
    warm: str = "naive"  # what is learned from until then: naive, nothing
    burst: bool = True  # warm_start + delta·inner_mul inner steps at the first update after it
    batch: int = 1  # episodes of an inner step
    outer_batches: int = 15  # the hypergradient's curvature is that of so many batches
    buffer: int = 1000  # episodes kept
    horizon: int | None = None  # steps of the longest episode; null: the environment's own limit
    n_terms: int = 5  # of the Neumann series, or of conjugate gradients
    eta: float = 5e-4  # the Neumann series' step
    damping: float = 0.0  # added to the curvature (cg, exact)
    learning_rate: float = 1e-3  # of the policy
    learning_rate_critic: float = 1e-3  # lower=actor_critic
    learning_rate_heads: float = 5e-3
    learning_rate_discount: float = 5e-3
    lambda_pi: float = 0.25  # weight of the policy's entropy
    lambda_gamma: float = 0.25  # cost of a long horizon
    lambda_r: float = 0.0  # cost of large factors
    optimiser: str = "rmsprop"  # rmsprop, adam
    max_grad_norm: float = 0.0  # 0: gradients of any length
    normalise_returns: bool = False  # divide an inner step's returns by their spread
    inner_baseline: float = 0.0  # decay of a running mean taken off returns; 0: none
    outer_baseline: float = 0.0
    action_std: float = 0.1  # of continuous actions, in their own unit
    log_every: int = 500  # environment steps between rows of progress.csv

    n_envs: ClassVar[int] = 1
    bootstraps: ClassVar[bool] = False
    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {
        **dict.fromkeys(
            ("learning_rate", "learning_rate_critic", "learning_rate_heads", "learning_rate_discount"), AT_LEAST_0
        ),
        **dict.fromkeys(("lambda_pi", "lambda_gamma", "lambda_r", "damping", "max_grad_norm"), AT_LEAST_0),
        **dict.fromkeys(("eta", "action_std"), ABOVE_0),
        **dict.fromkeys(("inner_baseline", "outer_baseline"), DECAY),
    }

    def check(self) -> None:
        super().check()
        one_of("agent.blend", self.blend, BLENDS)
        one_of("agent.lower", self.lower, ("reinforce", "actor_critic"))
        one_of("agent.hypergradient", self.hypergradient, (*MODES, "unrolled"))
        one_of("agent.features", self.features, ("auto", *FEATURES))
        one_of("agent.heads", self.heads, ("state", "scalar"))
        one_of("agent.start", self.start, ("random", "naive", "task"))
        one_of("agent.warm", self.warm, ("naive", "nothing"))
        one_of("agent.optimiser", self.optimiser, optimisers.KINDS)
        if self.device not in ("cpu", "auto"):
            raise ValueError(f"agent.device={self.device}: agent=barfi computes on the CPU: give cpu")
        for name in ("order", "tilings", "tiles", "width", "delta", "inner_mul", "batch", "outer_batches", "log_every"):
            whole(f"agent.{name}", getattr(self, name))
        for name in ("warm_start", "n_terms"):
            whole(f"agent.{name}", getattr(self, name), least=0)
        if self.horizon is not None:
            whole("agent.horizon", self.horizon)
        if whole("agent.buffer", self.buffer) < self.delta + 1:
            raise ValueError(
                f"agent.buffer={self.buffer} holds no episode but the newest agent.delta={self.delta}, and the "
                f"hypergradient needs older ones: give {self.delta + 1} or more"
            )
        if self.batch > self.buffer - self.delta:
            raise ValueError(
                f"agent.batch={self.batch} is more than the {self.buffer - self.delta} episodes that agent.buffer="
                f"{self.buffer} holds beside the newest {self.delta}: give a smaller batch or a larger buffer"
            )
        if self.blend == "learned" and self.learn_discount and not 0.0 < self.gamma < 1.0:
            raise ValueError(
                f"agent.gamma={self.gamma}: a learned discount starts there and stays between 0 and 1: give such a "
                "number, or agent.learn_discount=false"
            )
        if self.hypergradient == "unrolled" and self.optimiser != "rmsprop":
            raise ValueError(
                f"agent.hypergradient=unrolled goes back through steps without momentum, and agent.optimiser="
                f"{self.optimiser} has some: give rmsprop"
            )
        if self.blend == "pbrs" and self.replay:
            raise ValueError("agent.blend=pbrs is a baseline that learns from what it has just played: replay=false")
        _check_ranges(self.ranges)


@dataclass
class MountainCarConfig(BARFIConfig):
    """BARFI as for the mountain car: tile coding, every factor learned, a small buffer."""

    features: str = "tiles"
    learn_task_head: bool = True
    learning_rate: float = 0.0625
    learning_rate_critic: float = 0.0625
    learning_rate_heads: float = 1 / 64
    learning_rate_discount: float = 1 / 64
    lambda_gamma: float = 0.0
    buffer: int = 50
    warm_start: int = 50
    burst: bool = False
    log_every: int = 5_000


@dataclass
class CartPoleConfig(BARFIConfig):
    """BARFI as for the cart pole: 256 Fourier features, every factor learned."""

    features: str = "fourier"
    ranges: Any = field(default_factory=lambda: [[-2.4, 2.4], [-3.5, 3.5], [-0.2095, 0.2095], [-3.5, 3.5]])
    learn_task_head: bool = True
    learning_rate_heads: float = 1e-3
    learning_rate_discount: float = 1e-3
    buffer: int = 10_000
    warm_start: int = 150
    log_every: int = 2_000


@dataclass
class HalfCheetahConfig(BARFIConfig):
    """BARFI as for the half cheetah: random features, three numbers as factors, Adam."""

    features: str = "random_relu"
    heads: str = "scalar"
    start: str = "naive"
    learn_discount: bool = False
    optimiser: str = "adam"
    learning_rate: float = 1e-4
    learning_rate_heads: float = 2.5e-3
    lambda_pi: float = 0.0
    lambda_gamma: float = 0.0
    lambda_r: float = 1.0
    buffer: int = 50
    warm_start: int = 30
    warm: str = "nothing"
    inner_baseline: float = 0.9
    outer_baseline: float = 0.99
    log_every: int = 10_000


@register("barfi")
class BARFIAgent(Agent):
    """BARFI (Gupta et al. 2023): learns how task and terms are blended."""

    config = BARFIConfig
    presets: ClassVar[Mapping[str, type[AgentConfig]]] = {
        "mountain_car": MountainCarConfig,
        "cart_pole": CartPoleConfig,
        "half_cheetah": HalfCheetahConfig,
    }
    actions = (spaces.Discrete, spaces.Box)

    def refuse(self, env: VecEnv, config: Any) -> None:
        super().refuse(env, config)
        space = env.action_space
        if isinstance(space, spaces.Box) and not space.shape:
            raise ValueError(f"The actions are one number without an axis ({space}); give it the shape (1,).")
        kind_for(env.observation_space, config.features, config.ranges, config.order)
        if env.num_envs > config.delta:
            raise ValueError(
                f"n_envs={env.num_envs}: a round is agent.delta={config.delta} episodes, so more environments would "
                f"play for nothing: give n_envs={config.delta} or fewer"
            )
        if isinstance(env, ShapedVecEnv) and type(env.shaper.combiner) is not WeightedSum:
            raise ValueError(
                "agent=barfi blends the task and the terms itself, and does not see what another combiner makes of "
                "them: leave shaping.combiner at weighted_sum, or give agent=ppo"
            )

    def make(self, env: VecEnv, config: Any, *, seed: int | None, threads: int = 1) -> BaseAlgorithm:
        config.check()
        self.refuse(env, config)
        horizon = longest_episode(env) if config.horizon is None else config.horizon
        observation = int(np.prod(env.observation_space.shape or (1,))) * 8
        refuse_beyond_memory("agent.buffer", config.buffer, horizon * (step_bytes(env) + observation + 16))
        return BARFI(env, seed=seed, settings={**asdict(config), "horizon": horizon})

    def save(self, model: Any, folder: Path) -> None:
        super().save(model, folder)
        if model.replay is not None:
            write_state(model.replay.state_dict(), folder / REPLAY_FILE)

    def load(
        self, folder: Path, env: VecEnv | None, config: Any, *, threads: int = 1, trust: bool = False
    ) -> BaseAlgorithm:
        model = BARFI.load(folder / AGENT_FILE, env=env, device="cpu", trust=trust)
        given = asdict(config)
        for name in ("features", "order", "tilings", "tiles", "width", "ranges", "heads"):
            if model.settings[name] != given[name]:
                raise ValueError(
                    f"{folder} was trained with agent.{name}={model.settings[name]}, and the configuration says "
                    f"{given[name]}"
                )
        if env is not None and model.signals:
            model.replay = model.make_replay()
            model.replay.load_state_dict(read_state(folder / REPLAY_FILE, trust=trust))
        return model

    def row_every(self, config: Any) -> int:
        return int(config.log_every)

    def learner(self, model: Any) -> Learner:
        return PolicyOfBARFI(model)

    def closing_remark(self, model: Any) -> str | None:
        remark: str | None = model.warning
        return remark

    def maps(self, model: Any, observations: Any) -> Mapping[str, FloatArray]:
        factors: Mapping[str, FloatArray] = model.factors(np.asarray(observations))
        return factors


class PolicyOfBARFI:
    """What parts of the reward that read the policy are shown; see `shaping.Learner`."""

    keeps_rollout = False

    def __init__(self, model: BARFI) -> None:
        self._model = model

    def probabilities(self, observations: Observations, masks: BoolArray | None = None) -> Probabilities:
        """See `shaping.Learner`."""
        return self._model.probabilities(np.asarray(observations))

    def rises(self, weights: Probabilities) -> Probabilities:
        """See `shaping.Learner`."""
        raise ValueError("agent=barfi keeps whole episodes, no rollout: use agent=ppo or a2c")


def _check_ranges(ranges: Any) -> None:
    if ranges is None:
        return
    pairs = ranges if isinstance(ranges, Sequence) and not isinstance(ranges, str) else [ranges]
    for pair in pairs:
        if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
            raise ValueError(f"agent.ranges={ranges}: expected [[low,high],...], a pair for every number observed")
        low, high = (number("agent.ranges", value) for value in pair)
        if not low < high or not math.isfinite(high - low):
            raise ValueError(f"agent.ranges has the pair [{low}, {high}]: expected the lower one first")
