"""How well a language model recognises subgoals: CALM's own evaluation.

python -m scripts.annotate [env=minihack/key_room] [n=50] [seeds=0] [forms=caption,crop,map,map_message]
    [judges=model,zero-shot,symbolic,action-rule,always-yes] [balances=balanced,unbalanced] [subgoals=both]
    [orders=1] [dataset=FILE.jsonl] [save=FILE.jsonl] [out=outputs/annotate] [llm.model_path=FILE.gguf]
    [llm.base_url=URL] ...

Makes sets of labelled transitions by scripted and random play (or reads one: dataset=), asks every judge which subgoal
each transition achieves, and prints precision, recall, F1 and accuracy: of "achieves any subgoal", as the paper scores,
and of each subgoal. subgoals=given asks about the task's subgoals, discovered whether anything was achieved, both both.
Writes OUT/annotations.json, OUT/table.md and OUT/confusion.png.
"""

from __future__ import annotations

import dataclasses
import inspect
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scripts.compare import Row
from scripts.configuration import EnvConfig, LLMConfig, environments
from scripts.experiment import nearest
from scripts.figures import figure
from scripts.files import replace_text
from scripts.options import parse
from scripts.options import run as run_command
from scripts.transitions import BALANCES, Transition, build, load, save
from shaping.calm import prompts
from shaping.calm.judge import SubgoalJudge
from shaping.calm.term import CalmTerm
from shaping.llm import LanguageModel, LanguageModelError

Flags = NDArray[np.bool_]
JUDGES = ("model", "zero-shot", "symbolic", "action-rule", "always-yes")
ACTION_RULE = frozenset({"pickup", "apply"})
CALM_ORDERS = inspect.signature(CalmTerm).parameters["orders"].default
"""In how many orders the calm term shows its examples; for a look at the other forms one is enough."""
ZERO_SHOT_VERSION = "calm-zero-shot-1"


@dataclass(frozen=True)
class Options:
    """The command line's options."""

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
class Score:
    """Binary judgements against the truth. Precision and recall are 0 where they are 0 / 0."""

    tp: int
    fp: int
    fn: int
    tn: int

    @classmethod
    def of(cls, judged: Flags, truth: Flags) -> Score:
        """From two arrays of the same shape."""
        return cls(
            int((judged & truth).sum()),
            int((judged & ~truth).sum()),
            int((~judged & truth).sum()),
            int((~judged & ~truth).sum()),
        )

    @property
    def precision(self) -> float:
        return self.tp / max(1, self.tp + self.fp)

    @property
    def recall(self) -> float:
        return self.tp / max(1, self.tp + self.fn)

    @property
    def f1(self) -> float:
        return 2 * self.tp / max(1, 2 * self.tp + self.fp + self.fn)

    @property
    def accuracy(self) -> float:
        return (self.tp + self.tn) / max(1, self.tp + self.fp + self.fn + self.tn)

    def metrics(self) -> dict[str, float]:
        """precision, recall, f1, accuracy."""
        return {name: round(getattr(self, name), 4) for name in ("precision", "recall", "f1", "accuracy")}


@dataclass(frozen=True)
class Judgement:
    """What one judge said of one set.

    Attributes:
        something: (n,) a subgoal was achieved.
        each: (n, n_subgoals), None where the judge knows no subgoals.
        unanswered: how many of the transitions got no answer; they count as achieving nothing.
    """

    something: Flags
    each: Flags | None
    unanswered: int = 0


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


Judge = Callable[[Sequence[Transition]], Judgement]


# Judges --------------------------------------------------------------------------------------------------------------


def shown(transition: Transition, form: str) -> str:
    """A transition as the model sees it."""
    after = {
        "caption": transition.caption,
        "crop": transition.next_crop,
        "map": transition.next_map,
        "action": transition.action,
        "message": transition.message,
    }
    return prompts.event(form, after, {"crop": transition.crop, "map": transition.map})


