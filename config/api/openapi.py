"""What the description of the API says beside what django-ninja finds in types."""

from typing import Any

from ninja.openapi.schema import OpenAPISchema

from config.api.access import OPERATIONS, PUBLIC, ROOT
from config.api.errors import MEDIA_TYPE

_PROBLEM: dict[str, Any] = {
    "type": "object",
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "permission": {"type": "string", "description": "The one that is missing."},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "detail"],
                "properties": {
                    "pointer": {"type": "string", "description": "Where it is (RFC 6901)."},
                    "detail": {"type": "string"},
                },
            },
        },
    },
}

_REFUSALS = {
    "400": "It cannot be read",
    "401": "Nobody says who asks",
    "403": "A permission is missing",
    "404": "There is nothing here that the caller may see",
    "409": "It does not go with what there is",
    "412": "It was changed since it was read",
    "413": "It is too large",
    "422": "It can be read, and something in it is wrong",
    "429": "Too many requests",
    "503": "It takes too long, or something it needs is away",
}

_ONCE = {
    "in": "header",
    "name": "Idempotency-Key",
    "required": False,
    "schema": {"type": "string", "maxLength": 255, "pattern": "^[ -~]*$"},
    "description": "A name for this request: sent again within a day, it is answered as before."
    " Where the answer had a secret, it is refused.",
}
_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "schema": {"type": "string"},
    "description": "The ETag of what was read; where it is something else now, nothing is changed.",
}


class Description:
    """Adds to each operation what the door does for all of them."""

    def get_openapi_schema(self, **given: Any) -> OpenAPISchema:
        schema: OpenAPISchema = super().get_openapi_schema(**given)  # type: ignore[misc]
        components = schema.setdefault("components", {})
        components.setdefault("schemas", {})["Problem"] = _PROBLEM
        for path, methods in schema["paths"].items():
            for method, operation in methods.items():
                _complete(f"{method.upper()} /{path.removeprefix(f'/{ROOT}')}", operation)
        return schema


def _complete(name: str, operation: dict[str, Any]) -> None:
    operation["operationId"] = operation["operationId"].partition("_api_")[2]
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, words in _REFUSALS.items():
        operation["responses"].setdefault(status, {"description": words, "content": content})
    parameters = operation.setdefault("parameters", [])
    if name.startswith("POST ") and name not in PUBLIC:
        parameters.append(_ONCE)
    if name.startswith(("PATCH ", "PUT ", "DELETE ")):
        parameters.append(_IF_MATCH)
    if name in OPERATIONS:
        needs = f"Needs the permission `{OPERATIONS[name]}`."
        operation["description"] = f"{operation.get('description', '')}\n\n{needs}".strip()
