"""Run a named experiment and write its table, its twin and its picture into the docs.

python -m scripts.reproduce NAME [seeds=100,101,...] [jobs=1] [total_timesteps=N] [out=docs]
python -m scripts.reproduce                       # lists the names

Runs lie in runs/reproduce/NAME/ARM-SEED. Finished ones are not run again and interrupted ones go on, so the command can
be stopped and given again. jobs= and total_timesteps= are for experiments that train. Writes OUT/results/NAME.json,
OUT/results/NAME.png and the section NAME of OUT/results.md.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

from foundation.files import replace_text
from scripts.annotation import study as annotation
from scripts.benchmarks import oni
from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from scripts.results.comparison import Row, by_arm, row_of_run, twin
from scripts.results.comparison_pictures import draw_curves
from scripts.results.evaluation import evaluate_run
from scripts.results.intervals import interval
from scripts.results.tables import table
from scripts.rocket import pairings

RUNS = Path("runs/reproduce")
EVALUATION_EPISODES = 100
RESULTS_HEADER = """# Results

Every table here was written by the command above it, with interquartile means over seeds and 95 % bootstrap intervals.
Its twin in `results/` holds every seed's numbers and learning curve; `python -m scripts.compare docs/results/NAME.json`
prints the table from it.
"""


@dataclass(frozen=True)
class Experiment:
    """A claim of the docs, as runs that anyone can repeat.

    Args:
        title: of its section.
        text: what is compared and how, in Markdown; never what came out.
        arms: name -> overrides for scripts.train.
        total_timesteps: environment steps of every run.
        seeds: of training.
        metric: what the picture shows.
        equal: the two arms are claimed to learn equally well; the section says whether they did.
        goals: success is a goal; the twin then has that of the evaluation as `goal_rate`, too.
        together: the finished runs of a seed, by arm -> further metrics of each arm.
        draw, picture: the picture and what it shows, where it is not the learning curves of `metric`.
    """

    title: str
    text: str
    arms: Mapping[str, tuple[str, ...]]
    total_timesteps: int
    seeds: tuple[int, ...] = (100, 101, 102, 103, 104)
    metric: str = "success_rate"
    equal: bool = False
    goals: bool = False
    together: Callable[[Mapping[str, Path]], Mapping[str, Mapping[str, float | None]]] | None = None
    draw: Callable[[Sequence[Row], Path], Any] | None = None
    picture: str = "learning curves"


@dataclass(frozen=True)
class Measurement:
    """A claim of the docs that needs no training of an agent.

    Args:
        title, text: as of an `Experiment`.
        measure: (seeds, path of the picture) -> the twin's rows; draws the picture.
        picture: what it shows.
        seeds: of what is measured.
    """

    title: str
    text: str
    measure: Callable[[Sequence[int], Path], list[Row]]
    picture: str
    seeds: tuple[int, ...] = (100, 101, 102, 103, 104)


_KEY_ROOM = ("env=minihack/key_room", "agent=ppo")
_CALM = (*_KEY_ROOM, "shaping=calm")
_CAPTION_QUEST = (
    "env=classic/caption_quest",
    "agent=ppo",
    "n_envs=64",
    "agent.n_steps=64",
    "agent.batch_size=1024",
    "agent.n_epochs=6",
    "agent.learning_rate=1e-3",
    "agent.net_arch=[128,128]",
    "torch_threads=1",
)
_SHOOT = (
    "env=rocket/shoot",
    "agent=ppo",
    "n_envs=48",
    "agent.n_steps=128",
    "agent.batch_size=1536",
    "agent.n_epochs=6",
    "agent.learning_rate=7e-4",
    "agent.gamma=0.98",
    "agent.ent_coef=0.005",
    "agent.net_arch=[96,96]",
    "torch_threads=1",
    "evaluate_episodes=400",
    "shaping=kinesthetic",
    "shaping.task_weight=5",
)
_SHAPED = ("shaping.terms.kinesthetic.weight=0.1", "shaping.terms.kinesthetic.events=10*touch_acceleration")
_POTENTIAL = ("shaping.terms.kinesthetic.form=potential", "shaping.terms.kinesthetic.events=touch_acceleration")
_SELF_PLAY = (
    "env=rocket/1v1",
    "env.kwargs.observation=shoot",
    "env.kwargs.actions=shoot",
    "env.kwargs.seconds=40",
    "env.kwargs.no_touch_seconds=15",
    "env.kwargs.starts={kickoff:0.6,random:0.4}",
    "agent=ppo",
    "n_envs=96",
    "agent.n_steps=128",
    "agent.batch_size=2048",
    "agent.n_epochs=4",
    "agent.learning_rate=7e-4",
    "agent.gamma=0.985",
    "agent.ent_coef=0.003",
    "agent.net_arch=[96,96]",
    "torch_threads=1",
    "shaping=kinesthetic",
    "shaping.task_weight=5",
    "shaping.terms.kinesthetic.weight=0.1",
    "shaping.terms.kinesthetic.events=10*touch_acceleration",
)
_PLAYED = "align, player_to_ball_velocity, player_to_ball_distance"
_PENALTY = (
    "env=rocket/shoot",
    "env.kwargs.observation=lucy",
    "env.kwargs.starts={penalty:1}",
    "env.kwargs.seconds=4",
    "agent=lucy/light",
    "n_envs=48",
    "agent.gamma=0.98",
    "torch_threads=1",
    "shaping=kinesthetic",
    "shaping.task_weight=5",
    "shaping.terms.kinesthetic.weight=0.1",
    "shaping.terms.kinesthetic.events=10*touch_acceleration",
    f"shaping.terms.kinesthetic.reward='krc({_PLAYED}) + 2*ball_to_goal_velocity'",
)
_SCORE = (
    "env=nethack/score_extended",
    "agent=ppo",
    "n_envs=32",
    "agent.n_steps=64",
    "agent.batch_size=512",
    "shaping.task_weight=0.1",
    "torch_threads=1",
)
_OWN_ANSWERS = "llm.cache=${run_dir}/answers.sqlite"
_GOLEM = (
    "env.kwargs.dummy=true",
    "shaping=oni/retrieval",
    "shaping.terms.oni.annotator=rules",
    "shaping.terms.oni.rules=['^k - ',unlock,climb,golem]",
)

EXPERIMENTS: dict[str, Experiment | Measurement] = {
    "foundation": Experiment(
        title="KeyRoom-S5: events term against no shaping",
        text=(
            "MiniHack-KeyRoom-S5 rewards only the staircase, which lies behind a locked door whose key lies elsewhere "
            "in the room. `none` learns from that reward alone; `shaped` also from the [events term](terms/events.md), "
            "which pays once an episode for picking up the key and for opening the door. Success and return are the "
            "task's own in both."
        ),
        arms={
            "none": ("env=minihack/key_room", "shaping=none", "agent=ppo"),
            "shaped": ("env=minihack/key_room", "shaping=events", "agent=ppo"),
        },
        total_timesteps=120_000,
    ),
    "calm-keyroom": Experiment(
        title="KeyRoom-S5: subgoals judged by symbols, by the embedded language model, by chance",
        text=(
            "MiniHack-KeyRoom-S5 with the two subgoals *pick up the key* and *open the door*, paid by the [calm "
            "term](terms/calm.md) once an episode. `symbolic` reads the environment's own events, the upper bound; "
            "`symbolic-pbrs` and `symbolic-pbrs-shift` are its potential-based forms. `llm` asks "
            "SmolLM2-135M-Instruct about every different caption, and steps wait for its first answers: `llm-cached` "
            "pays what it says, `llm-distilled` what a classifier learned from that. `llm-background` starts with an "
            "empty cache and waits for no answer. `potential` is the distance to the stairs, which the door hides. "
            "`random-subgoals` says yes with probability 0.05."
        ),
        arms={
            "none": (*_KEY_ROOM, "shaping=none"),
            "potential": (*_KEY_ROOM, "shaping=potential"),
            "symbolic-once": (*_CALM, "shaping.terms.calm.detector=symbolic"),
            "symbolic-pbrs": (
                *_CALM,
                "shaping.terms.calm.detector=symbolic",
                "shaping.terms.calm.mode=pbrs",
                "shaping.terms.calm.weight=0.25",
            ),
            "llm-cached": (*_CALM, "shaping.terms.calm.patience=inf"),
            "llm-background": (*_CALM, "shaping.terms.calm.patience=0", _OWN_ANSWERS),
            "llm-distilled": (*_CALM, "shaping.terms.calm.detector=distilled", "shaping.terms.calm.patience=inf"),
            "symbolic-pbrs-shift": (
                *_CALM,
                "shaping.terms.calm.detector=symbolic",
                "shaping.terms.calm.mode=pbrs_shift",
            ),
            "random-subgoals": (*_CALM, "shaping.terms.calm.detector=random"),
        },
        total_timesteps=120_000,
    ),
    "calm-annotation": Measurement(
        title="Key room transitions: which subgoal was achieved?",
        text=(
            "The CALM paper's own evaluation: 50 transitions a set, as many with a key taken and a door opened as "
            "with neither (balanced), or 4 % of each (unbalanced), and the question whether any subgoal was achieved. "
            "Labels are the environment's events; play is half scripted, half random. The embedded model sees the "
            "caption, the 9×9 crop with action and message, the map, or the map with action and message, before and "
            "after, and is given the two subgoals or (`discovered`) none. `zero-shot` is asked yes or no, without an "
            "example. `action-rule` says yes to every pickup and apply. A seed is a seed of the data set."
        ),
        measure=annotation.study,
        picture="what the judges said on the balanced sets against what happened, all seeds together",
    ),
    "oni-captionquest": Experiment(
        title="CaptionQuest: rewards distilled from what the game says",
        text=(
            "A small dungeon of three levels that pays once, at the last descent, and says in words what happens. The "
            "[oni term](terms/oni.md) pays for helpful lines, weight 0.1, with the count decay β = 3. `llm` arms ask "
            "SmolLM2-135M-Instruct while they train, each from an empty cache. `retrieval-rule` has the right labels; "
            "`inverted` turns the model's round; `random` calls 40 % of the lines helpful, another draw each seed. In "
            "the `dummy` arms a boulder gives a line that sounds like a fight won as often as it is asked to, and the "
            "rules call it helpful: without the decay (β = 0) it can be farmed."
        ),
        arms={
            "none": (*_CAPTION_QUEST, "shaping=none"),
            "retrieval-rule": (*_CAPTION_QUEST, "shaping=oni/retrieval", "shaping.terms.oni.annotator=rules"),
            "retrieval-llm": (*_CAPTION_QUEST, "shaping=oni/retrieval", _OWN_ANSWERS),
            "classification-llm": (*_CAPTION_QUEST, "shaping=oni/classification", _OWN_ANSWERS),
            "ranking-llm": (*_CAPTION_QUEST, "shaping=oni/ranking", _OWN_ANSWERS),
            "inverted": (*_CAPTION_QUEST, "shaping=oni/retrieval", "shaping.terms.oni.labels=inverted", _OWN_ANSWERS),
            "random": (*_CAPTION_QUEST, "shaping=oni/retrieval", "shaping.terms.oni.annotator=random"),
            "dummy-beta0": (*_CAPTION_QUEST, *_GOLEM, "shaping.terms.oni.beta=0"),
            "dummy-beta3": (*_CAPTION_QUEST, *_GOLEM, "shaping.terms.oni.beta=3"),
        },
        total_timesteps=300_000,
    ),
    "oni-minihack": Experiment(
        title="KeyRoom-S5: messages judged by the embedded language model",
        text=(
            "MiniHack-KeyRoom-S5, a sparse task, with rewards for the game's messages from the [oni "
            "term](terms/oni.md). `retrieval-llm` and `classification-llm` ask SmolLM2-135M-Instruct in the "
            "background from an empty cache and never wait. `count` pays for every message (label all 1), `rnd` for "
            "novel observations. Weights were chosen among three on seeds 0 and 1: count 0.03, 0.1, **0.3**; rnd "
            "0.01, **0.1**, 1 (all the same, 0 %); retrieval 0.1, 0.5, **1**; classification has retrieval's."
        ),
        arms={
            "none": (*_KEY_ROOM, "shaping=none"),
            "rnd": (*_KEY_ROOM, "shaping=rnd", "shaping.terms.rnd.weight=0.1"),
            "count": (*_KEY_ROOM, "shaping=oni/count", "shaping.terms.oni.weight=0.3"),
            "retrieval-llm": (*_KEY_ROOM, "shaping=oni/retrieval", "shaping.terms.oni.weight=1", _OWN_ANSWERS),
            "classification-llm": (
                *_KEY_ROOM,
                "shaping=oni/classification",
                "shaping.terms.oni.weight=1",
                _OWN_ANSWERS,
            ),
        },
        total_timesteps=120_000,
    ),
    "oni-throughput": Measurement(
        title="What the oni term costs",
        text=(
            "PPO on MiniHack-KeyRoom-S5, 12,288 steps a turn, every row in turn: without terms, with the three reward "
            "functions of the [oni term](terms/oni.md) and labels at hand, and with retrieval beside an annotator "
            "that takes a second an answer and is always being asked. Shares are timed inside the run; speeds drift "
            "with the machine. A seed is a turn."
        ),
        measure=oni.study,
        picture="share of the training time that the term takes, learning included; a dot is a turn",
    ),
    "oni-nethack": Experiment(
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
            "retrieval-llm": (*_SCORE, "shaping=oni/retrieval", _OWN_ANSWERS),
        },
        total_timesteps=2_000_000,
        seeds=(100,),
        metric="stats",
    ),
    "rocket-shooting": Experiment(
        title="Rocket: shooting at an open goal",
        text=(
            "One car, the ball slow on the floor some 900 to 1,800 uu away, an open goal, 6 seconds. All arms get 5 "
            "for a goal and the [kinesthetic term](terms/kinesthetic.md)'s touch acceleration (weight 1). `krc` adds "
            "0.1 of the offensive potential, the kinesthetic combination of alignment, velocity to and distance from "
            "the ball, at every step; `linear` 0.1 of the arithmetic mean of the same three. The `potential` arms pay "
            "the same as a difference of potentials (γ = 1, weight 1), `smooth` with ε = 0.05 under the root, whose "
            "slope at 0 is finite then. `events` adds nothing. Success is a goal."
        ),
        arms={
            "events": (*_SHOOT, *_SHAPED, "shaping.terms.kinesthetic.reward=none"),
            "linear": (*_SHOOT, *_SHAPED, "shaping.terms.kinesthetic.reward=offensive_linear"),
            "krc": (*_SHOOT, *_SHAPED, "shaping.terms.kinesthetic.reward=offensive_potential"),
            "linear-potential": (*_SHOOT, *_POTENTIAL, "shaping.terms.kinesthetic.reward=offensive_linear"),
            "krc-potential": (*_SHOOT, *_POTENTIAL, "shaping.terms.kinesthetic.reward=offensive_potential"),
            "krc-potential-smooth": (
                *_SHOOT,
                *_POTENTIAL,
                f"shaping.terms.kinesthetic.reward='krc({_PLAYED}, eps=0.05)'",
            ),
        },
        total_timesteps=294_912,
        goals=True,
    ),
    "rocket-auxiliary": Experiment(
        title="Rocket: Lucy's auxiliary losses",
        text=(
            "Penalties: the ball before an open goal, the car behind it, not quite in line, 4 seconds. The agent is "
            "[`lucy/light`](lucy.md), attention over car and ball; rewards are the goal, touch acceleration, the "
            "velocity of the ball to the goal and the offensive potential. `reward` adds the prediction of the "
            "reward's kind to PPO's loss, `state` the reconstruction of the situation, `both` both, `off` neither. "
            "Settings were found with both on seed 0, which is not among these. Success is a goal."
        ),
        arms={
            "off": (*_PENALTY, "agent.reward_prediction=0", "agent.state_representation=0"),
            "state": (*_PENALTY, "agent.reward_prediction=0"),
            "reward": (*_PENALTY, "agent.state_representation=0"),
            "both": _PENALTY,
        },
        total_timesteps=100_000,
        goals=True,
    ),
    "rocket-tournament": Experiment(
        title="Rocket: agents and bots in a tournament",
        text=(
            "One against one from kickoffs. The agents learned by playing against themselves, with the "
            "[kinesthetic term](terms/kinesthetic.md) at every step: the velocity of the ball to the goal, touch "
            "acceleration, and the offensive potential's three components, combined as `krc` or as `linear` mean. Each "
            "seed's two agents meet each other and four bots, 100 points a pairing, sides changed at half time. A "
            "share is of the goals; a rating is Plackett-Luce's, within the seed. Settings were found on seed 0, "
            "which is not among these. Success and return in training are those of self-play."
        ),
        arms={
            kind: (*_SELF_PLAY, f"shaping.terms.kinesthetic.reward='{kind}({_PLAYED}) + 2*ball_to_goal_velocity'")
            for kind in ("krc", "linear")
        },
        total_timesteps=2_000_000,
        together=pairings.study,
        draw=pairings.draw_study,
        picture="shares of the goals; a dot is a seed",
    ),
    "fast-path": Experiment(
        title="The fast path learns what the stock path learns",
        text=(
            "The same PPO on MiniHack-Room-Random-5x5: with the environments as nle and minihack make them and SB3's "
            "own policy class (`stock`), and with ours (`ours`)."
        ),
        arms={
            "stock": (
                "env=minihack/room_random_5x5",
                "shaping=none",
                "agent=ppo",
                "agent.policy=MultiInputPolicy",
                "env.kwargs.stock=true",
            ),
            "ours": ("env=minihack/room_random_5x5", "shaping=none", "agent=ppo"),
        },
        total_timesteps=40_000,
        equal=True,
    ),
}
"""Name -> experiment. The name is the one of its twin."""


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

    seeds: tuple[int, ...] = ()
    jobs: int = 1
    total_timesteps: int | None = None
    out: str = "docs"


@dataclass(frozen=True)
class Job:
    """One run of an experiment."""

    arm: str
    seed: int
    run_dir: Path
    overrides: tuple[str, ...]

    def command(self) -> list[str] | None:
        """What to start: a new run, or the rest of an interrupted one; None when it is finished.

        Raises:
            ValueError: a run with another number of steps lies there.
        """
        if not (self.run_dir / "config.yaml").is_file():
            return [*_TRAIN, *self.overrides, f"run_dir={self.run_dir}"]
        wanted = _setting(self.overrides, "total_timesteps")
        steps = yaml.safe_load((self.run_dir / "config.yaml").read_text()).get("total_timesteps")
        if str(steps) != wanted:
            raise ValueError(
                f"{self.run_dir} holds a run of {steps} steps, and this experiment wants {wanted}: remove or rename it"
            )
        if _status(self.run_dir) == "finished":
            return None
        if not any((self.run_dir / "checkpoints").glob("step_*")):
            shutil.rmtree(self.run_dir)  # stopped before its first checkpoint: nothing in it can go on
            return [*_TRAIN, *self.overrides, f"run_dir={self.run_dir}"]
        return [*_TRAIN, f"resume={self.run_dir}"]


_TRAIN = (sys.executable, "-m", "scripts.train")


def reproduce(
    name: str,
    seeds: Sequence[int] = (),
    jobs: int = 1,
    total_timesteps: int | None = None,
    out: str | Path = "docs",
) -> list[Row]:
    """Run what is missing of an experiment, evaluate every run on evaluation seeds, and write its part of the docs.

    Args:
        name: a key of `EXPERIMENTS`.
        seeds: of training; the experiment's own where none are given.
        jobs: runs side by side. More than one shares the cores, which `steps_per_second` then shows.
        total_timesteps: steps of every run; the experiment's own where None.
        out: the folder of results.md.

    Returns:
        The rows of the twin.

    Raises:
        ValueError: an unknown name, or an impossible number.
        RuntimeError: runs failed; the message names them and their logs. Nothing is written then.
    """
    experiment = _experiment(name)
    if jobs < 1 or (total_timesteps is not None and total_timesteps < 1):
        raise ValueError(f"jobs={jobs} total_timesteps={total_timesteps}: expected numbers of at least 1")
    chosen = tuple(dict.fromkeys(seeds)) or experiment.seeds
    if isinstance(experiment, Measurement):
        if jobs > 1 or total_timesteps is not None:
            raise ValueError(f"{name} trains nothing: it takes no jobs= and no total_timesteps=")
        rows = experiment.measure(chosen, _picture(name, Path(out)))
        write_results(name, experiment, _command(name, experiment, chosen), rows, Path(out))
        return rows
    steps = total_timesteps or experiment.total_timesteps
    folder = RUNS / (name if steps == experiment.total_timesteps else f"{name}-{steps}")
    planned = plan(experiment, chosen, steps, folder)
    _run_all(planned, jobs)
    rows = [_row(job) for job in sorted(planned, key=lambda job: (list(experiment.arms).index(job.arm), job.seed))]
    if experiment.goals:
        rows = [replace(row, metrics={**row.metrics, "goal_rate": row.metrics["eval_success_rate"]}) for row in rows]
    if experiment.together is not None:
        rows = _measured_together(experiment.together, planned, rows)
    if experiment.draw is not None:
        experiment.draw(rows, _picture(name, Path(out)))
    else:
        draw_curves(rows, _picture(name, Path(out)), experiment.metric)
    write_results(name, experiment, _command(name, experiment, chosen, steps), rows, Path(out))
    return rows


def _measured_together(
    together: Callable[[Mapping[str, Path]], Mapping[str, Mapping[str, float | None]]],
    jobs: Sequence[Job],
    rows: Sequence[Row],
) -> list[Row]:
    found = {}
    for seed in dict.fromkeys(job.seed for job in jobs):
        print(f"measuring the runs of seed {seed} together", flush=True)
        found[seed] = together({job.arm: job.run_dir for job in jobs if job.seed == seed})
    return [replace(row, metrics={**row.metrics, **found[row.seed][row.arm]}) for row in rows]


def plan(experiment: Experiment, seeds: Sequence[int], steps: int, folder: Path) -> list[Job]:
    """The experiment's runs, seed by seed: what else the machine does meets all arms alike."""
    return [
        Job(
            arm,
            seed,
            folder / f"{arm}-{seed}",
            (*overrides, f"seed={seed}", f"total_timesteps={steps}", "tracking=none"),
        )
        for seed in seeds
        for arm, overrides in experiment.arms.items()
    ]


