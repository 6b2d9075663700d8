"""Accounts in whole cents and goods in whole pieces."""


class Refused(ValueError):
    """A booking that cannot be made."""


class Account:
    """An owner's money; it may go down to minus its credit."""

    def __init__(self, owner, balance=0, credit=0):
        self.owner = owner
        self.balance = balance
        self.credit = credit
        self.entries = []

    def deposit(self, amount):
        """The new balance."""
        if amount <= 0:
            raise Refused("amounts are above 0")
        self.balance += amount
        self.entries.append(("deposit", amount))
        return self.balance

    def withdraw(self, amount):
        """The new balance."""
        if amount <= 0:
            raise Refused("amounts are above 0")
        if self.balance - amount < -self.credit:
            raise Refused("not enough money")
        self.balance -= amount
        self.entries.append(("withdraw", amount))
        return self.balance

    def interest(self, per_mille, months):
        """What is earned in so many months, added each month; whole cents, rounded down."""
        earned = 0
        for _ in range(months):
            if self.balance <= 0:
                break
            step = self.balance * per_mille // 12000
            self.balance += step
            earned += step
        return earned

    def statement(self, bookings):
        """Balance after each booking; None for one that is refused."""
        balances = []
        for kind, amount in bookings:
            try:
                if kind == "deposit":
                    balances.append(self.deposit(amount))
                else:
                    balances.append(self.withdraw(amount))
            except Refused:
                balances.append(None)
        return balances


class Savings(Account):
    """No credit, and a fee for every withdrawal after the first free ones."""

    def __init__(self, owner, balance=0, free=2, fee=50):
        super().__init__(owner, balance, 0)
        self.free = free
        self.fee = fee

    def withdraw(self, amount):
        """The new balance, the fee taken off."""
        if self.free > 0:
            result = super().withdraw(amount)
            self.free -= 1
            return result
        return super().withdraw(amount + self.fee)


def transfers(balances, orders):
    """Balances after (from, to, amount) orders; those that are not covered are left out."""
    left = dict(balances)
    refused = 0
    for source, target, amount in orders:
        if amount <= 0 or left.get(source, 0) < amount:
            refused += 1
            continue
        left[source] -= amount
        left[target] = left.get(target, 0) + amount
    return (sorted(left.items()), refused)


def settle(debts):
    """The fewest-looking payments that even out (debtor, creditor, amount) debts."""
    net = {}
    for debtor, creditor, amount in debts:
        net[debtor] = net.get(debtor, 0) - amount
        net[creditor] = net.get(creditor, 0) + amount
    payments = []
    while True:
        owing = min(sorted(net), key=lambda name: net[name], default=None)
        owed = max(sorted(net), key=lambda name: net[name], default=None)
        if owing is None or net[owing] >= 0:
            return payments
        amount = min(-net[owing], net[owed])
        net[owing] += amount
        net[owed] -= amount
        payments.append((owing, owed, amount))


def share(amount, weights):
    """Cents by weight, none lost: the largest remainders get what is left, the first of equals."""
    total = sum(weights)
    if total <= 0:
        raise Refused("no weights")
    parts = [amount * weight // total for weight in weights]
    rests = [amount * weight % total for weight in weights]
    missing = amount - sum(parts)
    order = sorted(range(len(weights)), key=lambda place: (-rests[place], place))
    for place in order[:missing]:
        parts[place] += 1
    return parts


class Stock:
    """Pieces by name, and how many to keep at least."""

    def __init__(self, pieces, least=0):
        self.pieces = dict(pieces)
        self.least = least

    def take(self, orders):
        """Those of (name, count) that can be met; an order is met whole or not at all."""
        met = []
        for name, count in orders:
            there = self.pieces.get(name, 0)
            if count > 0 and there >= count:
                self.pieces[name] = there - count
                met.append((name, count))
        return met

    def missing(self):
        """(name, how many to buy) for what has fallen below the least, in order."""
        wanted = []
        for name in sorted(self.pieces):
            if self.pieces[name] < self.least:
                wanted.append((name, self.least - self.pieces[name]))
        return wanted

    def value(self, prices):
        """Worth of everything that has a price."""
        worth = 0
        for name, price in prices:
            worth += self.pieces.get(name, 0) * price
        return worth


def format_cents(cents):
    """-1234567 as '-12,345.67'."""
    sign = "-" if cents < 0 else ""
    whole, rest = divmod(abs(cents), 100)
    digits = str(whole)
    groups = []
    while len(digits) > 3:
        groups.insert(0, digits[-3:])
        digits = digits[:-3]
    groups.insert(0, digits)
    return sign + ",".join(groups) + "." + str(rest).zfill(2)
