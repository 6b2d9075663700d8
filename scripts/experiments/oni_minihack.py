"""KeyRoom-S5: messages judged by the embedded language model."""

from scripts.experiments.claim import Comparison
from scripts.experiments.key_room_settings import KEY_ROOM
from scripts.experiments.language_model_settings import OWN_ANSWERS

CLAIM = Comparison(
    title="KeyRoom-S5: messages judged by the embedded language model",
    text=(
        "MiniHack-KeyRoom-S5, a sparse task, with rewards for the game's messages from the [oni "
        "term](terms/oni.md). `retrieval-llm` and `classification-llm` ask SmolLM2-135M-Instruct in the "
        "background from an empty cache and never wait. `count` pays for every message (label all 1), `rnd` for "
        "novel observations. Weights were chosen among three on seeds 0 and 1: count 0.03, 0.1, **0.3**; rnd "
        "0.01, **0.1**, 1 (all the same, 0 %); retrieval 0.1, 0.5, **1**; classification has retrieval's."
    ),
    arms={
        "none": (*KEY_ROOM, "shaping=none"),
        "rnd": (*KEY_ROOM, "shaping=rnd", "shaping.terms.rnd.weight=0.1"),
        "count": (*KEY_ROOM, "shaping=oni/count", "shaping.terms.oni.weight=0.3"),
        "retrieval-llm": (*KEY_ROOM, "shaping=oni/retrieval", "shaping.terms.oni.weight=1", OWN_ANSWERS),
        "classification-llm": (
            *KEY_ROOM,
            "shaping=oni/classification",
            "shaping.terms.oni.weight=1",
            OWN_ANSWERS,
        ),
    },
    total_timesteps=120_000,
)