def write_results(
    name: str, experiment: Experiment | Measurement, command: str, rows: Sequence[Row], out: Path
) -> None:
    """Write the twin and the section of results.md, whose other sections stay as they are."""
    replace_text(out / "results" / f"{name}.json", twin(command, rows))
    results = out / "results.md"
    text = results.read_text() if results.exists() else RESULTS_HEADER
    replace_text(results, with_section(text, name, section(name, experiment, command, rows)))


def section(name: str, experiment: Experiment | Measurement, command: str, rows: Sequence[Row]) -> str:
    """An experiment's part of results.md."""
    parts = [f"## {experiment.title}", experiment.text]
    if isinstance(experiment, Experiment):
        parts.append("\n".join(f"- `{arm}`: `{' '.join(settings)}`" for arm, settings in experiment.arms.items()))
    parts += [f"```\n{command}\n```", table(rows)]
    if isinstance(experiment, Experiment) and experiment.equal:
        parts.append(_agreement(rows, experiment.metric))
    parts.append(f"![{experiment.title}: {experiment.picture}](results/{name}.png)")
    return "\n\n".join(parts)


def _picture(name: str, out: Path) -> Path:
    return out / "results" / f"{name}.png"


def with_section(text: str, name: str, content: str) -> str:
    """`text` with `content` between the markers of the section `name`, at the end where there are none yet.

    Raises:
        ValueError: one of the two markers is missing, or they stand the wrong way round.
    """
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    block = f"{start}\n{content}\n{end}"
    if start not in text and end not in text:
        return f"{text.rstrip()}\n\n{block}\n"
    before, found, rest = text.partition(start)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"results.md must hold both {start} and {end}, in this order; put the missing one back")
    return f"{before}{block}{after}"


