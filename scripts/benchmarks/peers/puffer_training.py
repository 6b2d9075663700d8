"""PufferLib's PPO on the key room: for `scripts.benchmark peers`.

    PYTHON -m scripts.benchmarks.peers.puffer_training world=ours folder=EMPTY steps=3000

Runs in a Python that has PufferLib and this project. 32 environments, one after another; the
settings with which it learned this room fastest, PufferLib's own otherwise. The last line of
standard output is the result.
"""

from __future__ import annotations

import functools
import random
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pufferlib.emulation
import pufferlib.pytorch
import pufferlib.vector
import torch
from gymnasium import spaces
from torch import Tensor, nn

from scripts.benchmarks.peers.network import HIDDEN, PlainFeatures, weights
from scripts.benchmarks.peers.order import Order, answer
from scripts.benchmarks.peers.played import counted_key_room

# It reads the command line when it is imported.
arguments, sys.argv = sys.argv[1:], sys.argv[:1]
from pufferlib import pufferl  # noqa: E402

N_ENVS = 32
SETTINGS: dict[str, Any] = {
    "optimizer": "adam",
    "learning_rate": 1e-3,
    "anneal_lr": False,
    "gamma": 0.99,
    "gae_lambda": 0.95,
    "update_epochs": 4,
    "bptt_horizon": 128,  # the end of a segment is the end of what an advantage sees: 32 and 64 learned slower
    "batch_size": 128 * N_ENVS,
    "minibatch_size": 512,
    "vf_coef": 0.5,
    "vf_clip_coef": 10.0,
    "max_grad_norm": 0.5,
    "ent_coef": 0.01,
}
"""What is not PufferLib's default."""
DEFAULTS: dict[str, Any] = {
    "torch_deterministic": True,
    "cpu_offload": False,
    "device": "cpu",
    "precision": "float32",
    "clip_coef": 0.2,
    "adam_beta1": 0.95,
    "adam_beta2": 0.999,
    "adam_eps": 1e-12,
    "checkpoint_interval": 1_000_000,
    "max_minibatch_size": 32_768,
    "compile": False,
    "vtrace_rho_clip": 1.0,
    "vtrace_c_clip": 1.0,
    "prio_alpha": 0.8,
    "prio_beta0": 0.2,
    "use_rnn": False,
}


class Policy(nn.Module):
    """`PlainFeatures` under policy and value, with PufferLib's initial weights."""

    def __init__(self, env: Any, space: spaces.Dict) -> None:
        super().__init__()
        self._native = pufferlib.pytorch.nativize_dtype(env.emulated)
        self.features = PlainFeatures(space)
        self.actor = self._head(int(env.single_action_space.n), 0.01)
        self.critic = self._head(1, 1.0)
        for module in self.features.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d)):
                pufferlib.pytorch.layer_init(module)

    def forward_eval(self, observations: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:
        """Logits and values; called while acting."""
        features = self.features(pufferlib.pytorch.nativize_tensor(observations, self._native))
        return self.actor(features), self.critic(features)

    def forward(self, observations: Tensor, state: Any = None) -> tuple[Tensor, Tensor]:
        return self.forward_eval(observations, state)

    @staticmethod
    def _head(out: int, gain: float) -> nn.Sequential:
        first = pufferlib.pytorch.layer_init(nn.Linear(PlainFeatures.size, HIDDEN))
        second = pufferlib.pytorch.layer_init(nn.Linear(HIDDEN, HIDDEN))
        last = pufferlib.pytorch.layer_init(nn.Linear(HIDDEN, out), std=gain)
        return nn.Sequential(first, nn.Tanh(), second, nn.Tanh(), last)


class Trainer(pufferl.PuffeRL):
    """PufferLib's trainer without the screen that it draws four times a second."""

    def print_dashboard(self, *arguments: Any, **keywords: Any) -> None:
        pass


def game(order: Order, index: int, buf: Any = None, seed: int = 0) -> Any:
    """One environment as PufferLib wants it."""
    made = functools.partial(counted_key_room, order.world, order.folder, N_ENVS, index, order.seed)
    return pufferlib.emulation.GymnasiumPufferEnv(env_creator=made, buf=buf)


def main(command_line: Sequence[str]) -> None:
    """Train and answer."""
    order = Order.read(command_line, __doc__)
    played = order.played(N_ENVS)
    random.seed(order.seed)
    np.random.seed(order.seed)  # noqa: NPY002 - PufferLib's samplers use it
    torch.manual_seed(order.seed)
    creators = [functools.partial(game, order, index) for index in range(N_ENVS)]
    games = pufferlib.vector.Serial(creators, [()] * N_ENVS, [{}] * N_ENVS, N_ENVS)
    policy = Policy(games, games.driver_env.env.observation_space)
    own = {"env": "key_room", "seed": order.seed, "total_timesteps": max(order.steps, SETTINGS["batch_size"])}
    trainer = Trainer({**DEFAULTS, **SETTINGS, **own, "data_dir": str(Path(order.folder) / "data")}, games, policy)
    try:
        while not order.over(played):
            trainer.evaluate()
            trainer.train()
    finally:
        trainer.close()  # or a thread of its own keeps the process alive
    answer(played, weights(policy))


if __name__ == "__main__":
    main(arguments)
