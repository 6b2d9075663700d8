"""Key room transitions: which subgoal was achieved?"""

from scripts.annotation.study import study
from scripts.experiments.claim import Measurement

CLAIM = Measurement(
    title="Key room transitions: which subgoal was achieved?",
    text=(
        "The CALM paper's own evaluation: 50 transitions a set, as many with a key taken and a door opened as "
        "with neither (balanced), or 4 % of each (unbalanced), and the question whether any subgoal was achieved. "
        "Labels are the environment's events; play is half scripted, half random. The embedded model sees the "
        "caption, the 9×9 crop with action and message, the map, or the map with action and message, before and "
        "after, and is given the two subgoals or (`discovered`) none. `zero-shot` is asked yes or no, without an "
        "example. `action-rule` says yes to every pickup and apply. A seed is a seed of the data set."
    ),
    measure=study,
    picture="what the judges said on the balanced sets against what happened, all seeds together",
)
