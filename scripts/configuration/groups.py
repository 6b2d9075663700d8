"""What can be configured: one typed dataclass a group option, registered with Hydra.

    env        what the agent acts in      `environments` below, or any gymnasium id with env.id=...
    shaping    where reward comes from     every registered reward term, `none`, `all`, or a list: shaping=[events,rnd]
    agent      what learns                 `agents` below
    tracking   where the curves go         none, tensorboard, wandb
    llm        whom some terms ask         embedded, endpoint, replay

`register()` hands all of it to Hydra; `RunConfig` is the whole of one run.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field, make_dataclass
from typing import Any, Union

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING, OmegaConf

from shaping import registry
from shaping.terms import registry as reward_terms

Weight = Union[int, float, str]  # noqa: UP007 - OmegaConf reads Union
ALL_TERMS = ("potential", "events", "count", "rnd")
"""What `shaping=all` puts together."""


# Environments --------------------------------------------------------------------------------------------------------


@dataclass
class PotentialDefault:
    """What the potential term reads in this environment when the command line does not say."""

    entry: str = "stairs_distance"
    scale: float = -1.0


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


_KEY = ["picked_up_key", "opened_door"]
_EXPLORE = ["new_room", "saw_stairs"]
_DEEPER = ["deeper_level", "gained_level", "gained_experience"]


_KEY_TASK = (
    "Pick up the key that lies in the room, open the locked door with it and go down the stairs behind the door."
)
_STAIRS_TASK = "Find the stairs down and go to them."
_SUBGOALS = {
    "picked_up_key": "pick up the key",
    "opened_door": "open the door",
    "saw_stairs": "find the stairs",
    "killed_monster": "kill a monster",
    "new_room": "enter a new room",
    "deeper_level": "go down to a deeper level",
    "gained_level": "gain an experience level",
    "gained_experience": "gain experience",
    "found_gold": "find gold",
    "ate": "eat something",
}
"""The usual events in words."""


def _subgoals(events: list[str]) -> dict[str, str]:
    return {_SUBGOALS[event]: event for event in events}


def _minihack(level: str, steps: int, events: list[str]) -> EnvConfig:
    return EnvConfig(
        f"breadcrumb/MiniHack-{level}-v0",
        total_timesteps=steps,
        events=events,
        task=_KEY_TASK if events == _KEY else _STAIRS_TASK,
        subgoals=_subgoals(events),
    )


def _nethack(task: str, events: list[str]) -> EnvConfig:
    return EnvConfig(
        f"breadcrumb/NetHack{task}-v0",
        total_timesteps=2_000_000,
        events=events,
        task=_NETHACK_TASKS[task],
        subgoals=_subgoals(events),
        statistics=True,
    )


def _extended(task: str, words: str, events: list[str]) -> EnvConfig:
    return EnvConfig(
        f"breadcrumb/NetHack{task}ExtendedActions-v1",
        total_timesteps=2_000_000,
        events=events,
        task=words,
        subgoals=_subgoals(events),
        statistics=True,
    )


def _rocket(task: str, steps: int, words: str) -> EnvConfig:
    return EnvConfig(
        f"breadcrumb/Rocket{task}-v0", total_timesteps=steps, events=["touch", "goal"], task=words, statistics=True
    )


_NETHACK_TASKS = {
    "Score": "Get as many points as possible: kill monsters, find gold and go deeper into the dungeon.",
    "Staircase": "Find the stairs down and go to them.",
    "StaircasePet": "Find the stairs down and go to them with the pet beside you.",
    "Oracle": "Find the Oracle, who lives some levels down in the dungeon.",
    "Gold": "Find as much gold as possible and go deeper into the dungeon.",
    "Eat": "Stay fed: find things that can be eaten and eat them.",
    "Scout": "See as much of the dungeon as possible.",
    "Challenge": "Retrieve the Amulet of Yendor from the depths of the dungeon and ascend.",
}


environments: Mapping[str, EnvConfig] = {
    "minihack/key_room": _minihack("KeyRoom-S5", 120_000, _KEY),
    "minihack/key_room_fixed": _minihack("KeyRoom-Fixed-S5", 120_000, _KEY),
    "minihack/key_room_dark": _minihack("KeyRoom-Dark-S5", 500_000, _KEY),
    "minihack/key_room_s15": _minihack("KeyRoom-S15", 2_000_000, _KEY),
    "minihack/room_5x5": _minihack("Room-5x5", 50_000, ["saw_stairs"]),
    "minihack/room_random_5x5": _minihack("Room-Random-5x5", 50_000, ["saw_stairs"]),
    "minihack/room_15x15": _minihack("Room-15x15", 200_000, ["saw_stairs"]),
    "minihack/room_random_15x15": _minihack("Room-Random-15x15", 200_000, ["saw_stairs"]),
    "minihack/room_dark_5x5": _minihack("Room-Dark-5x5", 100_000, ["saw_stairs"]),
    "minihack/room_monster_5x5": _minihack("Room-Monster-5x5", 100_000, ["saw_stairs", "killed_monster"]),
    "minihack/room_trap_5x5": _minihack("Room-Trap-5x5", 100_000, ["saw_stairs"]),
    "minihack/room_ultimate_5x5": _minihack("Room-Ultimate-5x5", 200_000, ["saw_stairs", "killed_monster"]),
    "minihack/corridor_r2": _minihack("Corridor-R2", 500_000, _EXPLORE),
    "minihack/corridor_r3": _minihack("Corridor-R3", 1_000_000, _EXPLORE),
    "minihack/corridor_r5": _minihack("Corridor-R5", 2_000_000, _EXPLORE),
    "minihack/maze_walk_9x9": _minihack("MazeWalk-9x9", 300_000, ["saw_stairs"]),
    "minihack/river": _minihack("River", 2_000_000, ["saw_stairs"]),
    "minihack/river_narrow": _minihack("River-Narrow", 1_000_000, ["saw_stairs"]),
    "minihack/labyrinth_small": _minihack("Labyrinth-Small", 1_000_000, ["saw_stairs"]),
    "minihack/multiroom_n2": _minihack("MultiRoom-N2", 500_000, ["opened_door", *_EXPLORE]),
    "nethack/score": _nethack("Score", _DEEPER),
    "nethack/staircase": _nethack("Staircase", _EXPLORE),
    "nethack/staircase_pet": _nethack("StaircasePet", _EXPLORE),
    "nethack/oracle": _nethack("Oracle", _DEEPER),
    "nethack/gold": _nethack("Gold", ["found_gold", *_DEEPER]),
    "nethack/eat": _nethack("Eat", ["ate", *_DEEPER]),
    "nethack/scout": _nethack("Scout", ["new_room", "deeper_level"]),
    "nethack/challenge": _nethack("Challenge", _DEEPER),
    "nethack/score_extended": _extended("Score", _NETHACK_TASKS["Score"], _DEEPER),
    "nethack/reward_free": _extended("RewardFree", _NETHACK_TASKS["Score"], _DEEPER),
    "nethack/staircase_lvl3": _extended("StaircaseLvl3", "Go down the stairs to level 3.", _DEEPER),
    "nethack/staircase_lvl4": _extended("StaircaseLvl4", "Go down the stairs to level 4.", _DEEPER),
    "nethack/oracle_extended": _extended("Oracle", _NETHACK_TASKS["Oracle"], _DEEPER),
    "nethack/oracle_sober": _extended("OracleSober", _NETHACK_TASKS["Oracle"], _DEEPER),
    "rocket/shoot": _rocket("Shoot", 300_000, "Drive to the ball and shoot it into the orange goal."),
    "rocket/goalie": _rocket("Goalie", 300_000, "Keep the ball out of your goal."),
    "rocket/1v1": _rocket("1v1", 3_000_000, "Score more goals than the other car."),
    "rocket/2v2": _rocket("2v2", 10_000_000, "Score more goals than the other team."),
    "rocket/3v3": _rocket("3v3", 10_000_000, "Score more goals than the other team."),
    "classic/caption_quest": EnvConfig(
        "breadcrumb/CaptionQuest-v0",
        total_timesteps=300_000,
        events=["picked_up_key", "opened_trapdoor", "deeper_level"],
        task="Take the key, unlock the trapdoor and climb down, on every level.",
        subgoals={
            "pick up the key": "picked_up_key",
            "unlock the trapdoor": "opened_trapdoor",
            "climb down": "deeper_level",
        },
    ),
    "classic/cartpole": EnvConfig("CartPole-v1", total_timesteps=50_000),
    "classic/pendulum": EnvConfig("Pendulum-v1", total_timesteps=50_000),
    "classic/mountain_car": EnvConfig("MountainCar-v0", total_timesteps=200_000),
    "custom": EnvConfig(),
}
"""Group `env`: option -> configuration. `custom` takes any gymnasium id: env=custom env.id=Acrobot-v1."""


# Shaping -------------------------------------------------------------------------------------------------------------


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
    terms: dict[str, Any] = field(default_factory=dict)  # name -> the term's arguments, weight, normalise, clip
    episode: EpisodeConfig = field(default_factory=EpisodeConfig)


TERM_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "events": {"events": "${env.events}"},
    "potential": {"potential": "${env.potential.entry}", "scale": "${env.potential.scale}"},
    "calm": {"task": "${env.task}", "subgoals": "${env.subgoals}"},
    "oni": {"goal": "${env.task}", "weight": 0.1},
}
"""Arguments whose default is the environment's own, and weights that are not 1."""

