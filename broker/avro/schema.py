"""Read a schema: from text to types, each rule of the specification checked on the way.

    text ─strict_json▶ JSON ─read_schema▶ types (names, attributes, defaults, limits)

Every refusal names the place in the schema, written as the caller would: `schema.fields[3].type`.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import fastavro

from broker.avro import names
from broker.avro.defaults import check_default
from broker.avro.limits import check_limits
from broker.avro.logical import check_logical
from broker.avro.strict_json import read_json
from broker.avro.types import (
    NO_DEFAULT,
    PRIMITIVES,
    Array,
    Enum,
    Field,
    Fixed,
    Map,
    Named,
    Primitive,
    Record,
    Type,
    Union,
)
from broker.errors import InvalidFieldError

ROOT = "schema"
_ORDERS = ("ascending", "descending", "ignore")
_RESERVED = frozenset(
    {"type", "name", "namespace", "aliases", "doc", "fields", "items", "values", "symbols", "size"}
)
_FIELD_RESERVED = frozenset({"type", "name", "aliases", "doc", "default", "order"})
_OPEN = object()


def read_schema(text: str, *, field: str = ROOT) -> Type:
    """The type that a schema's text describes, safe to hand to a decoder.

    Raises:
        InvalidFieldError: names the place, beginning with `field`, and the rule.
    """
    tree = read_json(text, field=field)
    type_ = _Reader().type(tree, field, namespace="")
    try:
        fastavro.parse_schema(tree)
    except (fastavro.schema.SchemaParseException, fastavro.schema.UnknownType) as error:
        raise InvalidFieldError(field, f"the Avro decoder refuses it ({error}); mend it") from error
    return type_


class _Reader:
    """Holds the named types met so far; those still being read are _OPEN."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {}

    def type(self, node: Any, place: str, *, namespace: str) -> Type:
        """Read one type and check its own limits; its parts have been checked by then."""
        match node:
            case str():
                type_ = self._reference(node, place, namespace)
            case list():
                type_ = self._union(node, place, namespace)
            case dict():
                type_ = self._object(node, place, namespace)
            case _:
                raise InvalidFieldError(
                    place, f"must be a type's name, an object or a list, is {names.shown(node)}"
                )
        check_limits(type_, place)
        return type_

    def _reference(
        self, name: str, place: str, namespace: str, attributes: Mapping[str, Any] | None = None
    ) -> Type:
        if name in PRIMITIVES:
            return Primitive(name=name, attributes=attributes or MappingProxyType({}))
        fullname = names.resolve(name, namespace)
        known = self._known.get(fullname)
        if known is _OPEN:
            raise InvalidFieldError(
                place, f"{fullname} contains itself; recursion is not taken, flatten the type"
            )
        if known is None:
            raise InvalidFieldError(
                place,
                f"{names.shown(name)} is no type; define it before its first use, or name one of "
                f"{', '.join(sorted(PRIMITIVES))}",
            )
        type_: Type = known
        return type_

    def _union(self, node: list[Any], place: str, namespace: str) -> Union:
        if not node:
            raise InvalidFieldError(place, "is a union of nothing; name at least one type")
        branches: list[Type] = []
        seen: set[str] = set()
        for index, item in enumerate(node):
            at = f"{place}[{index}]"
            if isinstance(item, list):
                raise InvalidFieldError(at, "is a union in a union; write their types in one list")
            branch = self.type(item, at, namespace=namespace)
            key = branch.fullname if isinstance(branch, Named) else branch.kind
            if key in seen:
                raise InvalidFieldError(at, f"{key} stands twice in the union; keep one")
            seen.add(key)
            branches.append(branch)
        return Union(branches=tuple(branches))

    def _object(self, node: dict[str, Any], place: str, namespace: str) -> Type:
        kind = node.get("type")
        if not isinstance(kind, str):
            said = "is missing" if "type" not in node else f"is {names.shown(kind)}"
            raise InvalidFieldError(f"{place}.type", f"must be a type's name, {said}")
        attributes = _attributes(node, _RESERVED - ({"name"} if kind in PRIMITIVES else set()))
        type_: Type
        match kind:
            case "record" | "error":
                type_ = self._record(node, place, namespace, attributes)
            case "enum":
                type_ = self._enum(node, place, namespace, attributes)
            case "fixed":
                type_ = self._fixed(node, place, namespace, attributes)
            case "array":
                items = self._part(node, "items", place, namespace)
                type_ = Array(items=items, attributes=attributes)
            case "map":
                values = self._part(node, "values", place, namespace)
                type_ = Map(values=values, attributes=attributes)
            case _:
                type_ = self._reference(kind, f"{place}.type", namespace, attributes)
        check_logical(type_, place)
        return type_

    def _part(self, node: dict[str, Any], key: str, place: str, namespace: str) -> Type:
        if key not in node:
            raise InvalidFieldError(f"{place}.{key}", "is missing; name the type")
        return self.type(node[key], f"{place}.{key}", namespace=namespace)

    def _record(
        self, node: dict[str, Any], place: str, namespace: str, attributes: Mapping[str, Any]
    ) -> Record:
        fullname = names.declared(node, place, namespace)
        self._open(fullname, place)
        fields = node.get("fields")
        if not isinstance(fields, list):
            raise InvalidFieldError(f"{place}.fields", "must be a list of fields")
        inner = fullname.rpartition(".")[0]
        read: list[Field] = []
        seen: set[str] = set()
        for index, item in enumerate(fields):
            at = f"{place}.fields[{index}]"
            one = self._field(item, at, inner)
            if one.name in seen:
                raise InvalidFieldError(f"{at}.name", f"{one.name!r} stands twice; rename one")
            seen.add(one.name)
            read.append(one)
        record = Record(
            fullname=fullname,
            aliases=names.aliases(node, place, inner),
            doc=names.doc(node, place),
            fields=tuple(read),
            error=node["type"] == "error",
            attributes=attributes,
        )
        self._known[fullname] = record
        return record

    def _field(self, node: Any, place: str, namespace: str) -> Field:
        if not isinstance(node, dict):
            raise InvalidFieldError(place, f"must be an object, is {names.shown(node)}")
        name = names.simple(node.get("name"), f"{place}.name")
        type_ = self._part(node, "type", place, namespace)
        default = node.get("default", NO_DEFAULT)
        if default is not NO_DEFAULT:
            check_default(type_, default, f"{place}.default")
        order = node.get("order")
        if order is not None and order not in _ORDERS:
            raise InvalidFieldError(
                f"{place}.order", f"must be one of {', '.join(_ORDERS)}, is {names.shown(order)}"
            )
        return Field(
            name=name,
            type=type_,
            aliases=names.field_aliases(node, place),
            default=default,
            doc=names.doc(node, place),
            order=order,
            attributes=_attributes(node, _FIELD_RESERVED),
        )

    def _enum(
        self, node: dict[str, Any], place: str, namespace: str, attributes: Mapping[str, Any]
    ) -> Enum:
        fullname = names.declared(node, place, namespace)
        self._open(fullname, place)
        symbols = names.symbols(node, place)
        default = node.get("default")
        if default is not None and default not in symbols:
            raise InvalidFieldError(
                f"{place}.default", f"must be one of the symbols, is {names.shown(default)}"
            )
        enum = Enum(
            fullname=fullname,
            aliases=names.aliases(node, place, fullname.rpartition(".")[0]),
            doc=names.doc(node, place),
            symbols=symbols,
            default=default,
            attributes=MappingProxyType({k: v for k, v in attributes.items() if k != "default"}),
        )
        self._known[fullname] = enum
        return enum

    def _fixed(
        self, node: dict[str, Any], place: str, namespace: str, attributes: Mapping[str, Any]
    ) -> Fixed:
        fullname = names.declared(node, place, namespace)
        self._open(fullname, place)
        size = node.get("size")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise InvalidFieldError(
                f"{place}.size", f"must be a whole number of bytes, is {names.shown(size)}"
            )
        fixed = Fixed(
            fullname=fullname,
            aliases=names.aliases(node, place, fullname.rpartition(".")[0]),
            doc=names.doc(node, place),
            size_bytes=size,
            attributes=attributes,
        )
        self._known[fullname] = fixed
        return fixed

    def _open(self, fullname: str, place: str) -> None:
        if fullname in self._known:
            raise InvalidFieldError(
                f"{place}.name", f"{fullname} is defined twice; name it where it is used again"
            )
        self._known[fullname] = _OPEN


def _attributes(node: dict[str, Any], reserved: frozenset[str] | set[str]) -> Mapping[str, Any]:
    return MappingProxyType({key: value for key, value in node.items() if key not in reserved})
