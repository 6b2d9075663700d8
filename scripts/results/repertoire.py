"""What a population keeps: elites that differ, played again, and what their rewards are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import envs
from agents.quality_diversity import History, Population, PopulationAgent, ancestry
from agents.quality_diversity.evaluators import Outcome
from agents.quality_diversity.replays import Picture, film, is_certain, replay, rewards_elsewhere
from foundation.checks import whole
from foundation.files import folder_for, replace_json
from foundation.naming import unknown
from scripts.results.elites_picture import Chart, draw_elites, write_grid
from scripts.results.figures import short
from scripts.running.run_directory import Run
from shaping import ShapedVecEnv

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
FOLDER, FILES = "repertoire", ("repertoire.json", "elites.png", "elites.gif")
ELSEWHERE = 5
"""Other episodes that are played where nobody says how many."""
PICTURES, SIZE = 32, 160
"""Of a clip, and pixels of those that we draw."""


@dataclass(frozen=True)
class Elite:
    """One of what a population keeps.

    Attributes:
        index: among all that are kept; agent.elite takes it.
        evaluation: its id.
        reward: that it was paid then.
        place: where its episode ended, (x, y).
        area: the name of what was reached; None: nothing.
        generations: of ancestors.
        ancestors: their ids, the first one first.
        again: what it is paid in the same episode now.
        length: steps of that.
        elsewhere: what it is paid in others.
    """

    index: int
    evaluation: int
    reward: float
    place: tuple[float, float]
    area: str | None
    generations: int
    ancestors: list[int]
    again: float
    length: int
    elsewhere: list[float]

    @property
    def replayed(self) -> float:
        """The mean of other episodes, or what the same was, where there are none."""
        return float(np.mean(self.elsewhere)) if self.elsewhere else self.again

    @property
    def illusory(self) -> float:
        """What of its reward was luck: reward − replayed."""
        return self.reward - self.replayed


def show_repertoire(
    run: Run,
    elites: int = 9,
    episodes: int | None = None,
    gif: bool = True,
    seed: int = 0,
    out: str | Path | None = None,
) -> dict[str, Any]:
    """Choose elites that differ, play them again, write OUT/repertoire.json, elites.png and .gif.

    Each plays the episode of its evaluation, which must pay the same where nothing is left to
    chance and no part of the reward has learned since. Where episodes differ, others of
    evaluation's split follow, the same for all.

    Args:
        run: of a population; its newest checkpoint is shown.
        elites: how many, at most.
        episodes: others, for each; None: 5. None are played where all episodes are the same.
        gif: write the clip.
        seed: of the other episodes.
        out: the folder; None: RUN/repertoire.

    Returns:
        What repertoire.json holds.

    Raises:
        ValueError: the agent keeps no repertoire, or has none yet; a number that cannot be.
    """
    whole("elites", elites)
    if episodes is not None:
        whole("episodes", episodes, least=0)
    whole("seed", seed, least=0)
    if not keeps_repertoire(run):
        raise unknown("agent with a repertoire", run.choices["agent"], _populations())
    folder = folder_for(run.path / FOLDER if out is None else out, FILES)
    env = run.experiment().build_env(workers=0)
    try:
        model: Any = run.load_agent(env)
        env.load_state_dict(run.state()["shaping"])  # as many rows as in training: what was counted, too
        kept = model.evolver.elites()
        if not len(kept.ids):
            raise ValueError(f"{run.path} keeps nothing yet: nobody was worth it, or training had just begun")
        areas = model.history.column("areas")[kept.ids]
        chosen = diverse(kept.rewards, kept.truths, areas, elites)
        genomes = kept.genomes[chosen]
        outcome = replay(model, genomes)
        others = 0 if is_certain(env) else ELSEWHERE if episodes is None else episodes
        elsewhere = _elsewhere(run, model, genomes, others, seed)
        names = tuple(getattr(env.unwrapped, "goals", ()))
        shown = [
            _elite(model.history, outcome, elsewhere, row, int(index), kept, _area(names, int(areas[index])))
            for row, index in enumerate(chosen)
        ]
        chart = _chart(env, model)
        clips, note = _clips(run, model, genomes, outcome.lengths) if gif else ([], "not asked for (gif=false)")
    finally:
        env.close()
    folder.mkdir(parents=True, exist_ok=True)
    result = _summary(run.checkpoint.steps, model.evolver.evaluated, kept.rewards, shown)
    draw_elites(folder / "elites.png", outcome, _rewards(shown), [elite.index for elite in shown], chart)
    result |= {"gif": "elites.gif" if clips else None, "gif_note": note}
    if clips:
        write_grid(folder / "elites.gif", clips, [f"{elite.index}    {short(elite.reward)}" for elite in shown])
    replace_json(folder / "repertoire.json", result)
    return result


def keeps_repertoire(run: Run) -> bool:
    """Is it a population's?"""
    return isinstance(run.agent, PopulationAgent)


def diverse(rewards: FloatArray, truths: FloatArray, areas: npt.NDArray[Any], count: int) -> IntArray:
    """Rows of elites that differ: the best of each area, then whoever is farthest from all chosen.

    Without areas the best of all is first. Distances are in shares of what the places span.

    Args:
        rewards: (n,).
        truths: where each ended, (n, 2); rows that are not finite come last.
        areas: what each reached, (n,); −1: nothing.
        count: rows at most.
    """
    order = np.argsort(-rewards, kind="stable")
    first = [int(order[areas[order] == area][0]) for area in np.unique(areas[areas >= 0])] or [int(order[0])]
    first = sorted(first, key=lambda row: areas[row])[:count]
    sound = np.asarray(np.isfinite(truths).all(axis=1))
    places = np.where(sound[:, None], truths, 0.0)
    if sound.any():
        low, high = truths[sound].min(axis=0), truths[sound].max(axis=0)
        places = places / np.where(high > low, high - low, 1.0)
    chosen: list[int] = []
    nearest = np.full(len(rewards), np.inf)
    while len(chosen) < min(count, len(rewards)):
        if first:
            row = first.pop(0)
        else:
            row = int(np.lexsort((-rewards, -np.where(sound, nearest, -1.0)))[0])
        chosen.append(row)
        nearest = np.minimum(nearest, np.linalg.norm(places - places[row], axis=1))
        nearest[chosen] = -2.0
    return np.array(chosen, np.int64)


