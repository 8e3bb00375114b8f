#!/usr/bin/env python3
"""Writes what follows from docs/schema/ontology.toml: Swift, JSON Schema and a page. With --check nothing is written, and
the exit code is 1 where a file differs from what would be written. Needs Python 3.11 and its standard library."""
import json
import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = "docs/schema/ontology.toml"
COMMAND = "python3 Tests/Support/ontology.py"
KINDS = {"text", "number", "integer", "boolean", "choice", "instant", "reference", "unit"}
STEPS = {"parse", "convert", "drop", "fill"}
SWIFT_TYPES = {"text": "String", "number": "Quantity", "integer": "Int64", "boolean": "Bool", "instant": "Instant",
               "reference": "String", "unit": "UnitCode"}
MARKS = ("acyclic", "tree", "symmetric", "derived")


class Wrong(Exception):
    """The ontology contradicts itself."""


def camel(name):
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def lower_first(name):
    return name[0].lower() + name[1:]


def require(condition, text):
    if not condition:
        raise Wrong(text)


def closed(row, place, wanted, optional=()):
    missing, unknown = set(wanted) - row.keys(), row.keys() - set(wanted) - set(optional)
    require(not missing, f"{place}: missing {sorted(missing)}")
    require(not unknown, f"{place}: unknown {sorted(unknown)}")


def distinct(rows, place, codes):
    require(len({row["code"] for row in rows}) == len(rows), f"{place}: a code stands twice")
    require(len({row["name"] for row in rows}) == len(rows), f"{place}: a name stands twice")
    for row in rows:
        require(row["code"] in codes, f"{place}: code {row['code']} of {row['name']} is outside {codes}")


def check(ontology, units):
    closed(ontology, "top", ("version", "node", "edge"), ("migration",))
    types = {node["name"] for node in ontology["node"]}
    distinct(ontology["node"], "nodes", range(1, 64))
    distinct(ontology["edge"], "edges", range(1, 31))
    for node in ontology["node"]:
        closed(node, node.get("name", "a node"), ("name", "code", "doc", "properties"))
        require(re.fullmatch("[A-Z][A-Za-z]+", node["name"]), f"{node['name']} is no name of a type")
        distinct(node["properties"], node["name"], range(1, 64))
        for row in node["properties"]:
            place = f"{node['name']}.{row['name']}"
            kind = row.get("kind")
            require(kind in KINDS, f"{place}: kind {kind}")
            extra = {"number": ["unit"], "choice": ["choices"], "reference": ["to"]}.get(kind, [])
            closed(row, place, ["code", "name", "kind", "doc"] + extra, ["required"])
            require(re.fullmatch("[a-z][a-z_]*", row["name"]), f"{place}: no name of a property")
            require(row["name"] not in ("type", "name"), f"{place}: the name is taken")
            require(kind != "number" or row["unit"] in units, f"{place}: unit {row.get('unit')} is not in the table")
            require(kind != "choice" or len(set(row["choices"])) == len(row["choices"]) > 1, f"{place}: choices")
            require(set(row.get("to", [])) <= types, f"{place}: names a type that is not there")
    for edge in ontology["edge"]:
        closed(edge, edge.get("name", "an edge"), ("name", "code", "doc", "from", "to"), MARKS + ("tree_among",))
        require(set(edge["from"]) | set(edge["to"]) <= types, f"{edge['name']}: names a type that is not there")
        if among := edge.get("tree_among"):
            ends = [row for node in ontology["node"] for row in node["properties"] if row["name"] == among]
            require(ends and all(row["kind"] == "choice" for row in ends), f"{edge['name']}: {among} is no choice")
    for migration in ontology.get("migration", []):
        closed(migration, "a migration", ("to", "doc", "steps"))
        require(2 <= migration["to"] <= ontology["version"], f"migration to {migration['to']}")
        for step in migration["steps"]:
            closed(step, "a step", ("node", "property", "step"), ("from", "value"))
            require(step["step"] in STEPS and step["node"] in types, f"step {step}")
            require((step["step"] == "convert") == ("from" in step), f"step {step}: from")
            require((step["step"] == "fill") == ("value" in step), f"step {step}: value")
            require("from" not in step or step["from"] in units, f"step {step}: unit")
    versions = [migration["to"] for migration in ontology.get("migration", [])]
    require(versions == list(range(2, ontology["version"] + 1)), f"migrations lead to {versions}")