def _run_all(jobs: Sequence[Job], side_by_side: int) -> None:
    """Every job's training. Ctrl-C is passed on once to each, and they are waited for: they checkpoint.

    Raises:
        RuntimeError: some failed; the others were still run.
        KeyboardInterrupt: after all have stopped.
    """
    commands = {job: command for job in jobs if (command := job.command()) is not None}
    print(f"{len(jobs)} runs: {len(jobs) - len(commands)} finished, {len(commands)} to go", flush=True)
    running: set[subprocess.Popen[bytes]] = set()
    guard, stopping = threading.Lock(), threading.Event()
    failures: list[str] = []

    def train(job: Job) -> tuple[int, float]:
        log = job.run_dir.with_name(f"{job.run_dir.name}.log")
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("ab") as output:
            with guard:
                if stopping.is_set():
                    return -signal.SIGINT, 0.0
                started = time.monotonic()
                # In a session of its own, the terminal's Ctrl-C does not reach it a second time.
                process = subprocess.Popen(
                    commands[job], stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
                )
                running.add(process)
            status = process.wait()
            with guard:
                running.discard(process)
        return status, time.monotonic() - started

    with ThreadPoolExecutor(side_by_side) as pool:
        futures = {pool.submit(train, job): job for job in commands}
        try:
            for done, future in enumerate(as_completed(futures), 1):
                job, (status, seconds) = futures[future], future.result()
                if status != 0 or _status(job.run_dir) != "finished":
                    failures.append(f"{job.arm} with seed {job.seed} (exit status {status}): see {job.run_dir}.log")
                words = "failed" if failures and failures[-1].endswith(f"{job.run_dir}.log") else "finished"
                print(f"[{done}/{len(commands)}] {job.arm} seed {job.seed} {words} in {seconds:.0f} s", flush=True)
        except KeyboardInterrupt:
            print("stopping: the runs write their checkpoints; the same command goes on from there", file=sys.stderr)
            with guard:
                stopping.set()
                for process in running:
                    process.send_signal(signal.SIGINT)
            raise
    if failures:
        raise RuntimeError(f"{len(failures)} of {len(jobs)} runs failed:\n  " + "\n  ".join(failures))


