"""How well a language model recognises subgoals: CALM's own evaluation.

python -m scripts.annotate [env=minihack/key_room] [n=50] [seeds=0]
    [forms=caption,crop,map,map_message] [judges=model,zero-shot,symbolic,action-rule,always-yes]
    [balances=balanced,unbalanced] [subgoals=both] [orders=1] [dataset=FILE.jsonl]
    [save=FILE.jsonl] [out=outputs/annotate] [llm.model_path=FILE.gguf] [llm.base_url=URL] ...

Makes sets of labelled transitions by scripted and random play (or reads one: dataset=), asks every
judge which subgoal each transition achieves, and prints precision, recall, F1 and accuracy: of
"achieves any subgoal", as the paper scores, and of each subgoal. subgoals=given asks about the
task's subgoals, discovered whether anything was achieved, both both. Writes OUT/annotations.json,
OUT/table.md and OUT/confusion.png.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from foundation.files import replace_json, replace_text
from scripts.annotation.study import Arguments, annotate_all, check, draw_confusion, environment, table
from scripts.configuration.arguments import parse
from scripts.configuration.arguments import run as run_command
from shaping.llm import LanguageModel


def main(command_line: Sequence[str]) -> None:
    """The command line."""
    places, arguments = parse(command_line, Arguments, __doc__)
    if places:
        raise ValueError(f"unknown argument {places[0]!r}; options are written name=value")
    check(arguments)
    env = environment(arguments.env)
    asks = bool({"model", "zero-shot"} & set(arguments.judges))
    model = LanguageModel(**asdict(arguments.llm)) if asks else None
    try:
        annotations = annotate_all(arguments, env, model)
    finally:
        if model is not None:
            model.close()
    out = Path(arguments.out)
    text = table(annotations)
    print(text)
    rows = [{**asdict(annotation), **annotation.score.metrics()} for annotation in annotations]
    replace_json(out / "annotations.json", rows)
    replace_text(out / "table.md", text + "\n")
    balances = [annotation.balance for annotation in annotations if annotation.confusion]
    if balances:
        texts = [text for text, event in env.subgoals.items() if event]
        draw_confusion(annotations, texts, out / "confusion.png", balances[0])
    print(f"written to {out}", file=sys.stderr)


if __name__ == "__main__":
    run_command(main)
