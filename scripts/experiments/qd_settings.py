"""What the claims about quality-diversity share."""

from __future__ import annotations

BUDGET = 20_000
"""Evaluations, an episode each."""
TOLD = {
    "coverage": ("train/coverage",),
    "coverage_mid": ("train/coverage_mid",),
    "min_area_reward": ("train/min_area_reward",),
    "max_area_reward": ("train/max_area_reward",),
    "areas": ("train/areas",),
    "evaluations": ("train/evaluations",),
}
SEARCHES = ("serene", "novelty_search", "map_elites", "cma_me", "cma_es", "nsga2", "nslc", "random_genomes")


def search(env: str, agent: str, *overrides: str, budget: int = BUDGET) -> tuple[str, ...]:
    """Overrides of a run; `overrides` without "agent.".

    Worlds are deterministic: one episode evaluates.
    """
    settings = (f"agent.{setting}" for setting in (f"evaluations={budget}", *overrides))
    return (f"env={env}", "shaping=none", "evaluate_episodes=1", "gif=false", f"agent={agent}", *settings)
