"""What the claims about BARFI have in common: arms over a world with a good and a bad heuristic."""

from __future__ import annotations

REINFORCE = ("agent.replay=false",)
ACTOR_CRITIC = (*REINFORCE, "agent.lower=actor_critic")
BLENDS: dict[str, tuple[str, ...]] = {
    "primary": ("agent.blend=primary", *REINFORCE),
    "naive": ("agent.blend=naive", *REINFORCE),
    "frozen": ("agent.blend=frozen", "agent.start=naive"),
    "barfi": (),
    "first-order": ("agent.hypergradient=first_order",),
    "pbrs": ("agent.blend=pbrs", *REINFORCE),
    "pbrs-ac": ("agent.blend=pbrs", *ACTOR_CRITIC),
}
"""Arm -> overrides of agent=barfi."""
WORDS = (
    "`primary` learns from the task alone, `naive` from the sum of task and heuristic, both by REINFORCE on the three "
    "episodes just played; `frozen` makes as many updates on replayed episodes as BARFI does, from the same sum: the "
    "fair control; `barfi` learns the blend and the discount, `first-order` with the curvature left out; `pbrs` takes "
    "the heuristic as a potential, `pbrs-ac` the same with an actor-critic. All have the same policy, features and "
    "learning rate."
)
"""What the arms are, for a claim's text."""


def arms(bad: tuple[str, ...], good: tuple[str, ...], agent: str) -> dict[str, tuple[str, ...]]:
    """The arms of a world with bad and with good advice."""
    with_good = {f"{name}-good": arm(good, agent, name) for name in ("naive", "barfi")}
    with_bad = {f"{name}-bad": arm(bad, agent, name) for name in BLENDS if name != "primary"}
    return {"primary": arm(bad, agent, "primary"), **with_good, **with_bad}


def arm(world: tuple[str, ...], agent: str, blend: str, *more: str) -> tuple[str, ...]:
    """Overrides of a run."""
    return (*world, "shaping=channels", f"agent={agent}", *BLENDS[blend], *more)
