"""Benchmarks as ratios measured in one run on the same cores.

    python -m scripts.benchmark throughput [json=PATH] [repeats=3] [n_envs=64] [workers=1] [steps=30000]
    [train_steps=12288]
    python -m scripts.benchmark annotation [json=PATH] [repeats=3] [train_steps=12288]
    python -m scripts.benchmark oni [json=PATH] [repeats=3] [train_steps=12288]
    python -m scripts.benchmark rocket [json=PATH] [repeats=3] [n_envs=64] [workers=1] [steps=30000] [rlgym=install]

Prints a Markdown table and, with `json=`, writes {"command": ..., "rows": [...], "ratios": {...}}.

`throughput` measures environment steps a second of raw nle (one core, its own binding, the same keys, the same
answers to --More--, resets included), of gymnasium.make in DummyVecEnv and in SubprocVecEnv, and of ours in one
process and over workers; then PPO end to end, stock path against ours with one network and one set of
hyper-parameters. What is compared is measured in turns, and the median of the turns counts: machines are shared and
drift.

The shares are of training time. `shaping_share_interface` is what ShapedVecEnv costs without any term,
`shaping_share_symbolic` what the potential and the events term add to that, `shaping_share_all` what all four add,
learning of RND included, and `shaping_share_NAME` each one alone. What the environment does to report events and
distances is on its own side: the rows with terms show it.

`annotation` measures PPO with the calm term while the embedded language model answers in the background, against the
same training with a model that is never asked. Every turn begins with an empty cache, so that there is always a
question in flight; how many were answered stands in the table.

`oni` measures PPO with the oni term, labels at hand, and retrieval beside an annotator that takes a second an answer;
`oni_share_NAME` is the share of training time in the term, learning included.

`rocket` measures steps of 1v1 and 2v2 matches, 8 ticks each, `n_envs` arenas: RocketSim's Arena.step alone, ours with
the flat observation, with Lucy's, with Lucy's and her reward, and rlgym 2 on its own RocketSim engine, which
`rlgym=install` puts into an environment that is thrown away (`rlgym=PYTHON`: one that has it; `none`: without).
`reward_adds_NAME` is what the reward adds to the time of a step; the ratios are of one process each, those that end in
`_workers` of all of ours against rlgym's one.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from scripts.compare import Row
from scripts.figures import figure, look
from scripts.options import parse, run

KEYS = {
    "MiniHack-Room-5x5-v0": ("glyphs_crop", "blstats", "message", "inv_glyphs"),
    "NetHackScore-v0": ("glyphs", "blstats", "message", "inv_glyphs"),
}
SHORT = {"MiniHack-Room-5x5-v0": "minihack", "NetHackScore-v0": "nethack"}
MOST_PROCESSES = 8  # SubprocVecEnv starts one an environment, each with a Python and a NetHack of its own
PPO_TASK = "MiniHack-KeyRoom-S5-v0"
PPO: dict[str, Any] = {"n_steps": 128, "batch_size": 256, "n_epochs": 4, "learning_rate": 5e-4, "ent_coef": 0.01}
TERMS = ("potential", "events", "count", "rnd")
EVENTS = ("picked_up_key", "opened_door")


@dataclass(frozen=True)
class Options:
    """The command line; see the module's text.

    Attributes:
        json: where to write rows and ratios.
        repeats: turns of every measurement.
        n_envs: environments on both sides of every comparison of environment steps.
        workers: processes beside the caller, for ours.
        steps: environment steps of one turn.
        train_steps: steps of one PPO turn.
        rlgym: of the benchmark rocket; see the module's text.
    """

    json: str | None = None
    repeats: int = 3
    n_envs: int = 64
    workers: int = 1
    steps: int = 30_000
    train_steps: int = 12_288
    rlgym: str = "install"


def steps_per_second(step: Callable[[int], None], turns: int) -> float:
    """Call `step(turn)` so many times after a short warm-up; calls a second."""
    for turn in range(max(1, turns // 20)):
        step(turn)
    start = time.perf_counter()
    for turn in range(turns):
        step(turn)
    return turns / (time.perf_counter() - start)


def raw_nle(env_id: str, n_games: int, steps: int) -> float:
    """Steps a second of nle's binding alone, `n_games` in turn on one core: what no wrapper can beat."""
    from nle import nethack

    from envs.nethack.game import ALWAYS_READ, ESCAPE, QUESTIONS_FOR_THE_AGENT, SPACE, game_seeds
    from envs.nethack.kernels import IN_GETLIN, IN_MOVELOOP, IN_YN_FUNCTION, ON_STAIRS_DOWN, WAITING_FOR_SPACE
    from envs.nethack.tasks import stock_environment

    stocks = [stock_environment(env_id, fix_moon_phase=True) for _ in range(n_games)]
    bindings = [stock.nethack._pynethack for stock in stocks]
    keys = {*ALWAYS_READ, *("glyphs" if key == "glyphs_crop" else key for key in KEYS[env_id])}
    buffers = [{key: np.zeros(**nethack.OBSERVATION_DESC[key]) for key in keys} for _ in stocks]
    for binding, buffer in zip(bindings, buffers, strict=True):
        binding.set_buffers(**buffer)
    codes = [int(action) for action in stocks[0].actions]
    actions = np.random.default_rng(0).integers(len(codes), size=(steps // n_games, n_games)).tolist()
    limit, ends_on_stairs = stocks[0]._max_episode_steps, "MiniHack" in env_id
    lengths, episodes = [0] * n_games, 0

    def reset(game: int) -> None:
        nonlocal episodes
        episodes += 1
        bindings[game].set_initial_seeds(*game_seeds(episodes), False, None)
        bindings[game].reset()
        while not buffers[game]["program_state"][IN_MOVELOOP]:
            bindings[game].step(SPACE)
        lengths[game] = 0

    def step(turn: int) -> None:
        for game, action in enumerate(actions[turn]):
            binding, internal = bindings[game], buffers[game]["internal"]
            binding.step(codes[action])
            done = binding.done()
            while not done:
                if internal[WAITING_FOR_SPACE]:
                    binding.step(SPACE)
                    done = binding.done()
                    continue
                if internal[IN_GETLIN]:
                    binding.step(ESCAPE)
                elif internal[IN_YN_FUNCTION]:
                    message = bytes(buffers[game]["message"])
                    if not any(question in message for question in QUESTIONS_FOR_THE_AGENT):
                        binding.step(ESCAPE)
                break
            lengths[game] += 1
            if done or lengths[game] >= limit or (ends_on_stairs and internal[ON_STAIRS_DOWN]):
                reset(game)

    for game in range(n_games):
        reset(game)
    speed = steps_per_second(step, len(actions)) * n_games
    for stock in stocks:
        stock.close()
    return speed


def vec_env_speed(venv: Any, steps: int) -> float:
    """Environment steps a second of a vector environment under random actions; closes it."""
    actions = np.random.default_rng(0).integers(
        venv.action_space.n, size=(max(1, steps // venv.num_envs), venv.num_envs)
    )
    venv.reset()

    def step(turn: int) -> None:
        venv.step(actions[turn])

    speed = steps_per_second(step, len(actions)) * venv.num_envs
    venv.close()
    return speed


def _stock_factory(env_id: str) -> Callable[[], Any]:
    def make() -> Any:
        import gymnasium

        import envs  # noqa: F401  (imports minihack with its warning silenced)

        return gymnasium.make(env_id, observation_keys=KEYS[env_id])

    return make


def environment_paths(env_id: str, options: Options) -> dict[str, Callable[[], float]]:
    """Name of a path -> a function that measures it once."""
    from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

    import envs

    def ours(workers: int) -> float:
        venv = envs.make_vec(env_id, options.n_envs, seed=0, workers=workers, observation_keys=KEYS[env_id])
        return vec_env_speed(venv, options.steps)

    factories = [_stock_factory(env_id)] * options.n_envs
    processes = min(options.n_envs, MOST_PROCESSES)
    return {
        "raw nle, one core": lambda: raw_nle(env_id, options.n_envs, options.steps),
        "stock, DummyVecEnv": lambda: vec_env_speed(DummyVecEnv(factories), options.steps // 4),
        f"stock, SubprocVecEnv of {processes}": lambda: vec_env_speed(
            SubprocVecEnv(factories[:processes], start_method="spawn"), options.steps // 8
        ),
        "ours, one process": lambda: ours(0),
        f"ours, {options.workers + 1} processes": lambda: ours(options.workers),
    }


class Training:
    """PPO on the key room, ready to be timed turn by turn."""

    def __init__(self, path: str, threads: int, terms: Sequence[str] | Mapping[str, Any] | None = None) -> None:
        import stable_baselines3
        import torch
        from stable_baselines3.common.vec_env import VecMonitor

        import envs
        from agents import build
        from agents.features import features_for
        from envs.nethack.stock import stock_vec_env
        from shaping import ShapedVecEnv, make_term

        self._torch = torch
        if path == "stock":
            venv: Any = stock_vec_env(PPO_TASK, 8, ("glyphs_crop", "blstats", "inv_glyphs"), seed=0)
        else:
            arguments: Mapping[str, Mapping[str, Any]] = {
                "events": {"events": list(EVENTS)},
                "potential": {"potential": "stairs_distance", "scale": -1.0},
                "count": {"keys": ["glyphs_crop"]},
                "rnd": {"keys": ["glyphs_crop"]},
            }
            if isinstance(terms, Mapping):
                built = dict(terms)
            else:
                built = {name: make_term(name, **arguments[name]) for name in terms or ()}
            report = sorted({entry for term in built.values() for entry in term.requires})
            venv = envs.make_vec(PPO_TASK, 8, seed=0, report=report, events=EVENTS if "events" in report else ())
            venv = VecMonitor(venv)
            if terms is not None:
                venv = ShapedVecEnv(venv, built, gamma=0.99, seed=0)
        if path == "stock":
            venv = VecMonitor(venv)
        self.venv, self.shaped = venv, terms is not None
        if path == "stock":  # SB3's own class, policy and optimiser; torch's threads as many as cores
            features, arguments = features_for(venv.observation_space) or (None, {})
            policy_kwargs = {"features_extractor_class": features, "features_extractor_kwargs": arguments}
            self.model: Any = stable_baselines3.PPO(
                "MultiInputPolicy", venv, seed=0, policy_kwargs=policy_kwargs, device="cpu", **PPO
            )
            torch.set_num_threads(threads)
        else:
            self.model = build("ppo", venv, seed=0, threads=threads, **PPO)
        self._torch_threads = torch.get_num_threads()

    def speed(self, steps: int) -> float:
        """Training steps a second over `steps` more steps."""
        from stable_baselines3.common.callbacks import BaseCallback

        venv = self.venv

        class UpdateTerms(BaseCallback):
            def _on_step(self) -> bool:
                return True

            def _on_rollout_end(self) -> None:
                venv.update_terms()

        self._torch.set_num_threads(self._torch_threads)
        start, before = time.perf_counter(), self.model.num_timesteps
        self.model.learn(steps, callback=UpdateTerms() if self.shaped else None, reset_num_timesteps=False)
        return (self.model.num_timesteps - before) / (time.perf_counter() - start)


def median_of_turns(paths: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Measure every path in turn, `repeats` times round."""
    measured: dict[str, list[float]] = {name: [] for name in paths}
    for turn in range(repeats):
        for name, measure in paths.items():
            print(f"  {turn + 1}/{repeats}  {name} ...", file=sys.stderr, flush=True)
            measured[name].append(measure())
    return measured


def throughput(options: Options) -> dict[str, Any]:
    """Measure everything; {"rows": [...], "ratios": {...}}."""
    rows: list[dict[str, Any]] = []
    ratios: dict[str, float] = {}

    def add(task: str, measured: Mapping[str, list[float]], base: str) -> dict[str, float]:
        medians = {name: statistics.median(speeds) for name, speeds in measured.items()}
        for name, speeds in measured.items():
            rows.append(
                {"task": task, "path": name, "steps_per_second": round(medians[name]), "lowest": round(min(speeds)),
                 "highest": round(max(speeds)), "ratio": round(medians[name] / medians[base], 3), "against": base}
            )  # fmt: skip
        return medians

    for env_id, short in SHORT.items():
        medians = add(
            env_id, median_of_turns(environment_paths(env_id, options), options.repeats), "stock, DummyVecEnv"
        )
        ours = [medians[name] for name in medians if name.startswith("ours")]
        ratios[f"{short}_vs_stock"] = max(ours) / medians["stock, DummyVecEnv"]
        ratios[f"{short}_vs_raw"] = medians["ours, one process"] / medians["raw nle, one core"]

    threads = 2
    stock, plain = Training("stock", threads), Training("ours", threads)
    trained = median_of_turns(
        {
            "PPO, stock path": lambda: stock.speed(options.train_steps),
            "PPO, ours": lambda: plain.speed(options.train_steps),
        },
        options.repeats,
    )
    medians = add(PPO_TASK, trained, "PPO, stock path")
    ratios["ppo_vs_stock"] = medians["PPO, ours"] / medians["PPO, stock path"]
    stock.venv.close()

    interface = Training("ours", threads, ())
    symbolic = Training("ours", threads, ("potential", "events"))
    everything = Training("ours", threads, TERMS)
    with_terms = median_of_turns(
        {
            "PPO, no terms": lambda: plain.speed(options.train_steps),
            "PPO, potential + events": lambda: symbolic.speed(options.train_steps),
            "PPO, all four terms": lambda: everything.speed(options.train_steps),
        },
        options.repeats,
    )
    add(f"{PPO_TASK}, reward terms", with_terms, "PPO, no terms")
    shaped = {"interface": interface, "symbolic": symbolic, "all": everything}
    shaped |= {name: Training("ours", threads, (name,)) for name in TERMS}
    shares: dict[str, list[float]] = {name: [] for name in shaped}
    for _ in range(options.repeats):
        for name, training in shaped.items():
            shares[name].append(share_of_training(training, options.train_steps // 2))
    base = ratios["shaping_share_interface"] = statistics.median(shares.pop("interface"))
    for name, measured in shares.items():
        ratios[f"shaping_share_{name}"] = statistics.median(measured) - base
    for training in (plain, *shaped.values()):
        training.venv.close()
    return {"rows": rows, "ratios": {name: round(value, 4) for name, value in ratios.items()}}


def share_of_training(training: Training, steps: int) -> float:
    """The share of training time that is spent in ShapedVecEnv and in `update_terms`, timed around each call.

    Two trainings with and without terms differ by less than the machine's own drift; a clock inside one training
    does not drift.
    """
    venv, spent = training.venv, [0.0]

    def timed(function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            start = time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                spent[0] += time.perf_counter() - start

        return call

    inner = [0.0]
    wait, update = venv.step_wait, venv.update_terms
    venv.step_wait, venv.update_terms = timed(wait), timed(update)
    monitor_wait = venv.venv.step_wait

    def inner_wait() -> Any:
        start = time.perf_counter()
        try:
            return monitor_wait()
        finally:
            inner[0] += time.perf_counter() - start

    venv.venv.step_wait = inner_wait
    start = time.perf_counter()
    training.speed(steps)
    total = time.perf_counter() - start
    venv.step_wait, venv.update_terms, venv.venv.step_wait = wait, update, monitor_wait
    return (spent[0] - inner[0]) / total


def annotation(options: Options) -> dict[str, Any]:
    """Measure training beside a language model that answers; {"rows": [...], "ratios": {...}}."""
    import tempfile

    from scripts.configuration import environments
    from shaping import make_term
    from shaping.llm import LanguageModel, ResponseCache

    subgoals = environments["minihack/key_room"].subgoals

    def calm(folder: str, asks: bool) -> Any:
        # A recording without answers is a model that is never asked.
        model = LanguageModel(cache=str(Path(folder) / "answers.sqlite"), replay=not asks)
        return make_term("calm", subgoals=subgoals, patience=0.0, language_model=model)

    answers: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        recording = ResponseCache(Path(folder) / "answers.sqlite")
        recording.put("nobody", "0", {}, {})  # a recording must hold something
        recording.close()
        plain = Training("ours", 2, {"calm": calm(folder, asks=False)})

        def alone() -> float:
            return plain.speed(options.train_steps)

        def annotating() -> float:
            with tempfile.TemporaryDirectory() as own:
                term = calm(own, asks=True)
                beside = Training("ours", 2, {"calm": term})
                beside.speed(1024)  # questions come up and the server starts
                while not term.language_model.metrics()["asked"]:
                    time.sleep(0.1)
                before = term.language_model.metrics()["asked"]
                speed = beside.speed(options.train_steps)
                service = term.detector.update()
                if not service["questions_waiting"] + service["questions_in_flight"]:
                    raise RuntimeError("the questions ended before the turn did: give fewer train_steps=")
                if term.language_model.metrics()["asked"] == before:
                    raise RuntimeError("no question was asked in this turn: give more train_steps=")
                answers.append(term.language_model.metrics()["asked"] - before)
                beside.venv.close()
            return speed

        measured = median_of_turns({"nothing asked": alone, "annotating": annotating}, options.repeats)
        plain.venv.close()
    medians = {name: statistics.median(speeds) for name, speeds in measured.items()}
    rows = [
        {"task": f"{PPO_TASK}, PPO and calm", "path": name if name != "annotating" else
         f"annotating, {statistics.median(answers):.0f} questions a turn", "steps_per_second": round(medians[name]),
         "lowest": round(min(speeds)), "highest": round(max(speeds)),
         "ratio": round(medians[name] / medians["nothing asked"], 3), "against": "nothing asked"}
        for name, speeds in measured.items()
    ]  # fmt: skip
    return {"rows": rows, "ratios": {"annotating_vs_not": round(medians["annotating"] / medians["nothing asked"], 4)}}


class SlowAnnotator:
    """Takes a second and has no answer, so that it is asked again and again: a language model on a slow line."""

    batch, workers, identity = 1, 1, "slow"

    def known(self, message: str) -> float | None:
        return None

    def annotate(self, messages: Sequence[str]) -> list[float | None]:
        time.sleep(1.0)
        return [None for _ in messages]


def oni_terms() -> dict[str, Any]:
    """The reward functions of the oni term with labels at hand, and retrieval beside an annotator that takes a second
    an answer."""
    from shaping import make_term

    functions = ("retrieval", "classification", "ranking")
    terms = {name: make_term("oni", function=name, annotator="rules") for name in functions}
    return {**terms, "slow annotator": make_term("oni", annotator=SlowAnnotator())}


def oni(options: Options) -> dict[str, Any]:
    """Training with the oni term against training without, and the share of a training step that the term takes."""
    rows = oni_turns(options)
    plain = statistics.median(row["none"][0] for row in rows)
    table = []
    for name in rows[0]:
        speeds = [row[name][0] for row in rows]
        table.append(
            {"task": f"{PPO_TASK}, PPO", "path": name, "steps_per_second": round(statistics.median(speeds)),
             "lowest": round(min(speeds)), "highest": round(max(speeds)),
             "ratio": round(statistics.median(speeds) / plain, 3), "against": "none"}
        )  # fmt: skip
    shares = {name: statistics.median(row[name][1] for row in rows) for name in rows[0]}
    ratios = {
        f"oni_share_{name}".replace(" ", "_"): round(share, 4) for name, share in shares.items() if name != "none"
    }
    ratios["slow_annotator_vs_retrieval"] = round(
        statistics.median(row["slow annotator"][0] / row["retrieval"][0] for row in rows), 4
    )
    return {"rows": table, "ratios": ratios}


def oni_turns(options: Options) -> list[dict[str, tuple[float, float]]]:
    """Name -> (training steps a second, share of the time in the term), turn by turn."""
    empty = Training("ours", 2, {})
    trainings = {"none": empty} | {name: Training("ours", 2, {"oni": term}) for name, term in oni_terms().items()}
    for training in trainings.values():
        training.speed(16_384)  # messages are met, networks fitted
    turns = []
    for turn in range(options.repeats):
        found = {}
        for name, training in trainings.items():
            print(f"  {turn + 1}/{options.repeats}  {name} ...", file=sys.stderr, flush=True)
            found[name] = (training.speed(options.train_steps), share_of_training(training, options.train_steps // 2))
        base = found["none"][1]  # ShapedVecEnv itself
        turns.append({name: (speed, max(0.0, share - base)) for name, (speed, share) in found.items()})
    for training in trainings.values():
        training.venv.close()
    return turns


def oni_study(seeds: Sequence[int], picture: Path) -> list[Row]:
    """A turn of `oni` for every seed, as rows of a twin; draws the shares."""
    turns = oni_turns(Options(repeats=len(seeds)))
    rows = []
    for seed, turn in zip(seeds, turns, strict=True):
        for name, (speed, share) in turn.items():
            metrics = {
                "speed_against_none": round(speed / turn["none"][0], 4),
                "speed_against_retrieval": round(speed / turn["retrieval"][0], 4),
                "share_of_training": round(share, 5),
                "steps_per_second": round(speed),
            }
            rows.append(Row(name, seed, {"task": PPO_TASK, "agent": "ppo"}, metrics, {}, {}))
    names = [name for name in turns[0] if name != "none"]
    with figure(picture, 1, 1, 5.6, 3.2) as (_, (axes,)):
        for index, name in enumerate(names):
            shares = [100 * turn[name][1] for turn in turns]
            axes.bar(index, statistics.median(shares), width=0.6, color=look(index)["color"], alpha=0.75)
            axes.scatter([index] * len(shares), shares, s=14, color="#333840", zorder=3)
        axes.set_xticks(range(len(names)), names)
        axes.set_ylabel("percent of training time")
        axes.set_title("What the oni term costs")
    return rows


def rocket(options: Options) -> dict[str, Any]:
    """Steps of whole matches, layer by layer; {"rows": [...], "ratios": {...}}."""
    from scripts import rocket_benchmark as layers

    rows: list[dict[str, Any]] = []
    found: dict[str, float] = {}
    with layers.rlgym_python(options.rlgym) as python:
        for cars in layers.CARS:
            rlgym = None if python is None else layers.RlgymProcess(python, cars)
            added: list[float] = []
            measured = median_of_turns(
                layers.paths(cars, options.n_envs, options.workers, options.steps, rlgym, added), options.repeats
            )
            if rlgym is not None:
                rlgym.close()
            medians = {name: statistics.median(speeds) for name, speeds in measured.items()}
            rows += [
                {"task": f"{cars}v{cars}", "path": name, "steps_per_second": round(medians[name]),
                 "lowest": round(min(speeds)), "highest": round(max(speeds)),
                 "ratio": round(medians[name] / medians[layers.RAW], 3), "against": layers.RAW}
                for name, speeds in measured.items()
            ]  # fmt: skip
            found |= layers.ratios(medians, statistics.median(added), f"{cars}v{cars}")
    return {"rows": rows, "ratios": {name: round(value, 4) for name, value in found.items()}}


BENCHMARKS: Mapping[str, Callable[[Options], dict[str, Any]]] = {
    "throughput": throughput,
    "annotation": annotation,
    "oni": oni,
    "rocket": rocket,
}


def table(result: Mapping[str, Any]) -> str:
    """The result as Markdown."""
    lines = [
        "| task | path | steps/s (median) | lowest to highest | ratio | against |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for row in result["rows"]:
        lines.append(
            f"| {row['task']} | {row['path']} | {row['steps_per_second']:,} | {row['lowest']:,} to {row['highest']:,} "
            f"| {row['ratio']:.2f} | {row['against']} |"
        )
    lines += ["", "| ratio | value |", "| --- | ---: |"]
    lines += [f"| `{name}` | {value:.3f} |" for name, value in result["ratios"].items()]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    names, options = parse(arguments, Options, __doc__)
    if len(names) != 1 or names[0] not in BENCHMARKS:
        raise ValueError(
            f"which benchmark? One of {', '.join(BENCHMARKS)}, and then options; got {' '.join(names) or 'nothing'}"
        )
    if min(options.repeats, options.n_envs, options.steps, options.train_steps) < 1 or options.workers < 0:
        raise ValueError("repeats, n_envs, steps and train_steps are at least 1, workers at least 0")
    warnings.filterwarnings("ignore", message=".*pkg_resources.*")
    result = {"command": " ".join(["python -m scripts.benchmark", *arguments]), **BENCHMARKS[names[0]](options)}
    print(table(result))
    if options.json:
        path = Path(options.json)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(result, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    run(main)
