"""Numbers in words, in Roman numerals, and as places in an order."""

ROMAN = [
    (1000, "M"),
    (900, "CM"),
    (500, "D"),
    (400, "CD"),
    (100, "C"),
    (90, "XC"),
    (50, "L"),
    (40, "XL"),
    (10, "X"),
    (9, "IX"),
    (5, "V"),
    (4, "IV"),
    (1, "I"),
]
SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
GROUPS = ["", "thousand", "million", "billion"]


class NotRoman(ValueError):
    """A text that is no Roman numeral."""


def to_roman(number):
    """1994 is MCMXCIV; from 1 to 3999."""
    if number < 1 or number > 3999:
        raise ValueError("expected 1 to 3999")
    text = ""
    for value, letters in ROMAN:
        while number >= value:
            text += letters
            number -= value
    return text


def from_roman(text):
    """The number of a numeral in its one right form."""
    total = 0
    rest = text.upper()
    for value, letters in ROMAN:
        while rest.startswith(letters):
            total += value
            rest = rest[len(letters) :]
    if rest or total == 0 or total > 3999:
        raise NotRoman(text)
    if to_roman(total) != text.upper():
        raise NotRoman(text)
    return total


def is_roman(text):
    """Whether a text is a numeral."""
    try:
        from_roman(text)
    except NotRoman:
        return False
    return True


def below_thousand(number):
    """Words of 1 to 999; '' for 0."""
    words = []
    hundreds = number // 100
    rest = number % 100
    if hundreds:
        words.append(SMALL[hundreds] + " hundred")
    if hundreds and rest:
        words.append("and")
    if rest >= 20:
        tens = TENS[rest // 10]
        words.append(tens + "-" + SMALL[rest % 10] if rest % 10 else tens)
    elif rest:
        words.append(SMALL[rest])
    return " ".join(words)


def in_words(number):
    """Any whole number below a trillion in words."""
    if number == 0:
        return SMALL[0]
    if number < 0:
        return "minus " + in_words(-number)
    if number >= 1000**4:
        raise OverflowError("below a trillion only")
    parts = []
    group = 0
    while number > 0:
        words = below_thousand(number % 1000)
        if words:
            parts.append(words + " " + GROUPS[group] if group else words)
        number //= 1000
        group += 1
    return " ".join(reversed(parts))


def ordinal(number):
    """1st, 2nd, 3rd, 11th, 112th."""
    ending = "th"
    if number % 100 // 10 != 1:
        ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return str(number) + ending


def grouped(number, size=3, mark=","):
    """1234567 as 1,234,567."""
    digits = str(abs(number))
    parts = []
    while len(digits) > size:
        parts.append(digits[-size:])
        digits = digits[:-size]
    parts.append(digits)
    sign = "-" if number < 0 else ""
    return sign + mark.join(reversed(parts))
