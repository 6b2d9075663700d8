"""The fast path learns what the stock path learns."""

from scripts.experiments.claim import Comparison

CLAIM = Comparison(
    title="The fast path learns what the stock path learns",
    text=(
        "The same PPO on MiniHack-Room-Random-5x5: with the environments as nle and minihack make them and SB3's "
        "own policy class (`stock`), and with ours (`ours`)."
    ),
    arms={
        "stock": (
            "env=minihack/room_random_5x5",
            "shaping=none",
            "agent=ppo",
            "agent.policy=MultiInputPolicy",
            "env.kwargs.stock=true",
        ),
        "ours": ("env=minihack/room_random_5x5", "shaping=none", "agent=ppo"),
    },
    total_timesteps=40_000,
    seeds=(200, 201, 202, 203, 204),  # PPO\'s defaults were chosen on 101 to 109
    equal=True,
)