def _row(job: Job) -> Row:
    """A finished job as a row, evaluated if it was not yet."""
    done = job.run_dir / "evaluation.json"
    evaluation = json.loads(done.read_text()) if done.is_file() else {}
    if evaluation.get("episodes", 0) < EVALUATION_EPISODES or done.stat().st_mtime < _finished_at(job.run_dir):
        print(f"evaluating {job.arm} seed {job.seed}", flush=True)
        evaluate_run(job.run_dir, episodes=EVALUATION_EPISODES, gif=False)
    settings: dict[str, Any] = {
        key: yaml.safe_load(value)
        for key, _, value in (override.partition("=") for override in job.overrides)
        if key not in ("seed", "tracking")
    }
    return row_of_run(job.run_dir, job.arm, settings)


def _agreement(rows: Sequence[Row], metric: str) -> str:
    """Whether the interquartile mean of either arm lies inside the other's interval."""
    arms = {arm: interval([float(row.metrics[metric] or 0.0) for row in own]) for arm, own in by_arm(rows).items()}
    (first, a), (second, b) = arms.items()
    inside = a.low <= b.value <= a.high, b.low <= a.value <= b.high
    if all(inside):
        return f"Each arm's interquartile mean of `{metric}` lies inside the other's interval."
    outside = [
        f"`{y}` outside `{x}`'s"
        for (x, y), ok in zip(((first, second), (second, first)), inside, strict=True)
        if not ok
    ]
    return f"The arms differ: of the interquartile means of `{metric}`, {' and '.join(outside)} interval."


