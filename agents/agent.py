"""What an agent is: settings, what it can act in, files, how it plays, where pay can change."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.utils import set_random_seed
from stable_baselines3.common.vec_env import VecEnv

from agents.action_probabilities import ActionProbabilities
from agents.learners import learner_of
from agents.players import EpisodeRecord, Masks, Player, action_masks, play
from agents.spaces import refuse_unchoosable
from agents.stored_rewards import StoredRewards, stored_rewards
from foundation.checks import number
from foundation.naming import nearest, unknown
from foundation.registry import Registry
from shaping import FloatArray, Learner

AGENT_FILE = "agent.zip"
ACTIONS: Mapping[Any, str] = {
    spaces.Box: "continuous actions (Box)",
    spaces.Discrete: "one discrete action (Discrete)",
    spaces.MultiDiscrete: "several discrete actions (MultiDiscrete)",
    spaces.MultiBinary: "switches (MultiBinary)",
}
"""The kinds of actions that there are, in words."""


@dataclass
class AgentConfig:
    """What every agent has."""

    device: str = "cpu"  # cpu, cuda, cuda:N, auto
    gamma: float = 0.99  # the discount, of the potential term too

    n_envs: ClassVar[int] = 8
    """Environments side by side, where a run does not say how many."""

    bootstraps: ClassVar[bool] = True
    """Does it go on with V(s') where time ran out? Potentials end otherwise where it does not."""

    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {"gamma": {"least": 0.0, "most": 1.0}}
    """Setting -> bounds for `foundation.checks.number`; those of base classes hold as well."""

    def check(self) -> None:
        """Refuse numbers out of bounds, and any number that is not finite.

        Raises:
            ValueError: with the setting, its value and what is expected.
        """
        bounds: dict[str, Mapping[str, float]] = {}
        for cls in reversed(type(self).__mro__):
            bounds |= vars(cls).get("bounds", {})
        for entry in fields(self):
            value = getattr(self, entry.name)
            if isinstance(value, int | float) and not isinstance(value, bool):
                number(f"agent.{entry.name}", value, **bounds.get(entry.name, {}))


class Place(Protocol):
    """Where a run's agent is evaluated: its environments, with evaluation's own seeds."""

    def venv(self, n_envs: int, seed: int, render_mode: str | None = None) -> VecEnv:
        """At least `n_envs` environments in the stack that the agent learned in."""

    def make(self, face: str, **kwargs: Any) -> Any:
        """The environment behind another interface: "gymnasium", "parallel", "aec" or "text"."""


class Agent(ABC):
    """An algorithm, described. All state is the model's, an SB3 `BaseAlgorithm`.

    A subclass with ``@register("name")``, in a file or folder of `agents`, is all that
    ``agent=name`` takes. What lies between two rollout events of the model's `learn` is a rollout
    to everybody else: PPO's steps, or a generation.
    """

    name: str = ""
    registered_name: ClassVar[str] = ""

    config: ClassVar[type[AgentConfig]] = AgentConfig
    """Its settings. The first line of the class's docstring is what ``--help`` says of it."""

    presets: ClassVar[Mapping[str, type[AgentConfig]]] = {}
    """Name -> other settings: ``agent=name/preset``."""

    actions: ClassVar[tuple[type[spaces.Space[Any]], ...]] = tuple(ACTIONS)
    """The kinds of actions that it can choose."""

    whole_episodes: ClassVar[bool] = False
    """Does it compare policies by an episode each? Its environments then all play the same ones,
    and the episodes can be played elsewhere: `play_elsewhere`."""

    def reports(self, config: Any) -> tuple[str, ...]:
        """Entries of the infos that it reads where the environment can report them."""
        return ()

    def refuse(self, env: VecEnv, config: Any) -> None:
        """Raises ValueError, with the reason and what would do, where it cannot act in `env`."""
        self.refuse_actions(env.action_space)

    def refuse_actions(self, space: spaces.Space[Any]) -> None:
        """Raises ValueError where it cannot choose actions of this space; names those that can."""
        if not isinstance(space, self.actions):
            wanted = " or ".join(ACTIONS[kind] for kind in self.actions)
            able = [name for name in registry.names() if isinstance(space, registry.get(name).actions)]
            others = f"Agents that can choose these: {', '.join(able)}." if able else "No agent can choose these."
            raise ValueError(f"agent={self.name} needs {wanted}, and this environment's are {space}. {others}")
        refuse_unchoosable(space)

    @abstractmethod
    def make(self, env: VecEnv, config: Any, *, seed: int | None, threads: int = 1) -> BaseAlgorithm:
        """A new model in `env`; `threads` are the cores it may learn with.

        Raises:
            ValueError: it cannot act there, or a setting cannot work.
        """

    def build(self, env: VecEnv, *, seed: int | None = None, threads: int = 1, **settings: Any) -> BaseAlgorithm:
        """`make` of settings by name; those that are not given have the configuration's defaults.

        Raises:
            ValueError: a setting that does not exist.
        """
        return self.make(env, _checked(self.name, self.config, settings), seed=seed, threads=threads)

    def play_elsewhere(self, model: Any, actors: int | None) -> None:
        """From now on `model` has its episodes played by so many actors of a Ray cluster.

        None: an actor for each CPU of the cluster. Nobody is asked who does not play
        `whole_episodes`.

        Raises:
            ValueError: it cannot, with the reason and what would do.
        """
        raise NotImplementedError(f"{self.name} steps its episodes itself")

    def close(self, model: Any) -> None:  # noqa: B027 - optional
        """A run is over: end what `model` holds beside itself, such as processes elsewhere."""

    def save(self, model: Any, folder: Path) -> None:
        """Write all its files into an empty folder: whatever a resume needs."""
        model.save(folder / AGENT_FILE)

    @abstractmethod
    def load(
        self, folder: Path, env: VecEnv | None, config: Any, *, threads: int = 1, trust: bool = False
    ) -> BaseAlgorithm:
        """What `save` wrote, to go on in `env`; None: to play only.

        The files may be anybody's, so nothing in them is unpickled unless `trust` says so: see
        `foundation.plain_state`, and docs/trust.md. SB3's own `load` unpickles.

        Raises:
            Untrusted: it cannot be read without, and is not trusted.
            ValueError: it is damaged, or of an agent that is configured otherwise.
        """

    def over_the_run(self, config: Any) -> tuple[str, ...]:
        """Settings that go from the first step to the last: a longer run changes their course."""
        return ()

    def row_every(self, config: Any) -> int | None:
        """Steps between rows of progress.csv, where rollouts are too short for one each."""
        return None

    def stored_rewards(self, model: Any) -> StoredRewards | None:
        """Where the rewards it was paid lie and can still change; None: nowhere.

        SB3's buffers are found; an algorithm that keeps its rewards elsewhere says so here.
        """
        return stored_rewards(model)

    def learner(self, model: Any) -> Learner | None:
        """What parts of the reward that read the policy are shown of it; None: nothing.

        SB3's policies are found; an algorithm with one of its own says so here.
        """
        return learner_of(model)

    def action_probabilities(self, model: Any, temperature: float = 1.0) -> ActionProbabilities:
        """How likely it takes each action, for who codes a message into its play.

        Raises:
            ValueError: it draws its actions from no finite distribution.
        """
        return ActionProbabilities(model, temperature)

    def closing_remark(self, model: Any) -> str | None:
        """What must be known of its learning at a run's end; see `Part.closing_remark`."""
        return None

    def maps(self, model: Any, observations: Any) -> Mapping[str, FloatArray]:
        """What it thinks of states, as numbers to draw over them: name -> (n,).

        Args:
            model: trained.
            observations: of the environment, (n, ...).
        """
        return {}

    def player(self, model: Any, n_envs: int, *, deterministic: bool, masks: Masks | None = None) -> Player:
        """How it plays `n_envs` environments at once; `masks` gives the valid actions, if any."""
        return Player(model, n_envs, deterministic=deterministic)

    def evaluate(
        self, model: Any, place: Place, episodes: int, *, n_envs: int, seed: int, deterministic: bool
    ) -> list[EpisodeRecord]:
        """Play so many episodes on seeds that training never sees, and say what came of each."""
        venv = place.venv(min(n_envs, episodes), seed)
        try:
            set_random_seed(seed)  # now: loading a model seeds everything with the training's seed again
            player = self.player(model, venv.num_envs, deterministic=deterministic, masks=action_masks(venv))
            return play(player, venv, episodes)
        finally:
            venv.close()


registry: Registry[Agent] = Registry("agent", "agents")
"""Agents by name."""
register: Callable[[str], Callable[[type[Any]], type[Any]]] = registry.register
"""Class decorator: the one line that makes ``agent=name`` exist."""


def options() -> dict[str, type[AgentConfig]]:
    """What ``agent=`` takes -> its settings: every agent, and every preset behind a slash."""
    configurations: dict[str, type[AgentConfig]] = {}
    for name in sorted(registry.names(), key=_order):
        agent = registry.get(name)
        configurations[name] = agent.config
        configurations |= {f"{name}/{preset}": config for preset, config in agent.presets.items()}
    return configurations


def get(option: str) -> Agent:
    """The agent of an option: "recurrent_ppo" of "recurrent_ppo/nethack".

    Raises:
        ValueError: there is none, with the nearest names.
    """
    return registry.make(option.partition("/")[0])


def configured(option: str, settings: Any) -> AgentConfig:
    """The configuration of an option with these settings: a dataclass's, or a mapping.

    Raises:
        ValueError: there is no such option or setting, or a number is out of bounds.
    """
    known = options()
    if option not in known:
        raise unknown("agent", option, known)
    given = asdict(settings) if is_dataclass(settings) and not isinstance(settings, type) else dict(settings)
    return _checked(option, known[option], given)


def _checked(option: str, config: type[AgentConfig], settings: Mapping[str, Any]) -> AgentConfig:
    names = [entry.name for entry in fields(config)]
    for name in settings:
        if name not in names:
            hint = nearest(name, names) or f" It has {', '.join(names)}."
            raise ValueError(f"agent={option} has no setting {name!r}.{hint}")
    made = config(**settings)
    made.check()
    return made


FIRST: Sequence[str] = ("ppo", "a2c", "dqn", "recurrent_ppo", "maskable_ppo", "qrdqn", "sac", "td3")
"""The order in which ``--help`` lists them; the others follow by their names."""


def _order(name: str) -> tuple[int, str]:
    return (FIRST.index(name) if name in FIRST else len(FIRST), name)
