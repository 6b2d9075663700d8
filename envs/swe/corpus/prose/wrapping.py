"""Paragraphs: breaking lines, filling them out, and short names for long titles."""


def break_lines(text, width):
    """Lines of at most `width` characters, broken between words; a longer word is cut."""
    if width < 1:
        raise ValueError("width must be at least 1")
    lines = []
    line = ""
    for word in text.split():
        while len(word) > width:
            if line:
                lines.append(line)
                line = ""
            lines.append(word[:width])
            word = word[width:]
        if not word:
            continue
        if not line:
            line = word
        elif len(line) + 1 + len(word) <= width:
            line = line + " " + word
        else:
            lines.append(line)
            line = word
    if line:
        lines.append(line)
    return lines


def justify(line, width):
    """Spread the words over the whole width; the gaps on the left are the wider ones."""
    words = line.split()
    if len(words) < 2:
        return line.strip().ljust(width)
    letters = 0
    for word in words:
        letters += len(word)
    spaces = width - letters
    gaps = len(words) - 1
    if spaces < gaps:
        return " ".join(words)
    small = spaces // gaps
    wide = spaces % gaps
    result = words[0]
    for index, word in enumerate(words[1:]):
        size = small + 1 if index < wide else small
        result += " " * size + word
    return result


def centre(line, width, fill="."):
    """The line in the middle; an odd place goes to the right."""
    room = width - len(line)
    if room <= 0:
        return line
    left = room // 2
    right = room - left
    return fill * left + line + fill * right


def paragraph(text, width):
    """Justified lines, all but the last."""
    lines = break_lines(text, width)
    if not lines:
        return []
    filled = [justify(line, width) for line in lines[:-1]]
    return [*filled, lines[-1]]


def slug(title, limit=30):
    """Lower-case letters and digits, joined by single hyphens, cut after a whole word."""
    parts = []
    part = ""
    for letter in title.lower():
        if letter.isascii() and letter.isalnum():
            part += letter
        elif part:
            parts.append(part)
            part = ""
    if part:
        parts.append(part)
    result = ""
    for part in parts:
        longer = result + "-" + part if result else part
        if len(longer) > limit:
            break
        result = longer
    return result


def initials(name):
    """'Ada King Lovelace' is 'A. K. L.'; a hyphen keeps both letters: 'J.-P.'."""
    shortened = []
    for word in name.split():
        halves = [half[0].upper() + "." for half in word.split("-") if half]
        if halves:
            shortened.append("-".join(halves))
    return " ".join(shortened)


def indent(lines, depth, hanging=0):
    """Move lines to the right; those after the first by `hanging` more."""
    moved = []
    for index, line in enumerate(lines):
        if not line:
            moved.append("")
        elif index == 0:
            moved.append(" " * depth + line)
        else:
            moved.append(" " * (depth + hanging) + line)
    return moved
