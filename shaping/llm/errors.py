"""What can go wrong between us and a language model, by what there is to do about it."""


class LanguageModelError(Exception):
    """A question was not answered."""


class Unavailable(LanguageModelError):
    """The model is down, slow or answers with an HTTP error: ask the same again later."""


class Rejected(LanguageModelError):
    """The model answered with something that cannot be used: asking again gives the same."""


class NotRecorded(LanguageModelError):
    """Answers come from a recording (``replay``), and this question is not in it."""
