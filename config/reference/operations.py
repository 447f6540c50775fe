"""The reference of the API, read from its own description (OpenAPI)."""

from collections.abc import Iterator, Mapping
from typing import Any

from config.reference.text import code, table

# In this order of what one does with a thing.
METHODS = ("get", "post", "put", "patch", "delete")
Schema = Mapping[str, Any]


def page(description: Schema) -> str:
    """Return the operations of a description as a page of Markdown."""
    lines = [
        "# Operations of the API",
        "",
        "Made of the description that every installation serves at `/api/v1/openapi.json`. Keys,",
        "errors, pages and limits, which all operations share: [HTTP API](../api.md).",
        "",
    ]
    for tag, operations in _by_tag(description).items():
        lines += [f"## {tag}", ""]
        for method, path, operation in operations:
            lines += _operation(f"{method.upper()} {path}", operation)
    lines += ["## What is sent and answered", ""]
    for name, schema in sorted(description.get("components", {}).get("schemas", {}).items()):
        lines += _thing(name, schema)
    return "\n".join(lines).rstrip() + "\n"


def _by_tag(description: Schema) -> dict[str, list[tuple[str, str, Schema]]]:
    found: dict[str, list[tuple[str, str, Schema]]] = {}
    for method, path, operation in _operations(description):
        found.setdefault((operation.get("tags") or ["Further"])[0], []).append(
            (method, path, operation)
        )
    return found


def _operations(description: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, item in description["paths"].items():
        for method in METHODS:
            if method in item:
                yield method, path, item[method]


def _operation(heading: str, operation: Schema) -> list[str]:
    lines = [f"### `{heading}`", "", operation.get("description") or operation["summary"], ""]
    parameters = map(_parameter, operation.get("parameters", ()))
    lines += table(("parameter", "in", "type", "meaning"), parameters)
    content = operation.get("requestBody", {}).get("content", {})
    lines += [f"Takes {_media(content)}.", ""] if content else []
    answers = [
        (code(str(status)), answer.get("description", ""), _media(answer.get("content", {})))
        for status, answer in operation["responses"].items()
    ]
    return lines + table(("answer", "meaning", "with"), answers)


def _parameter(found: Schema) -> tuple[str, str, str, str]:
    name = code(found["name"]) + (" (required)" if found.get("required") else "")
    return name, found["in"], kind(found.get("schema", {})), found.get("description", "")


def _media(content: Schema) -> str:
    kinds = [kind(media["schema"]) for media in content.values() if media.get("schema")]
    return ", ".join(dict.fromkeys(kinds))


def _thing(name: str, schema: Schema) -> list[str]:
    needed = set(schema.get("required", ()))
    rows = [
        (
            code(field) + (" (required)" if field in needed else ""),
            kind(value),
            value.get("description", ""),
        )
        for field, value in schema.get("properties", {}).items()
    ]
    said = [schema["description"], ""] if schema.get("description") else []
    return [f"### {name}", "", *said, *table(("field", "type", "meaning"), rows)]


def kind(schema: Schema) -> str:
    """Say in a few words what a value is."""
    if "$ref" in schema:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if either := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(kind(one) for one in either)
    if values := schema.get("enum"):
        return " or ".join(code(str(value)) if value != "" else "nothing" for value in values)
    if schema.get("type") == "array":
        return f"array of {kind(schema.get('items', {}))}"
    named = schema.get("type", "anything")
    named = " or ".join(named) if isinstance(named, list) else str(named)
    return f"{named} ({schema['format']})" if "format" in schema else named
