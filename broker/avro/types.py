"""Avro types as values: a schema once it has been read.

Every value is compared by identity: a named type that is used twice is one value, so a check can
remember what it has already judged. `attributes` holds what the specification calls metadata
(`logicalType`, `connect.name`, …), in the order it was written. No type contains itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

PRIMITIVES = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NO_DEFAULT = object()

_NONE: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, eq=False, kw_only=True)
class Type:
    """What all types have.

    `nesting`: records, arrays, maps and unions on the longest way down, itself included.
    `field_count`: record fields met when the type is written out whole, each use of a named
    type counted again: what a decoder works through.
    `zero_bytes`: every value of it encodes to nothing.
    `empty_fields`: the most record fields without a byte of their own that one value can bring,
    outside the arrays and maps in it.
    """

    attributes: Mapping[str, Any] = field(default_factory=lambda: _NONE)

    @property
    def kind(self) -> str:
        """The specification's word for it."""
        return type(self).__name__.lower()

    @property
    def nesting(self) -> int:
        """See the class."""
        return 0

    @property
    def field_count(self) -> int:
        """See the class."""
        return 0

    @property
    def zero_bytes(self) -> bool:
        """See the class."""
        return False

    @property
    def empty_fields(self) -> int:
        """See the class."""
        return 0

    @property
    def logical(self) -> str | None:
        """Its logical type, if it has one."""
        name = self.attributes.get("logicalType")
        return name if isinstance(name, str) else None


@dataclass(frozen=True, eq=False, kw_only=True)
class Primitive(Type):
    """`null`, `boolean`, `int`, `long`, `float`, `double`, `bytes` or `string`."""

    name: str

    @property
    def kind(self) -> str:
        """Its name."""
        return self.name

    @property
    def zero_bytes(self) -> bool:
        """Only null."""
        return self.name == "null"


@dataclass(frozen=True, eq=False, kw_only=True)
class Named(Type):
    """A record, enum or fixed; `fullname` and `aliases` include the namespace."""

    fullname: str
    aliases: tuple[str, ...] = ()
    doc: str | None = None

    @property
    def name(self) -> str:
        """The unqualified name, by which resolution matches."""
        return self.fullname.rpartition(".")[2]

    @property
    def namespace(self) -> str:
        """Empty for the null namespace."""
        return self.fullname.rpartition(".")[0]


@dataclass(frozen=True, eq=False, kw_only=True)
class Field:
    """A record's field; `default` is JSON, or NO_DEFAULT."""

    name: str
    type: Type
    aliases: tuple[str, ...] = ()
    default: Any = NO_DEFAULT
    doc: str | None = None
    order: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=lambda: _NONE)

    @property
    def has_default(self) -> bool:
        """A reader may fill it in."""
        return self.default is not NO_DEFAULT


@dataclass(frozen=True, eq=False, kw_only=True)
class Record(Named):
    """Fields in order."""

    fields: tuple[Field, ...]
    error: bool = False

    @cached_property
    def field_of(self) -> Mapping[str, Field]:
        """Its fields by name."""
        return MappingProxyType({f.name: f for f in self.fields})

    @property
    def kind(self) -> str:
        """`record`, for those declared as `error` too: they encode alike."""
        return "record"

    @cached_property
    def nesting(self) -> int:
        """See Type."""
        return 1 + max((f.type.nesting for f in self.fields), default=0)

    @cached_property
    def field_count(self) -> int:
        """See Type."""
        return sum(1 + f.type.field_count for f in self.fields)

    @cached_property
    def zero_bytes(self) -> bool:
        """All of its fields are."""
        return all(f.type.zero_bytes for f in self.fields)

    @cached_property
    def empty_fields(self) -> int:
        """See Type."""
        return sum(f.type.zero_bytes + f.type.empty_fields for f in self.fields)


@dataclass(frozen=True, eq=False, kw_only=True)
class Enum(Named):
    """Symbols in order; `default` stands for a symbol the reader does not know."""

    symbols: tuple[str, ...]
    default: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class Fixed(Named):
    """A fixed number of bytes."""

    size_bytes: int

    @property
    def zero_bytes(self) -> bool:
        """A fixed of size 0."""
        return self.size_bytes == 0


@dataclass(frozen=True, eq=False, kw_only=True)
class Array(Type):
    """Items of one type."""

    items: Type

    @cached_property
    def nesting(self) -> int:
        """See Type."""
        return 1 + self.items.nesting

    @cached_property
    def field_count(self) -> int:
        """See Type."""
        return self.items.field_count


@dataclass(frozen=True, eq=False, kw_only=True)
class Map(Type):
    """Values of one type under string keys."""

    values: Type

    @cached_property
    def nesting(self) -> int:
        """See Type."""
        return 1 + self.values.nesting

    @cached_property
    def field_count(self) -> int:
        """See Type."""
        return self.values.field_count


@dataclass(frozen=True, eq=False, kw_only=True)
class Union(Type):
    """One of several types."""

    branches: tuple[Type, ...] = field(default=())

    @cached_property
    def nesting(self) -> int:
        """See Type."""
        return 1 + max((b.nesting for b in self.branches), default=0)

    @cached_property
    def field_count(self) -> int:
        """See Type."""
        return sum(b.field_count for b in self.branches)

    @cached_property
    def empty_fields(self) -> int:
        """See Type."""
        return max((b.empty_fields for b in self.branches), default=0)
