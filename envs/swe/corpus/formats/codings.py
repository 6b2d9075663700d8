"""Other ways to write text and numbers: runs, bases, variable-length bytes, shifted letters."""

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def runs(text):
    """'aaab' as [('a', 3), ('b', 1)]."""
    found = []
    for letter in text:
        if found and found[-1][0] == letter:
            found[-1] = (letter, found[-1][1] + 1)
        else:
            found.append((letter, 1))
    return found


def squeeze(text):
    """'aaab' as 'a3b'; a text with digits cannot be squeezed."""
    parts = []
    for letter, count in runs(text):
        if letter.isdigit():
            raise ValueError("digits cannot be squeezed")
        parts.append(letter if count == 1 else letter + str(count))
    return "".join(parts)


def expand(text):
    """What `squeeze` was given."""
    result = ""
    index = 0
    while index < len(text):
        letter = text[index]
        if letter.isdigit():
            raise ValueError("a count without a letter")
        index += 1
        count = ""
        while index < len(text) and text[index].isdigit():
            count += text[index]
            index += 1
        result += letter * (int(count) if count else 1)
    return result


def to_base(number, base):
    """Digits of a whole number in a base from 2 to 36."""
    if base < 2 or base > 36:
        raise ValueError("bases are 2 to 36")
    if number == 0:
        return "0"
    digits = ""
    rest = abs(number)
    while rest:
        digits = DIGITS[rest % base] + digits
        rest //= base
    return "-" + digits if number < 0 else digits


def from_base(text, base):
    """The number of such digits."""
    sign = 1
    if text.startswith("-"):
        sign = -1
        text = text[1:]
    if not text:
        raise ValueError("no digits")
    number = 0
    for letter in text.lower():
        digit = DIGITS.find(letter)
        if digit < 0 or digit >= base:
            raise ValueError(f"{letter} is no digit of base {base}")
        number = number * base + digit
    return sign * number


def to_varint(number):
    """Seven bits a byte, the lowest first; the top bit says that more follow."""
    if number < 0:
        raise ValueError("negative")
    octets = []
    while number > 127:
        octets.append(number & 127 | 128)
        number >>= 7
    octets.append(number)
    return octets


def from_varint(octets):
    """(number, how many bytes it took)."""
    number = 0
    for index, octet in enumerate(octets):
        number |= (octet & 127) << (7 * index)
        if octet < 128:
            return (number, index + 1)
    raise ValueError("the last byte is missing")


def shift(text, places):
    """Every letter so many places on in the alphabet, round and round."""
    result = ""
    for letter in text:
        if "a" <= letter <= "z":
            start = ord("a")
        elif "A" <= letter <= "Z":
            start = ord("A")
        else:
            result += letter
            continue
        result += chr((ord(letter) - start + places) % 26 + start)
    return result


def checksum(octets, modulus=251):
    """Fletcher's: two sums, of the bytes and of the sums."""
    first = 0
    second = 0
    for octet in octets:
        first = (first + octet) % modulus
        second = (second + first) % modulus
    return second * modulus + first


def deltas(numbers):
    """The first number, and then what is added each time."""
    return [number - before for before, number in zip([0, *numbers], numbers)]


def undelta(steps):
    """What `deltas` was given."""
    numbers = []
    place = 0
    for step in steps:
        place += step
        numbers.append(place)
    return numbers