def _command(name: str, experiment: Experiment | Measurement, seeds: Sequence[int], steps: int | None = None) -> str:
    """The command that makes the same table again."""
    words = [f"python -m scripts.reproduce {name}"]
    if tuple(seeds) != experiment.seeds:
        words.append(f"seeds={','.join(map(str, seeds))}")
    if isinstance(experiment, Experiment) and steps != experiment.total_timesteps:
        words.append(f"total_timesteps={steps}")
    return " ".join(words)


def _experiment(name: str) -> Experiment | Measurement:
    if name not in EXPERIMENTS:
        import difflib

        near = difflib.get_close_matches(name, EXPERIMENTS, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise ValueError(f"there is no experiment {name!r}.{hint} The experiments are {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]


def _setting(overrides: Sequence[str], key: str) -> str:
    return next(override.partition("=")[2] for override in overrides if override.startswith(f"{key}="))


def _status(run_dir: Path) -> str | None:
    summary = run_dir / "summary.json"
    return json.loads(summary.read_text()).get("status") if summary.is_file() else None


def _finished_at(run_dir: Path) -> float:
    return (run_dir / "summary.json").stat().st_mtime


def main(command_line: Sequence[str]) -> int:
    """The command line; returns the exit status."""
    names, arguments = parse(command_line, Arguments, __doc__)
    if not names:
        for name, experiment in EXPERIMENTS.items():
            runs = len(experiment.arms) * len(experiment.seeds) if isinstance(experiment, Experiment) else 0
            print(f"{name:16} {experiment.title} ({f'{runs} runs' if runs else 'no training'})")
        return 0
    if len(names) > 1:
        raise ValueError(f"expected one experiment, got {' '.join(names)}")
    try:
        rows = reproduce(names[0], arguments.seeds, arguments.jobs, arguments.total_timesteps, arguments.out)
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(table(rows))
    return 0


if __name__ == "__main__":
    run_command(main)
