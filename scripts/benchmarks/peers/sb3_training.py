"""stable-baselines3's PPO on the key room, as its users run it: for `scripts.benchmark peers`.

    python -m scripts.benchmarks.peers.sb3_training world=stock folder=EMPTY steps=3000

SB3's own class, policy and DummyVecEnv with the settings of our PPO. The last line of standard
output is the result.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Sequence

from gymnasium import spaces
from stable_baselines3 import PPO
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
from stable_baselines3.common.vec_env import DummyVecEnv, VecMonitor
from torch import Tensor

from agents.sb3.on_policy import PPOConfig
from scripts.benchmarks.peers.network import HIDDEN, PlainFeatures, weights
from scripts.benchmarks.peers.order import Order, answer
from scripts.benchmarks.peers.played import Played, counted_key_room

N_ENVS = PPOConfig.n_envs


class Features(BaseFeaturesExtractor):
    """`PlainFeatures` as SB3 wants it."""

    def __init__(self, observation_space: spaces.Dict) -> None:
        super().__init__(observation_space, PlainFeatures.size - 2 * ("events" not in observation_space.spaces))
        self.plain = PlainFeatures(observation_space)

    def forward(self, observations: dict[str, Tensor]) -> Tensor:
        features: Tensor = self.plain(observations)
        return features


class Watch(BaseCallback):
    """Ends the training."""

    def __init__(self, order: Order, played: Played) -> None:
        super().__init__()
        self._order, self._played = order, played

    def _on_step(self) -> bool:
        return not (self.locals["dones"].any() and self._played.reached() is not None)


def main(command_line: Sequence[str]) -> None:
    """Train and answer."""
    order = Order.read(command_line, __doc__)
    played = order.played(N_ENVS)
    games = [
        functools.partial(counted_key_room, order.world, order.folder, N_ENVS, index, order.seed)
        for index in range(N_ENVS)
    ]
    model = PPO(
        "MultiInputPolicy",
        VecMonitor(DummyVecEnv(list(games))),
        n_steps=PPOConfig.n_steps,
        batch_size=PPOConfig.batch_size,
        n_epochs=PPOConfig.n_epochs,
        learning_rate=PPOConfig.learning_rate,
        ent_coef=PPOConfig.ent_coef,
        seed=order.seed,
        device="cpu",
        policy_kwargs={"features_extractor_class": Features, "net_arch": [HIDDEN, HIDDEN]},
    )
    model.learn(order.steps, callback=Watch(order, played))
    answer(played, weights(model.policy))


if __name__ == "__main__":
    main(sys.argv[1:])
