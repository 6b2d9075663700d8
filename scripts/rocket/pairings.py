"""Rocket players against each other: points of each pairing, ratings, tables and pictures."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from envs.rocket.contest import MakeDriver, Rules, play_points
from envs.typing import IntArray
from scripts.results.comparison import Row, by_arm
from scripts.results.figures import figure, look, rate_axis
from scripts.results.intervals import Interval, interval, wilson
from scripts.rocket.players import player

STUDY_POINTS = 100
_SHARE = "goal_share_against_"
STUDY_BOTS = ("random", "chase_ball", "goalie", "kickoff")


@dataclass(frozen=True)
class Pairing:
    """Two players' points against each other.

    >>> pairing = Pairing("chase_ball", "goalie", np.array([1, 0, -1, 1]))
    >>> pairing.goals, round(pairing.goal_share().value, 2)
    ((2, 1), 0.67)
    """

    first: str
    second: str
    outcomes: IntArray  # (points,): 1 the first scored, -1 the second, 0 nobody

    @property
    def goals(self) -> tuple[int, int]:
        """Of the first and of the second."""
        return int((self.outcomes > 0).sum()), int((self.outcomes < 0).sum())

    def goal_share(self) -> Interval:
        """The first's share of the goals with its 95 % interval (Wilson); NaN without a goal."""
        first, second = self.goals
        return wilson(first, first + second) if first + second else Interval(np.nan, np.nan, np.nan)

    def as_json(self) -> dict[str, Any]:
        """For the file."""
        share = self.goal_share()
        return {
            "first": self.first,
            "second": self.second,
            "points": len(self.outcomes),
            "goals": list(self.goals),
            "goal_share": _finite(share.value),
            "goal_share_interval": [_finite(share.low), _finite(share.high)],
        }


def play_all(
    players: Mapping[str, MakeDriver],
    points: int,
    rules: Rules,
    seed: int = 0,
    verbose: bool = False,
    without: Sequence[str] = (),
) -> list[Pairing]:
    """Each against each, but for those in `without` among themselves."""
    from stable_baselines3.common.utils import set_random_seed

    pairings = []
    for first, second in itertools.combinations(players, 2):
        if first in without and second in without:
            continue
        set_random_seed(seed)  # agents sample their actions from torch's generator
        pairings.append(Pairing(first, second, play_points(players[first], players[second], points, rules, seed)))
        if verbose:
            goals = " : ".join(map(str, pairings[-1].goals))
            print(f"{first} against {second}  {goals}", flush=True)
    return pairings


def ratings(pairings: Sequence[Pairing], seed: int = 0) -> dict[str, tuple[float, float]]:
    """Skill and its deviation by player: every point is rated once, in an order of the seed."""
    from openskill.models import PlackettLuce

    model = PlackettLuce()
    names = dict.fromkeys(name for pairing in pairings for name in (pairing.first, pairing.second))
    skills = {name: model.rating(name=name) for name in names}
    points = [(p.first, p.second, int(outcome)) for p in pairings for outcome in p.outcomes]
    for index in np.random.default_rng(seed).permutation(len(points)):
        first, second, outcome = points[index]
        ranks = [float(outcome < 0), float(outcome > 0)]  # equal ranks are a draw
        (skills[first],), (skills[second],) = model.rate([[skills[first]], [skills[second]]], ranks=ranks)
    estimates = {name: (float(skill.mu), float(skill.sigma)) for name, skill in skills.items()}
    return dict(sorted(estimates.items(), key=lambda item: -item[1][0]))


def table(pairings: Sequence[Pairing], skills: Mapping[str, tuple[float, float]]) -> str:
    """Both results in Markdown: the ratings, then the pairings."""
    lines = ["| player | rating | 95 % |", "| --- | --- | --- |"]
    for name, (mu, sigma) in skills.items():
        lines.append(f"| `{name}` | {mu:.1f} | {mu - 1.96 * sigma:.1f} to {mu + 1.96 * sigma:.1f} |")
    lines += [
        "",
        "| pairing | goals | drawn | the first's share of the goals | 95 % |",
        "| --- | --- | --- | --- | --- |",
    ]
    for pairing in pairings:
        a, b = pairing.goals
        share = pairing.goal_share()
        rate = f"{share.value:.0%} | {share.low:.0%} to {share.high:.0%}" if a + b else "– | –"
        lines.append(
            f"| `{pairing.first}` against `{pairing.second}` | {a} : {b} | {len(pairing.outcomes) - a - b} | {rate} |"
        )
    return "\n".join(lines)


