"""Where reward comes from: reward terms, and what turns them into the scalar an agent learns from.

The interface is :mod:`shaping.terms`. A file in this package whose class carries
``@register_term("name")`` is found by itself; nothing has to be listed here.

>>> from shaping import make_term, term_names
>>> make_term("events", events=["key_picked_up"]).event_names
('key_picked_up',)
"""

from shaping.combine import Combiner, WeightedSum
from shaping.env import ShapedEnv
from shaping.episodes import Episode, EpisodeTransform
from shaping.learner import Learner
from shaping.parts import Part, RewardTermError, Setting
from shaping.pay import Change
from shaping.registry import make_term, register_term, term_names, term_schema
from shaping.schedules import Schedule
from shaping.terms import RewardTerm
from shaping.transforms import Transform
from shaping.transitions import FloatArray, Observations, Rollout, Transitions
from shaping.vec_env import ShapedVecEnv

__all__ = [
    "Change",
    "Combiner",
    "Episode",
    "EpisodeTransform",
    "FloatArray",
    "Learner",
    "Observations",
    "Part",
    "RewardTerm",
    "RewardTermError",
    "Rollout",
    "Schedule",
    "Setting",
    "ShapedEnv",
    "ShapedVecEnv",
    "Transform",
    "Transitions",
    "WeightedSum",
    "make_term",
    "register_term",
    "term_names",
    "term_schema",
]
