"""Number theory: divisors, primes, remainders."""


def greatest_common_divisor(first, second):
    """Never negative; of 0 and 0 it is 0."""
    first, second = abs(first), abs(second)
    while second:
        first, second = second, first % second
    return first


def least_common_multiple(first, second):
    """0 where one is 0."""
    if first == 0 or second == 0:
        return 0
    return abs(first * second) // greatest_common_divisor(first, second)


def extended(first, second):
    """(g, x, y) with first * x + second * y == g, the greatest common divisor."""
    old, rest = first, second
    x, next_x = 1, 0
    y, next_y = 0, 1
    while rest:
        quotient = old // rest
        old, rest = rest, old - quotient * rest
        x, next_x = next_x, x - quotient * next_x
        y, next_y = next_y, y - quotient * next_y
    return (old, x, y)


def inverse(number, modulus):
    """What times the number leaves the remainder 1."""
    divisor, x, _ = extended(number % modulus, modulus)
    if divisor != 1:
        raise ValueError(f"{number} has no inverse modulo {modulus}")
    return x % modulus


def sieve(limit):
    """Primes up to a limit."""
    if limit < 2:
        return []
    prime = [True] * (limit + 1)
    prime[0] = prime[1] = False
    number = 2
    while number * number <= limit:
        if prime[number]:
            for multiple in range(number * number, limit + 1, number):
                prime[multiple] = False
        number += 1
    return [number for number in range(limit + 1) if prime[number]]


def is_prime(number):
    """By division."""
    if number < 4:
        return number > 1
    if number % 2 == 0 or number % 3 == 0:
        return False
    divisor = 5
    while divisor * divisor <= number:
        if number % divisor == 0 or number % (divisor + 2) == 0:
            return False
        divisor += 6
    return True


def factors(number):
    """[(prime, exponent)] in order."""
    if number < 1:
        raise ValueError("expected a number above 0")
    found = []
    divisor = 2
    while divisor * divisor <= number:
        exponent = 0
        while number % divisor == 0:
            number //= divisor
            exponent += 1
        if exponent:
            found.append((divisor, exponent))
        divisor += 1
    if number > 1:
        found.append((number, 1))
    return found


def divisors(number):
    """All of them, in order."""
    found = [1]
    for prime, exponent in factors(number):
        powers = [prime**power for power in range(exponent + 1)]
        found = [divisor * power for divisor in found for power in powers]
    return sorted(found)


def totient(number):
    """How many numbers up to it have no divisor with it in common."""
    result = number
    for prime, _ in factors(number):
        result -= result // prime
    return result


def power(base, exponent, modulus):
    """Remainder of a power, by squaring."""
    if exponent < 0:
        base = inverse(base, modulus)
        exponent = -exponent
    result = 1 % modulus
    base %= modulus
    while exponent:
        if exponent % 2:
            result = result * base % modulus
        base = base * base % modulus
        exponent //= 2
    return result


def remainders(pairs):
    """The least number with all (remainder, modulus) pairs: (number, product); None for none."""
    number = 0
    product = 1
    for remainder, modulus in pairs:
        common = greatest_common_divisor(product, modulus)
        if (remainder - number) % common:
            return None
        step = product
        product = least_common_multiple(product, modulus)
        while number % modulus != remainder % modulus:
            number += step
    return (number % product, product)


def digit_sum(number, base=10):
    """Sum of the digits in a base."""
    total = 0
    number = abs(number)
    while number:
        total += number % base
        number //= base
    return total
