"""Sample Factory's APPO on the key room: for `scripts.benchmark peers`.

    PYTHON -m scripts.benchmarks.peers.sample_factory_training world=ours folder=EMPTY steps=3000

Runs in a Python that has Sample Factory and this project. Two workers of 16 environments beside the
learner; the settings with which it learned this room fastest, Sample Factory's own otherwise. The
last line of standard output is the result.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from sample_factory.algo.runners.runner import AlgoObserver
from sample_factory.algo.utils.context import global_model_factory
from sample_factory.algo.utils.misc import ExperimentStatus
from sample_factory.cfg.arguments import parse_full_cfg, parse_sf_args
from sample_factory.envs.env_utils import register_env
from sample_factory.model.actor_critic import create_actor_critic
from sample_factory.model.encoder import Encoder
from sample_factory.train import make_runner

from scripts.benchmarks.peers.key_room import key_room
from scripts.benchmarks.peers.network import PlainFeatures, weights
from scripts.benchmarks.peers.order import Order, answer
from scripts.benchmarks.peers.played import Played, counted_key_room

WORKERS, EACH, ROLLOUT = 2, 16, 32
DECODER = 104
"""Width of the two layers that policy and value share: as many weights as two times two of 64."""
SETTINGS = {
    "algo": "APPO",
    "env": "key_room",
    "experiment": "key_room",
    "device": "cpu",
    "num_workers": WORKERS,
    "num_envs_per_worker": EACH,
    "rollout": ROLLOUT,
    "decorrelate_envs_on_one_worker": True,
    "batch_size": 512,
    "num_batches_per_epoch": 2,
    "num_epochs": 4,
    "learning_rate": 1e-3,
    "exploration_loss_coeff": 0.01,
    "normalize_input": False,  # glyphs are names, not quantities
    "use_rnn": False,
    "nonlinearity": "tanh",
    "save_every_sec": 100_000,
    "train_for_env_steps": 10**9,  # `Watch` ends it
}


class PlainEncoder(Encoder):
    """`PlainFeatures` as Sample Factory wants it."""

    def __init__(self, cfg: Any, obs_space: Any) -> None:
        super().__init__(cfg)
        self.plain = PlainFeatures(obs_space)
        self._types = {key: torch.from_numpy(box.sample()).dtype for key, box in obs_space.items()}

    def forward(self, entries: Any) -> Any:
        return self.plain(entries)

    def get_out_size(self) -> int:
        return PlainFeatures.size

    def type_for_input_tensor(self, input_tensor_name: str) -> torch.dtype:
        return self._types[input_tensor_name]


class Watch(AlgoObserver):
    """Ends the training."""

    def __init__(self, order: Order, played: Played) -> None:
        self._order, self._played = order, played

    def on_training_step(self, runner: Any, training_iteration_since_resume: int) -> None:
        if self._order.over(self._played):
            runner.cfg.train_for_env_steps = 0


def environment(order: Order, name: str, cfg: Any, env_config: Any, render_mode: str | None = None) -> Any:
    """A game of a worker; the one that Sample Factory only looks at is not counted."""
    if env_config is None:
        return key_room(order.world)
    warm_up = ROLLOUT * env_config.vector_index  # random steps, so that episodes do not all end together
    return counted_key_room(order.world, order.folder, WORKERS * EACH, env_config.env_id, order.seed, warm_up)


def settings(order: Order) -> Any:
    """Sample Factory's configuration."""
    given = {**SETTINGS, "seed": order.seed, "train_dir": str(Path(order.folder) / "train")}
    flags = [f"--{name}={value}" for name, value in given.items()]
    parser, _ = parse_sf_args([*flags, "--decoder_mlp_layers", str(DECODER), str(DECODER)])
    return parse_full_cfg(parser, [*flags, "--decoder_mlp_layers", str(DECODER), str(DECODER)])


def main(command_line: Sequence[str]) -> None:
    """Train and answer."""
    order = Order.read(command_line, __doc__)
    played = order.played(WORKERS * EACH)
    register_env("key_room", functools.partial(environment, order))
    global_model_factory().register_encoder_factory(PlainEncoder)
    cfg, runner = make_runner(settings(order))
    runner.register_observer(Watch(order, played))
    status = runner.init()
    if status == ExperimentStatus.SUCCESS:
        status = runner.run()
    if status != ExperimentStatus.SUCCESS:
        raise RuntimeError(f"Sample Factory ended with status {status}")
    game = key_room(order.world)
    answer(played, weights(create_actor_critic(cfg, game.observation_space, game.action_space)))


if __name__ == "__main__":
    main(sys.argv[1:])
