"""Points, segments and polygons with whole-number corners; nothing is rounded but lengths."""


def cross(origin, first, second):
    """Above 0 where the way origin, first, second turns left."""
    left = (first[0] - origin[0]) * (second[1] - origin[1])
    right = (first[1] - origin[1]) * (second[0] - origin[0])
    return left - right


def twice_area(corners):
    """Twice the area of a polygon; negative where the corners go clockwise."""
    total = 0
    for index in range(len(corners)):
        x, y = corners[index]
        next_x, next_y = corners[(index + 1) % len(corners)]
        total += x * next_y - next_x * y
    return total


def hull(points):
    """Corners of the smallest convex polygon around points, anticlockwise from the leftmost."""
    ordered = sorted(set(points))
    if len(ordered) < 3:
        return ordered
    lower = chain(ordered)
    upper = chain(ordered[::-1])
    return lower[:-1] + upper[:-1]


def chain(points):
    """Half a hull: of ordered points, those at which the way turns left."""
    kept = []
    for point in points:
        while len(kept) >= 2 and cross(kept[-2], kept[-1], point) <= 0:
            kept.pop()
        kept.append(point)
    return kept


def on_segment(point, start, end):
    """Whether a point lies on a segment, ends included."""
    if cross(start, end, point) != 0:
        return False
    inside_x = min(start[0], end[0]) <= point[0] <= max(start[0], end[0])
    inside_y = min(start[1], end[1]) <= point[1] <= max(start[1], end[1])
    return inside_x and inside_y


def segments_meet(first, second):
    """Whether two segments ((x, y), (x, y)) have a point in common."""
    a, b = first
    c, d = second
    if on_segment(c, a, b) or on_segment(d, a, b):
        return True
    if on_segment(a, c, d) or on_segment(b, c, d):
        return True
    apart = (cross(a, b, c) > 0) != (cross(a, b, d) > 0)
    return apart and (cross(c, d, a) > 0) != (cross(c, d, b) > 0)


def contains(corners, point):
    """Whether a point is in a polygon, its border included."""
    y = point[1]
    inside = False
    for index in range(len(corners)):
        start = corners[index - 1]
        end = corners[index]
        if on_segment(point, start, end):
            return True
        if (start[1] > y) != (end[1] > y):
            side = cross(start, end, point)
            if end[1] < start[1]:
                side = -side
            if side > 0:
                inside = not inside
    return inside


def border_points(corners):
    """How many whole-number points lie on a polygon's border."""
    count = 0
    for index in range(len(corners)):
        wide = abs(corners[index][0] - corners[index - 1][0])
        high = abs(corners[index][1] - corners[index - 1][1])
        while high:
            wide, high = high, wide % high
        count += wide
    return count


def inner_points(corners):
    """How many whole-number points lie strictly inside: Pick's theorem."""
    return (abs(twice_area(corners)) - border_points(corners) + 2) // 2


class Box:
    """A rectangle along the axes; the ends are included."""

    def __init__(self, left, bottom, right, top):
        if left > right or bottom > top:
            raise ValueError("the corners are the wrong way round")
        self.left, self.bottom, self.right, self.top = left, bottom, right, top

    def area(self):
        """Width times height."""
        return (self.right - self.left) * (self.top - self.bottom)

    def holds(self, x, y):
        """Whether a point is in it."""
        return self.left <= x <= self.right and self.bottom <= y <= self.top

    def common(self, other):
        """What it shares with another given as (left, bottom, right, top); None for nothing."""
        left = max(self.left, other[0])
        bottom = max(self.bottom, other[1])
        right = min(self.right, other[2])
        top = min(self.top, other[3])
        if left > right or bottom > top:
            return None
        return (left, bottom, right, top)

    def around(self, points):
        """The smallest box that also holds the points."""
        box = (self.left, self.bottom, self.right, self.top)
        for x, y in points:
            box = (min(box[0], x), min(box[1], y), max(box[2], x), max(box[3], y))
        return box

    def distance(self, x, y):
        """Steps along the axes from a point to the nearest point of the box."""
        aside = max(self.left - x, 0, x - self.right)
        above = max(self.bottom - y, 0, y - self.top)
        return aside + above
