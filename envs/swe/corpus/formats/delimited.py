"""Rows of text with a separator, quoted where they must be, as in CSV files."""


class Damaged(ValueError):
    """A text that is no table; says where."""


def parse_line(line, separator=","):
    """Fields of one line. A quoted field may hold separators, and quotes written twice."""
    fields = []
    field = ""
    quoted = False
    closed = False
    index = 0
    while index < len(line):
        letter = line[index]
        if quoted:
            if letter != '"':
                field += letter
            elif line[index + 1 : index + 2] == '"':
                field += '"'
                index += 1
            else:
                quoted = False
                closed = True
        elif letter == separator:
            fields.append(field)
            field = ""
            closed = False
        elif letter == '"' and not field and not closed:
            quoted = True
        elif closed:
            raise Damaged(f"letter {index} follows a closing quote")
        else:
            field += letter
        index += 1
    if quoted:
        raise Damaged("a quote is not closed")
    fields.append(field)
    return fields


def write_field(field, separator=","):
    """A field as it stands in a line."""
    if '"' in field:
        return '"' + field.replace('"', '""') + '"'
    if separator in field or field != field.strip():
        return '"' + field + '"'
    return field


def write_line(fields, separator=","):
    """What `parse_line` reads."""
    return separator.join(write_field(field, separator) for field in fields)


def guess(text):
    """Number, truth value, nothing, or the text itself."""
    word = text.strip()
    if word == "":
        return None
    if word.lower() in ("true", "false"):
        return word.lower() == "true"
    try:
        return int(word)
    except ValueError:
        pass
    try:
        return float(word)
    except ValueError:
        return text


def table(text, separator=","):
    """A dict a row; the first line names the columns."""
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines:
        return []
    names = parse_line(lines[0], separator)
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        fields = parse_line(line, separator)
        if len(fields) != len(names):
            raise Damaged(f"line {number} has {len(fields)} fields, not {len(names)}")
        rows.append({name: guess(field) for name, field in zip(names, fields)})
    return rows


def columns(rows):
    """Column -> its values, None where a row has none, as sorted pairs."""
    names = sorted({name for row in rows for name in row})
    return [(name, [row.get(name) for row in rows]) for name in names]


def aligned(rows):
    """Lines in which columns stand under one another, numbers to the right."""
    widths = []
    for row in rows:
        for place, cell in enumerate(row):
            if place == len(widths):
                widths.append(0)
            widths[place] = max(widths[place], len(str(cell)))
    lines = []
    for row in rows:
        cells = []
        for place, cell in enumerate(row):
            if isinstance(cell, str):
                cells.append(cell.ljust(widths[place]))
            else:
                cells.append(str(cell).rjust(widths[place]))
        lines.append(" ".join(cells).rstrip())
    return lines


def grouped(rows, by, value):
    """Sums of a column by the values of another, sorted; rows without one are left out."""
    sums = {}
    for row in rows:
        if by not in row or row.get(value) is None:
            continue
        key = row[by]
        sums[key] = sums.get(key, 0) + row[value]
    return sorted(sums.items())
