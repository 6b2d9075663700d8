"""PPO with the calm term beside a language model that answers, against one that is never asked."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import envs
from scripts.benchmarks.learner import PPO_TASK, Learner
from scripts.benchmarks.turns import Arguments, compared, median_of_turns
from shaping import make_term
from shaping.llm import LanguageModel, ResponseCache


def annotation(arguments: Arguments) -> dict[str, Any]:
    """Measure training beside a language model that answers; {"rows": [...], "ratios": {...}}."""
    subgoals = envs.options()["minihack/key_room"].subgoals

    def calm(folder: str, asks: bool) -> Any:
        # A recording without answers is a model that is never asked.
        model = LanguageModel(cache=str(Path(folder) / "answers.sqlite"), replay=not asks)
        return make_term("calm", subgoals=subgoals, patience=0.0, language_model=model)

    answers: list[float] = []
    with tempfile.TemporaryDirectory() as folder:
        recording = ResponseCache(Path(folder) / "answers.sqlite")
        recording.put("nobody", "0", {}, {})  # a recording must hold something
        recording.close()
        plain = Learner("ours", 2, {"calm": calm(folder, asks=False)})

        def alone() -> float:
            return plain.speed(arguments.train_steps)

        def annotating() -> float:
            with tempfile.TemporaryDirectory() as turn_folder:
                term = calm(turn_folder, asks=True)
                beside = Learner("ours", 2, {"calm": term})
                beside.speed(1024)  # questions come up and the server starts
                while not term.language_model.metrics()["asked"]:
                    time.sleep(0.1)
                before = term.language_model.metrics()["asked"]
                speed = beside.speed(arguments.train_steps)
                service = term.detector.update()
                if not service["questions_waiting"] + service["questions_in_flight"]:
                    raise RuntimeError("the questions ended before the turn did: give fewer train_steps=")
                if term.language_model.metrics()["asked"] == before:
                    raise RuntimeError("no question was asked in this turn: give more train_steps=")
                answers.append(term.language_model.metrics()["asked"] - before)
                beside.venv.close()
            return speed

        measured = median_of_turns({"nothing asked": alone, "annotating": annotating}, arguments.repeats)
        plain.venv.close()
    medians = {name: statistics.median(speeds) for name, speeds in measured.items()}
    rows = compared(f"{PPO_TASK}, PPO and calm", measured, "nothing asked")
    for row in rows:
        if row["path"] == "annotating":
            row["path"] = f"annotating, {statistics.median(answers):.0f} questions a turn"
    return {"rows": rows, "ratios": {"annotating_vs_not": round(medians["annotating"] / medians["nothing asked"], 4)}}