TERM_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "oni/retrieval": {"function": "retrieval"},
    "oni/classification": {"function": "classification"},
    "oni/ranking": {"function": "ranking"},
    "oni/cosine": {"function": "cosine"},
    "oni/motif": {"function": "motif"},
    "oni/count": {"function": "count"},
    "kinesthetic/lucy": {"reward": "lucy", "events": "lucy", "form": "potential", "team_spirit": 0.3},
    "kinesthetic/necto": {"reward": "necto", "events": "necto", "form": "potential", "team_spirit": 0.6},
}
"""Option of the group shaping -> arguments: the term before the slash, set up."""

TERM_OPTIONS = ("weight", "normalise", "clip")
"""What every term's configuration has beside its constructor's arguments."""


def term_config(name: str) -> type:
    """The dataclass of one term: its constructor's arguments, `weight`, `normalise` and `clip`.

    Raises:
        ValueError: the term has an argument with one of those names.
    """
    schema = registry.term_schema(name)
    taken = sorted({entry.name for entry in dataclasses.fields(schema)} & set(TERM_OPTIONS))
    if taken:
        raise ValueError(
            f"The reward term {name!r} has a constructor argument called {', '.join(taken)}, which every term's "
            "configuration already has for its own. Call the argument something else."
        )
    own: list[tuple[str, Any, Any]] = [
        ("weight", Weight, field(default=1.0)),
        ("normalise", bool, field(default=False)),
        ("clip", float | None, field(default=None)),
    ]
    config = make_dataclass(f"{name.title()}Config", own, bases=(schema,), kw_only=True)
    config.__doc__ = schema.__doc__
    return config


