"""The Gregorian calendar, counted in whole days; day 1 is 1 January of the year 1."""

MONTHS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
NAMES = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


class NoSuchDay(ValueError):
    """A date that the calendar does not have."""


def is_leap(year):
    """Whether February has 29 days."""
    if year % 100 == 0:
        return year % 400 == 0
    return year % 4 == 0


def month_length(year, month):
    """Days of a month."""
    if month < 1 or month > 12:
        raise NoSuchDay(f"month {month}")
    if month == 2 and is_leap(year):
        return 29
    return MONTHS[month - 1]


def day_number(year, month, day):
    """Days from the beginning of the calendar, both ends counted."""
    if year < 1 or day < 1 or day > month_length(year, month):
        raise NoSuchDay(f"{year}-{month}-{day}")
    before = year - 1
    count = before * 365 + before // 4 - before // 100 + before // 400
    for earlier in range(1, month):
        count += month_length(year, earlier)
    return count + day


def from_number(number):
    """The date of a day number, as (year, month, day)."""
    if number < 1:
        raise NoSuchDay(str(number))
    year = number // 366 + 1
    while day_number(year + 1, 1, 1) <= number:
        year += 1
    rest = number - day_number(year, 1, 1)
    month = 1
    while rest >= month_length(year, month):
        rest -= month_length(year, month)
        month += 1
    return (year, month, rest + 1)


def weekday(year, month, day):
    """The name of the day."""
    return NAMES[(day_number(year, month, day) - 1) % 7]


def add_days(date, days):
    """The date so many days later, or earlier."""
    return from_number(day_number(*date) + days)


def add_months(date, months):
    """The same day of a later month, or the month's last."""
    year, month, day = date
    index = year * 12 + (month - 1) + months
    year = index // 12
    month = index % 12 + 1
    return (year, month, min(day, month_length(year, month)))


def between(first, second):
    """Days from the first date to the second; negative where that is earlier."""
    return day_number(*second) - day_number(*first)


def day_of_year(year, month, day):
    """1 on New Year's Day."""
    return day_number(year, month, day) - day_number(year, 1, 1) + 1


def week(year, month, day):
    """ISO 8601: (year, week) of the week's Thursday."""
    number = day_number(year, month, day)
    thursday = number - (number - 1) % 7 + 3
    owner, _, _ = from_number(thursday)
    return (owner, (thursday - day_number(owner, 1, 1)) // 7 + 1)


def easter(year):
    """Sunday after the first full moon of spring, as (month, day); the anonymous computation."""
    golden = year % 19
    century = year // 100
    rest = year % 100
    correction = (century - (century + 8) // 25 + 1) // 3
    moon = (19 * golden + century - century // 4 - correction + 15) % 30
    sunday = (32 + 2 * (century % 4) + 2 * (rest // 4) - moon - rest % 4) % 7
    shift = (golden + 11 * moon + 22 * sunday) // 451
    total = moon + sunday - 7 * shift + 114
    return (total // 31, total % 31 + 1)


def nth_weekday(year, month, name, nth):
    """Day of the month of its nth Tuesday, say; counted from the end where nth is negative."""
    wanted = NAMES.index(name)
    days = []
    for day in range(1, month_length(year, month) + 1):
        if (day_number(year, month, day) - 1) % 7 == wanted:
            days.append(day)
    if nth == 0 or abs(nth) > len(days):
        raise NoSuchDay(f"{name} {nth}")
    return days[nth - 1] if nth > 0 else days[nth]
