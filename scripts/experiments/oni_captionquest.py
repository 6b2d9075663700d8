"""CaptionQuest: rewards distilled from what the game says."""

from scripts.experiments.claim import Comparison
from scripts.experiments.language_model_settings import OWN_ANSWERS

_CAPTION_QUEST = (
    "env=classic/caption_quest",
    "agent=ppo",
    "n_envs=64",
    "agent.n_steps=64",
    "agent.batch_size=1024",
    "agent.n_epochs=6",
    "agent.learning_rate=1e-3",
    "agent.net_arch=[128,128]",
    "torch_threads=1",
)
_GOLEM = (
    "env.kwargs.dummy=true",
    "shaping=oni/retrieval",
    "shaping.terms.oni.annotator=rules",
    "shaping.terms.oni.rules=['^k - ',unlock,climb,golem]",
)

CLAIM = Comparison(
    title="CaptionQuest: rewards distilled from what the game says",
    text=(
        "A small dungeon of three levels that pays once, at the last descent, and says in words what happens. The "
        "[oni term](terms/oni.md) pays for helpful lines, weight 0.1, with the count decay β = 3. `llm` arms ask "
        "SmolLM2-135M-Instruct while they train, each from an empty cache. `retrieval-rule` has the right labels; "
        "`inverted` turns the model's round; `random` calls 40 % of the lines helpful, another draw each seed. In "
        "the `dummy` arms a boulder gives a line that sounds like a fight won as often as it is asked to, and the "
        "rules call it helpful: without the decay (β = 0) it can be farmed."
    ),
    arms={
        "none": (*_CAPTION_QUEST, "shaping=none"),
        "retrieval-rule": (*_CAPTION_QUEST, "shaping=oni/retrieval", "shaping.terms.oni.annotator=rules"),
        "retrieval-llm": (*_CAPTION_QUEST, "shaping=oni/retrieval", OWN_ANSWERS),
        "classification-llm": (*_CAPTION_QUEST, "shaping=oni/classification", OWN_ANSWERS),
        "ranking-llm": (*_CAPTION_QUEST, "shaping=oni/ranking", OWN_ANSWERS),
        "inverted": (*_CAPTION_QUEST, "shaping=oni/retrieval", "shaping.terms.oni.labels=inverted", OWN_ANSWERS),
        "random": (*_CAPTION_QUEST, "shaping=oni/retrieval", "shaping.terms.oni.annotator=random"),
        "dummy-beta0": (*_CAPTION_QUEST, *_GOLEM, "shaping.terms.oni.beta=0"),
        "dummy-beta3": (*_CAPTION_QUEST, *_GOLEM, "shaping.terms.oni.beta=3"),
    },
    total_timesteps=300_000,
)
