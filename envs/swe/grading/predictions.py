"""Predictions in SWE-bench's format: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from foundation.files import replace_text

LONGEST_FILE = 256 << 20


@dataclass(frozen=True)
class Prediction:
    """What a model would do to an instance; `model_patch` is "" where it does nothing."""

    instance_id: str
    model_name_or_path: str
    model_patch: str


def read_predictions(path: Path) -> dict[str, Prediction]:
    """By instance. Raises ValueError, with the line, for what is none or names one twice."""
    if path.stat().st_size > LONGEST_FILE:
        raise ValueError(f"{path} has more than {LONGEST_FILE} bytes: split it")
    predictions: dict[str, Prediction] = {}
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        if line.strip():
            prediction = _prediction(line, f"{path}:{number}")
            if prediction.instance_id in predictions:
                raise ValueError(f"{path}:{number}: a second prediction for {prediction.instance_id}; keep one")
            predictions[prediction.instance_id] = prediction
    return predictions


def write_predictions(path: Path, predictions: Iterable[Prediction]) -> None:
    replace_text(path, "".join(f"{json.dumps(asdict(prediction))}\n" for prediction in predictions))


def _prediction(line: str, place: str) -> Prediction:
    try:
        values = json.loads(line)
        patch = values["model_patch"]
        found = Prediction(values["instance_id"], values["model_name_or_path"], "" if patch is None else patch)
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{place}: expected instance_id, model_name_or_path and model_patch: {error!r}") from error
    if not all(isinstance(value, str) for value in asdict(found).values()):
        raise ValueError(f"{place}: instance_id, model_name_or_path and model_patch are texts")
    return found
