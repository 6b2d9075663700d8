"""What the corpus should give, by other means: the standard library, brute force, definitions."""

from __future__ import annotations

import ast
import bisect
import calendar
import csv
import datetime
import fnmatch
import heapq
import itertools
import math
import re
import statistics
import textwrap
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import reduce
from typing import Any

import networkx
import numpy as np
import sympy
from matplotlib.path import Path


def refused() -> Any:
    raise ValueError("what the standard library would take and we do not")


def date(year: int, month: int, day: int) -> datetime.date:
    return datetime.date(year, month, day)


def triple(day: datetime.date) -> tuple[int, int, int]:
    return (day.year, day.month, day.day)


def later_month(start: Any, months: int) -> tuple[int, int, int]:
    year, month = divmod(start[0] * 12 + start[1] - 1 + months, 12)
    return (year, month + 1, min(start[2], calendar.monthrange(year, month + 1)[1]))


def easter(year: int) -> tuple[int, int]:
    from dateutil.easter import easter as computed

    return (computed(year).month, computed(year).day)


def nth_weekday(year: int, month: int, name: str, nth: int) -> int:
    if nth == 0:
        refused()
    days = [week[list(calendar.day_name).index(name)] for week in calendar.monthcalendar(year, month)]
    return [day for day in days if day][nth - 1 if nth > 0 else nth]


def broken(text: str, width: int) -> list[str]:
    return textwrap.wrap(text, width, break_on_hyphens=False)


def covered(spans: Any) -> set[int]:
    return {point for start, end in spans for point in range(start, end)}


def pieces(points: set[int], cuts: Sequence[int] = ()) -> list[list[int]]:
    """Runs of consecutive unit cells as [start, end)."""
    found: list[list[int]] = []
    for point in sorted(points):
        if found and found[-1][1] == point:
            found[-1][1] = point + 1
        else:
            found.append([point, point + 1])
    return found


def deepest(spans: Any) -> tuple[int, int | None]:
    depth = Counter(point for start, end in spans for point in range(start, end))
    if not depth:
        return (0, None)
    most = max(depth.values())
    return (most, min(point for point, count in depth.items() if count == most))


def cancelled(made: Any, name: str) -> list[int]:
    return booked(*made)[name]


def smallest(made: Any) -> Any:
    return min(*made, key=lambda entry: entry[0])


