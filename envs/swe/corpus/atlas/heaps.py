"""A priority queue: the smallest comes out first, equal ones in the order in which they came."""


class Empty(IndexError):
    """Nothing is left."""


class Heap:
    """A binary heap of (priority, number, item)."""

    def __init__(self, items=()):
        self.entries = []
        self.count = 0
        for priority, item in items:
            self.push(priority, item)

    def push(self, priority, item):
        """Put an item in its place."""
        self.entries.append((priority, self.count, item))
        self.count += 1
        self.rise(len(self.entries) - 1)

    def pop(self):
        """Take the smallest: (priority, item)."""
        if not self.entries:
            raise Empty("the heap is empty")
        smallest = self.entries[0]
        last = self.entries.pop()
        if self.entries:
            self.entries[0] = last
            self.sink(0)
        return (smallest[0], smallest[2])

    def peek(self):
        """The smallest, which stays."""
        if not self.entries:
            raise Empty("the heap is empty")
        return (self.entries[0][0], self.entries[0][2])

    def drain(self):
        """All items in order; the heap is empty then."""
        items = []
        while self.entries:
            items.append(self.pop()[1])
        return items

    def rise(self, index):
        """Move an entry towards the root while it is smaller than what is above it."""
        while index > 0:
            parent = (index - 1) // 2
            if self.entries[index][:2] >= self.entries[parent][:2]:
                break
            self.exchange(index, parent)
            index = parent

    def sink(self, index):
        """Move an entry away from the root while something below it is smaller."""
        size = len(self.entries)
        while True:
            child = 2 * index + 1
            if child >= size:
                break
            if child + 1 < size and self.entries[child + 1][:2] < self.entries[child][:2]:
                child += 1
            if self.entries[index][:2] <= self.entries[child][:2]:
                break
            self.exchange(index, child)
            index = child

    def exchange(self, first, second):
        """Two entries change places."""
        self.entries[first], self.entries[second] = self.entries[second], self.entries[first]


def ordered(items):
    """A list in order, by way of the heap."""
    heap = Heap()
    for item in items:
        heap.push(item, item)
    return heap.drain()


def largest(items, count):
    """The largest items, the largest first."""
    heap = Heap()
    for item in items:
        heap.push(item, item)
        if len(heap.entries) > count:
            heap.pop()
    return list(reversed(heap.drain()))


def merge_sorted(lists):
    """One ordered list of several ordered ones."""
    heap = Heap()
    for place, values in enumerate(lists):
        if values:
            heap.push(values[0], (place, 0))
    merged = []
    while heap.entries:
        value, (place, index) = heap.pop()
        merged.append(value)
        if index + 1 < len(lists[place]):
            heap.push(lists[place][index + 1], (place, index + 1))
    return merged


def is_heap(values):
    """Whether every value is at least as large as the one above it."""
    for index in range(1, len(values)):
        if values[(index - 1) // 2] > values[index]:
            return False
    return True
