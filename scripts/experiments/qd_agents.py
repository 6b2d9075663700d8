"""The worlds of quality-diversity under an agent that learns from their reward step by step."""

from scripts.experiments.claim import Comparison

_WORLDS = ("curling", "hard_maze", "redundant_arm", "collect_ball", "point2d")

CLAIM = Comparison(
    title="Quality-diversity: the same worlds under PPO",
    text=(
        "What an agent that learns step by step comes to in the worlds that populations search: PPO with its defaults "
        "and with a bonus for new states by [RND](terms/rnd.md), 500,000 steps, which is 1,000 episodes of Curling and "
        "250 of the mazes. Curling has its large goals. The first three worlds pay at an episode's last step alone, "
        "CollectBall for each ball at home, Point2D for every step in the area that was entered first."
    ),
    arms={
        f"{world.replace('_', '-')}{'' if term == 'none' else f'-{term}'}": (
            *(f"env=classic/{world}", f"shaping={term}", "agent=ppo", "gif=false"),
        )
        for world in _WORLDS
        for term in ("none", "rnd")
    },
    total_timesteps=500_000,
    metric="task_return_mean",
    columns=("task_return_mean", "eval_return_mean"),
)
