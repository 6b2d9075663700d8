"""Point2D: what of a path is taken for behaviour decides where paths go."""

from scripts.experiments.claim import Comparison
from scripts.experiments.qd_settings import BUDGET, TOLD, search

_STEPS = 50

CLAIM = Comparison(
    title="Quality-diversity: what of a path is taken for behaviour",
    text=(
        f"Novelty search on Point2D, {_STEPS} steps an episode, {BUDGET:,} evaluations. `final` sees the last place, "
        "`five` five places on the way, `signature` and `time-signature` the path's signature of order 2, without and "
        "with time as a coordinate, `log-signature` its logarithm. `coverage` is the share of 50 × 50 cells in which "
        "an episode of any evaluation ended, `coverage mid` the share in which one was after half of its steps."
    ),
    arms={
        arm: search("classic/point2d", "novelty_search", f"descriptor={descriptor}")
        for arm, descriptor in {
            "final": "final",
            "five": "frames:5",
            "signature": "signature:2",
            "time-signature": "time_signature:2",
            "log-signature": "log_signature:2",
        }.items()
    },
    total_timesteps=BUDGET * _STEPS,
    metric="coverage_mid",
    told=TOLD,
    columns=("coverage", "coverage_mid", "evaluations"),
)
