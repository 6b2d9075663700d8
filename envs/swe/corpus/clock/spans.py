"""Half-open spans [start, end) on a line: merging, cutting, and what is free."""


def merge(spans):
    """Joined where they touch or overlap, in order; empty ones are left out."""
    merged = []
    for start, end in sorted(spans):
        if start >= end:
            continue
        if merged and start <= merged[-1][1]:
            merged[-1][1] = max(merged[-1][1], end)
        else:
            merged.append([start, end])
    return merged


def overlap(first, second):
    """What both have, or None."""
    start = max(first[0], second[0])
    end = min(first[1], second[1])
    if start < end:
        return [start, end]
    return None


def total(spans):
    """Length of the line that is covered at least once."""
    length = 0
    for start, end in merge(spans):
        length += end - start
    return length


def gaps(spans, start, end):
    """What is free between two points."""
    if end < start:
        raise ValueError("the end comes before the start")
    free = []
    place = start
    for first, last in merge(spans):
        if last <= place:
            continue
        if first >= end:
            break
        if first > place:
            free.append([place, first])
        place = last
    if place < end:
        free.append([place, end])
    return free


def subtract(spans, others):
    """What of the spans the others leave."""
    left = []
    for start, end in merge(spans):
        left += gaps(others, start, end)
    return left


def intersect(spans, others):
    """Where both sets cover the line."""
    ours = merge(spans)
    theirs = merge(others)
    found = []
    i = 0
    j = 0
    while i < len(ours) and j < len(theirs):
        both = overlap(ours[i], theirs[j])
        if both:
            found.append(both)
        if ours[i][1] < theirs[j][1]:
            i += 1
        else:
            j += 1
    return found


def deepest(spans):
    """How many overlap at most, and the first point at which they do: (count, point)."""
    events = []
    for start, end in spans:
        if start < end:
            events.append((start, 1))
            events.append((end, -1))
    events.sort()
    count = 0
    best = (0, None)
    for point, change in events:
        count += change
        if count > best[0]:
            best = (count, point)
    return best


def first_slot(spans, length, start, end):
    """The first free span of a length, or None."""
    for first, last in gaps(spans, start, end):
        if last - first >= length:
            return [first, first + length]
    return None


def split(span, size):
    """Cut into pieces of a size; the last may be shorter."""
    if size <= 0:
        raise ValueError("size must be above 0")
    pieces = []
    start, end = span
    while start < end:
        pieces.append([start, min(start + size, end)])
        start += size
    return pieces


class Calendar:
    """Bookings by name, none of which overlap."""

    def __init__(self, bookings=()):
        self.booked = {}
        for name, start, end in bookings:
            self.book(name, start, end)

    def book(self, name, start, end):
        """Whether it fitted; nothing changes where it did not."""
        if start >= end or name in self.booked:
            return False
        for other in self.booked.values():
            if overlap(other, [start, end]):
                return False
        self.booked[name] = [start, end]
        return True

    def cancel(self, name):
        """The span that is free again."""
        if name not in self.booked:
            raise KeyError(name)
        return self.booked.pop(name)

    def free(self, start, end):
        """What is free between two points."""
        return gaps(list(self.booked.values()), start, end)

    def busiest(self):
        """The name of the longest booking, the earliest of equals; None where there is none."""
        best = None
        for name, (start, end) in sorted(self.booked.items(), key=lambda item: item[1]):
            if best is None or end - start > self.length(best):
                best = name
        return best

    def length(self, name):
        """How long a booking is."""
        start, end = self.booked[name]
        return end - start
