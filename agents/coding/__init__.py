"""Coding over any policy: couplings, codes, beliefs, and the codec that two players share.

Nothing here knows an environment, a reward or a network: a policy is a row of probabilities.
"""

from agents.coding.agreement import Agreement, Disagreement, must_match
from agents.coding.beliefs import Belief, FactoredBelief, TabularBelief
from agents.coding.bottleneck import (
    ENCODERS,
    Encoding,
    bottlenecked_coupling,
    dead_end,
    ebim,
    ebim_or_refined,
    refined,
    uniform_quantiser,
)
from agents.coding.capacity import Capacity, TooLittleCapacity
from agents.coding.codec import Codec, MessageImpossible
from agents.coding.couplings import (
    COUPLINGS,
    Coupling,
    cicalese_coupling,
    greedy_coupling,
    greedy_coupling_of,
    independent_coupling,
    majorisation_bound,
)
from agents.coding.enumeration import Exact, Outcome, enumerate_game
from agents.coding.grid import Grid
from agents.coding.masses import TOTAL, entropy, masses_of, normalised, uniform
from agents.coding.messages import Blocks, Corrupted

__all__ = [
    "COUPLINGS",
    "ENCODERS",
    "TOTAL",
    "Agreement",
    "Belief",
    "Blocks",
    "Capacity",
    "Codec",
    "Corrupted",
    "Coupling",
    "Disagreement",
    "Encoding",
    "Exact",
    "FactoredBelief",
    "Grid",
    "MessageImpossible",
    "Outcome",
    "TabularBelief",
    "TooLittleCapacity",
    "bottlenecked_coupling",
    "cicalese_coupling",
    "dead_end",
    "ebim",
    "ebim_or_refined",
    "entropy",
    "enumerate_game",
    "greedy_coupling",
    "greedy_coupling_of",
    "independent_coupling",
    "majorisation_bound",
    "masses_of",
    "must_match",
    "normalised",
    "refined",
    "uniform",
    "uniform_quantiser",
]
