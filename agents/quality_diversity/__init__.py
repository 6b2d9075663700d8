"""Quality-diversity: populations of small policies that collect behaviours and improve rewards."""

from agents.quality_diversity import agent
from agents.quality_diversity.population import Population

__all__ = ["Population", "agent"]
