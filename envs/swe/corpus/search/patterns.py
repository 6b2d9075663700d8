"""Finding words in texts: exactly, with wild cards, with faults."""


def prefixes(word):
    """For every beginning of a word, how long its longest border is."""
    borders = [0] * len(word)
    length = 0
    for index in range(1, len(word)):
        while length and word[index] != word[length]:
            length = borders[length - 1]
        if word[index] == word[length]:
            length += 1
        borders[index] = length
    return borders


def occurrences(text, word):
    """Where a word begins in a text, overlaps included."""
    if not word:
        return list(range(len(text) + 1))
    borders = prefixes(word)
    found = []
    length = 0
    for index, letter in enumerate(text):
        while length and letter != word[length]:
            length = borders[length - 1]
        if letter == word[length]:
            length += 1
        if length == len(word):
            found.append(index - length + 1)
            length = borders[length - 1]
    return found


def matches(pattern, text):
    """Whether a whole text fits: * is anything, ? one letter, [abc] and [!abc] a choice."""
    if not pattern:
        return not text
    if pattern[0] == "*":
        return any(matches(pattern[1:], text[cut:]) for cut in range(len(text) + 1))
    if not text:
        return False
    if pattern[0] == "[" and "]" in pattern[2:]:
        end = pattern.index("]", 2)
        choice = pattern[1:end]
        refused = choice.startswith("!")
        if refused:
            choice = choice[1:]
        return (text[0] in choice) != refused and matches(pattern[end + 1 :], text[1:])
    if pattern[0] == "?" or pattern[0] == text[0]:
        return matches(pattern[1:], text[1:])
    return False


def distance(first, second):
    """Fewest letters to put in, leave out or change."""
    row = list(range(len(second) + 1))
    for i, letter in enumerate(first, start=1):
        before = row
        row = [i]
        for j, other in enumerate(second, start=1):
            change = before[j - 1] + (0 if letter == other else 1)
            row.append(min(change, before[j] + 1, row[j - 1] + 1))
    return row[-1]


def closest(word, words, most=2):
    """The first word with the fewest faults; None where all have more than `most`."""
    best = None
    faults = most + 1
    for candidate in words:
        if abs(len(candidate) - len(word)) >= faults:
            continue
        apart = distance(word, candidate)
        if apart < faults:
            best = candidate
            faults = apart
    return best


def palindromes(text):
    """The longest palindrome in a text, the first of equals."""
    best = ""
    for centre in range(len(text)):
        for width in (0, 1):
            left = centre
            right = centre + width
            while left >= 0 and right < len(text) and text[left] == text[right]:
                left -= 1
                right += 1
            if right - left - 1 > len(best):
                best = text[left + 1 : right]
    return best


def common_prefix(words):
    """The beginning that all words share."""
    if not words:
        return ""
    shared = words[0]
    for word in words[1:]:
        while not word.startswith(shared):
            shared = shared[:-1]
    return shared


def frequencies(text, least=1):
    """(word, count) of words without case, the most frequent first, then by letter."""
    counts = {}
    word = ""
    for letter in text.lower() + " ":
        if letter.isalpha():
            word += letter
        elif word:
            counts[word] = counts.get(word, 0) + 1
            word = ""
    kept = [(word, count) for word, count in counts.items() if count >= least]
    return sorted(kept, key=lambda entry: (-entry[1], entry[0]))


class Index:
    """Words of documents, for looking up."""

    def __init__(self, documents):
        self.places = {}
        for number, text in enumerate(documents):
            for word in text.lower().split():
                self.places.setdefault(word, []).append(number)

    def all_of(self, words):
        """Documents that have every word."""
        found = None
        for word in words:
            places = set(self.places.get(word.lower(), []))
            found = places if found is None else found & places
        return sorted(found or [])

    def any_of(self, words):
        """Documents that have one of the words, those with most of them first."""
        scores = {}
        for word in words:
            for number in set(self.places.get(word.lower(), [])):
                scores[number] = scores.get(number, 0) + 1
        return sorted(scores, key=lambda number: (-scores[number], number))

    def starting(self, letters):
        """Words that begin so, in order."""
        return sorted(word for word in self.places if word.startswith(letters.lower()))
