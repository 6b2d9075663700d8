"""What a run is made of: one typed dataclass a group, and `RunConfig`, the whole.

env        what the agent acts in    the cards of `envs.options()`, or any gymnasium id: env.id=
shaping    where reward comes from   reward terms, `none`, `all`, or a list: [events,rnd]
agent      what learns               the configurations of `agents.options()`
tracking   where the curves go       none, tensorboard, wandb
llm        whom some terms ask       embedded, endpoint, replay
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Union

from omegaconf import MISSING

import envs
from envs.catalogue import Option

Weight = Union[int, float, str]  # noqa: UP007 - OmegaConf reads Union


# Environments -------------------------------------------------------------------------------------


@dataclass
class PotentialDefault:
    """What the potential term reads in this environment when the command line does not say."""

    entry: str = ""
    scale: float = 1.0


@dataclass
class EnvConfig:
    """An environment."""

    id: str = MISSING  # a gymnasium id; ours may leave out "breadcrumb/"
    kwargs: dict[str, Any] = field(default_factory=dict)  # arguments of the environment, such as crop_size
    total_timesteps: int = 100_000  # environment steps of a run, unless total_timesteps says otherwise
    events: list[str] = field(default_factory=list)  # what shaping=events rewards, unless it names its own
    potential: PotentialDefault = field(default_factory=PotentialDefault)
    task: str = ""  # the task in words, for a language model
    subgoals: dict[str, str] = field(default_factory=dict)  # text -> event that is true exactly then, "" for none
    statistics: bool = False  # log what its episodes came to (info["stats"]), where it can tell
    channels: list[str] = field(default_factory=list)  # all that it may report in info["reward_channels"]


def environment(card: Option) -> EnvConfig:
    """The configuration that a card of `envs.options()` stands for."""
    return EnvConfig(
        id=card.id or MISSING,
        kwargs=dict(card.kwargs),
        total_timesteps=card.steps,
        events=list(card.events),
        potential=PotentialDefault() if card.potential is None else PotentialDefault(**asdict(card.potential)),
        task=card.task,
        subgoals=dict(card.subgoals),
        statistics=card.statistics,
        channels=list(card.channels),
    )


def environments() -> dict[str, EnvConfig]:
    """Group `env`: option -> configuration; `custom` takes any gymnasium id."""
    return {name: environment(card) for name, card in envs.options().items()}


# Shaping ------------------------------------------------------------------------------------------


@dataclass
class CombinerConfig:
    """How the signals of a step become the reward."""

    name: str = "weighted_sum"  # a registered combiner
    arguments: dict[str, Any] = field(default_factory=dict)  # of its constructor


@dataclass
class EpisodeConfig:
    """A transform of whole episodes' rewards."""

    name: str | None = None  # a registered episode transform; null: none
    arguments: dict[str, Any] = field(default_factory=dict)  # of its constructor
    withheld: list[str] | None = None  # signals not paid at once; null: every term's


@dataclass
class ShapingConfig:
    """Reward terms by name, and how they are put together."""

    task_weight: Weight = 1.0  # of the environment's own reward: a number or a schedule
    task_transforms: list[Any] = field(default_factory=list)  # of the environment's own reward, like a term's
    terms: dict[str, Any] = field(default_factory=dict)  # name -> its arguments and what every term has
    combiner: CombinerConfig = field(default_factory=CombinerConfig)
    episode: EpisodeConfig = field(default_factory=EpisodeConfig)


# Language model -----------------------------------------------------------------------------------


@dataclass
class LLMConfig:
    """The embedded model, SmolLM2-135M-Instruct, on one core; started when something is asked."""

    base_url: str | None = None  # of an OpenAI-compatible endpoint, with /v1; the key is in OPENAI_API_KEY
    model: str | None = None  # its name there; null: the first that the endpoint lists
    model_path: str | None = None  # another GGUF file for the embedded server
    api: str = "completions"  # completions (log-probabilities of the answers), chat
    timeout: float = 30.0  # seconds for one request, to the last byte of its reply
    retries: int = 2
    max_in_flight: int = 1  # requests at one time
    threads: int = 1  # of the embedded model
    context: int = 4096  # its tokens
    gpu_layers: int = 0  # its layers on a GPU
    cache: str | None = None  # file of the answers; null: ~/.cache/breadcrumb/answers.sqlite
    replay: bool = False  # answers come from the cache alone


