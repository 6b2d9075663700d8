"""The language-model layer: one client, an embedded model, a cache, questions in the background.

>>> from shaping.llm import LanguageModel
>>> model = LanguageModel()  # embedded; starts with the first question
>>> model.choose("The sky is", [" blue\\n", " green\\n"], version="1")  # doctest: +SKIP
{' blue\\n': -2.1, ' green\\n': -7.9}
"""

from shaping.llm.cache import ResponseCache
from shaping.llm.calibration import Threshold, calibrated
from shaping.llm.client import LanguageModel
from shaping.llm.errors import LanguageModelError, NotRecorded, Rejected, Unavailable
from shaping.llm.server import EmbeddedServer
from shaping.llm.service import AnswerService, patient

__all__ = [
    "AnswerService",
    "EmbeddedServer",
    "LanguageModel",
    "LanguageModelError",
    "NotRecorded",
    "Rejected",
    "ResponseCache",
    "Threshold",
    "Unavailable",
    "calibrated",
    "patient",
]