def model_judge(judge: SubgoalJudge) -> Judge:
    """Which of the given subgoals, by the few-shot judge that the calm term uses."""

    def ask(transitions: Sequence[Transition]) -> Judgement:
        each = np.zeros((len(transitions), len(judge.subgoals)), bool)
        unanswered = 0
        for row, transition in enumerate(transitions):
            try:
                each[row, list(judge.decide(judge.scores(shown(transition, judge.form))))] = True
            except LanguageModelError as error:
                unanswered += _told(error, unanswered)
        return Judgement(_either(each), each, unanswered)

    return ask


def progress_judge(judge: SubgoalJudge) -> Judge:
    """Whether anything was achieved, without a list of subgoals: the paper's *discovered*."""

    def ask(transitions: Sequence[Transition]) -> Judgement:
        found = np.zeros(len(transitions), bool)
        unanswered = 0
        for row, transition in enumerate(transitions):
            try:
                found[row] = judge.progress(shown(transition, judge.form)) > 0.0
            except LanguageModelError as error:
                unanswered += _told(error, unanswered)
        return Judgement(found, None, unanswered)

    return ask


def zero_shot_judge(model: LanguageModel, subgoals: Sequence[str], form: str) -> Judge:
    """Asked yes or no about each subgoal, without an example."""

    def ask(transitions: Sequence[Transition]) -> Judgement:
        each = np.zeros((len(transitions), len(subgoals)), bool)
        unanswered = 0
        for row, transition in enumerate(transitions):
            for column, subgoal in enumerate(subgoals):
                question = f"Question: Did the player {subgoal} with this? Answer yes or no.\nAnswer:"
                try:
                    answer = model.choose(
                        shown(transition, form) + question, [" Yes", " No"], version=ZERO_SHOT_VERSION
                    )
                    each[row, column] = answer[" Yes"] > answer[" No"]
                except LanguageModelError as error:
                    unanswered += _told(error, unanswered)
        return Judgement(_either(each), each, unanswered)

    return ask


def _told(error: LanguageModelError, before: int) -> int:
    if not before:
        print(f"WARNING: a transition was not judged ({error}); it counts as achieving nothing", file=sys.stderr)
    return 1


def judges(model: LanguageModel | None, subgoals: Mapping[str, str], options: Options) -> dict[str, Judge]:
    """Name -> judge: those that were asked for, the model's in every form."""
    events, texts = list(subgoals.values()), list(subgoals)
    found: dict[str, Judge] = {}
    if model is not None:
        short = (model.identity or "endpoint").split(".gguf")[0]
        for form in options.forms:
            judge = SubgoalJudge(model, texts, form, options.orders)
            orders = f", {options.orders} orders" if options.orders > 1 else ""
            if "model" in options.judges and options.subgoals in ("given", "both"):
                found[f"{short} {form}{orders}"] = model_judge(judge)
            if "model" in options.judges and options.subgoals in ("discovered", "both"):
                found[f"{short} {form} discovered{orders}"] = progress_judge(judge)
        if "zero-shot" in options.judges:
            found[f"{short} {options.forms[0]} zero-shot"] = zero_shot_judge(model, texts, options.forms[0])

    def symbolic(transitions: Sequence[Transition]) -> Judgement:
        each = _truth(transitions, events)
        return Judgement(_either(each), each)

    def action_rule(transitions: Sequence[Transition]) -> Judgement:
        return Judgement(np.array([transition.action in ACTION_RULE for transition in transitions]), None)

    def always_yes(transitions: Sequence[Transition]) -> Judgement:
        return Judgement(np.ones(len(transitions), bool), None)

    simple = {"symbolic": symbolic, "action-rule": action_rule, "always-yes": always_yes}
    return found | {name: judge for name, judge in simple.items() if name in options.judges}


# The evaluation ------------------------------------------------------------------------------------------------------


def annotate(
    judge: Judge, name: str, transitions: Sequence[Transition], subgoals: Mapping[str, str], balance: str, seed: int
) -> Annotation:
    """Score one judge on one set."""
    truth = _truth(transitions, list(subgoals.values()))
    said = judge(transitions)
    each: dict[str, Score] = {}
    confusion: list[list[int]] = []
    if said.each is not None:
        each = {text: Score.of(said.each[:, k], truth[:, k]) for k, text in enumerate(subgoals)}
        counts = np.zeros((len(subgoals) + 1, len(subgoals) + 1), int)
        np.add.at(counts, (_class(truth), _class(said.each)), 1)
        confusion = counts.tolist()
    score = Score.of(said.something, _either(truth))
    return Annotation(name, balance, seed, score, each, confusion, said.unanswered)


