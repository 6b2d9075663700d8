"""What the oni term costs."""

from scripts.benchmarks.oni import study
from scripts.experiments.claim import Measurement

CLAIM = Measurement(
    title="What the oni term costs",
    text=(
        "PPO on MiniHack-KeyRoom-S5, 12,288 steps a turn, every row in turn: without terms, with the three reward "
        "functions of the [oni term](terms/oni.md) and labels at hand, and with retrieval beside an annotator "
        "that takes a second an answer and is always being asked. Shares are timed inside the run; speeds drift "
        "with the machine. A seed is a turn."
    ),
    measure=study,
    picture="share of the training time that the term takes, learning included; a dot is a turn",
)
