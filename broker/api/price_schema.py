"""The price's JSON Schema as OpenAPI's tools can read it.

`schemas/price.schema.json` says each rule once, by `if`/`then` and `unevaluatedProperties`, which
generators of clients and of tests do not know. Here the same rules stand as closed objects, one a
model: alone in a price, or in `components`.
"""

import json
from typing import Any

from broker.resources import resource

_PREFIX = "#/components/schemas/"
_PARTS = ("decimal", "positive", "conversion", "tier", "step")


def price_schemas() -> dict[str, Any]:
    """Components of an OpenAPI document: `Price` and what it refers to, as `Price_<name>`."""
    text = resource("schemas", "price.schema.json").read_text()
    schema = json.loads(text.replace("#/$defs/", f"{_PREFIX}Price_"))
    definitions = schema["$defs"]
    shared = definitions["component"]["properties"]
    models = shared["model"]["enum"]
    own = {name: one for name, one in schema["properties"].items() if name != "components"}

    kinds = {model: _component(model, shared, definitions[model]) for model in models}
    alone = [_with(own, kind) for kind in kinds.values()]
    several = {
        "type": "object",
        "additionalProperties": False,
        "required": ["currency", "components"],
        "properties": own
        | {
            "components": schema["properties"]["components"]
            | {"items": {"anyOf": [{"$ref": f"{_PREFIX}Price_{model}"} for model in models]}}
        },
    }
    price = {"description": schema["description"], "anyOf": [*alone, several]}
    named = {name: definitions[name] for name in _PARTS} | kinds
    return {"Price": price, **{f"Price_{name}": one for name, one in named.items()}}


def _component(model: str, shared: dict[str, Any], rules: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": ["model", *rules.get("required", [])],
        "properties": shared | {"model": {"type": "string", "const": model}} | rules["properties"],
    }


def _with(own: dict[str, Any], kind: dict[str, Any]) -> dict[str, Any]:
    return kind | {
        "required": ["currency", *kind["required"]],
        "properties": own | kind["properties"],
    }