def describe(result: dict[str, Any]) -> str:
    """The table and what it comes to, for a terminal."""
    others = result["other_episodes"]
    head = ["elite", "evaluation", "reward", "played again", "illusory", "place", "area", "generations", "steps"]
    rows = [head]
    for elite in result["elites"]:
        rows.append(
            [
                str(elite["index"]),
                str(elite["evaluation"]),
                f"{elite['reward']:.3f}",
                f"{elite['replayed']:.3f}",
                f"{elite['illusory']:+.3f}",
                f"({elite['place'][0]:.2f}, {elite['place'][1]:.2f})",
                elite["area"] or "",
                str(elite["generations"]),
                str(elite["length"]),
            ]
        )
    if others:  # then "played again" is elsewhere
        for row, cell in zip(rows, ["same episode", *(f"{e['again']:.3f}" for e in result["elites"])], strict=True):
            row.insert(3, cell)
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    where = f"{others} other episodes each" if others else "the same episode"
    lines += [
        f"{len(result['elites'])} of {result['kept']:,} kept, {result['paid']:,} of them paid, after "
        f"{result['evaluations']:,} evaluations",
        f"illusory part   {result['illusory_mean']:+.3f}: reward {result['reward_mean']:.3f} when they were kept, "
        f"{result['replayed_mean']:.3f} in {where}",
    ]
    return "\n".join(lines)


def _rewards(shown: Sequence[Elite]) -> tuple[FloatArray, FloatArray]:
    """Rewards when they were kept, and played again: (n,) each."""
    return np.array([elite.reward for elite in shown]), np.array([elite.replayed for elite in shown])


def _clips(
    run: Run, model: Population, genomes: FloatArray, lengths: npt.NDArray[Any]
) -> tuple[list[list[Picture]], str]:
    """Pictures of each, all of one size, and ""; or none, and why: that spoils nothing else."""

    def build(rows: int) -> ShapedVecEnv:
        env = run.experiment().build_env(n_envs=rows, workers=0, render_mode="rgb_array", publishing_only=True)
        env.load_learned(run.state()["shaping"])
        return env

    try:
        clips = film(model, genomes, lengths, PICTURES, SIZE, build)
        frames = iter(envs.trim(run.config.env.id, [picture for clip in clips for picture in clip]))
        return [[next(frames) for _ in clip] for clip in clips], ""
    except Exception as error:
        return [], f"{error}"


def _elsewhere(run: Run, model: Population, genomes: FloatArray, episodes: int, seed: int) -> FloatArray:
    """Rewards of other episodes, (n, episodes)."""
    if not episodes:
        return np.zeros((len(genomes), 0))
    env = run.experiment().build_env(split="eval", workers=0, seed=seed, alike=True)
    try:
        env.load_state_dict(run.state()["shaping"])
        return np.asarray(rewards_elsewhere(model, env, genomes, range(seed, seed + episodes)), np.float64)
    finally:
        env.close()


def _elite(
    history: History, outcome: Outcome, elsewhere: FloatArray, row: int, index: int, kept: Any, area: str | None
) -> Elite:
    evaluation = int(kept.ids[index])
    line = ancestry(history.column("parents"), evaluation)
    return Elite(
        index=index,
        evaluation=evaluation,
        reward=float(kept.rewards[index]),
        place=(float(kept.truths[index, 0]), float(kept.truths[index, 1])),
        area=area,
        generations=len(line) - 1,
        ancestors=line[:-1].tolist(),
        again=float(outcome.rewards[row]),
        length=int(outcome.lengths[row]),
        elsewhere=elsewhere[row].tolist(),
    )


def _area(names: tuple[str, ...], area: int) -> str | None:
    if area < 0:
        return None
    return names[area] if area < len(names) else str(area)


def _summary(steps: int, evaluations: int, kept: FloatArray, shown: Sequence[Elite]) -> dict[str, Any]:
    rewards, replayed = _rewards(shown)
    return {
        "trained_steps": steps,
        "evaluations": evaluations,
        "kept": len(kept),
        "paid": int((kept > 0).sum()),
        "other_episodes": len(shown[0].elsewhere),
        "reward_mean": float(rewards.mean()),
        "replayed_mean": float(replayed.mean()),
        "illusory_mean": float((rewards - replayed).mean()),
        "elites": [{**vars(elite), "replayed": elite.replayed, "illusory": elite.illusory} for elite in shown],
    }


def _chart(env: ShapedVecEnv, model: Population) -> Chart:
    """What lies under paths: the world's own picture, or where episodes ended."""
    world: Any = env.unwrapped
    if hasattr(world, "shown"):
        return Chart(picture=world.pictures(world.start[None], 480)[0], edges=world.shown)
    return Chart(ends=model.history.column("truths").astype(np.float64), downward=model.history.downward)


def _populations() -> list[str]:
    import agents

    return [name for name in agents.options() if isinstance(agents.get(name), PopulationAgent)]
