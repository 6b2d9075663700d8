"""Rocket: a penalty, imitated from ten shots of a scripted bot."""

from scripts.experiments.claim import DEMONSTRATIONS, SEED, Comparison
from scripts.experiments.rocket_penalty import PENALTY, SCENE
from scripts.experiments.rocket_settings import PLAYED
from scripts.experiments.rocket_shooting import SHAPED

_GAIL = (f"shaping.terms.gail.demonstrations={DEMONSTRATIONS}", "shaping.terms.gail.weight=0.05")
_ALONE = ("shaping.task_weight=0",)

CLAIM = Comparison(
    title="Rocket: a penalty, imitated from shots of a scripted bot",
    text=(
        "The penalty of `rocket-penalty`: one car, the ball before an open goal, 4 seconds. Demonstrations are the "
        "goals among 12 penalties of the bot `kickoff`. `imitation` learns from the [gail term](terms/gail.md) alone, "
        "z = log σ(z) − log(1 − σ(z)), without being paid for goals; `gail` gets 5 for a goal and 0.05 of that. "
        "`constant` and `random` put 1 a step and the pay of a discriminator that never learned in its place, without "
        "goals. `none` and `kinesthetic` are the arms of `rocket-penalty`; `bc` clones the same steps. Weight and "
        "number of steps were chosen on seed 300. Success is a goal."
    ),
    arms={
        "none": (*PENALTY, "shaping=none", "shaping.task_weight=5"),
        "kinesthetic": (
            *PENALTY,
            *SHAPED,
            f"shaping.terms.kinesthetic.reward='krc({PLAYED}) + 2*ball_to_goal_velocity'",
        ),
        "gail": (*PENALTY, "shaping=gail/airl", "shaping.task_weight=5", *_GAIL),
        "imitation": (*PENALTY, "shaping=gail/airl", *_ALONE, *_GAIL),
        "constant": (*PENALTY, "shaping=gail/constant", *_ALONE, *_GAIL),
        "random": (*PENALTY, "shaping=gail/random", *_ALONE, *_GAIL),
        "bc": (*SCENE, "agent=bc", "shaping=none", f"agent.demonstrations={DEMONSTRATIONS}", "agent.net_arch=[96,96]"),
    },
    total_timesteps=294_912,
    demonstrations=(
        *("scripted:kickoff", "env=rocket/shoot", "env.kwargs.starts={penalty:1}", "env.kwargs.seconds=4"),
        *("episodes=12", "least_return=0.5", f"seed={SEED}"),
    ),
    told={
        "d_accuracy": ("terms/gail/accuracy",),
        "penalty_mean": ("terms/gail/penalty",),
        "gradient_norm_mean": ("terms/gail/slope",),
    },
    goals=True,
)
