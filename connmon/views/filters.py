"""The language in which a viewer says which rows to see.

A filter is terms with blanks between them, all of which must hold:

``text``
    is within one of the row's texts. Tokens nobody reads, ``process`` and ``origin``,
    are not looked at.
``field:text``
    is within that field. In a field that is no text, ``:`` means the same as ``=``.
``field=value``, ``field!=value``
    is exactly that, or is not. ``-`` as value stands for not known.
``field>number``, ``>=``, ``<``, ``<=``
    compare. What is not known is neither more nor less than anything.
``!term``, ``-term``
    holds where the term does not.

Upper and lower case are the same. A field goes by its name, its heading if that has no
blank, or as much of its name as no other field's begins with. Durations are in seconds
or have a unit, ``ms s m h d``; shares are ``80%`` or ``0.8``; all other numbers may end
in ``k`` or ``M``. Flags are ``yes no true false 1 0``. Of several texts in one field,
one must match.

``"two words"`` is text as it stands, ``""`` in it a quote: alone, or as a value. Quotes
are for text with blanks or quotes, and text that would mean something else.

``!=`` and a negated term are the plain opposite of what they negate: they hold for a
value that is not known, and for one of a type that the field never has, which matches
nothing. Such values come from nodes of other versions, and from recordings.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from typing import Any

from connmon.errors import QueryError
from connmon.views.schema import Field, Kind, View
from connmon.wording import quoted

LONGEST = 1000
"""The most characters of a filter."""

MOST_TERMS = 50
"""The most terms of a filter."""

Reader = Callable[[str], Callable[[Any], object]]
"""How to read rows: from the name of a field to what reads its value off a row."""

Holds = Callable[[Any], bool]
"""Whether a row is to be seen."""

_Test = Callable[[Reader], Holds]


@dataclass(frozen=True, slots=True, eq=False)
class Filter:
    """A filter that was understood. ``fields`` names those it looks at."""

    fields: frozenset[str]
    _test: _Test = field(repr=False)

    def bound(self, reader: Reader) -> Holds:
        """The test for rows that are to be read so; it asks for readers only once.

        Any value is accepted; one that is not of its field's kind matches nothing.
        """
        return self._test(reader)

    def holds(self, value: Callable[[str], object]) -> bool:
        """The same for one row, whose values ``value`` returns, by field name."""
        return self._test(lambda name: lambda row: value(name))(None)


def parse(text: str, view: View) -> Filter:
    """Understand a filter of the rows of ``view``; one without terms always holds.

    Raises ``QueryError``, which names the term, for whatever is not in the language, a
    field the view does not have, and more than ``LONGEST`` characters or
    ``MOST_TERMS`` terms.
    """
    if len(text) > LONGEST:
        raise _wrong(
            text, f"has {len(text)} characters", f"a filter of at most {LONGEST}"
        )
    names: set[str] = set()
    tests: list[_Test] = []
    for term in _terms(text):
        if len(tests) == MOST_TERMS:
            raise _wrong(
                term.source, "is one term too many", f"at most {MOST_TERMS} terms"
            )
        looked_at, test = _understood(term, view)
        names.update(looked_at)
        tests.append(_opposite(test) if term.negated else test)
    return Filter(frozenset(names), reduce(_both, tests) if tests else _always)


def literal(text: str) -> str:
    """A filter that finds ``text`` as it stands, in any of a row's texts.

    ``parse`` takes it, unless it is longer than ``LONGEST``, quotes included.
    """
    return '"' + text.replace('"', '""') + '"'


# From text to terms.


@dataclass(frozen=True, slots=True)
class _Term:
    """A term as written; ``operator`` is empty if it is but a text."""

    source: str
    negated: bool
    name: str
    operator: str
    text: str
    quoted: bool


_HEAD = re.compile(
    r'(?P<signs>[!-]*)(?:(?P<name>[^\s":=<>]*?)(?P<op>!=|[<>]=|[:=<>]))?'
)
_BLANKS = re.compile(r"\s*")
_PLAIN = re.compile(r'[^\s"]*')
_TO_BLANK = re.compile(r"\S*")


def _terms(text: str) -> Iterator[_Term]:
    """Split a filter at its blanks, but for those in quotes."""
    end = _after(_BLANKS, text, 0)
    while end < len(text):
        term, end = _term(text, end)
        yield term
        end = _after(_BLANKS, text, end)


def _term(text: str, start: int) -> tuple[_Term, int]:
    """The term that starts there, and where it ends."""
    head = _HEAD.match(text, start)
    assert head is not None  # nothing is a head, too
    begin = head.end()
    is_quoted = text.startswith('"', begin)
    end = _closed(text, start, begin) if is_quoted else _after(_PLAIN, text, begin)
    after = text[end : end + 1]
    if after and not after.isspace():
        raise _misplaced(text[start : _after(_TO_BLANK, text, end)], is_quoted)
    term = _Term(
        source=text[start:end],
        negated=len(head["signs"]) % 2 == 1,
        name=head["name"] or "",
        operator=head["op"] or "",
        text=_unquoted(text[begin:end]) if is_quoted else text[begin:end],
        quoted=is_quoted,
    )
    if not term.text and not is_quoted:
        raise _empty(term)
    return term, end


def _after(pattern: re.Pattern[str], text: str, start: int) -> int:
    """Where that ends which starts here."""
    match = pattern.match(text, start)
    return start if match is None else match.end()


def _closed(text: str, start: int, begin: int) -> int:
    """Where the quotes end that begin there, in the term from ``start`` on."""
    at = begin + 1
    while (end := text.find('"', at)) >= 0:
        if not text.startswith('"', end + 1):
            return end + 1
        at = end + 2
    raise _wrong(text[start:], "has a quote that is not closed", 'another " after it')


def _unquoted(text: str) -> str:
    return text[1:-1].replace('""', '"')


# From terms to tests.


def _understood(term: _Term, view: View) -> tuple[tuple[str, ...], _Test]:
    """The names of the fields a term looks at, and its test but for a negation."""
    if not term.operator:
        fields = [each for each in view.fields if _is_read(each)]
        names = tuple(each.name for each in fields)
        return names, _anywhere(fields, _within(term.text))
    found = _field(term, view)
    if term.operator == "!=":
        return (found.name,), _opposite(_equal(term, found))
    if term.operator in _COMPARISONS:
        return (found.name,), _compared(term, found)
    if term.operator == ":" and found.kind in _TEXTS:
        return (found.name,), _anywhere([found], _within(term.text))
    return (found.name,), _equal(term, found)


def _field(term: _Term, view: View) -> Field:
    """The field that a term names."""
    if not term.name:
        raise _wrong(
            term.source, f"has no field before {term.operator!r}", _known(view)
        )
    meant = view.meant(term.name)
    if not meant:
        what = f"names {quoted(term.name)}, no field of {view.name}"
        raise _wrong(term.source, what, _known(view))
    if len(meant) > 1:
        what = f"could mean several fields by {quoted(term.name)}"
        names = ", ".join(each.name for each in meant)
        raise _wrong(term.source, what, f"one of {names}")
    (found,) = meant
    if found.kind is Kind.SERIES:
        what = f"asks for {found.name}, a series"
        raise _wrong(term.source, what, "a field with one value")
    return found


def _known(view: View) -> str:
    """What could have been a field's name."""
    names = [each.name for each in view.fields if each.kind is not Kind.SERIES]
    few = names[:8]
    more = f" or {len(names) - len(few)} more" if len(names) > len(few) else ""
    return f"one of {', '.join(few)}{more}, or quotes around the whole if it is text"


