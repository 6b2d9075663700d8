"""An SB3 face for algorithms of our own: rounds between rollout events, counters, logger, files."""

from __future__ import annotations

import sys
import time
from abc import abstractmethod
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
from stable_baselines3.common.base_class import BaseAlgorithm
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.policies import BasePolicy
from stable_baselines3.common.type_aliases import MaybeCallback
from stable_baselines3.common.utils import get_device, safe_mean
from stable_baselines3.common.vec_env import VecEnv
from stable_baselines3.common.vec_env.base_vec_env import VecEnvStepReturn

from agents.restoring import PLACES, Vacant, refuse_other_spaces, set_weights
from foundation.plain_state import Untrusted
from foundation.saved_model import SavedModel

_REMADE = frozenset({"lr_schedule"})
"""SB3's own objects, made again at every start."""


class Algorithm(BaseAlgorithm):
    """An algorithm that learns in rounds.

    A subclass has `collect`, `train` and `predict`, and keeps what it knows in attributes: numbers,
    strings, arrays, numpy's generators, lists and dicts of them, and networks named in `networks`.
    They are saved and loaded with it, without unpickling anything else; what is neither is named in
    `_excluded_save_params` and built in `setup`.

    A round is what lies between two consistent moments: an episode of every candidate, a
    generation. Callbacks are told of it as of SB3's rollouts, so checkpoints, metrics and resume
    know nothing else.

    Args:
        policy: the network's class for algorithms that have one; SB3 gives it back at `load`.
        env: the stack to learn in; None: to play only.
        seed: of everything random.
        device: of networks.
        settings: attributes to set, each by its name, before `setup`.
    """

    networks: tuple[str, ...] = ()
    """Names of attributes that are torch modules or optimisers: saved as state dicts."""

    def __init__(
        self,
        env: VecEnv | None = None,
        *,
        policy: type[BasePolicy] = BasePolicy,
        seed: int | None = None,
        device: str = "cpu",
        _init_setup_model: bool = True,
        **settings: Any,
    ) -> None:
        super().__init__(policy, env, learning_rate=0.0, seed=seed, device=device, support_multi_env=True)
        vars(self).update(settings)
        if _init_setup_model:
            self.random = np.random.default_rng(seed)
            self._setup_model()

    def _setup_model(self) -> None:
        self._setup_lr_schedule()
        if self.seed is not None and self.num_timesteps == 0:
            self.set_random_seed(self.seed)
        self.setup()

    def setup(self) -> None:
        """Build what is not in the saved attributes; also called at `load`, with those in place."""

    @abstractmethod
    def collect(self, callback: BaseCallback) -> bool:
        """Play a round by `step`; False as soon as it gives None: a callback stops training."""

    @abstractmethod
    def train(self) -> None:
        """Learn from the round."""

    def step(self, actions: Any, callback: BaseCallback) -> VecEnvStepReturn | None:
        """One step of every environment, counted; None where a callback stops training."""
        assert self.env is not None
        result: Any = self.env.step(actions)
        new_obs, rewards, dones, infos = result
        self.num_timesteps += self.env.num_envs
        callback.update_locals({"new_obs": new_obs, "rewards": rewards, "dones": dones, "infos": infos})
        if not callback.on_step():
            return None
        self._update_info_buffer(infos, dones)
        self._last_obs, self._last_episode_starts = new_obs, dones
        return new_obs, rewards, dones, infos

    def learn(
        self,
        total_timesteps: int,
        callback: MaybeCallback = None,
        log_interval: int | None = 1,
        tb_log_name: str = "run",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Algorithm:
        """Rounds for so many environment steps; a row of the log every `log_interval` rounds."""
        total, events = self._setup_learn(total_timesteps, callback, reset_num_timesteps, tb_log_name, progress_bar)
        events.on_training_start(locals(), globals())
        rounds = 0
        while self.num_timesteps < total:
            events.on_rollout_start()
            if not self.collect(events):
                break
            events.on_rollout_end()
            rounds += 1
            self._update_current_progress_remaining(self.num_timesteps, total)
            self.train()
            if log_interval is not None and rounds % log_interval == 0:
                self.dump_logs()
        events.on_training_end()
        return self

    def dump_logs(self) -> None:
        """Write a row of the log, with the names that SB3's algorithms give."""
        seconds = max((time.time_ns() - self.start_time) / 1e9, sys.float_info.epsilon)
        if self.ep_info_buffer:
            self.logger.record("rollout/ep_rew_mean", safe_mean([episode["r"] for episode in self.ep_info_buffer]))
            self.logger.record("rollout/ep_len_mean", safe_mean([episode["l"] for episode in self.ep_info_buffer]))
        if self.ep_success_buffer:
            self.logger.record("rollout/success_rate", safe_mean(self.ep_success_buffer))
        self.logger.record("time/fps", int((self.num_timesteps - self._num_timesteps_at_start) / seconds))
        self.logger.record("time/time_elapsed", int(seconds), exclude="tensorboard")
        self.logger.record("time/total_timesteps", self.num_timesteps, exclude="tensorboard")
        self.logger.dump(step=self.num_timesteps)

    def save(self, path: Any, exclude: Iterable[str] | None = None, include: Iterable[str] | None = None) -> None:
        """Write SB3's file of a model.

        Raises:
            TypeError: an attribute could only be read by unpickling whatever it is.
        """
        super().save(path, exclude, include)
        saved = SavedModel(path)
        for name in saved.names:
            try:
                if name not in _REMADE:
                    saved.object(name)
            except Untrusted as error:
                raise TypeError(
                    f"{type(self).__name__}.{name} is a {type(getattr(self, name)).__qualname__}, which could only be "
                    "loaded by unpickling it, and no file of somebody else's should be. Keep numbers, strings, arrays, "
                    "numpy's generators, lists and dicts, or name it in _excluded_save_params and build it in setup."
                ) from error

    @classmethod
    def load(  # type: ignore[override]
        cls, path: Any, env: VecEnv | None = None, device: str = "auto", *, trust: bool = False
    ) -> Self:
        """The model of a file, to go on in `env`; None: to play only.

        Args:
            path: of the file.
            env: the stack to go on in.
            device: of networks.
            trust: see `SavedModel.object`.

        Raises:
            Untrusted: an attribute could only be read by unpickling it, and is not trusted.
            ValueError: the file is damaged, or another algorithm's.
        """
        saved = SavedModel(path, get_device(device))
        place = env if env is not None else Vacant(saved, trust=trust)
        policy = saved.object("policy_class", trust=trust)
        model = cls(place, policy=policy, device=device, _init_setup_model=False)
        refuse_other_spaces(model, saved)
        kept = {name: saved.object(name, trust=trust) for name in saved.names if name not in PLACES | _REMADE}
        vars(model).update(kept)
        model._setup_model()
        set_weights(model, saved)
        if env is None:
            model.env = None
        return model

    def _get_torch_save_params(self) -> tuple[list[str], list[str]]:
        return list(self.networks), []
