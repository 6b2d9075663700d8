"""How well a language model recognises subgoals: every judge on every set, table and confusions."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from foundation.checks import one_of
from foundation.naming import unknown
from scripts.annotation.judges import JUDGES, Flags, Judge, Score, either, judges, truth
from scripts.annotation.transitions import BALANCES, LabelledTransition, build, load, save
from scripts.configuration.groups import EnvConfig, LLMConfig, environments
from scripts.results.comparison import Row
from scripts.results.figures import panels
from shaping.calm import prompts
from shaping.calm.term import CalmTerm
from shaping.llm import LanguageModel

CALM_ORDERS = inspect.signature(CalmTerm).parameters["orders"].default
"""In how many orders the calm term shows its examples; the other forms are looked at in one."""


@dataclass(frozen=True)
class Arguments:
    """The command line's arguments."""

    env: str = "minihack/key_room"
    n: int = 50
    seeds: tuple[int, ...] = (0,)
    forms: tuple[str, ...] = prompts.FORMS
    judges: tuple[str, ...] = JUDGES
    balances: tuple[str, ...] = ("balanced", "unbalanced")
    subgoals: str = "both"
    orders: int = 1
    dataset: str | None = None
    save: str | None = None
    out: str = "outputs/annotate"
    llm: LLMConfig = dataclasses.field(default_factory=LLMConfig)


@dataclass(frozen=True)
class Annotation:
    """One line of the table."""

    judge: str
    balance: str
    seed: int
    score: Score
    each: Mapping[str, Score]
    confusion: list[list[int]]  # truth × judged: the subgoals, then none; empty where the judge knows no subgoals
    unanswered: int


def annotate(
    judge: Judge,
    name: str,
    transitions: Sequence[LabelledTransition],
    subgoals: Mapping[str, str],
    balance: str,
    seed: int,
) -> Annotation:
    """Score one judge on one set."""
    happened = truth(transitions, list(subgoals.values()))
    judgement = judge(transitions)
    each: dict[str, Score] = {}
    confusion: list[list[int]] = []
    if judgement.each is not None:
        each = {text: Score.of(judgement.each[:, k], happened[:, k]) for k, text in enumerate(subgoals)}
        counts = np.zeros((len(subgoals) + 1, len(subgoals) + 1), int)
        np.add.at(counts, (_class(happened), _class(judgement.each)), 1)
        confusion = counts.tolist()
    score = Score.of(judgement.something, either(happened))
    return Annotation(name, balance, seed, score, each, confusion, judgement.unanswered)


def annotate_all(
    arguments: Arguments,
    env: EnvConfig,
    model: LanguageModel | None,
    progress: Callable[[str], object] = lambda line: print(line, flush=True),
) -> list[Annotation]:
    """Every judge on every set.

    Args:
        arguments: of the command line.
        env: whose subgoals are judged.
        model: for the judges that ask one.
        progress: called with a line for every judge that is done.
    """
    subgoals = {text: event for text, event in env.subgoals.items() if event}
    sets: list[tuple[str, int, list[LabelledTransition]]] = []
    if arguments.dataset is not None:
        sets.append(
            (Path(arguments.dataset).stem, 0, _labelled(load(Path(arguments.dataset)), subgoals, arguments.dataset))
        )
    else:
        for seed in arguments.seeds:
            for balance in arguments.balances:
                transitions = build(env.id, arguments.n, balance, seed=seed, events=tuple(subgoals.values()))
                sets.append((balance, seed, transitions))
    if arguments.save is not None:
        save(Path(arguments.save), [transition for _, _, transitions in sets for transition in transitions])
    annotations = []
    for name, judge in judges(
        model,
        subgoals,
        chosen=arguments.judges,
        forms=arguments.forms,
        asked=arguments.subgoals,
        orders=arguments.orders,
    ).items():
        for balance, seed, transitions in sets:
            annotations.append(annotate(judge, name, transitions, subgoals, balance, seed))
        progress(f"{name}: {len(sets)} sets judged")
    return annotations


def study(seeds: Sequence[int], picture: Path) -> list[Row]:
    """Every judge of the embedded model and the simple ones on sets of 50, as rows of a twin.

    Args:
        seeds: of the data sets.
        picture: where the confusion matrices of the balanced sets are drawn.

    Returns:
        One row a judge and seed. Its metrics are precision, recall, f1 and accuracy of "achieves
        any subgoal" on the balanced set, the same with `unbalanced_` before it on the other one,
        and `f1_` of each subgoal on the balanced set.
    """
    arguments = Arguments(seeds=tuple(seeds))
    env = environment(arguments.env)
    model = LanguageModel()
    try:
        several = replace(arguments, forms=("caption",), judges=("model",), orders=CALM_ORDERS)
        annotations = annotate_all(several, env, model) + annotate_all(arguments, env, model)
    finally:
        model.close()
    draw_confusion(annotations, list(env.subgoals), picture, "balanced")
    rows: dict[tuple[str, int], Row] = {}
    for annotation in annotations:
        judge, seed = annotation.judge, annotation.seed
        config = {"env": arguments.env, "n": arguments.n, "judge": judge}
        row = rows.setdefault((judge, seed), Row(judge, seed, config, {}))
        prefix = "" if annotation.balance == "balanced" else f"{annotation.balance}_"
        metrics = {f"{prefix}{name}": value for name, value in annotation.score.metrics().items()}
        if not prefix:
            metrics |= {f"f1_{_slug(text)}": round(score.f1, 4) for text, score in annotation.each.items()}
        if annotation.unanswered:
            metrics[f"{prefix}unanswered"] = float(annotation.unanswered)
        rows[judge, seed] = replace(row, metrics={**row.metrics, **metrics})
    return list(rows.values())