# Swift

def swift_spec(row):
    kind = row["kind"]
    if kind == "number":
        kind = f'number(.known("{row["unit"]}"))'
    elif kind == "choice":
        kind = "choice([%s])" % ", ".join(f'"{choice}"' for choice in row["choices"])
    elif kind == "reference":
        kind = "reference([%s])" % ", ".join("." + lower_first(name) for name in row["to"])
    required = "true" if row.get("required") else "false"
    return f'PropertySpec(code: {row["code"]}, name: "{row["name"]}", kind: .{kind}, isRequired: {required}),'


def swift_enum(rows, name, head, case):
    yield f"/// {head}"
    yield f"public enum {name}: String, Sendable, CaseIterable {{"
    for row in rows:
        yield f"  /// {row['doc']}"
        word = case(row["name"])
        yield f"  case {word}" if word == row["name"] else f'  case {word} = "{row["name"]}"'
    yield ""
    yield "  /// What stands for it in a file; never given to another."
    yield "  package var code: Int {"
    yield "    switch self {"
    for row in rows:
        yield f"    case .{case(row['name'])}: {row['code']}"
    yield "    }"
    yield "  }"
    yield ""
    yield "  package init?(code: Int) {"
    yield "    switch code {"
    for row in rows:
        yield f"    case {row['code']}: self = .{case(row['name'])}"
    yield "    default: return nil"
    yield "    }"
    yield "  }"


def swift_choice_name(row):
    word = camel(row["name"])
    return word[0].upper() + word[1:]


def swift_view(node):
    name = node["name"] + "Node"
    yield ""
    yield f"/// {'An' if node['name'][0] in 'AEIOU' else 'A'} {node['name']} with its properties as Swift types."
    yield f"public struct {name}: Hashable, Sendable {{"
    yield "  public let node: GraphNode"
    yield ""
    yield "  /// Nil for a node of another type."
    yield "  public init?(_ node: GraphNode) {"
    yield f"    guard node.type == .{lower_first(node['name'])} else {{ return nil }}"
    yield "    self.node = node"
    yield "  }"
    yield ""
    for row in node["properties"]:
        yield f"  /// {row['doc']}"
        word, kind = camel(row["name"]), row["kind"]
        if kind == "choice":
            choice = swift_choice_name(row)
            yield f'  public var {word}: {choice}? {{ node.choice("{row["name"]}").flatMap({choice}.init) }}'
        else:
            yield f'  public var {word}: {SWIFT_TYPES[kind]}? {{ node.{kind}("{row["name"]}") }}'
    for row in node["properties"]:
        if row["kind"] == "choice":
            yield ""
            yield f"  public enum {swift_choice_name(row)}: String, Sendable, CaseIterable {{"
            for choice in row["choices"]:
                yield f"    case {camel(choice)}" + ("" if camel(choice) == choice else f' = "{choice}"')
            yield "  }"
    yield "}"


def swift_step(step, types):
    node, code = lower_first(step["node"]), step["property"]
    detail = {"parse": "parse", "drop": "drop", "convert": f'convert(from: .known("{step.get("from")}"))',
              "fill": f'fill("{step.get("value")}")'}[step["step"]]
    return f"      Migration.Step(type: .{node}, property: {code}, .{detail}),"


def swift_head():
    yield "// swift-format-ignore-file"
    yield f"// Written from {SOURCE} by `{COMMAND}`: change that file, not this one."


