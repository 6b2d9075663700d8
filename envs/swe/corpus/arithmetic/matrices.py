"""Matrices as lists of rows; exact where the entries are whole numbers."""

from ratios import Ratio


class Mismatch(ValueError):
    """Shapes that do not fit."""


def shape(matrix):
    """(rows, columns); all rows must be as long."""
    width = len(matrix[0]) if matrix else 0
    for row in matrix:
        if len(row) != width:
            raise Mismatch("the rows differ in length")
    return (len(matrix), width)


def identity(size):
    """Ones on the diagonal."""
    return [[1 if row == column else 0 for column in range(size)] for row in range(size)]


def transpose(matrix):
    """Rows become columns."""
    rows, columns = shape(matrix)
    return [[matrix[row][column] for row in range(rows)] for column in range(columns)]


def add(first, second, factor=1):
    """first + factor * second."""
    if shape(first) != shape(second):
        raise Mismatch("the shapes differ")
    result = []
    for one, other in zip(first, second):
        result.append([left + factor * right for left, right in zip(one, other)])
    return result


def multiply(first, second):
    """The product."""
    rows, inner = shape(first)
    height, columns = shape(second)
    if inner != height:
        raise Mismatch(f"{inner} columns, {height} rows")
    product = []
    for row in range(rows):
        line = []
        for column in range(columns):
            total = 0
            for k in range(inner):
                total += first[row][k] * second[k][column]
            line.append(total)
        product.append(line)
    return product


def power(matrix, exponent):
    """A product of so many equal matrices, by squaring."""
    rows, columns = shape(matrix)
    if rows != columns or exponent < 0:
        raise Mismatch("powers are of square matrices, and not negative")
    result = identity(rows)
    while exponent > 0:
        if exponent & 1:
            result = multiply(result, matrix)
        matrix = multiply(matrix, matrix)
        exponent >>= 1
    return result


def determinant(matrix):
    """By Bareiss: all divisions come out even."""
    rows, columns = shape(matrix)
    if rows != columns:
        raise Mismatch("not square")
    work = [list(row) for row in matrix]
    sign = 1
    before = 1
    for k in range(rows - 1):
        if work[k][k] == 0:
            for other in range(k + 1, rows):
                if work[other][k] != 0:
                    work[k], work[other] = work[other], work[k]
                    sign = -sign
                    break
            else:
                return 0
        for i in range(k + 1, rows):
            for j in range(k + 1, rows):
                work[i][j] = (work[i][j] * work[k][k] - work[i][k] * work[k][j]) // before
        before = work[k][k]
    return sign * work[-1][-1] if rows else 1


def solve(matrix, values):
    """x of matrix * x = values, as (numerator, denominator) pairs; None where it is not one."""
    rows, columns = shape(matrix)
    if rows != columns or rows != len(values):
        raise Mismatch("as many equations as unknowns")
    work = [[Ratio(entry) for entry in [*row, value]] for row, value in zip(matrix, values)]
    for k in range(rows):
        pivot = None
        for row in range(k, rows):
            if work[row][k].top != 0:
                pivot = row
                break
        if pivot is None:
            return None
        work[k], work[pivot] = work[pivot], work[k]
        work[k] = [entry / work[k][k] for entry in work[k]]
        for row in range(rows):
            if row != k:
                factor = work[row][k]
                work[row] = [entry - factor * above for entry, above in zip(work[row], work[k])]
    return [row[-1].pair() for row in work]


def rotate(matrix, turns=1):
    """A quarter clockwise, so many times."""
    for _ in range(turns % 4):
        matrix = [list(row) for row in zip(*matrix[::-1])]
    return matrix


def spiral(matrix):
    """Entries from the outside in, clockwise from the first."""
    found = []
    rest = [list(row) for row in matrix]
    while rest:
        found += rest.pop(0)
        rest = [list(row) for row in zip(*rest)][::-1]
    return found


def trace(matrix):
    """Sum of the diagonal."""
    rows, columns = shape(matrix)
    return sum(matrix[k][k] for k in range(min(rows, columns)))


def is_symmetric(matrix):
    """Whether it is its own transpose."""
    rows, columns = shape(matrix)
    if rows != columns:
        return False
    for row in range(rows):
        for column in range(row):
            if matrix[row][column] != matrix[column][row]:
                return False
    return True
