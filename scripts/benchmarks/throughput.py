"""Environment steps a second beside raw nle and the stock path, PPO end to end, costs of terms."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from scripts.benchmarks.learner import PPO_TASK, Learner, share_of_training
from scripts.benchmarks.turns import Arguments, compared, median_of_turns, steps_per_second

KEYS = {
    "MiniHack-Room-5x5-v0": ("glyphs_crop", "blstats", "message", "inv_glyphs"),
    "NetHackScore-v0": ("glyphs", "blstats", "message", "inv_glyphs"),
}
SHORT = {"MiniHack-Room-5x5-v0": "minihack", "NetHackScore-v0": "nethack"}
MOST_PROCESSES = 8  # SubprocVecEnv starts one an environment, each with a Python and a NetHack of its own
TERMS = ("potential", "events", "count", "rnd")


def raw_nle(env_id: str, n_games: int, steps: int) -> float:
    """Steps a second of nle's binding alone, `n_games` in turn on one core; nothing can beat it."""
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


def environment_paths(env_id: str, arguments: Arguments) -> dict[str, Callable[[], float]]:
    """Name of a path -> a function that measures it once."""
    from stable_baselines3.common.vec_env import DummyVecEnv, SubprocVecEnv

    import envs

    def ours(workers: int) -> float:
        venv = envs.make_vec(env_id, arguments.n_envs, seed=0, workers=workers, observation_keys=KEYS[env_id])
        return vec_env_speed(venv, arguments.steps)

    factories = [_stock_factory(env_id)] * arguments.n_envs
    processes = min(arguments.n_envs, MOST_PROCESSES)
    return {
        "raw nle, one core": lambda: raw_nle(env_id, arguments.n_envs, arguments.steps),
        "stock, DummyVecEnv": lambda: vec_env_speed(DummyVecEnv(factories), arguments.steps // 4),
        f"stock, SubprocVecEnv of {processes}": lambda: vec_env_speed(
            SubprocVecEnv(factories[:processes], start_method="spawn"), arguments.steps // 8
        ),
        "ours, one process": lambda: ours(0),
        f"ours, {arguments.workers + 1} processes": lambda: ours(arguments.workers),
    }


def throughput(arguments: Arguments) -> dict[str, Any]:
    """Measure everything; {"rows": [...], "ratios": {...}}."""
    rows: list[dict[str, Any]] = []
    ratios: dict[str, float] = {}

    def add(task: str, measured: Mapping[str, list[float]], base: str) -> dict[str, float]:
        rows.extend(compared(task, measured, base))
        return {name: statistics.median(speeds) for name, speeds in measured.items()}

    for env_id, short in SHORT.items():
        medians = add(
            env_id, median_of_turns(environment_paths(env_id, arguments), arguments.repeats), "stock, DummyVecEnv"
        )
        ours = [medians[name] for name in medians if name.startswith("ours")]
        ratios[f"{short}_vs_stock"] = max(ours) / medians["stock, DummyVecEnv"]
        ratios[f"{short}_vs_raw"] = medians["ours, one process"] / medians["raw nle, one core"]

    threads = 2
    stock, plain = Learner("stock", threads), Learner("ours", threads)
    trained = median_of_turns(
        {
            "PPO, stock path": lambda: stock.speed(arguments.train_steps),
            "PPO, ours": lambda: plain.speed(arguments.train_steps),
        },
        arguments.repeats,
    )
    medians = add(PPO_TASK, trained, "PPO, stock path")
    ratios["ppo_vs_stock"] = medians["PPO, ours"] / medians["PPO, stock path"]
    stock.venv.close()

    interface = Learner("ours", threads, ())
    symbolic = Learner("ours", threads, ("potential", "events"))
    everything = Learner("ours", threads, TERMS)
    with_terms = median_of_turns(
        {
            "PPO, no terms": lambda: plain.speed(arguments.train_steps),
            "PPO, potential + events": lambda: symbolic.speed(arguments.train_steps),
            "PPO, all four terms": lambda: everything.speed(arguments.train_steps),
        },
        arguments.repeats,
    )
    add(f"{PPO_TASK}, reward terms", with_terms, "PPO, no terms")
    shaped = {"interface": interface, "symbolic": symbolic, "all": everything}
    shaped |= {name: Learner("ours", threads, (name,)) for name in TERMS}
    shares: dict[str, list[float]] = {name: [] for name in shaped}
    for _ in range(arguments.repeats):
        for name, learner in shaped.items():
            shares[name].append(share_of_training(learner, arguments.train_steps // 2))
    base = ratios["shaping_share_interface"] = statistics.median(shares.pop("interface"))
    for name, measured in shares.items():
        ratios[f"shaping_share_{name}"] = statistics.median(measured) - base
    for learner in (plain, *shaped.values()):
        learner.venv.close()
    return {"rows": rows, "ratios": {name: round(value, 4) for name, value in ratios.items()}}
