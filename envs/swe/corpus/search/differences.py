"""What two lists share and how one becomes the other."""


def common(first, second):
    """The longest list that both hold in this order; what comes early in the first is preferred."""
    table = lengths(first, second)
    shared = []
    i = 0
    j = 0
    while i < len(first) and j < len(second):
        if first[i] == second[j]:
            shared.append(first[i])
            i += 1
            j += 1
        elif table[i + 1][j] >= table[i][j + 1]:
            i += 1
        else:
            j += 1
    return shared


def lengths(first, second):
    """How much the rests of both share, from every place on."""
    table = [[0] * (len(second) + 1) for _ in range(len(first) + 1)]
    for i in range(len(first) - 1, -1, -1):
        for j in range(len(second) - 1, -1, -1):
            if first[i] == second[j]:
                table[i][j] = table[i + 1][j + 1] + 1
            else:
                table[i][j] = max(table[i + 1][j], table[i][j + 1])
    return table


def steps(first, second):
    """[(' ', item), ('-', item), ('+', item)]: what stays, goes and comes."""
    table = lengths(first, second)
    found = []
    i = 0
    j = 0
    while i < len(first) or j < len(second):
        if i < len(first) and j < len(second) and first[i] == second[j]:
            found.append((" ", first[i]))
            i += 1
            j += 1
        elif j == len(second) or (i < len(first) and table[i + 1][j] >= table[i][j + 1]):
            found.append(("-", first[i]))
            i += 1
        else:
            found.append(("+", second[j]))
            j += 1
    return found


def apply(first, changes):
    """The second list, of the first and the steps."""
    result = []
    place = 0
    for sign, item in changes:
        if sign == "+":
            result.append(item)
            continue
        if place >= len(first) or first[place] != item:
            raise ValueError(f"item {place} is not {item}")
        if sign == " ":
            result.append(item)
        place += 1
    if place < len(first):
        raise ValueError("steps are missing")
    return result


def similarity(first, second):
    """Share of both that is common, in per cent, rounded down."""
    size = len(first) + len(second)
    if size == 0:
        return 100
    return 200 * lengths(first, second)[0][0] // size


def changed(old, new):
    """(added, removed, changed) keys of two dicts, each in order."""
    added = sorted(key for key in new if key not in old)
    removed = sorted(key for key in old if key not in new)
    different = sorted(key for key in old if key in new and old[key] != new[key])
    return (added, removed, different)


def merge(base, ours, theirs):
    """Three dicts: what one side changed wins; (merged pairs, keys both changed differently)."""
    merged = {}
    conflicts = []
    for key in sorted({*base, *ours, *theirs}):
        before, left, right = base.get(key), ours.get(key), theirs.get(key)
        if left == right:
            chosen = left
        elif left == before:
            chosen = right
        elif right == before:
            chosen = left
        else:
            conflicts.append(key)
            chosen = left
        if chosen is not None:
            merged[key] = chosen
    return (sorted(merged.items()), conflicts)


def windows(items, size, step=1):
    """Pieces of a size, each `step` after the one before."""
    if size < 1 or step < 1:
        raise ValueError("size and step are at least 1")
    pieces = []
    start = 0
    while start + size <= len(items):
        pieces.append(items[start : start + size])
        start += step
    return pieces


def moved(first, second):
    """Items of both lists that stand at another place, as (item, old, new)."""
    found = []
    for old, item in enumerate(first):
        if item in second:
            new = second.index(item)
            if new != old:
                found.append((item, old, new))
    return found