# Agents --------------------------------------------------------------------------------------------------------------


@dataclass
class AgentConfig:
    """What every agent has."""

    policy: str = "auto"  # auto, MlpPolicy, CnnPolicy, MultiInputPolicy
    features: str = "auto"  # auto (by the observations), none (SB3's own), or a name of agents.features
    net_arch: Any = None  # hidden layers after the features, as SB3 takes them: [64,64] or {pi: [64], vf: [64]}
    policy_kwargs: dict[str, Any] = field(default_factory=dict)  # further arguments of SB3's policy class
    device: str = "cpu"  # cpu, cuda, cuda:N, auto
    learning_rate: float = 3e-4
    learning_rate_schedule: str = "constant"  # constant, linear (to 0 at the last step)
    gamma: float = 0.99  # the discount, of the potential term too


@dataclass
class PPOConfig(AgentConfig):
    """Proximal policy optimisation."""

    learning_rate: float = 5e-4
    n_steps: int = 128  # per environment and rollout
    batch_size: int = 256
    n_epochs: int = 4
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    clip_range_vf: float | None = None
    normalize_advantage: bool = True
    ent_coef: float = 0.01
    vf_coef: float = 0.5
    max_grad_norm: float = 0.5
    target_kl: float | None = None


@dataclass
class RecurrentPPOConfig(PPOConfig):
    """PPO with an LSTM."""

    lstm_hidden_size: int = 128
    n_lstm_layers: int = 1


