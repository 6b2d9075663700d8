"""What each part of Lipschitz GAIL is worth on PointMass: penalties, PURPLE, labels, returns."""

from scripts.experiments.claim import Comparison
from scripts.experiments.point_mass_settings import CLONED, RECORDED, STEPS, TOLD, imitator

_JACOBIANS = {
    "model_jacobian": ("train/model_jacobian",),
    "policy_jacobian": ("train/policy_jacobian",),
    "kappa": ("train/kappa",),
    "gamma2_c": ("train/gamma2_c",),
}
_FOUR = "d_steps=4"

CLAIM = Comparison(
    title="Off-policy adversarial imitation: where, how hard and on which side to penalise",
    text=(
        "PointMass as in `gail-pointmass`, four minibatches of the discriminator an update. `wgan`, `dragan`, `nagard` "
        "and `bare` are the places where the slope is looked at, one-sided with λ = 10 and k = 1; `-two` is two-sided; "
        "`wgan-0.01` to `wgan-100` are other λ. `sn` adds spectral norms to `wgan`, `labels` labels between .7 and "
        "1.2, `ten-steps` returns over ten steps, `airl` and `nonsat` other rewards of the same discriminator, "
        "`state` hides actions from it. `purple-batch` and `purple-sample` multiply the reward by κ with τ = 2 (the "
        "model's slopes here are far below the paper's 6), and `model` fits the same forward model without using it. "
        "Jacobian norms are mean Frobenius norms over a replayed batch."
    ),
    arms={
        **{place: imitator(f"penalty={place}", _FOUR) for place in ("wgan", "dragan", "nagard", "bare")},
        **{
            f"{place}-two": imitator(f"penalty={place}", "penalty_one_sided=false", _FOUR)
            for place in ("wgan", "dragan", "nagard")
        },
        **{f"wgan-{weight:g}": imitator(f"penalty_weight={weight:g}", _FOUR) for weight in (0.01, 0.1, 1, 100)},
        "sn": imitator("spectral_norm=true", _FOUR),
        "labels": imitator("labels=uniform", _FOUR),
        "ten-steps": imitator("n_steps=10", _FOUR),
        "airl": imitator("reward=airl", _FOUR),
        "nonsat": imitator("reward=nonsat", _FOUR),
        "state": imitator("sees=state", _FOUR),
        "model": imitator("fit_model=true", _FOUR),
        "purple-batch": imitator("purple=batch", "purple_tau=2", _FOUR),
        "purple-sample": imitator("purple=sample", "purple_tau=2", _FOUR),
        "bc": CLONED,
    },
    total_timesteps=STEPS,
    metric="task_return_mean",
    demonstrations=RECORDED,
    told=TOLD | _JACOBIANS,
    columns=("task_return_mean", "eval_return_mean", *TOLD, *_JACOBIANS),
)
