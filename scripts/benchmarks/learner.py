"""PPO on the key room, as benchmarks time it, and the share of its time that the shaping takes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from agents.sb3.on_policy import PPOConfig
from scripts.benchmarks.timed_vec_env import TimedVecEnv
from shaping import Combiner

PPO_TASK = "MiniHack-KeyRoom-S5-v0"
PPO: dict[str, Any] = {
    name: getattr(PPOConfig, name) for name in ("n_steps", "batch_size", "n_epochs", "learning_rate", "ent_coef")
}
N_ENVS = PPOConfig.n_envs
EVENTS = ("picked_up_key", "opened_door")


class Learner:
    """PPO on the key room, ready to be timed turn by turn."""

    def __init__(
        self,
        path: str,
        threads: int,
        terms: Sequence[str] | Mapping[str, Any] | None = None,
        combiner: Combiner | None = None,
    ) -> None:
        import stable_baselines3
        import torch
        from stable_baselines3.common.vec_env import VecMonitor

        import envs
        from agents import build
        from envs.nethack.stock import stock_vec_env
        from scripts.benchmarks.peers.sb3_training import Features
        from shaping import ShapedVecEnv, make_term

        self._torch = torch
        self._updates = 0.0  # seconds at rollouts' ends, in what parts learn there
        if path == "stock":
            venv: Any = stock_vec_env(PPO_TASK, N_ENVS, ("glyphs_crop", "blstats", "inv_glyphs"), seed=0)
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
            venv = envs.make_vec(PPO_TASK, N_ENVS, seed=0, report=report, events=EVENTS if "events" in report else ())
            venv = VecMonitor(venv)
            if terms is not None:
                self._task = TimedVecEnv(venv)
                self._stack = ShapedVecEnv(self._task, built, combiner=combiner, gamma=0.99, seed=0)
                venv = self._shaping = TimedVecEnv(self._stack)
        if path == "stock":
            venv = VecMonitor(venv)
        self.venv, self.shaped = venv, terms is not None
        if path == "stock":  # SB3's own class, policy and optimiser; torch's threads as many as cores
            policy_kwargs = {"features_extractor_class": Features}  # ours in stock modules
            self.model: Any = stable_baselines3.PPO(
                "MultiInputPolicy", venv, seed=0, policy_kwargs=policy_kwargs, device="cpu", **PPO
            )
            torch.set_num_threads(threads)
        else:
            self.model = build("ppo", venv, seed=0, threads=threads, **PPO)
        self._torch_threads = torch.get_num_threads()

    def speed(self, steps: int) -> float:
        """Training steps a second over `steps` more steps."""
        from agents import ShapingCallback

        learner = self

        class Timed(ShapingCallback):
            def _on_rollout_end(self) -> None:
                started = time.perf_counter()
                super()._on_rollout_end()
                learner._updates += time.perf_counter() - started

        self._torch.set_num_threads(self._torch_threads)
        start, before = time.perf_counter(), self.model.num_timesteps
        callback = Timed(self._stack) if self.shaped else None
        self.model.learn(steps, callback=callback, reset_num_timesteps=False)
        return (self.model.num_timesteps - before) / (time.perf_counter() - start)

    @property
    def shaping_seconds(self) -> float:
        """Seconds so far in ShapedVecEnv, without what is under it, and at rollouts' ends."""
        return self._shaping.seconds - self._task.seconds + self._updates


def share_of_training(learner: Learner, steps: int) -> float:
    """The share of training time in ShapedVecEnv and at rollouts' ends, timed around each call.

    Two trainings with and without terms differ by less than the machine drifts; a clock inside
    one training does not drift.
    """
    before, started = learner.shaping_seconds, time.perf_counter()
    learner.speed(steps)
    total = time.perf_counter() - started
    return (learner.shaping_seconds - before) / total
