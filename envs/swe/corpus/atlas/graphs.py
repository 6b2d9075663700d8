"""Graphs of [from, to] or [from, to, length] edges: orders, parts, paths."""

from heaps import Heap


class Circle(ValueError):
    """The edges go round."""


def neighbours(edges, both=False):
    """Node -> the nodes that an edge leads to, in order."""
    table = {}
    for edge in edges:
        start, end = edge[0], edge[1]
        table.setdefault(start, []).append(end)
        table.setdefault(end, [])
        if both:
            table[end].append(start)
    return {node: sorted(table[node]) for node in sorted(table)}


def topological(edges):
    """Every node after those that lead to it; the smallest first where there is a choice."""
    table = neighbours(edges)
    waiting = dict.fromkeys(table, 0)
    for ends in table.values():
        for end in ends:
            waiting[end] += 1
    ready = Heap([(node, node) for node in table if waiting[node] == 0])
    order = []
    while ready.entries:
        _, node = ready.pop()
        order.append(node)
        for end in table[node]:
            waiting[end] -= 1
            if waiting[end] == 0:
                ready.push(end, end)
    if len(order) < len(table):
        raise Circle("the edges go round")
    return order


def components(edges, alone=()):
    """Sets of nodes that hang together, as sorted lists; `alone` are nodes without edges."""
    table = neighbours(edges, both=True)
    for node in alone:
        table.setdefault(node, [])
    seen = set()
    parts = []
    for start in sorted(table):
        if start in seen:
            continue
        part = []
        stack = [start]
        seen.add(start)
        while stack:
            node = stack.pop()
            part.append(node)
            for end in table[node]:
                if end not in seen:
                    seen.add(end)
                    stack.append(end)
        parts.append(sorted(part))
    return parts


def distances(edges, start):
    """Node -> length of the shortest way there, as sorted pairs."""
    table = {}
    for first, second, length in edges:
        if length < 0:
            raise ValueError("lengths must not be negative")
        table.setdefault(first, []).append((second, length))
    known = {}
    heap = Heap([(0, start)])
    while heap.entries:
        distance, node = heap.pop()
        if node in known:
            continue
        known[node] = distance
        for end, length in table.get(node, []):
            if end not in known:
                heap.push(distance + length, end)
    return sorted(known.items())


def path(edges, start, goal):
    """A shortest way in steps, as a list of nodes; None where there is none."""
    table = neighbours(edges)
    came = {start: None}
    queue = [start]
    while queue:
        node = queue.pop(0)
        if node == goal:
            break
        for end in table.get(node, []):
            if end not in came:
                came[end] = node
                queue.append(end)
    if goal not in came:
        return None
    way = []
    node = goal
    while node is not None:
        way.append(node)
        node = came[node]
    return way[::-1]


def spanning(edges):
    """Length of the shortest set of edges that connects what can be connected."""
    leader = {}
    for first, second, _ in edges:
        leader[first] = first
        leader[second] = second

    def find(node):
        while leader[node] != node:
            node = leader[node]
        return node

    length = 0
    for first, second, weight in sorted(edges, key=lambda edge: edge[2]):
        one, other = find(first), find(second)
        if one != other:
            leader[one] = other
            length += weight
    return length


def is_two_coloured(edges):
    """Whether two colours do for the nodes, no edge joining two of one colour."""
    table = neighbours(edges, both=True)
    colours = {}
    for start in table:
        if start in colours:
            continue
        colours[start] = 0
        stack = [start]
        while stack:
            node = stack.pop()
            for end in table[node]:
                if end not in colours:
                    colours[end] = 1 - colours[node]
                    stack.append(end)
                elif colours[end] == colours[node]:
                    return False
    return True