def draw(path: Path, pairings: Sequence[Pairing], skills: Mapping[str, tuple[float, float]]) -> None:
    """Ratings with their intervals, and a matrix of the row's share of goals against the column."""
    names = list(skills)
    share = np.full((len(names), len(names)), np.nan)
    for pairing in pairings:
        a, b = names.index(pairing.first), names.index(pairing.second)
        value = pairing.goal_share().value
        share[a, b], share[b, a] = value, 1.0 - value
    size = max(3.2, 0.62 * len(names))
    with figure(path, 1, 2, size + 1.6, size + 0.4) as (_, (left, right)):
        places = np.arange(len(names))[::-1]
        mu, sigma = (np.array(column) for column in zip(*skills.values(), strict=True))
        left.errorbar(mu, places, xerr=1.96 * sigma, fmt="o", capsize=3)
        left.set_yticks(places, names)
        left.set_title("Rating (Plackett-Luce), 95 %")
        right.imshow(share, cmap="RdBu", vmin=0, vmax=1)
        right.set_xticks(range(len(names)), names, rotation=40, ha="right")
        right.set_yticks(range(len(names)), names)
        right.grid(False)
        right.set_title("Row's share of the goals")
        for (row, column), value in np.ndenumerate(share):
            if np.isfinite(value):
                strong = abs(value - 0.5) > 0.3
                right.text(column, row, f"{value:.0%}", ha="center", va="center", color="w" if strong else "k", size=8)


def study(runs: Mapping[str, Path], points: int = STUDY_POINTS) -> dict[str, dict[str, float | None]]:
    """Agents by name against each other and the bots that drive.

    Returns:
        Agent -> its rating and its shares of goals, None where there was no goal.
    """
    players = dict(player(f"{name}:{path}") for name, path in runs.items())
    players |= dict(player(name) for name in STUDY_BOTS)
    pairings = play_all(players, points, Rules(arenas=points // 2), without=STUDY_BOTS)
    skills = ratings(pairings)
    metrics: dict[str, dict[str, float | None]] = {name: {"rating": round(skills[name][0], 4)} for name in runs}
    for pairing in pairings:
        share = _finite(pairing.goal_share().value)
        for name, other, goal_share in (
            (pairing.first, pairing.second, share),
            (pairing.second, pairing.first, None if share is None else 1.0 - share),
        ):
            if name in runs:
                metrics[name][f"{_SHARE}{other}"] = None if goal_share is None else round(goal_share, 4)
    return metrics


def draw_study(rows: Sequence[Row], path: Path) -> None:
    """The shares of goals of `study`: every seed a dot, interquartile means and 95 % intervals."""
    others = list(dict.fromkeys(name for row in rows for name in row.metrics if name.startswith(_SHARE)))
    arms = by_arm(rows)
    with figure(path, 1, 1, 1.3 * len(others) + 1.6, 3.6) as (_, (axes,)):
        for index, (arm, arm_rows) in enumerate(arms.items()):
            for place, name in enumerate(others):
                values = [float(value) for row in arm_rows if (value := row.metrics.get(name)) is not None]
                if not values:
                    continue
                x, around = place + (index - (len(arms) - 1) / 2) * 0.22, interval(values)
                axes.scatter([x + 0.05] * len(values), values, s=12, color=look(index)["color"], alpha=0.5)
                error = [[around.value - around.low], [around.high - around.value]]
                axes.errorbar(x, around.value, yerr=error, fmt="o", color=look(index)["color"])
            axes.errorbar([], [], fmt="o", color=look(index)["color"], label=arm)
        axes.axhline(0.5, color="#333840", linewidth=0.8)
        axes.set_xticks(range(len(others)), [name.removeprefix(_SHARE) for name in others])
        rate_axis(axes)
        axes.set_ylabel("share of the goals against")
        axes.legend(loc="lower left")


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
