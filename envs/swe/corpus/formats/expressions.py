"""Arithmetic in text: tokens, a tree, its value, and the text again."""

LEVELS = {"+": 1, "-": 1, "*": 2, "/": 2, "%": 2, "^": 3}


class Malformed(ValueError):
    """A text that is no expression."""


def tokens(text):
    """Numbers, names and signs, in order."""
    found = []
    index = 0
    while index < len(text):
        letter = text[index]
        if letter.isspace():
            index += 1
        elif letter.isdigit():
            end = index
            while end < len(text) and text[end].isdigit():
                end += 1
            found.append(int(text[index:end]))
            index = end
        elif letter.isalpha():
            end = index
            while end < len(text) and text[end].isalnum():
                end += 1
            found.append(text[index:end])
            index = end
        elif letter in LEVELS or letter in "()":
            found.append(letter)
            index += 1
        else:
            raise Malformed(f"letter {index}: {letter}")
    return found


class Parser:
    """Reads tokens from left to right; `^` binds from the right, all others from the left."""

    def __init__(self, text):
        self.tokens = tokens(text)
        self.place = 0

    def peek(self):
        """The next token, None at the end."""
        if self.place < len(self.tokens):
            return self.tokens[self.place]
        return None

    def take(self):
        """The next token, which is done with."""
        token = self.peek()
        if token is None:
            raise Malformed("the expression ends too early")
        self.place += 1
        return token

    def whole(self):
        """The tree of everything."""
        tree = self.expression(1)
        if self.peek() is not None:
            raise Malformed(f"unexpected {self.peek()}")
        return tree

    def expression(self, level):
        """Operands joined by signs of at least a level."""
        left = self.operand()
        while LEVELS.get(self.peek(), 0) >= level:
            sign = self.take()
            deeper = LEVELS[sign] if sign == "^" else LEVELS[sign] + 1
            right = self.expression(deeper)
            left = (sign, left, right)
        return left

    def operand(self):
        """A number, a name, something in brackets, or one of them with a minus."""
        token = self.take()
        if token == "-":
            return ("neg", self.expression(3))
        if token == "(":
            inner = self.expression(1)
            if self.take() != ")":
                raise Malformed("a bracket is not closed")
            return inner
        if isinstance(token, int) or token.isalnum():
            return token
        raise Malformed(f"unexpected {token}")


def parse(text):
    """The tree of a text: numbers, names, (sign, left, right) and ("neg", tree)."""
    return Parser(text).whole()


def evaluate(text, names=()):
    """Value of a text; `names` are pairs. Division is whole-number division, rounded down."""
    return value(parse(text), dict(names))


def value(tree, names):
    """Value of a tree."""
    if isinstance(tree, int):
        return tree
    if isinstance(tree, str):
        if tree not in names:
            raise NameError(tree)
        return names[tree]
    if tree[0] == "neg":
        return -value(tree[1], names)
    sign, left, right = tree[0], value(tree[1], names), value(tree[2], names)
    if sign == "+":
        return left + right
    if sign == "-":
        return left - right
    if sign == "*":
        return left * right
    if sign == "^":
        if right < 0 or right > 64:
            raise Malformed("exponents are 0 to 64")
        return left**right
    if right == 0:
        raise ZeroDivisionError(sign)
    return left // right if sign == "/" else left % right


def variables(text):
    """Names that a text needs, in order, each once."""
    return sorted({token for token in tokens(text) if isinstance(token, str) and token.isalnum()})


def write(tree, outer=0):
    """The text of a tree, with no bracket that is not needed."""
    if not isinstance(tree, tuple):
        return str(tree)
    if tree[0] == "neg":
        text = "-" + write(tree[1], 3)
        return "(" + text + ")" if outer > 3 else text
    level = LEVELS[tree[0]]
    left = write(tree[1], level + 1 if tree[0] == "^" else level)
    right = write(tree[2], level if tree[0] == "^" else level + 1)
    text = left + " " + tree[0] + " " + right
    return "(" + text + ")" if level < outer else text


def rewrite(text):
    """A text with its spaces and brackets put right."""
    return write(parse(text))
