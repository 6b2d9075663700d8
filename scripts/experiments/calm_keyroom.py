"""KeyRoom-S5: subgoals judged by symbols, by the embedded language model, by chance."""

from scripts.experiments.claim import Comparison
from scripts.experiments.key_room_settings import KEY_ROOM
from scripts.experiments.language_model_settings import OWN_ANSWERS

_CALM = (*KEY_ROOM, "shaping=calm")

CLAIM = Comparison(
    title="KeyRoom-S5: subgoals judged by symbols, by the embedded language model, by chance",
    text=(
        "MiniHack-KeyRoom-S5 with the two subgoals *pick up the key* and *open the door*, paid by the [calm "
        "term](terms/calm.md) once an episode. `symbolic` reads the environment's own events, the upper bound; "
        "`symbolic-pbrs` and `symbolic-pbrs-shift` are its potential-based forms. `llm` asks "
        "SmolLM2-135M-Instruct about every different caption, and steps wait for its first answers: `llm-cached` "
        "pays what it says, `llm-distilled` what a classifier learned from that. `llm-background` starts with an "
        "empty cache and waits for no answer. `potential` is the distance to the stairs, which the door hides. "
        "`random-subgoals` says yes with probability 0.05."
    ),
    arms={
        "none": (*KEY_ROOM, "shaping=none"),
        "potential": (*KEY_ROOM, "shaping=potential"),
        "symbolic-once": (*_CALM, "shaping.terms.calm.detector=symbolic"),
        "symbolic-pbrs": (
            *_CALM,
            "shaping.terms.calm.detector=symbolic",
            "shaping.terms.calm.mode=pbrs",
            "shaping.terms.calm.weight=0.25",
        ),
        "llm-cached": (*_CALM, "shaping.terms.calm.patience=inf"),
        "llm-background": (*_CALM, "shaping.terms.calm.patience=0", OWN_ANSWERS),
        "llm-distilled": (*_CALM, "shaping.terms.calm.detector=distilled", "shaping.terms.calm.patience=inf"),
        "symbolic-pbrs-shift": (
            *_CALM,
            "shaping.terms.calm.detector=symbolic",
            "shaping.terms.calm.mode=pbrs_shift",
        ),
        "random-subgoals": (*_CALM, "shaping.terms.calm.detector=random"),
    },
    total_timesteps=120_000,
)
