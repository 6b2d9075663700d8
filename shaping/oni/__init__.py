"""ONI: a reward that is distilled online from a language model's opinion of messages."""

from shaping.oni.annotators import Annotator, LanguageModelAnnotator, RecordedAnnotator, RuleAnnotator
from shaping.oni.labels import Labels
from shaping.oni.term import OniTerm

__all__ = ["Annotator", "Labels", "LanguageModelAnnotator", "OniTerm", "RecordedAnnotator", "RuleAnnotator"]