# Values, as they are typed.

_SEVERAL = (Kind.TEXTS, Kind.RECORDS, Kind.TALLIES)
_TEXTS = (Kind.TEXT, *_SEVERAL)
_TOKENS = ("process", "origin")
_FLAGS = {
    "yes": True,
    "true": True,
    "1": True,
    "no": False,
    "false": False,
    "0": False,
}

# The bounds keep each number within what a float can hold.
_NUMBER = re.compile(r"(-?(?:[0-9]{1,30}(?:\.[0-9]{1,30})?|\.[0-9]{1,30}))([a-zA-Z%]*)")

_THOUSANDS = {"": Fraction(1), "k": Fraction(1000), "M": Fraction(1_000_000)}
_UNITS = {
    Kind.COUNT: _THOUSANDS,
    Kind.RATE: _THOUSANDS,
    Kind.RATIO: {"": Fraction(1), "%": Fraction(1, 100)},
    Kind.SECONDS: {
        "": Fraction(1),
        "ms": Fraction(1, 1000),
        "s": Fraction(1),
        "m": Fraction(60),
        "h": Fraction(3600),
        "d": Fraction(86400),
    },
}
_LARGEST_SHARE = 10
"""The most that a share without ``%`` can be; worst cases are several times a limit."""

_EXPECTED = {
    Kind.COUNT: "a number such as 5, 1k or 1M",
    Kind.RATE: "a number such as 0.5, 1k or 1M",
    Kind.RATIO: "a share such as 80% or 0.8",
    Kind.SECONDS: "a duration such as 500ms, 30s, 5m, 2h or 1d",
    Kind.FLAG: "yes or no",
}


def _is_read(field: Field) -> bool:
    """Whether a text is looked for in a field that was not named."""
    return field.kind in _TEXTS and field.name not in _TOKENS


def _number(term: _Term, field: Field) -> float:
    """The number a term compares with, in the unit of the field."""
    match = _NUMBER.fullmatch(term.text)
    factor = None if match is None else _UNITS[field.kind].get(match[2])
    if match is None or factor is None:
        raise _unsuitable(term, field)
    exact = Fraction(match[1]) * factor
    if field.kind is Kind.RATIO and not match[2] and exact > _LARGEST_SHARE:
        # Who writes 80 means 80 %, and would wonder why nothing is found.
        raise _unsuitable(term, field)
    # Whole ones stay so: a session's id may need more digits than a float has.
    return int(exact) if exact.denominator == 1 else float(exact)


def _flag(term: _Term, field: Field) -> bool:
    flag = _FLAGS.get(term.text.casefold())
    if flag is None:
        raise _unsuitable(term, field)
    return flag


