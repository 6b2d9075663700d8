"""Benchmarks as ratios measured in one run on the same cores.

    python -m scripts.benchmark throughput [json=PATH] [repeats=3] [n_envs=64] [workers=1]
        [steps=30000] [train_steps=12288]
    python -m scripts.benchmark annotation [json=PATH] [repeats=3] [train_steps=12288]
    python -m scripts.benchmark oni [json=PATH] [repeats=3] [train_steps=12288]
    python -m scripts.benchmark questions [json=PATH] [repeats=3]
    python -m scripts.benchmark rocket [json=PATH] [repeats=3] [n_envs=64] [workers=1]
        [steps=30000] [rlgym=install]
    python -m scripts.benchmark swe [json=PATH] [repeats=3] [n_envs=64] [steps=30000]
    python -m scripts.benchmark barfi [json=PATH] [repeats=3]
    python -m scripts.benchmark imitation [json=PATH] [repeats=3] [train_steps=12288]
    python -m scripts.benchmark qd [json=PATH] [repeats=3]
    python -m scripts.benchmark coding [json=PATH] [repeats=3]
    python -m scripts.benchmark profile [json=PATH] [steps=30000]
    python -m scripts.benchmark peers [json=PATH] [seeds=5] [steps=150000] [success=0.9]
        [limit=1200] [only=ours,puffer_ours,...]

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
`docker_left_behind` and `bubblewrap_left_behind` count containers, processes, mounts, control
groups and files that are there after a thousand episodes and were not before.

`barfi` measures the steps of behaviour alignment in the square, in milliseconds: an outer step by
each of its hypergradients, an inner step, and the update of plain REINFORCE; `round_vs_reinforce`
is a whole round against one such update.
`imitation` measures gail_td3 on PointMass with one and with four minibatches of its discriminator
an update, against plain td3 with the same networks and batches, `train_steps` / 12 steps a turn;
`step_time_NAME` is how many times as long a step takes. `sample_time_relabelled` compares a batch
of the relabelled replay buffer, discriminator included, with one of SB3's, and
`sample_time_relabelled_10` one of returns over ten steps with SB3's of the same.

`qd` measures whole episodes of small policies a second of processor time: those of each world of
quality-diversity in its compiled loop, 200 at once, and those of Curling and HardMaze in a loop in
Python, Curling over Box2D where the extra `box2d` is installed; `curling_vs_loop` is how many times
as many. `search_share_NAME` is what asking and telling add to the episodes' time in batches of 200.
`long_run_gib` is the memory of a process in which SERENE evaluated half a million times.

`coding` measures greedy couplings a second of processor time over sizes from 2×2 to 4096×4096,
`coupling_NxM_vs_heap` times as many as two heaps of plain Python make, and `_vs_mec` as the package
of github.com/ssokota/mec makes where it can be imported; encoders of 4096 messages; and episodes in
which a message of 256 bits is told over 500 steps of two actions, by both players
(`seconds_of_an_episode_a_player` for one of them).

`profile` tells where the time of one training goes: PPO on the key room with the events term, its
defaults, one thread, clocks around the parts, each without the parts inside it.

`peers` trains the key room with our PPO, stable-baselines3, Sample Factory and PufferLib, over our
environment and over stock MiniHack, until 90 of the last 100 episodes are successes or `steps` are
made. All have the reward of `shaping=events`, its observation entries and as many weights; the last
two run in environments that are made and thrown away. Seeds go round in turns, everybody has both
cores. Seconds are of training: from the first environment step on, or, for ours, those of
summary.json; process start-up, imports and games made are excluded. A training that takes more than
`limit` seconds with them has not finished. `rows` are single trainings (`failed` says why one has
no numbers), `seconds_vs_NAME` how many times ours is sooner there, by medians over seeds. `only`
names rows: ours, sb3_stock, sb3_ours, sample_factory_ours, sample_factory_stock, puffer_ours,
puffer_stock.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from foundation.checks import whole
from foundation.files import replace_json
from scripts.benchmarks.annotation import annotation
from scripts.benchmarks.barfi import barfi
from scripts.benchmarks.coding import coding
from scripts.benchmarks.imitation import imitation
from scripts.benchmarks.oni import oni
from scripts.benchmarks.peers import outcome
from scripts.benchmarks.peers.comparison import PeerArguments, peers
from scripts.benchmarks.profiling import profile
from scripts.benchmarks.quality_diversity import quality_diversity
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
    "barfi": barfi,
    "imitation": imitation,
    "qd": quality_diversity,
    "coding": coding,
    "profile": profile,
}
PEERS = "peers"


def main(command_line: Sequence[str]) -> int:
    """The command line."""
    options = PeerArguments if PEERS in command_line else Arguments
    names, arguments = parse(command_line, options, __doc__)
    if len(names) != 1 or names[0] not in (*BENCHMARKS, PEERS):
        known = ", ".join((*BENCHMARKS, PEERS))
        raise ValueError(f"which benchmark? One of {known}, and then options; got {' '.join(names) or 'nothing'}")
    for name in ("repeats", "n_envs", "steps", "train_steps"):
        whole(name, getattr(arguments, name))
    whole("workers", arguments.workers, least=0)
    warnings.filterwarnings("ignore", message=".*pkg_resources.*")
    measured = peers(arguments) if isinstance(arguments, PeerArguments) else BENCHMARKS[names[0]](arguments)
    result = {"command": " ".join(["python -m scripts.benchmark", *command_line]), **measured}
    print(outcome.table(result) if names[0] == PEERS else table(result))
    if arguments.json:
        replace_json(Path(arguments.json), result)
    return 0


if __name__ == "__main__":
    run(main)