def table(annotations: Sequence[Annotation]) -> str:
    """Markdown: one line a judge and balance, means over the seeds.

    F1 of each subgoal stands there where the judge knows them.
    """
    texts = list(dict.fromkeys(text for annotation in annotations for text in annotation.each))
    lines = [
        "| judge | set | precision | recall | F1 | accuracy |" + "".join(f" F1: {text} |" for text in texts),
        "| --- | --- |" + " ---: |" * (4 + len(texts)),
    ]
    by_set: dict[tuple[str, str], list[Annotation]] = {}
    for annotation in annotations:
        by_set.setdefault((annotation.judge, annotation.balance), []).append(annotation)
    for (judge, balance), over_seeds in by_set.items():
        scores = [annotation.score.metrics() for annotation in over_seeds]
        means = [np.mean([score[name] for score in scores]) for name in scores[0]]
        cells = [f"{value:.2f}" for value in means]
        each = [annotation.each for annotation in over_seeds]
        cells += [f"{np.mean([score[text].f1 for score in each]):.2f}" if each[0] else "–" for text in texts]
        missing = sum(annotation.unanswered for annotation in over_seeds)
        name = f"{judge} ({missing} not answered)" if missing else judge
        lines.append(f"| {name} | {balance} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw_confusion(annotations: Sequence[Annotation], subgoals: Sequence[str], path: Path, balance: str) -> Path:
    """One matrix a judge that knows subgoals: truth down, judgement across, counts of all seeds."""
    sums: dict[str, Any] = {}
    for annotation in annotations:
        if annotation.confusion and annotation.balance == balance:
            sums[annotation.judge] = sums.get(annotation.judge, 0) + np.array(annotation.confusion)
    names = [*subgoals, prompts.NONE]
    with panels(path, len(sums), 3.6, 3.2) as (drawing, axes):
        for panel, (judge, counts) in zip(axes, sums.items(), strict=True):
            shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
            panel.imshow(shares, cmap="Blues", vmin=0, vmax=1)
            for row in range(len(names)):
                for column in range(len(names)):
                    ink = "white" if shares[row, column] > 0.6 else "#333840"
                    panel.text(column, row, str(counts[row, column]), ha="center", va="center", color=ink)
            panel.set_title(judge, fontsize=9)
            panel.set_xticks(range(len(names)), names, rotation=20, ha="right", fontsize=8)
            panel.set_yticks(range(len(names)), names, fontsize=8)
            panel.grid(visible=False)
        drawing.supylabel("what happened", fontsize=9)
        drawing.supxlabel(f"what the judge said ({balance} sets)", fontsize=9)
    return path


def environment(name: str) -> EnvConfig:
    """The environment of an option of the group `env`, or of a gymnasium id that is one's.

    Raises:
        ValueError: there is none, or it has no subgoals with events.
    """
    known = environments()
    for option, env in known.items():
        if name in (option, env.id, env.id.removeprefix("breadcrumb/")):
            if not any(env.subgoals.values()):
                raise ValueError(f"env={name} has no subgoals with events, so there is no truth to compare with")
            return env
    raise unknown("env", name, known)


def _slug(text: str) -> str:
    return text.replace(" ", "_")


def _class(flags: Flags) -> NDArray[np.int64]:
    """The first subgoal, or the number after the last for none."""
    return np.where(flags.any(axis=1), flags.argmax(axis=1), flags.shape[1])


def _labelled(
    transitions: list[LabelledTransition], subgoals: Mapping[str, str], path: str
) -> list[LabelledTransition]:
    missing = sorted({event for event in subgoals.values() for made in transitions if event not in made.labels})
    if missing:
        raise ValueError(f"{path} has transitions without the label {', '.join(missing)}; it belongs to another task")
    return transitions


def check(arguments: Arguments) -> None:
    """Refuse arguments that cannot work.

    Raises:
        ValueError: with what is wrong.
    """
    if not arguments.seeds:
        raise ValueError("seeds is empty, so there is nothing to judge; give numbers such as seeds=0,1,2")
    for name, given, allowed in (
        ("forms", arguments.forms, prompts.FORMS),
        ("judges", arguments.judges, JUDGES),
        ("balances", arguments.balances, BALANCES),
        ("subgoals", (arguments.subgoals,), ("given", "discovered", "both")),
    ):
        for word in given:
            one_of(name, word, allowed)
        if not given:
            raise ValueError(f"{name} is empty; expected some of {', '.join(allowed)}")