@dataclass
class NetHackRecurrentPPOConfig(RecurrentPPOConfig):
    """recurrent_ppo as ONI and Motif have it for NetHack, at their sizes; needs a GPU to be fun."""

    features: str = "cdgpt5"
    learning_rate: float = 1e-4
    n_steps: int = 32
    batch_size: int = 1024
    n_epochs: int = 1
    clip_range: float = 0.1
    clip_range_vf: float | None = 1.0
    ent_coef: float = 0.003
    max_grad_norm: float = 4.0
    lstm_hidden_size: int = 512


@dataclass
class LightNetHackRecurrentPPOConfig(RecurrentPPOConfig):
    """The same entries and a smaller network, for CPUs."""

    features: str = "cdgpt5_light"
    batch_size: int = 512
    lstm_hidden_size: int = 128


@dataclass
class MaskablePPOConfig(AgentConfig):
    """PPO that never takes an action which the environment's action_masks() rules out."""

    learning_rate: float = 5e-4
    n_steps: int = 128
    batch_size: int = 256
    n_epochs: int = 4
    gae_lambda: float = 0.95
    clip_range: float = 0.2
    clip_range_vf: float | None = None
    normalize_advantage: bool = True
    ent_coef: float = 0.01
    vf_coef: float = 0.5
    max_grad_norm: float = 0.5
    target_kl: float | None = None


@dataclass
class LucyConfig(PPOConfig):
    """Lucy-SKG's PPO: attention over cars and ball, two auxiliary losses; its own sizes. For n_envs=80 and a GPU."""

    features: str = "perceiver"
    net_arch: Any = field(default_factory=list)
    policy_kwargs: dict[str, Any] = field(default_factory=lambda: {"features_extractor_kwargs": {"key_features": 23}})
    learning_rate: float = 1e-4
    gamma: float = 0.99539  # half of a reward is left after 10 seconds
    n_steps: int = 4000
    batch_size: int = 4000
    n_epochs: int = 10
    ent_coef: float = 0.0
    reward_prediction: float = 1.0  # weights of the auxiliary losses; 0: none
    state_representation: float = 1.0
    reward_threshold: float = 0.009  # rewards beyond it are positive or negative
    sequence_length: int = 20  # observations that the reward is predicted from
    relu_output: bool = False  # of the state representation, as in the released code


@dataclass
class LightLucyConfig(LucyConfig):
    """The same at half the width and one block, for CPUs."""

    policy_kwargs: dict[str, Any] = field(
        default_factory=lambda: {
            "features_extractor_kwargs": {"key_features": 23, "width": 64, "blocks": 1, "feedforward": 128}
        }
    )
    learning_rate: float = 7e-4
    gamma: float = 0.99
    n_steps: int = 128
    batch_size: int = 1536
    n_epochs: int = 4
    ent_coef: float = 0.005


@dataclass
class NectoConfig(LucyConfig):
    """Necto's network, normalised before each layer, and its learner's sizes, for env.kwargs.observation=necto."""

    policy_kwargs: dict[str, Any] = field(
        default_factory=lambda: {"features_extractor_kwargs": {"key_features": 24, "pre_norm": True}}
    )
    gamma: float = 0.995
    n_steps: int = 12_500
    batch_size: int = 10_000
    n_epochs: int = 30
    ent_coef: float = 0.01
    reward_prediction: float = 0.0
    state_representation: float = 0.0