def justified(line: str, width: int) -> str:
    """The narrowest gaps that fill the width, the wider ones first."""
    words = line.split()
    if len(words) < 2:
        return line.strip() + " " * (width - len(line.strip()))
    room = max(width - sum(map(len, words)), len(words) - 1)
    gaps = [" " * (room // (len(words) - 1))] * (len(words) - 1) + [""]
    for place in range(room % (len(words) - 1)):
        gaps[place] += " "
    return "".join(word + gap for word, gap in zip(words, gaps, strict=True))


def paragraph(text: str, width: int) -> list[str]:
    lines = broken(text, width)
    return [justified(line, width) for line in lines[:-1]] + lines[-1:]


def centred(line: str, width: int, fill: str = ".") -> str:
    return f"{line:{fill}^{width}}" if len(line) < width else line


def roman(number: int) -> str:
    if not 0 < number < 4000:
        refused()
    digits = [["", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX"]]
    for letters in ("XLC", "CDM", "M??"):
        digits.append([d.translate(str.maketrans("IVX", letters)) for d in digits[0]])
    return "".join(digits[place][number // 10**place % 10] for place in (3, 2, 1, 0))


ROMANS = {roman(number): number for number in range(1, 4000)}


def shortest(edges: Any, start: str, goal: str) -> list[str] | None:
    graph = digraph(edges)
    graph.add_node(start)
    paths = networkx.all_shortest_paths(graph, start, goal)
    try:
        return min(paths)
    except (networkx.NetworkXNoPath, networkx.NodeNotFound):
        return None


def neighbours(edges: Any, both: bool = False) -> dict[str, list[str]]:
    pairs = [(a, b) for a, b, *_ in edges] + ([(b, a) for a, b, *_ in edges] if both else [])
    return {node: sorted(b for a, b in pairs if a == node) for node in sorted({n for e in edges for n in e[:2]})}


def free(spans: Any, start: int, end: int) -> list[list[int]]:
    return pieces(set(range(start, end)) - covered(spans))


def digraph(edges: Any) -> Any:
    graph = networkx.DiGraph()
    graph.add_edges_from([edge[:2] for edge in edges])
    return graph


def weighted(edges: Any) -> Any:
    if any(edge[2] < 0 for edge in edges):
        refused()
    graph = networkx.MultiDiGraph()
    graph.add_weighted_edges_from(edges)
    return graph


def components(edges: Any, alone: Any = ()) -> list[list[Any]]:
    graph = networkx.Graph([edge[:2] for edge in edges])
    graph.add_nodes_from(alone)
    return sorted(sorted(part) for part in networkx.connected_components(graph))


def spanning(edges: Any) -> int:
    graph = networkx.MultiGraph()
    graph.add_weighted_edges_from(edges)
    return sum(data["weight"] for _, _, data in networkx.minimum_spanning_edges(graph, data=True, keys=False))


def area(corners: Any) -> int:
    return int(2 * sympy.Polygon(*corners).area) if len(set(corners)) > 2 else 0


def inside(corners: Any, point: Any) -> bool:
    return bool(sympy.Polygon(*corners).encloses_point(sympy.Point(point))) or on_border(corners, point)


def points_of(corners: Any) -> list[tuple[int, int]]:
    xs, ys = zip(*corners, strict=True)
    return list(itertools.product(range(min(xs), max(xs) + 1), range(min(ys), max(ys) + 1)))


def on_border(corners: Any, point: Any) -> bool:
    """Whether the ways to the two ends of a side are opposite."""
    ways = np.array(corners) - np.array(point)
    after = np.roll(ways, -1, axis=0)
    return bool(((ways[:, 0] * after[:, 1] == ways[:, 1] * after[:, 0]) & ((ways * after).sum(axis=1) <= 0)).any())


def border(corners: Any) -> int:
    return sum(on_border(corners, point) for point in points_of(corners))


def inner(corners: Any) -> int:
    free = [point for point in points_of(corners) if not on_border(corners, point)]
    return int(Path(corners).contains_points(free).sum()) if free else 0


def meet(first: Any, second: Any) -> bool:
    return bool(sympy.Segment(*first).intersection(sympy.Segment(*second)))


def hull(points: Any) -> list[tuple[int, int]]:
    """Points that are no mixture of others, from the leftmost, by angle."""
    from scipy.spatial import ConvexHull

    if len(set(points)) < 3:
        return sorted(set(points))
    corners = [tuple(int(x) for x in np.array(points)[k]) for k in ConvexHull(np.array(points)).vertices]
    start = corners.index(min(corners))
    return corners[start:] + corners[:start]


def evaluated(text: str, names: Any = ()) -> int:
    """By Python's own grammar, whose minus binds as loosely; large powers are refused."""
    if re.search(r"\^(65|\(0-1\))", text):
        refused()
    return int(eval(text.replace("^", "**").replace("/", "//"), {"__builtins__": {}}, dict(names)))


def base_digits(number: int, base: int) -> str:
    return np.base_repr(number, base).lower()


def varint(number: int) -> list[int]:
    digits = bin(number)[2:]
    groups = [digits[max(0, end - 7) : end] for end in range(len(digits), 0, -7)]
    return [int(group, 2) + (128 if place < len(groups) - 1 else 0) for place, group in enumerate(groups)]


def unpacked(octets: Any) -> tuple[int, int]:
    size = next(place for place, octet in enumerate(octets) if octet < 128) + 1
    return (int("".join(f"{octet % 128:07b}" for octet in reversed(octets[:size])), 2), size)


def ratio(pair: Any) -> Fraction:
    return Fraction(*pair)


def as_pair(value: Fraction) -> tuple[int, int]:
    return (value.numerator, value.denominator)


def calculated(first: Any, sign: str, second: Any) -> tuple[int, int]:
    table: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
        "+": lambda a, b: a + b,
        "-": lambda a, b: a - b,
        "*": lambda a, b: a * b,
        "/": lambda a, b: a / b,
    }
    if sign not in table:
        raise ValueError(sign)
    return as_pair(table[sign](ratio(first), ratio(second)))


def remainders(pairs: Any) -> tuple[int, int] | None:
    product = math.lcm(*(modulus for _, modulus in pairs))
    for number in range(product):
        if all(number % modulus == remainder % modulus for remainder, modulus in pairs):
            return (number, product)
    return None


def solved(matrix: Any, values: Any) -> list[tuple[int, int]] | None:
    square = sympy.Matrix(matrix)
    if square.det() == 0:
        return None
    return [(int(x.p), int(x.q)) for x in square.LUsolve(sympy.Matrix(values))]


def power(matrix: Any, exponent: int) -> list[list[int]]:
    return np.linalg.matrix_power(np.array(matrix, dtype=object), exponent).tolist()


def spiral(matrix: Any) -> list[Any]:
    rows, columns = len(matrix), len(matrix[0])
    seen: list[tuple[int, int]] = []
    row, column, step = 0, 0, (0, 1)
    while len(seen) < rows * columns:
        seen.append((row, column))
        ahead = (row + step[0], column + step[1])
        if not (0 <= ahead[0] < rows and 0 <= ahead[1] < columns) or ahead in seen:
            step = (step[1], -step[0])
        row, column = row + step[0], column + step[1]
    return [matrix[i][j] for i, j in seen]


def recently_used(capacity: int, operations: Any) -> Any:
    kept: OrderedDict[Any, Any] = OrderedDict()
    results: list[Any] = []
    hits: list[bool] = []
    for name, key, *value in operations:
        if name == "get":
            hits.append(key in kept)
            results.append(kept.get(key))
        else:
            full = key not in kept and len(kept) == capacity
            results.append(kept.popitem(last=False)[0] if full else None)
            kept[key] = value[0]
        if key in kept:
            kept.move_to_end(key)
    return (results, list(kept), int(100 * statistics.fmean(hits)) if hits else 0)


def allowed(most_window: Any, times: Any) -> list[int]:
    most, window = most_window
    granted: list[int] = []
    for now in times:
        if sum(now - window < call for call in granted) < most:
            granted.append(now)
    return granted


def shared_length(first: Any, second: Any) -> int:
    for size in range(min(len(first), len(second)), 0, -1):
        if set(itertools.combinations(first, size)) & set(itertools.combinations(second, size)):
            return size
    return 0


def edit_distance(first: str, second: str) -> int:
    if not first or not second:
        return len(first) + len(second)
    same = edit_distance(first[1:], second[1:]) + (first[0] != second[0])
    return min(same, edit_distance(first[1:], second) + 1, edit_distance(first, second[1:]) + 1)


def closest(word: str, words: Any, most: int = 2) -> str | None:
    near = [(edit_distance(word, other), place) for place, other in enumerate(words)]
    faults, place = min(near, default=(most + 1, 0))
    return words[place] if faults <= most else None


def palindrome(text: str) -> str:
    parts = [text[i:j] for i in range(len(text)) for j in range(i + 1, len(text) + 1)]
    return max((part for part in parts if part == part[::-1]), key=len, default="")


def borders(word: str) -> list[int]:
    return [max(k for k in range(end) if word[:k] == word[end - k : end]) for end in range(1, len(word) + 1)]


def next_order(values: Any) -> Any:
    orders = sorted(set(itertools.permutations(values)))
    place = orders.index(tuple(values)) + 1
    return list(orders[place]) if place < len(orders) else None


def longest_rising(values: Any) -> int:
    for size in range(len(values), 0, -1):
        if any(all(a < b for a, b in itertools.pairwise(c)) for c in itertools.combinations(values, size)):
            return size
    return 0


def booked(bookings: Any = ()) -> dict[str, list[int]]:
    kept: dict[str, list[int]] = {}
    for name, start, end in bookings:
        fits = start < end and name not in kept and not covered(kept.values()) & set(range(start, end))
        if fits:
            kept[name] = [start, end]
    return kept


def savings(arguments: Any, bookings: Any) -> list[int | None]:
    _, balance, free_ones, fee = (*arguments, *(None, 0, 2, 50)[len(arguments) :])
    balances: list[int | None] = []
    for kind, amount in bookings:
        change = amount if kind == "deposit" else -amount - (0 if free_ones > 0 else fee)
        if amount <= 0 or balance + change < 0:
            balances.append(None)
            continue
        free_ones -= kind != "deposit"
        balance += change
        balances.append(balance)
    return balances


def divided(amount: int, weights: Any) -> list[int]:
    exact = [Fraction(amount * weight, sum(weights)) for weight in weights]
    parts = [math.floor(part) for part in exact]
    while sum(parts) < amount:
        parts[max(range(len(parts)), key=lambda k: (exact[k] - parts[k], -k))] += 1
    return parts


def hidden_box(first: Any) -> set[tuple[int, int]]:
    return set(itertools.product(range(first[0], first[2] + 1), range(first[1], first[3] + 1)))


def common_box(first: Any, second: Any) -> Any:
    points = hidden_box(first) & hidden_box(second)
    return (*min(points), *max(points)) if points else None


def read_csv(line: str, separator: str = ",") -> list[str]:
    return next(csv.reader([line], delimiter=separator, strict=True)) or [""]


def window_slices(items: Any, size: int, step: int = 1) -> list[Any]:
    if size < 1:
        refused()
    return [items[k : k + size] for k in range(0, len(items), step) if len(items[k : k + size]) == size]


def fletcher(octets: Any, modulus: int = 251) -> int:
    count = len(octets)
    weighted_sum = sum((count - k) * octet for k, octet in enumerate(octets))
    return weighted_sum % modulus * modulus + sum(octets) % modulus


def grouped(number: int, size: int = 3, mark: str = ",") -> str:
    return re.sub(rf"(?<=\d)(?=(\d{{{size}}})+$)", mark, str(number))


def account(arguments: Any, bookings: Any) -> list[int | None]:
    owner, balance, credit = (*arguments, *(None, 0, 0)[len(arguments) :])
    return [
        None if after is None else after - credit for after in savings((owner, balance + credit, math.inf, 0), bookings)
    ]


def booking(kind: str) -> Callable[[Any, int], Any]:
    return lambda made, amount: next(
        after if after is not None else refused() for after in account(made, [(kind, amount)])
    )


def written_csv(fields: Any, separator: str = ",") -> str:
    """Quoted where the separator, a quote, or a space at an end is."""
    marked = [re.search(rf'["{separator}]|^ | $', field) for field in fields]
    quoted = ['"{}"'.format(f.replace('"', '""')) if mark else f for f, mark in zip(fields, marked, strict=True)]
    return separator.join(quoted)


def expanded(text: str) -> str:
    if re.match(r"\d", text):
        refused()
    return re.sub(r"(\D)(\d+)", lambda match: match[1] * int(match[2]), text)


def squeezed(text: str) -> str:
    if re.search(r"\d", text):
        refused()
    return re.sub(r"(.)\1+", lambda match: match[1] + str(len(match[0])), text)


def shifted(text: str, places: int) -> str:
    small = "abcdefghijklmnopqrstuvwxyz"
    turned = small[places % 26 :] + small[: places % 26]
    return text.translate(str.maketrans(small + small.upper(), turned + turned.upper()))


def search_all(made: Any, words: Any) -> list[int]:
    texts = [set(text.lower().split()) for text in made[0]]
    return [k for k, there in enumerate(texts) if words and {word.lower() for word in words} <= there]


def search_any(made: Any, words: Any) -> list[int]:
    hits = [len({word.lower() for word in words} & set(text.lower().split())) for text in made[0]]
    return [-minus for _, minus in sorted(((hit, -k) for k, hit in enumerate(hits) if hit), reverse=True)]


MEANS: dict[str, Callable[..., Any]] = {
    "wrapping.justify": justified,
    "wrapping.paragraph": paragraph,
    "wrapping.centre": lambda line, width, fill=".": centred(line, width, fill),
    "numerals.to_roman": roman,
    "numerals.from_roman": lambda text: ROMANS[text.upper()] if text.upper() in ROMANS else refused(),
    "numerals.is_roman": lambda text: text.upper() in ROMANS,
    "spans.gaps": lambda spans, start, end: free(spans, start, end) if start <= end else refused(),
    "spans.Calendar.book": lambda made, *new: booked([*(made[0] if made else ()), new]) != booked(*made),
    "spans.Calendar.cancel": cancelled,
    "spans.Calendar.length": lambda made, name: len(range(*booked(*made)[name])),
    "heaps.Heap.pop": smallest,
    "heaps.Heap.peek": smallest,
    "graphs.neighbours": neighbours,
    "graphs.path": shortest,
    "geometry.cross": lambda o, a, b: round(float(np.linalg.det([[1, *o], [1, *a], [1, *b]]))),
    "geometry.Box.around": lambda b, p: (
        *np.min([b[:2], *p], axis=0).tolist(),
        *np.max([b[2:], *p], axis=0).tolist(),
    ),
    "delimited.write_field": lambda field, separator=",": written_csv([field], separator),
    "delimited.write_line": written_csv,
    "codings.squeeze": squeezed,
    "codings.expand": expanded,
    "codings.shift": shifted,
    "primes.extended": lambda a, b: tuple(int(x) for x in (lambda x, y, g: (g, x, y))(*sympy.gcdex(a, b))),
    "matrices.shape": lambda matrix: (*np.array(matrix).shape, 0)[:2],
    "ledgers.Account.deposit": booking("deposit"),
    "ledgers.Account.withdraw": booking("withdraw"),
    "ledgers.Account.statement": account,
    "patterns.Index.all_of": search_all,
    "patterns.Index.any_of": search_any,
    "patterns.Index.starting": lambda made, letters: sorted(
        {w for text in made[0] for w in text.lower().split() if w.startswith(letters.lower())}
    ),
    "wrapping.break_lines": broken,
    "wrapping.initials": lambda name: re.sub(r"(\w)\w*", r"\1.", name).upper(),
    "wrapping.slug": lambda title, limit=30: re.sub(
        rf"^(.{{0,{limit}}})(?:-.*|$)", r"\1", re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
    ),
    "numerals.grouped": grouped,
    "numerals.ordinal": lambda n: f"{n}{'tsnrhtdd'[(n // 10 % 10 != 1) * (n % 10 < 4) * n % 10 :: 4]}",
    "days.is_leap": calendar.isleap,
    "days.month_length": lambda year, month: calendar.monthrange(year, month)[1],
    "days.day_number": lambda *day: date(*day).toordinal(),
    "days.from_number": lambda number: triple(datetime.date.fromordinal(number)),
    "days.weekday": lambda *day: f"{date(*day):%A}",
    "days.add_days": lambda day, count: triple(date(*day) + datetime.timedelta(count)),
    "days.add_months": later_month,
    "days.between": lambda first, second: (date(*second) - date(*first)).days,
    "days.day_of_year": lambda *day: date(*day).timetuple().tm_yday,
    "days.week": lambda *day: tuple(date(*day).isocalendar())[:2],
    "days.easter": easter,
    "days.nth_weekday": nth_weekday,
    "spans.merge": lambda spans: pieces(covered(spans)),
    "spans.overlap": lambda a, b: next(iter(pieces(covered([a]) & covered([b]))), None),
    "spans.total": lambda spans: len(covered(spans)),
    "spans.subtract": lambda a, b: pieces(covered(a) - covered(b)),
    "spans.intersect": lambda a, b: pieces(covered(a) & covered(b)),
    "spans.deepest": deepest,
    "spans.first_slot": lambda spans, length, start, end: next(
        ([a, a + length] for a, b in free(spans, start, end) if b - a >= length), None
    ),
    "spans.split": lambda span, size: [
        [a, min(a + size, span[1])] for a in range(span[0], span[1], size if size > 0 else math.nan)
    ],
    "spans.Calendar.free": lambda made, start, end: free(booked(*made).values(), start, end),
    "spans.Calendar.busiest": lambda made: max(
        booked(*made), key=lambda name: (np.diff(booked(*made)[name])[0], -booked(*made)[name][0]), default=None
    ),
    "heaps.ordered": sorted,
    "heaps.largest": lambda items, count: heapq.nlargest(count, items),
    "heaps.merge_sorted": lambda lists: list(heapq.merge(*lists)),
    "heaps.Heap.drain": lambda made: [item for _, item in sorted(*made, key=lambda entry: entry[0])],
    "heaps.is_heap": lambda v: all(v[k] <= v[c] for k in range(len(v)) for c in (2 * k + 1, 2 * k + 2) if c < len(v)),
    "graphs.topological": lambda edges: list(networkx.lexicographical_topological_sort(digraph(edges))),
    "graphs.components": components,
    "graphs.distances": lambda edges, start: sorted(
        networkx.single_source_dijkstra_path_length(weighted([*edges, (start, start, 0)]), start).items()
    ),
    "graphs.spanning": spanning,
    "graphs.is_two_coloured": lambda edges: networkx.is_bipartite(networkx.Graph([e[:2] for e in edges])),
    "geometry.twice_area": area,
    "geometry.hull": hull,
    "geometry.on_segment": lambda p, a, b: bool(sympy.Segment(a, b).contains(sympy.Point(p))),
    "geometry.segments_meet": meet,
    "geometry.contains": inside,
    "geometry.border_points": border,
    "geometry.inner_points": inner,
    "geometry.Box.area": lambda box: (
        int(np.prod(np.subtract(box[2:], box[:2]))) if box[0] <= box[2] and box[1] <= box[3] else refused()
    ),
    "geometry.Box.holds": lambda box, x, y: (x, y) in hidden_box(box),
    "geometry.Box.common": common_box,
    "geometry.Box.distance": lambda box, x, y: min(abs(x - a) + abs(y - b) for a, b in hidden_box(box)),
    "delimited.parse_line": read_csv,
    "expressions.evaluate": evaluated,
    "expressions.rewrite": lambda text: (
        ast.unparse(ast.parse(text.replace("^", "**").replace("/", "//"))).replace("**", "^").replace("//", "/")
    ),
    "expressions.variables": lambda text: sorted(set(re.findall(r"[a-z]\w*", text))),
    "codings.runs": lambda text: [(letter, len(list(group))) for letter, group in itertools.groupby(text)],
    "codings.to_base": base_digits,
    "codings.from_base": int,
    "codings.to_varint": varint,
    "codings.from_varint": unpacked,
    "codings.checksum": fletcher,
    "codings.deltas": lambda numbers: np.diff([0, *numbers]).tolist(),
    "codings.undelta": lambda steps: list(itertools.accumulate(steps)),
    "primes.greatest_common_divisor": math.gcd,
    "primes.least_common_multiple": math.lcm,
    "primes.inverse": lambda number, modulus: pow(number, -1, modulus),
    "primes.sieve": lambda limit: list(sympy.primerange(limit + 1)),
    "primes.is_prime": lambda number: bool(sympy.isprime(number)),
    "primes.factors": lambda number: sorted(sympy.factorint(number).items()) if number > 0 else [][0],
    "primes.divisors": lambda number: [k for k in range(1, number + 1) if number % k == 0],
    "primes.totient": lambda number: sum(math.gcd(k, number) == 1 for k in range(1, number + 1)),
    "primes.power": pow,
    "primes.remainders": remainders,
    "primes.digit_sum": lambda number, base=10: sum(int(d, 36) for d in np.base_repr(abs(number), base)),
    "ratios.of_text": lambda text: as_pair(reduce(lambda a, b: a / b, map(Fraction, text.split("/")))),
    "ratios.calculate": calculated,
    "ratios.compare": lambda a, b: (ratio(a) > ratio(b)) - (ratio(a) < ratio(b)),
    "ratios.total": lambda pairs: as_pair(sum(map(ratio, pairs), Fraction(0))),
    "ratios.continued": lambda top, bottom: [int(x) for x in sympy.continued_fraction(sympy.Rational(top, bottom))],
    "ratios.of_continued": lambda terms: as_pair(
        reduce(lambda rest, term: term + 1 / rest, terms[-2::-1], Fraction(terms[-1]))
    ),
    "ratios.decimals": lambda top, bottom, n: str(abs(top) * 10**n // abs(bottom) % 10**n).zfill(n) if n else "",
    "ratios.period": lambda bottom: (lambda rest: sympy.n_order(10, rest) if rest > 1 else 0)(
        reduce(lambda n, p: n // p ** sympy.multiplicity(p, n), (2, 5), bottom)
    ),
    "ratios.Ratio.rounded": lambda made: round(Fraction(*made)),
    "ratios.Ratio.text": lambda made: str(Fraction(*made)),
    "matrices.identity": lambda size: np.eye(size, dtype=int).tolist(),
    "matrices.transpose": lambda matrix: np.array(matrix).T.tolist(),
    "matrices.add": lambda a, b, factor=1: (np.array(a) + factor * np.array(b)).tolist(),
    "matrices.multiply": lambda a, b: (np.array(a) @ np.array(b)).tolist(),
    "matrices.power": power,
    "matrices.determinant": lambda matrix: int(sympy.Matrix(matrix).det()),
    "matrices.solve": solved,
    "matrices.rotate": lambda matrix, turns=1: np.rot90(matrix, -turns).tolist(),
    "matrices.spiral": spiral,
    "matrices.trace": lambda matrix: int(np.trace(np.array(matrix))),
    "matrices.is_symmetric": lambda m: (
        np.array(m).shape == np.array(m).T.shape and bool((np.array(m) == np.array(m).T).all())
    ),
    "caches.play_recent": recently_used,
    "caches.Limiter.allowed": allowed,
    "caches.Ring.extend": lambda made, values: list(deque(values, maxlen=made[0])),
    "ledgers.Savings.statement": savings,
    "ledgers.share": divided,
    "ledgers.format_cents": lambda cents: f"{'-' if cents < 0 else ''}{abs(cents) // 100:,}.{abs(cents) % 100:02}",
    "ledgers.Stock.value": lambda made, prices: sum(
        dict(made[0])[name] * price for name, price in prices if name in dict(made[0])
    ),
    "ordering.find": lambda values, wanted: values.index(wanted) if wanted in values else -1,
    "ordering.lower": bisect.bisect_left,
    "ordering.upper": bisect.bisect_right,
    "ordering.count": lambda values, wanted: values.count(wanted),
    "ordering.nearest": lambda values, wanted: min(values, key=lambda value: (abs(value - wanted), value)),
    "ordering.merge_sort": sorted,
    "ordering.inversions": lambda values: sum(a > b for a, b in itertools.combinations(values, 2)),
    "ordering.smallest": lambda values, rank: sorted(values)[rank] if rank >= 0 else [][0],
    "ordering.rotated": lambda values, turns: (lambda d: (d.rotate(turns), list(d))[1])(deque(values)),
    "ordering.longest_rising": longest_rising,
    "ordering.next_order": next_order,
    "ordering.ranks": lambda values: [1 + sum(other < value for other in values) for value in values],
    "patterns.prefixes": borders,
    "patterns.occurrences": lambda text, word: [m.start() for m in re.finditer(f"(?={re.escape(word)})", text)],
    "patterns.matches": lambda pattern, text: fnmatch.fnmatchcase(text, pattern),
    "patterns.distance": edit_distance,
    "patterns.closest": closest,
    "patterns.palindromes": palindrome,
    "patterns.common_prefix": lambda words: __import__("os").path.commonprefix(words),
    "patterns.frequencies": lambda text, least=1: sorted(
        [e for e in Counter(re.findall(r"[a-z]+", text.lower())).items() if e[1] >= least], key=lambda e: (-e[1], e[0])
    ),
    "differences.similarity": lambda a, b: 200 * shared_length(a, b) // (len(a) + len(b)) if a or b else 100,
    "differences.apply": lambda first, changes: (
        [item for sign, item in changes if sign != "-"]
        if [item for sign, item in changes if sign != "+"] == first
        else int("x")
    ),
    "differences.changed": lambda old, new: (
        sorted(set(new) - set(old)),
        sorted(set(old) - set(new)),
        sorted(key for key in set(old) & set(new) if old[key] != new[key]),
    ),
    "differences.windows": window_slices,
}
"""module.function -> one of the same arguments; a method's first holds those of the class."""
