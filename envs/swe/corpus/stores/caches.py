"""Things that are kept for a while: by use, by time, by a window. Clocks are arguments."""


class Bounded:
    """What all of them share: a capacity and counts of hits and misses."""

    def __init__(self, capacity):
        if capacity < 1:
            raise ValueError("capacity must be at least 1")
        self.capacity = capacity
        self.entries = {}
        self.hits = 0
        self.misses = 0

    def count(self, found):
        """Note a look-up."""
        if found:
            self.hits += 1
        else:
            self.misses += 1
        return found

    def rate(self):
        """Share of look-ups that found something, in whole per cent."""
        asked = self.hits + self.misses
        if asked == 0:
            return 0
        return 100 * self.hits // asked


class RecentlyUsed(Bounded):
    """Forgets what was not used for longest."""

    def put(self, key, value):
        """What was forgotten for it, or None."""
        forgotten = None
        if key in self.entries:
            del self.entries[key]
        elif len(self.entries) >= self.capacity:
            forgotten = next(iter(self.entries))
            del self.entries[forgotten]
        self.entries[key] = value
        return forgotten

    def get(self, key):
        """The value, None where there is none."""
        if not self.count(key in self.entries):
            return None
        value = self.entries.pop(key)
        self.entries[key] = value
        return value

    def keys(self):
        """The next to be forgotten first."""
        return list(self.entries)


class Timed(Bounded):
    """Forgets what is older than a life; the clock is told."""

    def __init__(self, capacity, life):
        super().__init__(capacity)
        self.life = life

    def put(self, key, value, now):
        """Put a value; where there is no room, what ends first goes."""
        self.sweep(now)
        if key not in self.entries and len(self.entries) >= self.capacity:
            first = min(self.entries, key=lambda name: (self.entries[name][1], name))
            del self.entries[first]
        self.entries[key] = (value, now + self.life)

    def get(self, key, now):
        """The value, None where there is none or its time is over."""
        value, end = self.entries.get(key, (None, now))
        return value if self.count(end > now) else None

    def sweep(self, now):
        """How many were over."""
        over = [key for key, (_, end) in self.entries.items() if end <= now]
        for key in over:
            del self.entries[key]
        return len(over)


def play(cache, operations):
    """Results of (method, arguments...) in turn."""
    results = []
    for name, *arguments in operations:
        results.append(getattr(cache, name)(*arguments))
    return results


def play_recent(capacity, operations):
    """Results, and the keys that are left."""
    cache = RecentlyUsed(capacity)
    results = play(cache, operations)
    return (results, cache.keys(), cache.rate())


def play_timed(capacity, life, operations):
    """Results, and the keys that are left."""
    cache = Timed(capacity, life)
    results = play(cache, operations)
    return (results, sorted(cache.entries), cache.rate())


class Limiter:
    """At most so many calls in a window of time."""

    def __init__(self, most, window):
        self.most = most
        self.window = window
        self.calls = []

    def allow(self, now):
        """Whether a call may be made now; it is counted if so."""
        self.calls = [call for call in self.calls if call > now - self.window]
        if len(self.calls) < self.most:
            self.calls.append(now)
            return True
        return False

    def allowed(self, times):
        """Which of the calls at these times were allowed."""
        return [now for now in times if self.allow(now)]


class Ring:
    """The last so many values."""

    def __init__(self, size):
        self.values = [None] * size
        self.place = 0
        self.filled = 0

    def extend(self, values):
        """What is kept after these, the oldest first."""
        for value in values:
            self.values[self.place] = value
            self.place = (self.place + 1) % len(self.values)
            self.filled = min(self.filled + 1, len(self.values))
        return self.kept()

    def kept(self):
        """The oldest first."""
        start = (self.place - self.filled) % len(self.values)
        return [self.values[(start + step) % len(self.values)] for step in range(self.filled)]
