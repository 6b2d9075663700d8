"""PPO on the key room, as benchmarks time it, and the share of its time that the shaping takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

PPO_TASK = "MiniHack-KeyRoom-S5-v0"
PPO: dict[str, Any] = {"n_steps": 128, "batch_size": 256, "n_epochs": 4, "learning_rate": 5e-4, "ent_coef": 0.01}
EVENTS = ("picked_up_key", "opened_door")


class Learner:
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


def share_of_training(learner: Learner, steps: int) -> float:
    """The share of training time that is spent in ShapedVecEnv and in `update_terms`, timed around each call.

    Two trainings with and without terms differ by less than the machine's own drift; a clock inside one training
    does not drift.
    """
    venv, spent = learner.venv, [0.0]

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
    learner.speed(steps)
    total = time.perf_counter() - start
    venv.step_wait, venv.update_terms, venv.venv.step_wait = wait, update, monitor_wait
    return (spent[0] - inner[0]) / total