# Tests. Whatever is fixed is bound when they are made; they run for each row.

_COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}

# Not bool, which is an int to isinstance().
_NUMBERS = frozenset((int, float))

_TextTest = Callable[[str], bool]


def _within(text: str) -> _TextTest:
    # lower() turns a sigma into one of two, by what follows; casefold() does not.
    wanted = text.casefold()
    return lambda found: wanted in found.casefold()


def _same(text: str) -> _TextTest:
    wanted = text.casefold()
    return lambda found: wanted == found.casefold()


def _anywhere(fields: Iterable[Field], fits: _TextTest) -> _Test:
    """Whether a text in one of the fields fits."""
    one = tuple(each.name for each in fields if each.kind is Kind.TEXT)
    several = tuple(each.name for each in fields if each.kind in _SEVERAL)
    if not several:
        return _in_texts(one, fits)
    return _either(_in_texts(one, fits), _in_lists(several, fits))


def _in_texts(names: tuple[str, ...], fits: _TextTest) -> _Test:
    def bound(reader: Reader) -> Holds:
        reads = [reader(name) for name in names]

        def holds(row: Any) -> bool:
            for read in reads:
                found = read(row)
                if isinstance(found, str) and fits(found):
                    return True
            return False

        return holds

    return bound


def _in_lists(names: tuple[str, ...], fits: _TextTest) -> _Test:
    def bound(reader: Reader) -> Holds:
        reads = [reader(name) for name in names]
        return lambda row: any(
            isinstance(each, str) and fits(each)
            for read in reads
            for each in _several(read(row))
        )

    return bound


def _several(found: object) -> Iterator[object]:
    """The texts of a value, those within records included."""
    # A recording may have made a list of them.
    for each in found if isinstance(found, (tuple, list)) else ():
        yield from each if isinstance(each, (tuple, list)) else (each,)


def _equal(term: _Term, field: Field) -> _Test:
    name = field.name
    if term.text == "-" and not term.quoted:
        return _valued(name, lambda found: found is None)
    if field.kind in _TEXTS:
        _check_one_sign(term)
        return _anywhere([field], _same(term.text))
    if field.kind is Kind.FLAG:
        flag = _flag(term, field)
        return _valued(name, lambda found: found is flag)
    return _numeric(name, operator.eq, _number(term, field))


def _compared(term: _Term, field: Field) -> _Test:
    if not field.kind.is_number:
        raise _wrong(
            term.source,
            f"compares {field.name}, which is no number",
            "one of : = != there",
        )
    return _numeric(field.name, _COMPARISONS[term.operator], _number(term, field))


def _numeric(name: str, compare: Callable[[Any, Any], bool], bound: float) -> _Test:
    return _valued(
        name, lambda found: type(found) in _NUMBERS and compare(found, bound)
    )


def _valued(name: str, fits: Callable[[Any], bool]) -> _Test:
    def bound(reader: Reader) -> Holds:
        read = reader(name)
        return lambda row: fits(read(row))

    return bound


def _opposite(test: _Test) -> _Test:
    def bound(reader: Reader) -> Holds:
        holds = test(reader)
        return lambda row: not holds(row)

    return bound


def _both(one: _Test, other: _Test) -> _Test:
    def bound(reader: Reader) -> Holds:
        first, second = one(reader), other(reader)
        return lambda row: first(row) and second(row)

    return bound


def _either(one: _Test, other: _Test) -> _Test:
    def bound(reader: Reader) -> Holds:
        first, second = one(reader), other(reader)
        return lambda row: first(row) or second(row)

    return bound


def _always(reader: Reader) -> Holds:
    return lambda row: True


# What is said of mistakes.


def _wrong(source: str, what: str, expected: str) -> QueryError:
    return QueryError(f"{quoted(source)} {what}, expected {expected}")


def _misplaced(source: str, is_quoted: bool) -> QueryError:
    """A term that goes on after its quotes, or has quotes within."""
    if is_quoted:
        return _wrong(
            source,
            "goes on after the closing quote",
            'a blank there, or "" for a quote',
        )
    return _wrong(
        source,
        "has a quote within",
        'quotes around the whole text, and "" for one in it',
    )


def _empty(term: _Term) -> QueryError:
    """A term that ends before its text."""
    return _wrong(
        term.source,
        f"has nothing after {quoted(term.operator or term.source)}",
        f"{'a value' if term.operator else 'a term'} there, "
        "or quotes around the whole if it is text",
    )


def _unsuitable(term: _Term, field: Field) -> QueryError:
    unknown = "" if term.operator in _COMPARISONS else ", or - for not known"
    return _wrong(
        term.source,
        f"has {quoted(term.text)} for {field.name}",
        f"{_EXPECTED[field.kind]}{unknown}",
    )


def _check_one_sign(term: _Term) -> None:
    """Refuse ``==``, which would look for a text that begins with ``=``."""
    if term.text.startswith("=") and not term.quoted:
        raise _wrong(
            term.source,
            f"has two signs, {term.operator + '='!r}",
            f"{term.operator!r}, or quotes around a value that begins with '='",
        )
