"""Rocket: a repertoire of shots that end in different places."""

from scripts.experiments.claim import Comparison
from scripts.experiments.qd_settings import TOLD

_SCENE = (
    *("env=rocket/shoot", "env.kwargs.starts={penalty:1}", "env.kwargs.seconds=4", "env.kwargs.observation=flat"),
    *("shaping=none", "evaluate_episodes=1", "agent.place=[0,1]", "agent.extent=[[-1.8,1.8],[-2.7,2.7]]"),
)

CLAIM = Comparison(
    title="Quality-diversity: a repertoire of shots",
    text=(
        "The penalty of `rocket-penalty`, one and the same in every episode: a car, the ball, an open goal, 4 seconds. "
        "Behaviour is where the ball is at the end, on the field; `coverage` the share of 50 × 50 cells of the field "
        "in which it was. A goal is paid 1. The repertoire of a run, as a picture and as clips side by side, is what "
        "`python -m scripts.repertoire RUN` makes."
    ),
    arms={agent: (*_SCENE, f"agent={agent}") for agent in ("novelty_search", "serene", "map_elites", "random_genomes")},
    total_timesteps=300_000,
    metric="coverage",
    told=TOLD,
    columns=("coverage", "max_area_reward", "evaluations", "eval_return_mean"),
)