@dataclass
class A2CConfig(AgentConfig):
    """Advantage actor-critic."""

    learning_rate: float = 7e-4
    n_steps: int = 16
    gae_lambda: float = 1.0
    ent_coef: float = 0.01
    vf_coef: float = 0.5
    max_grad_norm: float = 0.5
    rms_prop_eps: float = 1e-5
    use_rms_prop: bool = True
    normalize_advantage: bool = False


@dataclass
class OffPolicyConfig(AgentConfig):
    """What every agent with a replay buffer has."""

    buffer_size: int = 100_000  # transitions
    learning_starts: int = 1_000  # environment steps of random play before learning
    batch_size: int = 64
    train_freq: int = 4  # steps of every environment between updates
    gradient_steps: int = 1  # updates then; -1 for as many as steps were taken
    log_every: int = 1_000  # environment steps between rows of progress.csv


@dataclass
class DQNConfig(OffPolicyConfig):
    """Deep Q-network."""

    tau: float = 1.0
    target_update_interval: int = 1_000
    exploration_fraction: float = 0.2
    exploration_initial_eps: float = 1.0
    exploration_final_eps: float = 0.05
    max_grad_norm: float = 10.0


@dataclass
class QRDQNConfig(DQNConfig):
    """DQN that learns the distribution of returns by quantile regression."""

    n_quantiles: int = 50


@dataclass
class SACConfig(OffPolicyConfig):
    """Soft actor-critic, for continuous actions."""

    batch_size: int = 256
    train_freq: int = 1
    tau: float = 0.005
    ent_coef: Weight = "auto"  # auto, auto_0.1, or a number
    target_entropy: Weight = "auto"
    target_update_interval: int = 1
    action_noise_std: float = 0.0


@dataclass
class TD3Config(OffPolicyConfig):
    """Twin delayed deep deterministic policy gradient, for continuous actions."""

    batch_size: int = 256
    learning_rate: float = 1e-3
    train_freq: int = 1
    tau: float = 0.005
    policy_delay: int = 2
    target_policy_noise: float = 0.2
    target_noise_clip: float = 0.5
    action_noise_std: float = 0.1


agents: Mapping[str, type[AgentConfig]] = {
    "ppo": PPOConfig,
    "a2c": A2CConfig,
    "dqn": DQNConfig,
    "recurrent_ppo": RecurrentPPOConfig,
    "recurrent_ppo/nethack": NetHackRecurrentPPOConfig,
    "recurrent_ppo/nethack_light": LightNetHackRecurrentPPOConfig,
    "maskable_ppo": MaskablePPOConfig,
    "qrdqn": QRDQNConfig,
    "sac": SACConfig,
    "td3": TD3Config,
    "lucy": LucyConfig,
    "lucy/light": LightLucyConfig,
    "lucy/necto": NectoConfig,
}
"""Group `agent`: option -> configuration. What stands before a slash is the algorithm."""


# Language model ------------------------------------------------------------------------------------------------------


@dataclass
class LLMConfig:
    """The embedded model, SmolLM2-135M-Instruct, on one core; started when something is asked."""

    base_url: str | None = None  # of an OpenAI-compatible endpoint, with /v1; the key is in OPENAI_API_KEY
    model: str | None = None  # its name there; null: the first that the endpoint lists
    model_path: str | None = None  # another GGUF file for the embedded server
    api: str = "completions"  # completions (log-probabilities of the answers), chat
    timeout: float = 30.0  # seconds for one request
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

    base_url: str | None = MISSING
    max_in_flight: int = 4


@dataclass
class ReplayConfig(LLMConfig):
    """Answers from an earlier run's cache, without any model."""

    replay: bool = True


llms: Mapping[str, type[LLMConfig]] = {"embedded": LLMConfig, "endpoint": EndpointConfig, "replay": ReplayConfig}
"""Group `llm`: option -> configuration. Terms that ask nothing do not look at it."""


# Tracking ------------------------------------------------------------------------------------------------------------


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


