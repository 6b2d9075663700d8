"""Messages through agents of MiniHack, Rocket and NetHack: bits against what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from scripts.coding.carrying import FILLED, carry
from scripts.coding.telling import Settings
from scripts.experiments.claim import Comparison
from scripts.experiments.rocket_penalty import PENALTY
from scripts.experiments.rocket_shooting import SHAPED
from scripts.results.comparison import Row, by_arm
from scripts.results.figures import figure, look
from scripts.results.intervals import interval
from scripts.running.run_directory import load_run

TEMPERATURES = (0.5, 1.0, 2.0)
_EPISODES = 15
_KEPT = ("bits", "bits_per_step", "exact", "wrong_bits", "return_mean", "silent_return_mean")


def measured(runs: Mapping[str, Path]) -> Mapping[str, Mapping[str, float | None]]:
    """Of every arm at every temperature: see `carry`; ``NAME_at_2``."""
    return {arm: _of(path) for arm, path in runs.items()}


def _of(path: Path) -> dict[str, float | None]:
    run, found = load_run(path), dict[str, float | None]()
    for temperature in TEMPERATURES:
        settings = Settings(temperature=temperature)
        told = carry(run, settings, episodes=_EPISODES, pilots=_EPISODES, seed=run.config.seed)
        found |= {f"{name}_at_{temperature:g}": told[name] for name in _KEPT}
    return found


def draw(rows: Sequence[Row], path: Path) -> None:
    """Bits of an episode against the return, from cold to hot; means over seeds, intervals."""
    arms = by_arm(rows)
    with figure(path, 1, len(arms), 3.9, 3.5) as (_, panels):
        for axes, (index, (arm, arm_rows)) in zip(panels, enumerate(arms.items()), strict=True):
            bits, returns = (
                [
                    interval([float(row.metrics[f"{name}_at_{temperature:g}"] or 0) for row in arm_rows])
                    for temperature in TEMPERATURES
                ]
                for name in ("bits", "return_mean")
            )
            x, y = [each.value for each in bits], [each.value for each in returns]
            error = [[each.value - each.low for each in returns], [each.high - each.value for each in returns]]
            axes.errorbar(x, y, yerr=error, fmt="o-", capsize=2, **look(index))
            for temperature, at_x, at_y in zip(TEMPERATURES, x, y, strict=True):
                axes.annotate(f"{temperature:g}", (at_x, at_y), xytext=(4, 5), textcoords="offset points", fontsize=8)
            axes.set_title(arm)
            axes.set_xlabel("bits of an episode")
            axes.set_ylabel("task return")


CLAIM = Comparison(
    title="Coding games: messages through agents of the suite",
    text=(
        "Three agents that nobody trained to tell anything: PPO in MiniHack's key room with the "
        "[events term](terms/events.md), PPO at Rocket's penalty with the "
        "[kinesthetic term](terms/kinesthetic.md), PPO in NetHack with count bonuses. Random messages, one an episode, "
        f"of {100 * FILLED:.0f} % of the bits that the policy's entropy amounts to in an episode, {_EPISODES} of "
        "evaluation's episodes at each temperature of the policy (`at 1`: as it learned). `exact` is the share of "
        "messages without a wrong bit; `bits per step` counts right bits. `silent return` is that of as many episodes "
        "without a message."
    ),
    arms={
        "key-room": ("env=minihack/key_room", "shaping=events", "agent=ppo", "gif=false"),
        "penalty": (
            *(*PENALTY, *SHAPED, "gif=false"),
            "shaping.terms.kinesthetic.reward='krc(align, player_to_ball_velocity, player_to_ball_distance) + "
            "2*ball_to_goal_velocity'",
        ),
        "nethack": (
            *("env=nethack/score", "shaping=count", "agent=ppo", "env.kwargs.max_episode_steps=500", "gif=false"),
            "evaluate_episodes=30",
        ),
    },
    total_timesteps=131_072,
    metric="task_return_mean",
    together=measured,
    draw=draw,
    picture="bits of an episode and what it pays; numbers are temperatures",
    columns=(
        *("eval_return_mean", "bits_at_1", "bits_per_step_at_1", "exact_at_1", "silent_return_mean_at_1"),
        *("return_mean_at_1", "bits_at_2", "exact_at_2", "return_mean_at_2"),
    ),
)
