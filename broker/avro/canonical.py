"""Canonical text: the one form in which a schema is stored, compared and answered.

Whitespace, the order of keys, `{"type": "string"}` for `"string"` and repeated namespaces make no
difference, as in Confluent's registry, which stores Java's `Schema.toString()`. Docs, aliases,
defaults, orders and other attributes are part of a schema. `normalize` also sorts the other
attributes, drops `"order": "ascending"`, which is the default, and sorts nothing else.
"""

import json
from collections.abc import Mapping
from typing import Any

from broker.avro.types import Array, Enum, Field, Fixed, Map, Named, Primitive, Record, Type, Union


def canonical_text(type_: Type, *, normalize: bool = False) -> str:
    """The canonical text of a schema; reading it again gives the same text."""
    tree = _Printer(normalize=normalize).type(type_, namespace="")
    return json.dumps(tree, separators=(",", ":"), ensure_ascii=False)


class _Printer:
    def __init__(self, *, normalize: bool) -> None:
        self._normalize = normalize
        self._written: set[str] = set()

    def type(self, type_: Type, *, namespace: str) -> Any:
        match type_:
            case Primitive(name=name):
                others = self._others(type_.attributes)
                return {"type": name, **others} if others else name
            case Union(branches=branches):
                return [self.type(branch, namespace=namespace) for branch in branches]
            case Array(items=items):
                inner = self.type(items, namespace=namespace)
                return {"type": "array", "items": inner, **self._others(type_.attributes)}
            case Map(values=values):
                inner = self.type(values, namespace=namespace)
                return {"type": "map", "values": inner, **self._others(type_.attributes)}
            case Named():
                return self._named(type_, namespace)
            case _:
                raise TypeError(type_.kind)

    def _named(self, type_: Named, namespace: str) -> Any:
        if type_.fullname in self._written:
            return type_.name if type_.namespace == namespace else _full(type_)
        self._written.add(type_.fullname)
        match type_:
            case Record():
                kind = "error" if type_.error else "record"
                fields = [self._field(f, type_.namespace) for f in type_.fields]
                content: dict[str, Any] = {"fields": fields}
            case Enum(symbols=symbols, default=default):
                kind = "enum"
                content = {"symbols": list(symbols)}
                if default is not None:
                    content["default"] = default
            case Fixed(size_bytes=size_bytes):
                kind, content = "fixed", {"size": size_bytes}
            case _:
                raise TypeError(type_.kind)
        head: dict[str, Any] = {"type": kind, "name": type_.name}
        if type_.namespace != namespace:
            head["namespace"] = type_.namespace
        if type_.doc is not None:
            head["doc"] = type_.doc
        if type_.aliases:
            content["aliases"] = [_relative(alias, type_.namespace) for alias in type_.aliases]
        return {**head, **content, **self._others(type_.attributes)}

    def _field(self, field: Field, namespace: str) -> dict[str, Any]:
        printed: dict[str, Any] = {
            "name": field.name,
            "type": self.type(field.type, namespace=namespace),
        }
        if field.doc is not None:
            printed["doc"] = field.doc
        if field.has_default:
            printed["default"] = field.default
        if field.order is not None and not (self._normalize and field.order == "ascending"):
            printed["order"] = field.order
        if field.aliases:
            printed["aliases"] = list(field.aliases)
        return {**printed, **self._others(field.attributes)}

    def _others(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        return dict(sorted(attributes.items())) if self._normalize else dict(attributes)


def _full(type_: Named) -> str:
    # A leading dot would say "null namespace", but decoders do not know it: the reader refuses
    # such a reference, so it is never needed here.
    return type_.fullname


def _relative(alias: str, namespace: str) -> str:
    head, _, tail = alias.rpartition(".")
    return tail if head == namespace else alias