def annotate_all(
    options: Options,
    env: EnvConfig,
    model: LanguageModel | None,
    said: Callable[[str], object] = lambda line: print(line, flush=True),
) -> list[Annotation]:
    """Every judge on every set.

    Args:
        options: of the command line.
        env: whose subgoals are judged.
        model: for the judges that ask one.
        said: told what is going on.
    """
    subgoals = {text: event for text, event in env.subgoals.items() if event}
    sets: list[tuple[str, int, list[Transition]]] = []
    if options.dataset is not None:
        sets.append((Path(options.dataset).stem, 0, _labelled(load(Path(options.dataset)), subgoals, options.dataset)))
    else:
        for seed in options.seeds:
            for balance in options.balances:
                transitions = build(env.id, options.n, balance, seed=seed, events=tuple(subgoals.values()))
                sets.append((balance, seed, transitions))
    if options.save is not None:
        save(Path(options.save), [transition for _, _, transitions in sets for transition in transitions])
    found = []
    for name, judge in judges(model, subgoals, options).items():
        for balance, seed, transitions in sets:
            found.append(annotate(judge, name, transitions, subgoals, balance, seed))
        said(f"{name}: {len(sets)} sets judged")
    return found


def study(seeds: Sequence[int], picture: Path) -> list[Row]:
    """Every judge of the embedded model and the simple ones on sets of 50, as rows of a twin.

    Args:
        seeds: of the data sets.
        picture: where the confusion matrices of the balanced sets are drawn.

    Returns:
        One row a judge and seed: precision, recall, f1 and accuracy of "achieves any subgoal" on the balanced set, the
        same with `unbalanced_` before it on the other one, and `f1_` of each subgoal on the balanced set.
    """
    options = Options(seeds=tuple(seeds))
    env = environment(options.env)
    model = LanguageModel()
    try:
        several = replace(options, forms=("caption",), judges=("model",), orders=CALM_ORDERS)
        found = annotate_all(several, env, model) + annotate_all(options, env, model)
    finally:
        model.close()
    draw_confusion(found, list(env.subgoals), picture, "balanced")
    rows: dict[tuple[str, int], Row] = {}
    for one in found:
        config = {"env": options.env, "n": options.n, "judge": one.judge}
        row = rows.setdefault((one.judge, one.seed), Row(one.judge, one.seed, config, {}))
        prefix = "" if one.balance == "balanced" else f"{one.balance}_"
        metrics = {f"{prefix}{name}": value for name, value in one.score.metrics().items()}
        if not prefix:
            metrics |= {f"f1_{_slug(text)}": round(score.f1, 4) for text, score in one.each.items()}
        if one.unanswered:
            metrics[f"{prefix}unanswered"] = float(one.unanswered)
        rows[one.judge, one.seed] = replace(row, metrics={**row.metrics, **metrics})
    return list(rows.values())


