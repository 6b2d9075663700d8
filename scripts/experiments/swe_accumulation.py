"""Software-engineering tasks: what critics of every turn do, and what a gate does about it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from foundation.files import read_json
from scripts.experiments.claim import Comparison
from scripts.experiments.swe_settings import CRITICS, TASKS
from scripts.results.curves import read_progress

_PAID = "rollout/shaped_return_mean"
_LAST = 5  # updates whose mean stands for the end

RATES = ("completion_rate", "modification_rate", "resolve_rate")


def measured(runs: Mapping[str, Path]) -> Mapping[str, Mapping[str, float | None]]:
    """Of every arm: rates of the evaluation, and what an episode was paid at first and at last."""
    return {arm: _of(run) for arm, run in runs.items()}


def _of(run: Path) -> dict[str, float | None]:
    statistics = read_json(run / "evaluation.json")["stats"]
    paid = read_progress(run)[_PAID]
    paid = paid[np.isfinite(paid)]
    return {
        **{name: statistics[name] for name in RATES},
        "training_return_start": float(paid[0]),
        "training_return_end": float(paid[-_LAST:].mean()),
    }


def _arm(name: str, arguments: str = "") -> tuple[str, ...]:
    given = (f"shaping.episode.arguments={arguments}",) if arguments else ()
    return (*TASKS, *CRITICS, f"shaping.episode.name={name}", *given)


CLAIM = Comparison(
    title="Software engineering: critics of every turn, and gates",
    text=(
        "The [tool face](swe.md): bugs in small packages, 20 turns. Critics pay 0.1 for every turn that is an action "
        "and could be done, and 0.2 for each of four steps towards a fix; the outcome pays −1 for no submission, −0.5 "
        "for an empty one, 0 for one that fails and 1 for one that passes. `direct` adds everything up as it comes; "
        "`direct-terminal` pays the same sums on the last turn, the control that tells the gate from the delay; "
        "`gated` pays critics only where something other than the start was submitted, on the last turn, and "
        "`gated-retroactive` at their own turns; `outcome` pays the outcome alone; `capped` is `gated` with critics "
        "of 0.5 at most; `potential` pays critics as a potential's differences; `spa` spreads the outcome over the "
        "turns that a learned estimator credits, and pays half of the critics; `spa-alone` pays none of them. Rates "
        "are those of 200 episodes on tasks whose functions no training saw, actions sampled; the training return is "
        "what an episode was paid, at the first update and over the last five. Settings were taken from a toy of the "
        "same shape, before these seeds were run; the arm `spa-alone` was added when the others were known."
    ),
    arms={
        "direct": _arm("direct"),
        "direct-terminal": _arm("direct", "{release:terminal}"),
        "gated": _arm("gated"),
        "gated-retroactive": _arm("gated", "{release:retroactive}"),
        "outcome": _arm("outcome_only"),
        "capped": _arm("gated", "{low_cap:0.5}"),
        "potential": _arm("potential"),
        "spa": _arm("step_progress"),
        "spa-alone": _arm("step_progress", "{beta:0}"),
    },
    total_timesteps=60_000,
    metric="stats",
    together=measured,
    columns=(*RATES, "eval_return_mean", "training_return_start", "training_return_end", "steps"),
)
