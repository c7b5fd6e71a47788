"""docs/openapi.yaml against the program: every route is described, every described route exists, and so for error codes."""

import re
import subprocess

import pytest
import yaml

from harness import ROOT, clean_environment

METHODS = ("get", "put", "post", "delete", "patch")


@pytest.fixture(scope="module")
def document():
    with open(ROOT / "docs/openapi.yaml", encoding="utf-8") as file:
        return yaml.safe_load(file)


@pytest.fixture(scope="module")
def routes(binary):
    """`spillway routes` prints what the router of the default configuration knows: METHOD /pattern."""
    printed = subprocess.run([binary, "routes"], check=True, capture_output=True, text=True, env=clean_environment())
    found = set()
    for line in printed.stdout.splitlines():
        method, pattern = line.split(" ")
        found.add((method, pattern))
    assert found, "spillway routes printed nothing"
    return found


def described(document):
    return {(method.upper(), path)
            for path, item in document["paths"].items() for method in item if method in METHODS}


def problem_codes_of_the_source():
    source = (ROOT / "src/base/result.cc").read_text(encoding="utf-8")
    table = source[source.index("kTable[] = {"):source.index("};", source.index("kTable[] = {"))]
    return re.findall(r'\{"([a-z_]+)",\s*"[^"]*",\s*(\d+)\}', table)


def test_every_route_is_described(document, routes):
    assert sorted(routes - described(document)) == []


def test_what_can_be_limited_says_so(document):
    limited = ("/admin/", "/auth/", "/requests/", "/events/{eventId}/participations")
    silent = [(method, path) for path, item in document["paths"].items() if path.startswith(limited)
              for method, operation in item.items() if method in METHODS and "429" not in operation["responses"]]
    assert silent == []


def test_every_described_route_exists(document, routes):
    assert sorted(described(document) - routes) == []


def test_the_codes_of_problems_are_those_of_the_table(document):
    table = [code for code, _ in problem_codes_of_the_source()]
    assert len(table) > 10, "the table in src/base/result.cc was not understood"
    assert sorted(table) == sorted(document["components"]["schemas"]["Problem"]["properties"]["code"]["enum"])


def test_every_code_s_status_is_answered_somewhere(document):
    """But for what belongs to the protocol and can meet any request."""
    of_the_protocol = {"405", "408", "414", "417", "431", "500", "501", "505"}
    answered = {status for item in document["paths"].values() for method, operation in item.items()
                if method in METHODS for status in operation["responses"]}
    assert {status for _, status in problem_codes_of_the_source()} - answered == of_the_protocol


def test_the_states_and_results_are_those_of_the_source(document):
    source = (ROOT / "src/intake/types.cc").read_text(encoding="utf-8")
    names = set(re.findall(r'"([A-Z][A-Z_]+)"', source))
    schemas = document["components"]["schemas"]
    for described_names in (schemas["RequestStatus"]["enum"], schemas["ResultCode"]["enum"]):
        assert set(described_names) <= names
    assert names - set(schemas["RequestStatus"]["enum"]) - set(schemas["ResultCode"]["enum"]) == {
        "RETRYABLE", "NON_RETRYABLE", "FIRST_COME", *schemas["Redrive"]["properties"]["state"]["enum"],
        *schemas["WebhookState"]["properties"]["state"]["enum"],
        *schemas["Event"]["allOf"][1]["properties"]["state"]["enum"]}


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def test_the_document_holds_together(document):
    """References lead somewhere, nothing is described that nothing refers to, operations have names, and path
    parameters are declared."""
    used = set(references(document))
    for reference in used:
        assert reference.startswith("#/"), reference
        node = document
        for part in reference[2:].split("/"):
            assert part in node, reference
            node = node[part]
    for kind, entries in document["components"].items():
        if kind != "securitySchemes":
            assert {f"#/components/{kind}/{name}" for name in entries} <= used
    operations = [operation for item in document["paths"].values() for method, operation in item.items()
                  if method in METHODS]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for path, item in document["paths"].items():
        declared = [document["components"]["parameters"][p["$ref"].rpartition("/")[2]]["name"]
                    for p in item.get("parameters", [])]
        assert re.findall(r"\{(\w+)\}", path) == declared, path


def schema_errors(document, schema, value, where="$"):
    """The part of JSON Schema that the document uses, by hand: examples must be what the schemas say."""
    if "$ref" in schema:
        node = document
        for part in schema["$ref"][2:].split("/"):
            node = node[part]
        yield from schema_errors(document, node, value, where)
    for part in schema.get("allOf", []):
        yield from schema_errors(document, part, value, where)
    types = {"object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool}
    if "type" in schema and not isinstance(value, types[schema["type"]]):
        yield f"{where}: not of type {schema['type']}"
        return
    if "enum" in schema and value not in schema["enum"]:
        yield f"{where}: {value!r} is not in the enum"
    if "const" in schema and value != schema["const"]:
        yield f"{where}: not {schema['const']!r}"
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield f"{where}: does not match {schema['pattern']}"
    for name in schema.get("required", []):
        if name not in value:
            yield f"{where}: {name} is missing"
    for name, part in schema.get("properties", {}).items():
        if name in value:
            yield from schema_errors(document, part, value[name], f"{where}.{name}")
    if "items" in schema:
        for index, item in enumerate(value):
            yield from schema_errors(document, schema["items"], item, f"{where}[{index}]")


def contents(node):
    if isinstance(node, dict):
        if "schema" in node and ("example" in node or "examples" in node) and "in" not in node:
            yield node
        for value in node.values():
            yield from contents(value)
    elif isinstance(node, list):
        for value in node:
            yield from contents(value)


def test_the_examples_are_what_the_schemas_say(document):
    checked = 0
    for content in contents(document):
        examples = [content["example"]] if "example" in content else [e["value"] for e in content["examples"].values()]
        for example in examples:
            assert list(schema_errors(document, content["schema"], example)) == []
            checked += 1
    assert checked > 8


def test_answers_are_what_the_schemas_say(document, api, event):
    """One real answer of each kind, held against its schema."""
    schemas = document["components"]["schemas"]
    api.put_event(event, 1)
    token = api.login("somebody")
    request_id = api.participate(event, token)
    answers = {
        "Event": api.event(event),
        "Request": api.until_final(request_id, token),
        "RequestDetail": api.detail(request_id),
        "RequestPage": api.admin("GET", f"/admin/events/{event}/requests").json(),
        "FoundRequests": api.admin("GET", "/admin/requests?userId=somebody").json(),
        "Queue": api.queue(),
        "Problem": api.http.get("/requests/nobody-s", token=token).json(),
    }
    for name, answer in answers.items():
        assert list(schema_errors(document, schemas[name], answer)) == [], (name, answer)
        flat = set()
        for part in [schemas[name], *schemas[name].get("allOf", [])]:
            while "$ref" in part:
                part = schemas[part["$ref"].rpartition("/")[2]]
            for piece in [part, *part.get("allOf", [])]:
                while "$ref" in piece:
                    piece = schemas[piece["$ref"].rpartition("/")[2]]
                flat |= set(piece.get("properties", {}))
        assert set(answer) <= flat, (name, set(answer) - flat)