trackers: Mapping[str, type[TrackingConfig]] = {
    "none": TrackingConfig,
    "tensorboard": TensorBoardConfig,
    "wandb": WandbConfig,
}
"""Group `tracking`: option -> configuration."""


# The whole -----------------------------------------------------------------------------------------------------------


@dataclass
class RunConfig:
    """One run."""

    seed: int = 0  # of everything random
    total_timesteps: int | None = None  # environment steps; null: the environment's own
    n_envs: int = 8  # environments side by side
    workers: int = 0  # processes to spread them over; 0: this one
    checkpoint_every: int = 10_000  # environment steps between checkpoints
    run_dir: str | None = None  # null: runs/<env>-<shaping>-<agent>-s<seed>-<time>
    resume: str | None = None  # a run directory to go on with; everything else comes from it
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
    "n_envs": "environments side by side (8)",
    "workers": "processes to spread them over; 0 is this one (0)",
    "checkpoint_every": "environment steps between checkpoints (10000)",
    "run_dir": "where the run goes (runs/<env>-<shaping>-<agent>-s<seed>-<time>)",
    "resume": "a run directory to go on with; only total_timesteps may be given beside it",
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


@dataclass
class _Primary(RunConfig):
    """`RunConfig` as Hydra starts from it."""

    # _self_ first: a group's option overrides the bare defaults above
    defaults: list[Any] = field(
        default_factory=lambda: [
            "_self_",
            *({group: choice} for group, choice in DEFAULT_CHOICES.items()),
            {"override hydra/job_logging": "none"},
            {"override hydra/hydra_logging": "none"},
            {"override hydra/help": "breadcrumb"},
        ]
    )


HYDRA_SETTINGS = (
    # Hydra's own folders would lie beside ours and hold the same again.
    "hydra.run.dir=.",
    "hydra.output_subdir=null",
    "hydra.sweep.dir=runs/.sweeps/${now:%Y%m%d-%H%M%S}",
    "hydra.sweep.subdir=.",
    "hydra.job.name=train",
)
"""Overrides that stand before the user's own."""


def options(group: str) -> tuple[str, ...]:
    """The options of a group, in the order in which `--help` lists them."""
    if group == "shaping":
        return ("none", "all", *registry.term_names(), *TERM_PRESETS)
    return tuple({"env": environments, "agent": agents, "tracking": trackers, "llm": llms}[group])


def register() -> None:
    """Hand every group and option to Hydra. May be called more than once."""
    store = ConfigStore.instance()
    for option, env in environments.items():
        folder, _, name = option.rpartition("/")
        store.store(group=f"env/{folder}" if folder else "env", name=name, node=env, package="env", provider="scripts")
    store.store(group="shaping", name="none", node={}, package="shaping")
    for option in (*registry.term_names(), *TERM_PRESETS):
        term, _, preset = option.partition("/")
        node = OmegaConf.structured(term_config(term))
        for argument, default in (*TERM_DEFAULTS.get(term, {}).items(), *TERM_PRESETS.get(option, {}).items()):
            node[argument] = default
        group, name = (f"shaping/{term}", preset) if preset else ("shaping", term)
        store.store(group=group, name=name, node=node, package=f"shaping.terms.{term}")
    together = [name for name in ALL_TERMS if name in registry.term_names()]
    store.store(group="shaping", name="all", node={"defaults": together}, package="shaping")
    for option, agent in agents.items():
        algorithm, _, preset = option.partition("/")
        group, name = (f"agent/{algorithm}", preset) if preset else ("agent", algorithm)
        store.store(group=group, name=name, node=agent, package="agent")
    for option, llm in llms.items():
        store.store(group="llm", name=option, node=llm, package="llm")
    for option, tracker in trackers.items():
        store.store(group="tracking", name=option, node=tracker, package="tracking")
    plain_words = {"app_name": "scripts.train", "header": "", "footer": "", "template": help_text().replace("$", "$$")}
    store.store(group="hydra/help", name="breadcrumb", node=plain_words)
    store.store(name="train", node=_Primary)


