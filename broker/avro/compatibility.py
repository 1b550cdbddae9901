"""Compatibility: whether a reader's schema can read what a writer's schema wrote.

The rules are those of "Schema Resolution" in the Avro 1.12 specification. To add a rule, write a
function like those in RULES and append it there: it judges one pair of types of the same kind and
need not look into their parts, which `can_read` visits by itself.

    can_read(reader, writer) -> () or the places at which it cannot

Which of a subject's versions are compared, and which of the two is the reader, is `modes`' affair.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from broker.avro.logical import decimal
from broker.avro.types import Array, Enum, Field, Fixed, Map, Named, Record, Type, Union

FINDINGS_MAX = 20


@dataclass(frozen=True, slots=True)
class Incompatibility:
    """One place at which reading fails. `place` is the reader's, e.g. `schema.fields[3].type`."""

    rule: str
    place: str
    message: str


Rule = Callable[[Type, Type, str], Iterator[Incompatibility]]

# Writer's type -> the reader's types that it is promoted to.
PROMOTIONS: dict[str, frozenset[str]] = {
    "int": frozenset({"long", "float", "double"}),
    "long": frozenset({"float", "double"}),
    "float": frozenset({"double"}),
    "string": frozenset({"bytes"}),
    "bytes": frozenset({"string"}),
}


def names_match(reader: Type, writer: Type, place: str) -> Iterator[Incompatibility]:
    """Records, enums and fixed match by unqualified name, or by an alias of the reader's."""
    if not isinstance(reader, Named) or not isinstance(writer, Named):
        return
    if reader.name != writer.name and writer.fullname not in reader.aliases:
        yield Incompatibility(
            "NAME_MISMATCH",
            f"{place}.name",
            f"is {reader.fullname}, written as {writer.fullname}; keep the name, or give the "
            f"reader the alias {writer.fullname}",
        )


def new_fields_have_defaults(reader: Type, writer: Type, place: str) -> Iterator[Incompatibility]:
    """A reader's field that the writer lacks needs a default."""
    if not isinstance(reader, Record) or not isinstance(writer, Record):
        return
    for index, field in enumerate(reader.fields):
        if not written_as(field, writer) and not field.has_default:
            yield Incompatibility(
                "READER_FIELD_MISSING_DEFAULT_VALUE",
                f"{place}.fields[{index}]",
                f"{field.name!r} is not in the writer's {writer.fullname} and has no default; "
                "give it one",
            )


def fields_are_unambiguous(reader: Type, writer: Type, place: str) -> Iterator[Incompatibility]:
    """A reader's field, with its aliases, means at most one of the writer's."""
    if not isinstance(reader, Record) or not isinstance(writer, Record):
        return
    for index, field in enumerate(reader.fields):
        found = written_as(field, writer)
        if len(found) > 1:
            yield Incompatibility(
                "AMBIGUOUS_FIELD",
                f"{place}.fields[{index}].aliases",
                f"{field.name!r} could be any of {', '.join(f.name for f in found)}; drop an alias",
            )


def symbols_are_known(reader: Type, writer: Type, place: str) -> Iterator[Incompatibility]:
    """The reader's enum knows every symbol of the writer's, or has a default."""
    if not isinstance(reader, Enum) or not isinstance(writer, Enum) or reader.default is not None:
        return
    known = set(reader.symbols)
    unknown = [symbol for symbol in writer.symbols if symbol not in known]
    if unknown:
        yield Incompatibility(
            "MISSING_ENUM_SYMBOLS",
            f"{place}.symbols",
            f"lacks {', '.join(unknown[:5])}{', …' if len(unknown) > 5 else ''}; "  # noqa: PLR2004  as many as fit a line
            "add them, or give the enum a default",
        )


def sizes_match(reader: Type, writer: Type, place: str) -> Iterator[Incompatibility]:
    """Fixed types match if their sizes are the same."""
    if not isinstance(reader, Fixed) or not isinstance(writer, Fixed):
        return
    if reader.size_bytes != writer.size_bytes:
        yield Incompatibility(
            "FIXED_SIZE_MISMATCH",
            f"{place}.size",
            f"is {reader.size_bytes}, written as {writer.size_bytes}; give the new size a new name",
        )


