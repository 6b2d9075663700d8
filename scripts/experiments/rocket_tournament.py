"""Rocket: agents and bots in a tournament."""

from scripts.experiments.claim import Comparison
from scripts.experiments.rocket_settings import PLAYED
from scripts.rocket.pairings import draw_study, study

_SELF_PLAY = (
    "env=rocket/1v1",
    "env.kwargs.observation=shoot",
    "env.kwargs.actions=shoot",
    "env.kwargs.seconds=40",
    "env.kwargs.no_touch_seconds=15",
    "env.kwargs.starts={kickoff:0.6,random:0.4}",
    "agent=ppo",
    "n_envs=96",
    "agent.n_steps=128",
    "agent.batch_size=2048",
    "agent.n_epochs=4",
    "agent.learning_rate=7e-4",
    "agent.gamma=0.985",
    "agent.ent_coef=0.003",
    "agent.net_arch=[96,96]",
    "torch_threads=1",
    "shaping=kinesthetic",
    "shaping.task_weight=5",
    "shaping.terms.kinesthetic.weight=0.1",
    "shaping.terms.kinesthetic.events=10*touch_acceleration",
)

CLAIM = Comparison(
    title="Rocket: agents and bots in a tournament",
    text=(
        "One against one from kickoffs. The agents learned by playing against themselves, with the "
        "[kinesthetic term](terms/kinesthetic.md) at every step: the velocity of the ball to the goal, touch "
        "acceleration, and the offensive potential's three components, combined as `krc` or as `linear` mean. Each "
        "seed's two agents meet each other and four bots, 100 points a pairing, sides changed at half time. A "
        "share is of the goals; a rating is Plackett-Luce's, within the seed. Settings were found on seed 0, "
        "which is not among these. Success and return in training are those of self-play."
    ),
    arms={
        kind: (*_SELF_PLAY, f"shaping.terms.kinesthetic.reward='{kind}({PLAYED}) + 2*ball_to_goal_velocity'")
        for kind in ("krc", "linear")
    },
    total_timesteps=2_000_000,
    together=study,
    draw=draw_study,
    picture="shares of the goals; a dot is a seed",
)
