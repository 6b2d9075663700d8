"""MiniHack: a population's search and an agent's bonuses where only the goal is paid."""

from scripts.experiments.claim import Comparison
from scripts.experiments.qd_settings import TOLD

_WORLDS = {"room": "room_15x15", "labyrinth": "labyrinth_small"}
_SEEN = "env.kwargs.observation_keys=[blstats,raw_blstats,chars,glyphs_crop]"
_PLAYED = (_SEEN, "agent.keys=[blstats]", "agent.place='raw_blstats[0,1]'", "agent.horizon=200", "shaping=none")
_SEARCHES = {
    "position": (*_PLAYED, "agent=novelty_search"),
    "image": (*_PLAYED, "agent=taxons", "agent.picture=chars"),
    "random-genomes": (*_PLAYED, "agent=random_genomes"),
}
_BONUSES = {f"ppo-{term}": ("agent=ppo", f"shaping={term}") for term in ("none", "count", "rnd")}

CLAIM = Comparison(
    title="Quality-diversity: MiniHack, where only the goal is paid",
    text=(
        "MiniHack's Room-15x15 (`room-`), whose stairs are in the other corner, and Labyrinth-Small (`labyrinth-`); "
        "both look the same in every episode. `position` is novelty search over where the hero is at the end, `image` "
        "TAXONS over a picture of the map's characters, `random-genomes` the floor: policies of two layers of 5, which "
        "see `blstats`, 200 moves at most. `ppo-` is PPO without a bonus, with the count of states and with RND, their "
        "defaults. All have the same environment steps. Success is of 100 episodes on seeds that were not trained on."
    ),
    arms={
        f"{world}-{arm}": (f"env=minihack/{card}", *overrides)
        for world, card in _WORLDS.items()
        for arm, overrides in (_SEARCHES | _BONUSES).items()
    },
    total_timesteps=300_000,
    metric="success_rate",
    told=TOLD,
    columns=("success_rate", "eval_success_rate", "coverage", "evaluations"),
)