@dataclass
class EndpointConfig(LLMConfig):
    """Any OpenAI-compatible endpoint: vLLM, llama.cpp, Ollama, a hosted one."""

    base_url: str = ""  # has to be given
    max_in_flight: int = 4


@dataclass
class ReplayConfig(LLMConfig):
    """Answers from an earlier run's cache, without any model."""

    replay: bool = True


LLMS: Mapping[str, type[LLMConfig]] = {"embedded": LLMConfig, "endpoint": EndpointConfig, "replay": ReplayConfig}
"""Group `llm`: option -> configuration. Terms that ask nothing do not look at it."""


# Tracking -----------------------------------------------------------------------------------------


@dataclass
class TrackingConfig:
    """No curves beside progress.csv."""

    tensorboard: bool = False
    wandb: bool = False


@dataclass
class TensorBoardConfig(TrackingConfig):
    """TensorBoard files in RUN/tensorboard."""

    tensorboard: bool = True


@dataclass
class WandbConfig(TrackingConfig):
    """Weights & Biases in RUN/wandb, offline without an account; TensorBoard too."""

    tensorboard: bool = True
    wandb: bool = True
    project: str = "breadcrumb"
    entity: str | None = None
    group: str | None = None
    tags: list[str] = field(default_factory=list)


TRACKERS: Mapping[str, type[TrackingConfig]] = {
    "none": TrackingConfig,
    "tensorboard": TensorBoardConfig,
    "wandb": WandbConfig,
}
"""Group `tracking`: option -> configuration."""


# The whole ----------------------------------------------------------------------------------------


@dataclass
class RunConfig:
    """One run."""

    seed: int = 0  # of everything random
    total_timesteps: int | None = None  # environment steps; null: the environment's own
    stop_at_success: float | None = None  # end where the last 100 episodes succeeded so often; null: never
    n_envs: int | None = None  # environments side by side; null: as many as the agent learns best with
    workers: Any = 0  # processes to spread them over; 0: this one; auto: as many as pay; ray, ray:N: actors
    checkpoint_every: int = 10_000  # environment steps between checkpoints
    keep_checkpoints: int = 2  # so many of the newest stay; more to play against past selves
    run_dir: str | None = None  # null: runs/<env>-<shaping>-<agent>-s<seed>-<time>
    resume: str | None = None  # a run directory to go on with; everything else comes from it
    trust: bool = False  # with resume: let somebody else's run execute code; see docs/trust.md
    torch_threads: int | None = None  # null: torch's own choice
    evaluate_episodes: int = 100  # of the final evaluation; 0: none
    gif: bool = True  # with the final evaluation
    env: EnvConfig = field(default_factory=EnvConfig)
    shaping: ShapingConfig = field(default_factory=ShapingConfig)
    agent: Any = None
    tracking: Any = None
    llm: LLMConfig = field(default_factory=LLMConfig)


RUN_OPTIONS: Mapping[str, str] = {
    "seed": "of everything random (0)",
    "total_timesteps": "environment steps of the run (the environment's own default)",
    "stop_at_success": "end as soon as this share of the last 100 episodes succeeded, such as 0.9 (never)",
    "n_envs": "environments side by side (the agent's wish: 32 for ppo and maskable_ppo, more for lucy, else 8)",
    "workers": "processes to spread them over; auto: as many as pay; ray, ray:N: episodes elsewhere (0: this one)",
    "checkpoint_every": "environment steps between checkpoints (10000)",
    "keep_checkpoints": "so many of the newest checkpoints stay (2)",
    "run_dir": "where the run goes (runs/<env>-<shaping>-<agent>-s<seed>-<time>)",
    "resume": "a run directory to go on with; only total_timesteps and trust may be given beside it",
    "trust": "with resume: let somebody else's run execute code, see docs/trust.md (false)",
    "torch_threads": "threads of torch (torch's own choice)",
    "evaluate_episodes": "episodes of the final evaluation; 0 is none (100)",
    "gif": "record a GIF with the final evaluation (true)",
}

DEFAULT_CHOICES: Mapping[str, Any] = {
    "env": "minihack/key_room",
    "shaping": ["events"],
    "agent": "ppo",
    "tracking": "wandb",
    "llm": "embedded",
}
GROUPS = tuple(DEFAULT_CHOICES)
