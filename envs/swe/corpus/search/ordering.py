"""Sorting and searching in lists."""


def find(values, wanted):
    """First place of a value in an ordered list, -1 where it is not."""
    place = lower(values, wanted)
    if place < len(values) and values[place] == wanted:
        return place
    return -1


def lower(values, wanted):
    """How many values of an ordered list are smaller."""
    low = 0
    high = len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle] < wanted:
            low = middle + 1
        else:
            high = middle
    return low


def upper(values, wanted):
    """How many values of an ordered list are not larger."""
    low = 0
    high = len(values)
    while low < high:
        middle = (low + high) // 2
        if values[middle] <= wanted:
            low = middle + 1
        else:
            high = middle
    return low


def count(values, wanted):
    """How often an ordered list has a value."""
    return upper(values, wanted) - lower(values, wanted)


def nearest(values, wanted):
    """The value of an ordered list that is nearest; of two, the smaller."""
    if not values:
        raise ValueError("an empty list has no nearest value")
    place = lower(values, wanted)
    if place == 0:
        return values[0]
    if place == len(values):
        return values[-1]
    before, after = values[place - 1], values[place]
    if wanted - before <= after - wanted:
        return before
    return after


def merge_sort(values):
    """In order; equal ones keep theirs."""
    if len(values) < 2:
        return list(values)
    middle = len(values) // 2
    left = merge_sort(values[:middle])
    right = merge_sort(values[middle:])
    merged = []
    i = 0
    j = 0
    while i < len(left) and j < len(right):
        if right[j] < left[i]:
            merged.append(right[j])
            j += 1
        else:
            merged.append(left[i])
            i += 1
    return merged + left[i:] + right[j:]


def inversions(values):
    """How many pairs stand the wrong way round."""
    wrong = 0
    for first in range(len(values)):
        for second in range(first + 1, len(values)):
            if values[first] > values[second]:
                wrong += 1
    return wrong


def smallest(values, rank):
    """The value of a rank, 0 being the smallest, without sorting all."""
    if rank < 0 or rank >= len(values):
        raise IndexError(rank)
    pivot = values[len(values) // 2]
    below = [value for value in values if value < pivot]
    equal = [value for value in values if value == pivot]
    if rank < len(below):
        return smallest(below, rank)
    if rank < len(below) + len(equal):
        return pivot
    above = [value for value in values if value > pivot]
    return smallest(above, rank - len(below) - len(equal))


def rotated(values, turns):
    """The list moved to the right, round and round."""
    if not values:
        return []
    cut = -turns % len(values)
    return values[cut:] + values[:cut]


def longest_rising(values):
    """Length of the longest strictly rising choice of values, in their order."""
    ends = []
    for value in values:
        place = lower(ends, value)
        if place == len(ends):
            ends.append(value)
        else:
            ends[place] = value
    return len(ends)


def next_order(values):
    """The next arrangement in dictionary order; None after the last."""
    result = list(values)
    place = len(result) - 2
    while place >= 0 and result[place] >= result[place + 1]:
        place -= 1
    if place < 0:
        return None
    other = len(result) - 1
    while result[other] <= result[place]:
        other -= 1
    result[place], result[other] = result[other], result[place]
    return result[: place + 1] + result[place + 1 :][::-1]


def ranks(values):
    """Place of every value among the ordered ones, from 1; equal ones share the best."""
    ordered = merge_sort(values)
    return [lower(ordered, value) + 1 for value in values]