def swift(ontology):
    nodes, edges = ontology["node"], ontology["edge"]
    types = [node["name"] for node in nodes]
    yield from swift_head()
    yield ""
    yield from swift_enum(nodes, "NodeType", "What a node stands for.", lower_first)
    yield "}"
    yield ""
    yield from swift_enum(edges, "EdgeType", "How two nodes hang together, read from the first to the second.", camel)
    for mark, name, doc in (
            ("symmetric", "isSymmetric", "Whether it holds both ways."),
            ("acyclic", "isAcyclic", "Whether following it may never lead back to where one began."),
            ("tree", "isTree", "Whether a beginning may have one end at most."),
            ("derived", "isDerived", "Whether it follows from the points and is never declared.")):
        cases = ", ".join("." + camel(edge["name"]) for edge in edges if edge.get(mark))
        yield ""
        yield f"  /// {doc}"
        yield f"  public var {name}: Bool {{"
        yield "    switch self {"
        if cases:
            yield f"    case {cases}: true"
        yield "    default: false"
        yield "    }"
        yield "  }"
    yield ""
    yield "  /// Beginnings with the same value of this property as their end: an end has one of them at most."
    yield "  public var treeAmong: String? {"
    yield "    switch self {"
    for edge in edges:
        if edge.get("tree_among"):
            yield f'    case .{camel(edge["name"])}: "{edge["tree_among"]}"'
    yield "    default: nil"
    yield "    }"
    yield "  }"
    codes = {node["name"]: node["code"] for node in nodes}
    for side, place in (("from", "beginning"), ("to", "end")):
        yield ""
        yield f"  /// The types that may stand at its {place}."
        yield f"  public var {side}: Set<NodeType> {{ NodeType.set({side}Codes) }}"
        yield ""
        yield f"  /// As `{side}`, a bit for each code."
        yield f"  package var {side}Codes: UInt64 {{"
        yield "    switch self {"
        for edge in edges:
            bits = sum(1 << codes[name] for name in edge[side])
            yield f"    case .{camel(edge['name'])}: 0x{bits:X}"
        yield "    }"
        yield "  }"
    yield "}"
    yield ""
    yield "extension Ontology {"
    yield "  /// Counts up whenever what is stored would mean something else."
    yield f"  public static let version = {ontology['version']}"
    yield ""
    yield "  static let table: [NodeType: [PropertySpec]] = ["
    for node in nodes:
        yield f"    .{lower_first(node['name'])}: ["
        for row in node["properties"]:
            yield f"      {swift_spec(row)}"
        yield "    ],"
    yield "  ]"
    yield ""
    yield "  /// In order of the version that each leads to."
    yield "  public static let migrations: [Migration] = ["
    for migration in ontology.get("migration", []):
        yield f"    // {migration['doc']}"
        yield f"    Migration(to: {migration['to']}, steps: ["
        for step in migration["steps"]:
            yield swift_step(step, types)
        yield "    ]),"
    yield "  ]"
    yield "}"


def swift_views(ontology):
    yield from swift_head()
    yield ""
    yield "public import TwinCore"
    for node in ontology["node"]:
        yield from swift_view(node)


# JSON Schema, draft-07: the highest that yaml-language-server reads

def schema_property(row):
    kind, out = row["kind"], {"description": row["doc"]}
    if kind == "number":
        out["description"] += f" A number in {row['unit']}, or one with a unit that converts to it."
        out["anyOf"] = [{"type": "number"}, {"type": "string", "pattern": "^[-+]?[0-9]"}]
    elif kind == "choice":
        out["enum"] = row["choices"]
    elif kind == "instant":
        out |= {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}([T ].*)?$"}
    elif kind == "reference":
        out |= {"$ref": "#/definitions/id"}
        out = {"allOf": [{"$ref": out.pop("$ref")}], **out}
        out["description"] += " The id of a node: " + ", ".join(row["to"]) + "."
    elif row["name"] == "haystack":
        out["anyOf"] = [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]
    else:
        out["type"] = {"text": "string", "unit": "string", "integer": "integer", "boolean": "boolean"}[kind]
    return out


def schema(ontology):
    variants = []
    for node in ontology["node"]:
        required = [row["name"] for row in node["properties"] if row.get("required")]
        variants.append({
            "title": node["name"], "description": node["doc"], "type": "object", "additionalProperties": False,
            "required": ["type"] + required,
            "properties": {
                "type": {"const": node["name"]}, "name": {"type": "string", "maxLength": 256},
                **{row["name"]: schema_property(row) for row in node["properties"]}}})
    declared = [edge["name"] for edge in ontology["edge"] if not edge.get("derived")]
    return json.dumps({
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$comment": f"Written from {SOURCE} by `{COMMAND}`.",
        "title": f"graph.yaml, ontology {ontology['version']}", "type": "object", "additionalProperties": False,
        "properties": {
            "nodes": {"type": "object", "propertyNames": {"$ref": "#/definitions/id"},
                      "additionalProperties": {"oneOf": variants}},
            "edges": {"type": "array", "items": {
                "type": "array", "minItems": 3, "maxItems": 3,
                "items": [{"$ref": "#/definitions/id"}, {"enum": declared}, {"$ref": "#/definitions/id"}]}}},
        "definitions": {"id": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,63}(\\.[a-z][a-z0-9_-]{0,63}){0,2}$"}},
    }, indent=2, ensure_ascii=False).splitlines()


