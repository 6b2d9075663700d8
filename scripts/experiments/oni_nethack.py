"""NetHack Score: what two million steps come to."""

from scripts.experiments.claim import Comparison
from scripts.experiments.language_model_settings import OWN_ANSWERS

_SCORE = (
    "env=nethack/score_extended",
    "agent=ppo",
    "n_envs=32",
    "agent.n_steps=64",
    "agent.batch_size=512",
    "agent.learning_rate=5e-4",
    "shaping.task_weight=0.1",
    "torch_threads=1",
)

CLAIM = Comparison(
    title="NetHack Score: what two million steps come to",
    text=(
        "NetHack's score with 28 actions, two million steps. All arms get a tenth of the score; "
        "`retrieval-llm` adds the [oni term](terms/oni.md) judged by SmolLM2-135M-Instruct in the background from "
        "an empty cache, `count` the same term paying for every message, `rnd` novelty of observations, each with "
        "weight 0.1, not tuned. Statistics are means over episodes: points, deepest level, fullest purse, kills, "
        "cells seen, experience level."
    ),
    arms={
        "none": (*_SCORE, "shaping=none"),
        "rnd": (*_SCORE, "shaping=rnd", "shaping.terms.rnd.weight=0.1"),
        "count": (*_SCORE, "shaping=oni/count"),
        "retrieval-llm": (*_SCORE, "shaping=oni/retrieval", OWN_ANSWERS),
    },
    total_timesteps=2_000_000,
    seeds=(100,),
    metric="stats",
)
