"""Benchmarks as ratios measured in one run on the same cores.

    python -m scripts.benchmark throughput [json=PATH] [repeats=3] [n_envs=64] [workers=1]
        [steps=30000] [train_steps=12288]
    python -m scripts.benchmark annotation [json=PATH] [repeats=3] [train_steps=12288]
    python -m scripts.benchmark oni [json=PATH] [repeats=3] [train_steps=12288]
    python -m scripts.benchmark questions [json=PATH] [repeats=3]
    python -m scripts.benchmark rocket [json=PATH] [repeats=3] [n_envs=64] [workers=1]
        [steps=30000] [rlgym=install]
    python -m scripts.benchmark swe [json=PATH] [repeats=3] [n_envs=64] [steps=30000]

Prints a Markdown table and, with `json=`, writes {"command": ..., "rows": [...], "ratios": {...}}.

`throughput` measures environment steps a second of raw nle (one core, its own binding, the same
keys, the same answers to --More--, resets included), of gymnasium.make in DummyVecEnv and in
SubprocVecEnv, and of ours in one process and over workers; then PPO end to end, stock path against
ours with one network and one set of hyper-parameters. What is compared is measured in turns, and
the median of the turns counts: machines are shared and drift.

The shares are of training time. `shaping_share_interface` is what ShapedVecEnv costs without any
term, `shaping_share_symbolic` what the potential and the events term add to that,
`shaping_share_all` what all four add, learning of RND included, and `shaping_share_NAME` each one
alone. What the environment does to report events and distances is on its own side: the rows with
terms show it.

`annotation` measures PPO with the calm term while the embedded language model answers in the
background, against the same training with a model that is never asked. Every turn begins with an
empty cache, so that there is always a question in flight; how many were answered stands in the
table.

`oni` measures PPO with the oni term, labels at hand, and retrieval beside an annotator that is
always being asked and has no answer; `oni_share_NAME` is the share of training time in the term,
learning included.

`questions` has the embedded model answer the 160 questions of a key room from an empty cache, and
counts requests and seconds; a busy machine stretches the seconds, not the requests.

`rocket` measures steps of 1v1 and 2v2 matches, 8 ticks each, `n_envs` arenas: RocketSim's
Arena.step alone, ours with the flat observation, with Lucy's, with Lucy's and her reward, and rlgym
2 on its own RocketSim engine, which `rlgym=install` puts into an environment that is thrown away
(`rlgym=PYTHON`: one that has it; `none`: without). `reward_adds_NAME` is what the reward adds to
the time of a step; the ratios are of one process each, those that end in `_workers` of all of ours
against rlgym's one.

`swe` measures sandboxes: what a command that does nothing (`docker_noop_ms`, `bubblewrap_noop_ms`),
one that starts Python, a reset of twenty files and a start take, in milliseconds; and
`table_steps_per_second`, steps of the tool face over its table, `n_envs` at once on one core.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from foundation.checks import whole
from foundation.files import replace_json
from scripts.benchmarks.annotation import annotation
from scripts.benchmarks.oni import oni
from scripts.benchmarks.questions import questions
from scripts.benchmarks.rocket import rocket
from scripts.benchmarks.swe import swe
from scripts.benchmarks.throughput import throughput
from scripts.benchmarks.turns import Arguments, table
from scripts.configuration.arguments import parse, run

BENCHMARKS: Mapping[str, Callable[[Arguments], dict[str, Any]]] = {
    "throughput": throughput,
    "annotation": annotation,
    "oni": oni,
    "questions": questions,
    "rocket": rocket,
    "swe": swe,
}


def main(command_line: Sequence[str]) -> int:
    """The command line."""
    names, arguments = parse(command_line, Arguments, __doc__)
    if len(names) != 1 or names[0] not in BENCHMARKS:
        raise ValueError(
            f"which benchmark? One of {', '.join(BENCHMARKS)}, and then options; got {' '.join(names) or 'nothing'}"
        )
    for name in ("repeats", "n_envs", "steps", "train_steps"):
        whole(name, getattr(arguments, name))
    whole("workers", arguments.workers, least=0)
    warnings.filterwarnings("ignore", message=".*pkg_resources.*")
    result = {"command": " ".join(["python -m scripts.benchmark", *command_line]), **BENCHMARKS[names[0]](arguments)}
    print(table(result))
    if arguments.json:
        replace_json(Path(arguments.json), result)
    return 0


if __name__ == "__main__":
    run(main)