def table(found: Sequence[Annotation]) -> str:
    """Markdown: one line a judge and balance, means over the seeds; F1 of each subgoal where the judge knows them."""
    texts = list(dict.fromkeys(text for one in found for text in one.each))
    lines = [
        "| judge | set | precision | recall | F1 | accuracy |" + "".join(f" F1: {text} |" for text in texts),
        "| --- | --- |" + " ---: |" * (4 + len(texts)),
    ]
    for judge, balance in dict.fromkeys((one.judge, one.balance) for one in found):
        own = [one for one in found if (one.judge, one.balance) == (judge, balance)]
        means = [np.mean([one.score.metrics()[name] for one in own]) for name in own[0].score.metrics()]
        cells = [f"{value:.2f}" for value in means]
        cells += [f"{np.mean([one.each[text].f1 for one in own]):.2f}" if own[0].each else "–" for text in texts]
        missing = sum(one.unanswered for one in own)
        name = f"{judge} ({missing} not answered)" if missing else judge
        lines.append(f"| {name} | {balance} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def draw_confusion(found: Sequence[Annotation], subgoals: Sequence[str], path: Path, balance: str) -> Path:
    """One matrix a judge that knows subgoals: truth down, judgement across, counts over all seeds."""
    sums: dict[str, Any] = {}
    for one in found:
        if one.confusion and one.balance == balance:
            sums[one.judge] = sums.get(one.judge, 0) + np.array(one.confusion)
    names = [*subgoals, prompts.NONE]
    wide = min(3, len(sums))
    with figure(path, -(-len(sums) // wide), wide, 3.6, 3.2) as (drawing, panels):
        for panel, (judge, counts) in zip(panels, sums.items(), strict=False):
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
        for panel in panels[len(sums) :]:
            panel.set_axis_off()
        drawing.supylabel("what happened", fontsize=9)
        drawing.supxlabel(f"what the judge said ({balance} sets)", fontsize=9)
    return path


def environment(name: str) -> EnvConfig:
    """The environment of an option of the group `env`, or of a gymnasium id that is one's.

    Raises:
        ValueError: there is none, or it has no subgoals with events.
    """
    for option, env in environments.items():
        if name in (option, env.id, env.id.removeprefix("breadcrumb/")):
            if not any(env.subgoals.values()):
                raise ValueError(f"env={name} has no subgoals with events, so there is no truth to compare with")
            return env
    raise ValueError(f"there is no env={name}.{nearest(name, environments)}")


def _truth(transitions: Sequence[Transition], events: Sequence[str]) -> Flags:
    return np.array([[transition.labels[event] for event in events] for transition in transitions], bool)


def _slug(text: str) -> str:
    return text.replace(" ", "_")


def _either(flags: Flags) -> Flags:
    return np.asarray(flags.any(axis=1))


def _class(flags: Flags) -> NDArray[np.int64]:
    """The first subgoal, or the number after the last for none."""
    return np.where(flags.any(axis=1), flags.argmax(axis=1), flags.shape[1])


def _labelled(transitions: list[Transition], subgoals: Mapping[str, str], path: str) -> list[Transition]:
    missing = sorted({event for event in subgoals.values() for one in transitions if event not in one.labels})
    if missing:
        raise ValueError(f"{path} has transitions without the label {', '.join(missing)}; it belongs to another task")
    return transitions


def check(options: Options) -> None:
    """Refuse options that cannot work.

    Raises:
        ValueError: with what is wrong.
    """
    for name, given, allowed in (
        ("forms", options.forms, prompts.FORMS),
        ("judges", options.judges, JUDGES),
        ("balances", options.balances, BALANCES),
        ("subgoals", (options.subgoals,), ("given", "discovered", "both")),
    ):
        for one in given:
            if one not in allowed:
                raise ValueError(f"{name}={one}: expected {', '.join(allowed)}.{nearest(one, allowed)}")
        if not given:
            raise ValueError(f"{name} is empty; expected some of {', '.join(allowed)}")


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    places, options = parse(arguments, Options, __doc__)
    if places:
        raise ValueError(f"unknown argument {places[0]!r}; options are written name=value")
    check(options)
    env = environment(options.env)
    asks = bool({"model", "zero-shot"} & set(options.judges))
    model = LanguageModel(**asdict(options.llm)) if asks else None
    try:
        found = annotate_all(options, env, model)
    finally:
        if model is not None:
            model.close()
    out = Path(options.out)
    text = table(found)
    print(text)
    rows = [{**asdict(one), **one.score.metrics()} for one in found]
    replace_text(out / "annotations.json", json.dumps(rows, indent=1) + "\n")
    replace_text(out / "table.md", text + "\n")
    known = [one for one in found if one.confusion]
    if known:
        texts = [text for text, event in env.subgoals.items() if event]
        draw_confusion(found, texts, out / "confusion.png", known[0].balance)
    print(f"written to {out}", file=sys.stderr)


if __name__ == "__main__":
    run_command(main)
