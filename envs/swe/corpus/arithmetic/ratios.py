"""Exact fractions, as (numerator, denominator) outside and a class inside."""

from primes import greatest_common_divisor


class Ratio:
    """A fraction in lowest terms, its denominator above 0."""

    def __init__(self, top, bottom=1):
        if bottom == 0:
            raise ZeroDivisionError("a fraction needs a denominator")
        if bottom < 0:
            top, bottom = -top, -bottom
        common = greatest_common_divisor(top, bottom)
        self.top = top // common
        self.bottom = bottom // common

    def pair(self):
        """(numerator, denominator)."""
        return (self.top, self.bottom)

    def __add__(self, other):
        return Ratio(self.top * other.bottom + other.top * self.bottom, self.bottom * other.bottom)

    def __neg__(self):
        return Ratio(-self.top, self.bottom)

    def __sub__(self, other):
        return self + -other

    def __mul__(self, other):
        return Ratio(self.top * other.top, self.bottom * other.bottom)

    def __truediv__(self, other):
        return Ratio(self.top * other.bottom, self.bottom * other.top)

    def __eq__(self, other):
        return self.pair() == other.pair()

    def __lt__(self, other):
        return self.top * other.bottom < other.top * self.bottom

    def rounded(self):
        """The nearest whole number; of two, the even one."""
        whole, rest = divmod(self.top, self.bottom)
        double = 2 * rest
        if double > self.bottom or (double == self.bottom and whole % 2):
            return whole + 1
        return whole

    def text(self):
        """'3/4', or '2' for a whole number."""
        if self.bottom == 1:
            return str(self.top)
        return str(self.top) + "/" + str(self.bottom)


def of_text(text):
    """'3/4', '-2' and '0.125' as pairs."""
    if "/" in text:
        top, bottom = text.split("/")
        return Ratio(int(top), int(bottom)).pair()
    whole, point, digits = text.partition(".")
    if not point:
        return Ratio(int(whole)).pair()
    return Ratio(int(whole + digits), 10 ** len(digits)).pair()


def calculate(first, sign, second):
    """Two pairs joined by + - * /."""
    left, right = Ratio(*first), Ratio(*second)
    if sign == "+":
        result = left + right
    elif sign == "-":
        result = left - right
    elif sign == "*":
        result = left * right
    elif sign == "/":
        result = left / right
    else:
        raise ValueError(sign)
    return result.pair()


def compare(first, second):
    """-1, 0 or 1."""
    left, right = Ratio(*first), Ratio(*second)
    if left == right:
        return 0
    return -1 if left < right else 1


def total(pairs):
    """Sum of pairs."""
    result = Ratio(0)
    for top, bottom in pairs:
        result = result + Ratio(top, bottom)
    return result.pair()


def continued(top, bottom):
    """Whole numbers of the continued fraction."""
    terms = []
    while bottom:
        quotient = top // bottom
        terms.append(quotient)
        top, bottom = bottom, top - quotient * bottom
    return terms


def of_continued(terms):
    """The fraction of such numbers."""
    if not terms:
        raise ValueError("no terms")
    result = Ratio(terms[-1])
    for term in reversed(terms[:-1]):
        result = Ratio(term) + Ratio(1) / result
    return result.pair()


def decimals(top, bottom, places):
    """Digits after the point, cut and not rounded; of the absolute value."""
    rest = abs(top) % abs(bottom)
    digits = ""
    for _ in range(places):
        rest *= 10
        digits += str(rest // abs(bottom))
        rest %= abs(bottom)
    return digits


def period(bottom):
    """How many digits of 1 / bottom repeat; 0 where it ends."""
    seen = {}
    rest = 1 % bottom
    place = 0
    while rest and rest not in seen:
        seen[rest] = place
        rest = rest * 10 % bottom
        place += 1
    return place - seen[rest] if rest else 0
