"""The agents of quality-diversity: settings, presets, what they refuse, their files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from gymnasium import spaces
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.vec_env import VecEnv

from agents.agent import AGENT_FILE, Agent, AgentConfig, register
from agents.quality_diversity.population import BEST, Population
from agents.quality_diversity.senses import POSITION
from agents.time_limits import longest_episode
from foundation.checks import number, one_of, whole
from foundation.plain_state import read_state, write_state

POPULATION_FILE, REPERTOIRE_FILE = "population.pt", "repertoire.npz"
HIDDEN = (5, 5)
"""Layers of a policy in a world that has no policy of its own."""
ABOVE_0 = {"above": 0.0}


@dataclass
class PopulationConfig(AgentConfig):
    """Genomes of small policies."""

    evaluations: int = 20_000  # the search's budget, an episode each; the run's steps may end it before
    descriptor: str = "final"  # final, frames:5, path, signature:2, genome, random, pixels, image:1; all: the docs
    hidden: Any = None  # layers of the policy, as in [5,5]; null: the world's own, [5,5] where it has none
    keys: Any = field(default_factory=list)  # entries of a Dict observation that the policy sees; []: all
    place: Any = ""  # where one is: position, [0,1] or entry[0,1] of the observation; "": the usual
    picture: str = ""  # the entry that is drawn, where worlds draw nothing themselves
    pixels: int = 32  # the side of images
    extent: Any = None  # [[low,high],[low,high]] of places, for grids; null: the environment's
    bins: int = 50  # of the grid of coverage, each side
    horizon: int | None = None  # steps of the longest episode; null: the environment's own limit
    elite: int = BEST  # who acts: an index, or -1 for the best
    population: int = 100
    sigma: float = 0.05  # of the noise on every gene
    bound: float = 5.0  # of genes
    most_failed: float = 0.5  # share of evaluations that may fail

    n_envs: ClassVar[int] = 32
    bootstraps: ClassVar[bool] = False
    bounds: ClassVar[Mapping[str, Mapping[str, float]]] = {
        "sigma": ABOVE_0,
        "bound": ABOVE_0,
        "most_failed": {"above": 0.0, "most": 1.0},
    }

    def check(self) -> None:
        super().check()
        for name in ("evaluations", "pixels", "bins", "population"):
            whole(f"agent.{name}", getattr(self, name))
        whole("agent.elite", self.elite, least=BEST)
        if self.horizon is not None:
            whole("agent.horizon", self.horizon)
        if self.hidden is not None:
            if isinstance(self.hidden, str) or not isinstance(self.hidden, Sequence):
                raise ValueError(f"agent.hidden={self.hidden}: expected the units of each layer, as in [5,5]")
            for units in self.hidden:
                whole("agent.hidden", units)
        _check_extent(self.extent)


@dataclass
class NoveltySearchConfig(PopulationConfig):
    """Novelty search (Lehman and Stanley 2011): what nobody has done yet lives on."""

    offspring: int = 2  # of each parent
    neighbours: int = 15  # of novelty
    additions: int = 5  # offspring that the archive gets a generation
    rule: str = "random"  # which: random, best
    selection: str = "novelty"  # who lives on; see docs/quality_diversity.md
    chunk: int = 1000  # evaluations between two looks at what else is due


@dataclass
class NSGA2Config(NoveltySearchConfig):
    """NSGA-II on novelty and reward (Deb et al. 2002)."""

    selection: str = "novelty_reward"


@dataclass
class NSLCConfig(NoveltySearchConfig):
    """Novelty search with local competition (Lehman and Stanley 2011)."""

    selection: str = "novelty_local"


@dataclass
class _EmitterConfig:
    emitter_kind: str = "fitness"  # what an emitter keeps the best of: fitness, novelty; cma_es
    emitter_population: int = 6
    emitter_children: int = 2
    sigma_rule: str = "paper"  # of emitters: paper (d/3), per_dim
    threshold: float = 0.0  # a reward above it makes a candidate
    bootstrap: bool = True  # candidates are tried before they become emitters
    bootstrap_steps: int = 5
    bootstrap_share: float = 1 / 3  # of a chunk, what is left for emitters
    choice: str = "pareto"  # of the emitter to run: pareto, random
    local_improvement: bool = False
    stop: str = "custom"  # when an emitter stops: custom, original
    window: int | None = None  # of that, in steps; null: the formula
    max_steps: int | None = None  # of an emitter; null: no limit
    keep_novel: int = 5  # novel behaviours of an emitter that the archive gets
    scheduler: str = "alternating"  # alternating, fixed_sampling, time_sampling, mab


@dataclass
class SereneConfig(_EmitterConfig, NoveltySearchConfig):
    """SERENE (Paolo et al. 2021): novelty search, and emitters where rewards were found."""


@dataclass
class SmallGoalsConfig(SereneConfig):
    """SERENE where areas are so small that children of the published steps miss them."""

    sigma_rule: str = "per_dim"
    bootstrap: bool = False
    max_steps: int | None = 80


@dataclass
class _LearningConfig:
    network: str = "small"  # small (32 pixels), stax, taxons (64)
    code: int = 10  # numbers for an image
    training: bool = True
    reset: bool = False  # new weights at each training
    epochs: int = 10  # at most
    patience: bool = True  # ends a training that no longer helps
    batch: int = 128
    rate: float = 1e-3
    most_views: int | None = 3000  # individuals that a training looks at; null: all


@dataclass
class TaxonsConfig(_LearningConfig, NoveltySearchConfig):
    """TAXONS (Paolo et al. 2020): novelty in a space that is learned from images."""

    descriptor: str = "image:1"
    selection: str = "random_choice"
    version: str = "later"  # later, 2020

    def check(self) -> None:
        super().check()
        one_of("agent.version", self.version, ("later", "2020"))


@dataclass
class StaxConfig(_LearningConfig, _EmitterConfig, NoveltySearchConfig):
    """STAX (Paolo et al. 2024): SERENE in a space that is learned from images."""

    descriptor: str = "image:5"
    selection: str = "novelty_surprise"


@dataclass
class MapElitesConfig(PopulationConfig):
    """MAP-Elites (Mouret and Clune 2015): the best of every cell."""


@dataclass
class CMAMEConfig(PopulationConfig):
    """CMA-ME (Fontaine et al. 2020) with optimising emitters."""

    sigma: float = 0.5
    samples: int = 6  # of an emitter a step


@dataclass
class CMAESConfig(PopulationConfig):
    """CMA-ES (Hansen and Ostermeier 2001) on reward alone, started anew from the best."""

    population: int = 6


@dataclass
class RandomGenomesConfig(PopulationConfig):
    """Genomes drawn at random: the floor."""

    threshold: float = 0.0  # a reward above it is kept


class PopulationAgent(Agent):
    """What all share."""

    actions = (spaces.Discrete, spaces.Box)
    whole_episodes = True

    def reports(self, config: Any) -> tuple[str, ...]:
        return (POSITION, "area") if config.place in ("", POSITION) else ("area",)

    def refuse(self, env: VecEnv, config: Any) -> None:
        super().refuse(env, config)
        self._model(env, config, seed=0, threads=1)

    def make(self, env: VecEnv, config: Any, *, seed: int | None, threads: int = 1) -> BaseAlgorithm:
        config.check()
        super().refuse(env, config)
        return self._model(env, config, seed=seed, threads=threads)

    def close(self, model: Any) -> None:
        model.close()

    def save(self, model: Any, folder: Path) -> None:
        super().save(model, folder)
        write_state(model.evolver.state_dict(), folder / POPULATION_FILE)
        model.history.save(folder / REPERTOIRE_FILE, model.evolver.elites())

    def load(
        self, folder: Path, env: VecEnv | None, config: Any, *, threads: int = 1, trust: bool = False
    ) -> BaseAlgorithm:
        model = Population.load(folder / AGENT_FILE, env=env, device="cpu", trust=trust)
        model.threads = threads
        model.evolver.load_state_dict(read_state(folder / POPULATION_FILE, trust=trust))
        model.history.load(folder / REPERTOIRE_FILE)
        model.act_by(config.elite)
        return model

    def play_elsewhere(self, model: Any, actors: int | None) -> None:
        model.play_elsewhere(actors)

    def closing_remark(self, model: Any) -> str | None:
        remark: str | None = model.evolver.closing_remark()
        return remark

    def _model(self, env: VecEnv, config: Any, *, seed: int | None, threads: int) -> Population:
        world = getattr(env, "unwrapped", env)
        settings = asdict(config)
        settings["hidden"] = list(getattr(world, "hidden", HIDDEN) if config.hidden is None else config.hidden)
        settings["place"] = _place_in_words(config.place)
        settings["horizon"] = longest_episode(env) if config.horizon is None else config.horizon
        settings["goals"] = len(getattr(world, "goals", ()))
        tells = POSITION in getattr(world, "reported", ()) or hasattr(world, "rollouts")
        extent = getattr(world, "extent", None) if config.extent is None and tells else config.extent
        settings["extent"] = None if extent is None else np.array(extent, np.float64).tolist()
        model = Population(env, seed=seed, search=self.registered_name, settings=settings, threads=threads, tells=tells)
        _ = model.evaluator  # so that what it refuses is refused now
        return model


def _place_in_words(place: Any) -> str:
    """A command line reads [0,1] as a list of numbers."""
    if isinstance(place, str):
        return place
    if isinstance(place, Sequence) and len(place) == 2:
        return f"[{place[0]},{place[1]}]"
    raise ValueError(f"agent.place={place}: expected position, [0,1] or entry[0,1]")


@register("novelty_search")
class NoveltySearchAgent(PopulationAgent):
    """Novelty search (Lehman and Stanley 2011)."""

    config = NoveltySearchConfig


@register("nsga2")
class NSGA2Agent(PopulationAgent):
    """NSGA-II on novelty and reward (Deb et al. 2002)."""

    config = NSGA2Config


@register("nslc")
class NSLCAgent(PopulationAgent):
    """Novelty search with local competition (Lehman and Stanley 2011)."""

    config = NSLCConfig


@register("serene")
class SereneAgent(PopulationAgent):
    """SERENE (Paolo et al. 2021)."""

    config = SereneConfig
    presets: ClassVar[Mapping[str, type[AgentConfig]]] = {"small_goals": SmallGoalsConfig}


@register("taxons")
class TaxonsAgent(PopulationAgent):
    """TAXONS (Paolo et al. 2020)."""

    config = TaxonsConfig


@register("stax")
class StaxAgent(PopulationAgent):
    """STAX (Paolo et al. 2024)."""

    config = StaxConfig


@register("map_elites")
class MapElitesAgent(PopulationAgent):
    """MAP-Elites (Mouret and Clune 2015)."""

    config = MapElitesConfig


@register("cma_me")
class CMAMEAgent(PopulationAgent):
    """CMA-ME (Fontaine et al. 2020)."""

    config = CMAMEConfig


@register("cma_es")
class CMAESAgent(PopulationAgent):
    """CMA-ES (Hansen and Ostermeier 2001)."""

    config = CMAESConfig


@register("random_genomes")
class RandomGenomesAgent(PopulationAgent):
    """Genomes drawn at random."""

    config = RandomGenomesConfig


def _check_extent(extent: Any) -> None:
    if extent is None:
        return
    array = np.array(extent, dtype=object)
    if array.shape != (2, 2):
        raise ValueError(f"agent.extent={extent}: expected [[low,high],[low,high]]")
    for low, high in array:
        if number("agent.extent", low) >= number("agent.extent", high):
            raise ValueError(f"agent.extent has [{low}, {high}]: expected the lower one first")