def from_container(container: Mapping[str, Any]) -> RunConfig:
    """A `RunConfig` from plain containers, as `config.yaml` holds them.

    Raises:
        ValueError: an entry that does not exist or has the wrong type.
    """
    try:
        config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(RunConfig), dict(container)))
    except Exception as error:
        raise ValueError(f"this is not the configuration of a run: {error}") from error
    assert isinstance(config, RunConfig)
    return config


def to_container(config: Any) -> dict[str, Any]:
    """Plain containers from Hydra's configuration or from a `RunConfig`, without interpolations or enumerations.

    Raises:
        omegaconf.errors.MissingMandatoryValue: a value that has no default was not given.
    """
    if dataclasses.is_dataclass(config):
        config = OmegaConf.structured(config)
    container = OmegaConf.to_container(config, resolve=True, enum_to_str=True, throw_on_missing=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}


def help_text() -> str:
    """What `--help` prints: groups, options and settings in plain words."""
    lines = [
        "Train an agent: an environment × reward terms × an agent.",
        "",
        "    python -m scripts.train env=minihack/key_room shaping=events agent=ppo seed=1",
        "    python -m scripts.train shaping=[events,rnd] shaping.terms.rnd.weight=0.1 agent.learning_rate=3e-4",
        "    python -m scripts.train -m shaping=none,events seed=0,1,2          # a sweep: every combination in turn",
        "    python -m scripts.train resume=runs/NAME                           # go on after an interruption",
        "",
        f"env={DEFAULT_CHOICES['env']}   what the agent acts in",
    ]
    width = max(map(len, environments)) + 2
    for option, env in environments.items():
        what = "any gymnasium id: env=custom env.id=Acrobot-v1" if env.id == MISSING else env.id
        lines.append(f"    {option:{width}}{what}")
    lines += ["", "shaping=events   where reward comes from; a list combines: shaping=[events,rnd]"]
    lines.append(f"    {'none':{width}}the task's own reward")
    lines.append(f"    {'all':{width}}{' + '.join(ALL_TERMS)}")
    for name in registry.term_names():
        lines.append(f"    {name:{width}}{_first_line(reward_terms.get(name))}")
        config = term_config(name)
        given = ", ".join(entry.name for entry in dataclasses.fields(config) if entry.name not in TERM_OPTIONS)
        lines.append(
            f"    {'':{width}}  shaping.terms.{name}.: {given + ', ' if given else ''}{', '.join(TERM_OPTIONS)}"
        )
    for option, arguments in TERM_PRESETS.items():
        term = option.partition("/")[0]
        lines.append(
            f"    {option:{width}}{term} with {', '.join(f'{key}={value}' for key, value in arguments.items())}"
        )
    lines += ["", f"agent={DEFAULT_CHOICES['agent']}   what learns"]
    lines += [f"    {name:{width}}{_first_line(config)}" for name, config in agents.items()]
    lines += ["", f"tracking={DEFAULT_CHOICES['tracking']}   where the curves go, beside progress.csv"]
    lines += [f"    {name:{width}}{_first_line(config)}" for name, config in trackers.items()]
    lines += [
        "",
        f"llm={DEFAULT_CHOICES['llm']}   whom some terms ask; llm.model_path=FILE.gguf takes a larger model",
    ]
    lines += [f"    {name:{width}}{_first_line(config)}" for name, config in llms.items()]
    lines += ["", "settings (default)"]
    lines += [f"    {name:{width}}{what}" for name, what in RUN_OPTIONS.items()]
    lines += [
        "",
        "Further settings: env.id, env.kwargs.<argument>, shaping.task_weight, shaping.episode.name, agent.<name>.",
        "`--cfg job` prints all of them with their values. A weight is a number, linear(START,END,STEPS),",
        "exponential(START,END,HALF_LIFE) or piecewise(STEP:VALUE,...).",
    ]
    return "\n".join(lines)


def _first_line(described: type) -> str:
    return (described.__doc__ or "").strip().split("\n")[0]
