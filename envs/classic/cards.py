"""The cards of the small worlds."""

from __future__ import annotations

from envs.catalogue import NAMESPACE, Option

CAPTION_QUEST = f"{NAMESPACE}CaptionQuest-v0"

OPTIONS = (
    Option(
        "classic/caption_quest",
        CAPTION_QUEST,
        steps=300_000,
        events=("picked_up_key", "opened_trapdoor", "deeper_level"),
        task="Take the key, unlock the trapdoor and climb down, on every level.",
        subgoals={
            "pick up the key": "picked_up_key",
            "unlock the trapdoor": "opened_trapdoor",
            "climb down": "deeper_level",
        },
    ),
)
