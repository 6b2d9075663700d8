"""MuJoCo: a double pendulum, imitated from four episodes of an agent that the suite trained."""

from scripts.experiments.claim import DEMONSTRATIONS, RUNS, SEED, Comparison
from scripts.experiments.point_mass_settings import TOLD

_TASK = ("env=custom", "env.id=InvertedDoublePendulum-v5", "shaping=none")
_NETWORKS = ("n_envs=1", "agent.net_arch=[64,64]", "agent.batch_size=64", "agent.learning_rate=0.001")
_GAIL = (*_TASK, "agent=gail_sac", *_NETWORKS, f"agent.demonstrations={DEMONSTRATIONS}")

CLAIM = Comparison(
    title="MuJoCo: a double pendulum, imitated from four episodes of a trained agent",
    text=(
        "InvertedDoublePendulum-v5, which pays some 9 for every step it stands, 1,000 at most; needs `make setup "
        "EXTRAS=mujoco`. `task` is SAC on that reward; its four episodes, one step of twenty kept, are what the others "
        "have. `gp` and `none` are [gail_sac](imitation.md) with and without the gradient penalty, `constant` the "
        "same learner paid 1 a step: standing is all that is asked here, so what it reaches is no imitation. `bc` "
        "clones the same steps. Networks, rates and steps are the same for all, chosen on seed 300."
    ),
    arms={
        "task": (*_TASK, "agent=sac", *_NETWORKS),
        "gp": _GAIL,
        "none": (*_GAIL, "agent.penalty=none"),
        "constant": (*_GAIL, "agent.reward=constant"),
        "bc": (*_TASK, "agent=bc", f"agent.demonstrations={DEMONSTRATIONS}", "n_envs=4"),
    },
    total_timesteps=20_000,
    metric="task_return_mean",
    demonstrations=(f"{RUNS}/task-{SEED}", "episodes=4", "n_envs=4", "subsample=20", f"seed={SEED}"),
    told=TOLD,
    columns=("task_return_mean", "eval_return_mean", *TOLD, "demonstrated_steps"),
)
