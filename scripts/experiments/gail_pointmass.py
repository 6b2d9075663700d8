"""Off-policy adversarial imitation of four thinned demonstrations, with and without a penalty."""

from scripts.experiments.claim import Comparison
from scripts.experiments.point_mass_settings import CLONED, RECORDED, STEPS, TOLD, imitator

_REWARDS = {"gp": (), "none": ("penalty=none",), "sn": ("penalty=none", "spectral_norm=true")}

CLAIM = Comparison(
    title="Off-policy adversarial imitation: a penalty on the discriminator's slope",
    text=(
        "[gail_td3](imitation.md) on PointMass from 4 episodes of the scripted expert, one step of ten kept: 24 steps. "
        "`gp` has the gradient penalty of the paper, `none` no penalty, `sn` spectral norms instead; each with one and "
        "with four minibatches of the discriminator an update (`d4`). `sqil` has no discriminator; `constant` and "
        "`random` are controls whose reward says nothing of the expert; `bc` clones the same 24 steps. The return is "
        "the task's own, which none of them sees, over 100 episodes without noise at the end. σ is the "
        "discriminator's on the expert's steps and on the agent's."
    ),
    arms={
        **{f"{name}-d4": imitator(*reward, "d_steps=4") for name, reward in _REWARDS.items()},
        **{f"{name}-d1": imitator(*reward, "d_steps=1") for name, reward in _REWARDS.items()},
        "sqil": imitator("reward=sqil"),
        "constant": imitator("reward=constant"),
        "random": imitator("reward=random"),
        "bc": CLONED,
    },
    total_timesteps=STEPS,
    metric="task_return_mean",
    demonstrations=RECORDED,
    told=TOLD,
    columns=("task_return_mean", "eval_return_mean", *TOLD, "demonstrated_steps"),
)
