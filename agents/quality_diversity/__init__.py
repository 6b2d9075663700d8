"""Quality-diversity: populations of small policies that collect behaviours and improve rewards."""

from agents.quality_diversity.agent import PopulationAgent
from agents.quality_diversity.autoencoder import Autoencoder
from agents.quality_diversity.cma_es import CMAES
from agents.quality_diversity.cma_searches import CMAME, CMAESSearch
from agents.quality_diversity.coverage import coverage, uniformity
from agents.quality_diversity.descriptors import DESCRIPTORS, Descriptor, make_descriptor
from agents.quality_diversity.emitters import Emitting
from agents.quality_diversity.evaluations import Evaluations
from agents.quality_diversity.evolver import Evolver
from agents.quality_diversity.fronts import crowding_distance, pareto_fronts
from agents.quality_diversity.grid_archive import GridArchive
from agents.quality_diversity.history import History
from agents.quality_diversity.improvement import emitter_sigma, improvement, stagnated
from agents.quality_diversity.learned_space import LearnedSpace, Learning
from agents.quality_diversity.lineage import ancestry
from agents.quality_diversity.map_elites import MapElites
from agents.quality_diversity.members import Elites
from agents.quality_diversity.novelty import local_competition, novelty_scores
from agents.quality_diversity.novelty_search import NoveltySearch, Search
from agents.quality_diversity.population import Population
from agents.quality_diversity.random_search import RandomSearch
from agents.quality_diversity.schedulers import SCHEDULERS
from agents.quality_diversity.serene import Serene
from agents.quality_diversity.signatures import log_signature, path_signature
from agents.quality_diversity.stax import Stax
from agents.quality_diversity.taxons import Taxons, Taxons2020

__all__ = [
    "CMAES",
    "CMAME",
    "DESCRIPTORS",
    "SCHEDULERS",
    "Autoencoder",
    "CMAESSearch",
    "Descriptor",
    "Elites",
    "Emitting",
    "Evaluations",
    "Evolver",
    "GridArchive",
    "History",
    "LearnedSpace",
    "Learning",
    "MapElites",
    "NoveltySearch",
    "Population",
    "PopulationAgent",
    "RandomSearch",
    "Search",
    "Serene",
    "Stax",
    "Taxons",
    "Taxons2020",
    "ancestry",
    "coverage",
    "crowding_distance",
    "emitter_sigma",
    "improvement",
    "local_competition",
    "log_signature",
    "make_descriptor",
    "novelty_scores",
    "pareto_fronts",
    "path_signature",
    "stagnated",
    "uniformity",
]
