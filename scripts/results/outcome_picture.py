"""What the agent is paid beside what it is for: the diagnosis of reward hacking."""

from __future__ import annotations

from pathlib import Path

from scripts.results.curves import SHAPED, STEPS, FloatArray, finite, has_values, reward_parts
from scripts.results.figures import figure, look, step_axis

OUTCOME, TASK = "episode/outcome", "reward/task"
"""The outcome: of an accumulation that tells it, else the task's own reward."""


def draw_outcome(columns: dict[str, FloatArray], path: Path) -> Path | None:
    """The training return beside the outcome's reward, over steps, of a run of several signals.

    A left curve that rises while the right one falls is how reward hacking looks.

    Args:
        columns: of progress.csv.
        path: the .png.

    Returns:
        The path; None for a run whose reward is the outcome alone.
    """
    outcome = OUTCOME if has_values(columns, OUTCOME) else TASK
    if len(reward_parts(columns)) < 2 or not has_values(columns, SHAPED) or not has_values(columns, outcome):
        return None
    titles = {SHAPED: "What it was paid", outcome: "The outcome" if outcome == OUTCOME else "The task's own reward"}
    with figure(path, 1, 2, 4.0, 3.2) as (_, axes):
        for index, (panel, (name, title)) in enumerate(zip(axes, titles.items(), strict=True)):
            panel.plot(*finite(columns[STEPS], columns[name]), color=look(index)["color"])
            panel.set_title(title)
            panel.set_ylabel("sum over an episode, mean of 100")
            step_axis(panel)
            panel.set_xlim(0, columns[STEPS].max())  # one axis for both: the outcome is known a rollout later
    return path