def decimals_match(reader: Type, writer: Type, place: str) -> Iterator[Incompatibility]:
    """Two decimals match if precision and scale are the same; else 1.00 would be read as 10.0.

    Java's SchemaCompatibility does not look at logical types; the specification does.
    """
    ours, theirs = decimal(reader), decimal(writer)
    if ours is not None and theirs is not None and ours != theirs:
        yield Incompatibility(
            "DECIMAL_MISMATCH",
            place,
            f"is decimal{ours}, written as decimal{theirs}; add a field for the new precision "
            "and scale",
        )


RULES: tuple[Rule, ...] = (
    names_match,
    new_fields_have_defaults,
    fields_are_unambiguous,
    symbols_are_known,
    sizes_match,
    decimals_match,
)


def can_read(reader: Type, writer: Type, place: str = "schema") -> tuple[Incompatibility, ...]:
    """Where the reader's schema cannot read the writer's data; empty if it can.

    At most FINDINGS_MAX places, in the order of the reader's schema. A named type that is used
    many times is judged once, and a finding in it is reported at its first use.
    """
    return tuple(_Comparison().compare(reader, writer, place))[:FINDINGS_MAX]


def written_as(field: Field, writer: Record) -> list[Field]:
    """The writer's fields that a reader's field means, by its name and its aliases."""
    wanted = dict.fromkeys((field.name, *field.aliases))
    return [writer.field_of[name] for name in wanted if name in writer.field_of]


class _Comparison:
    """Walks two schemas together and remembers the pairs it has judged."""

    def __init__(self) -> None:
        self._judged: dict[tuple[int, int], bool] = {}

    def compare(self, reader: Type, writer: Type, place: str) -> list[Incompatibility]:
        pair = (id(reader), id(writer))
        readable = self._judged.get(pair)
        if readable is None:
            found = self._judge(reader, writer, place)
            self._judged[pair] = not found
            return found
        if readable:
            return []
        return [Incompatibility("TYPE_MISMATCH", place, f"{_said(reader)} fails here as before")]

    def _judge(self, reader: Type, writer: Type, place: str) -> list[Incompatibility]:
        if isinstance(writer, Union):
            return self._from_union(reader, writer, place)
        if isinstance(reader, Union):
            return self._to_union(reader, writer, place)
        if reader.kind != writer.kind:
            return self._promoted(reader, writer, place)
        found = [finding for rule in RULES for finding in rule(reader, writer, place)]
        match reader, writer:
            case Record(), Record():
                found += self._fields(reader, writer, place)
            case Array(items=items), Array(items=written):
                found += self.compare(items, written, f"{place}.items")
            case Map(values=values), Map(values=written):
                found += self.compare(values, written, f"{place}.values")
            case _:
                pass
        return found[:FINDINGS_MAX]

    def _from_union(self, reader: Type, writer: Union, place: str) -> list[Incompatibility]:
        """Any of the writer's branches may come: each must be readable."""
        found: list[Incompatibility] = []
        for branch in writer.branches:
            found += self.compare(reader, branch, place)
        return found[:FINDINGS_MAX]

    def _to_union(self, reader: Union, writer: Type, place: str) -> list[Incompatibility]:
        """One of the reader's branches must be able to read what comes."""
        for index, branch in enumerate(reader.branches):
            if not _alike(branch, writer):
                continue
            if not self.compare(branch, writer, f"{place}[{index}]"):
                return []
        return [
            Incompatibility(
                "MISSING_UNION_BRANCH",
                place,
                f"has no type that reads {_said(writer)}; add it to the union",
            )
        ]

    def _promoted(self, reader: Type, writer: Type, place: str) -> list[Incompatibility]:
        if reader.kind in PROMOTIONS.get(writer.kind, ()):
            return list(decimals_match(reader, writer, place))
        return [
            Incompatibility(
                "TYPE_MISMATCH",
                place,
                f"is {_said(reader)}, written as {_said(writer)}, which is not promoted to it; "
                "add a field of the new type instead",
            )
        ]

    def _fields(self, reader: Record, writer: Record, place: str) -> list[Incompatibility]:
        found: list[Incompatibility] = []
        for index, field in enumerate(reader.fields):
            for candidate in written_as(field, writer):
                at = f"{place}.fields[{index}].type"
                found += self.compare(field.type, candidate.type, at)
        return found


def _alike(reader: Type, writer: Type) -> bool:
    """Quick to say no: large unions are mostly types that have nothing to do with each other."""
    if reader.kind != writer.kind:
        return reader.kind in PROMOTIONS.get(writer.kind, ())
    return next(names_match(reader, writer, ""), None) is None


def _said(type_: Type) -> str:
    return f"{type_.kind} {type_.fullname}" if isinstance(type_, Named) else type_.kind