# The page

def page_kind(row):
    kind = row["kind"]
    return {"number": f"number, `{row.get('unit')}`", "choice": " \\| ".join(f"`{c}`" for c in row.get("choices", [])),
            "reference": "id of " + ", ".join(row.get("to", [])), "unit": "UCUM code"}.get(kind, kind)


def page(ontology):
    yield "# The ontology"
    yield ""
    yield f"Written from [{SOURCE.removeprefix('docs/')}](schema/ontology.toml) by `{COMMAND}`: change that file, not this one."
    yield f"Version {ontology['version']}. How the graph is kept and asked: [graph.md](graph.md)."
    yield ""
    yield "## Edges"
    yield ""
    yield "| edge | from | to | says | rule |"
    yield "| --- | --- | --- | --- | --- |"
    words = {"acyclic": "no circle", "tree": "one end at most", "symmetric": "both ways",
             "derived": "follows from the points"}
    for edge in ontology["edge"]:
        rules = [words[mark] for mark in MARKS if edge.get(mark)]
        if among := edge.get("tree_among"):
            rules.append(f"of beginnings with the end's `{among}` one at most")
        row = [f"`{edge['name']}`", ", ".join(edge["from"]), ", ".join(edge["to"]), edge["doc"], "; ".join(rules)]
        yield "| " + " | ".join(row) + " |"
    yield ""
    yield "## Nodes"
    yield ""
    yield "Every node has an `id` (one to three names joined by dots) and may have a `name`. A number without a unit is in the unit"
    yield "of the table; any other unit of the same dimension is converted. An instant is RFC 3339; a date alone is 00:00 UTC of it."
    for node in ontology["node"]:
        yield ""
        yield f"### {node['name']}"
        yield ""
        yield node["doc"]
        yield ""
        yield "| property | kind | means | |"
        yield "| --- | --- | --- | --- |"
        for row in node["properties"]:
            required = "required" if row.get("required") else ""
            yield f"| `{row['name']}` | {page_kind(row)} | {row['doc']} | {required} |".replace("|  |", "| |")
    yield ""
    yield "## Versions"
    yield ""
    yield "| version | what changed |"
    yield "| --- | --- |"
    yield "| 1 | the first |"
    for migration in ontology.get("migration", []):
        yield f"| {migration['to']} | {migration['doc']} |"


OUTPUTS = {"Sources/TwinGraph/Ontology+Generated.swift": swift,
           "Sources/TwinGraph/Nodes+Generated.swift": swift_views, "docs/schema/graph.schema.json": schema,
           "docs/ontology.md": page}


def main(arguments):
    if arguments not in ([], ["--check"]):
        print("usage: ontology.py [--check]", file=sys.stderr)
        return 2
    table = (ROOT / "Sources/TwinCore/UnitCode+Table.swift").read_text(encoding="utf-8")
    units = set(re.findall(r'Entry\("([^"]+)"', table))
    try:
        ontology = tomllib.loads((ROOT / SOURCE).read_text(encoding="utf-8"))
        check(ontology, units)
    except (Wrong, tomllib.TOMLDecodeError) as error:
        print(f"{SOURCE}: {error}", file=sys.stderr)
        return 1
    stale = 0
    for path, make in OUTPUTS.items():
        text = "\n".join(make(ontology)) + "\n"
        file = ROOT / path
        if file.exists() and file.read_text(encoding="utf-8") == text:
            continue
        if arguments:
            print(f"{path} is stale: run {COMMAND}", file=sys.stderr)
            stale = 1
        else:
            file.write_text(text, encoding="utf-8")
            print(path)
    return stale


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
