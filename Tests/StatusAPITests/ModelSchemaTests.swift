import FoundationEssentials
import Testing
import TwinCore

@testable import StatusAPI

/// What a JSON document is made of, as far as a schema looks.
private enum JSON: Decodable {
  case object([String: JSON])
  case array([JSON])
  case text(String)
  case number(Double)
  case bool(Bool)
  case null

  init(from decoder: any Decoder) throws {
    let one = try decoder.singleValueContainer()
    if one.decodeNil() {
      self = .null
    } else if let bool = try? one.decode(Bool.self) {
      self = .bool(bool)
    } else if let number = try? one.decode(Double.self) {
      self = .number(number)
    } else if let text = try? one.decode(String.self) {
      self = .text(text)
    } else if let items = try? one.decode([JSON].self) {
      self = .array(items)
    } else {
      self = .object(try one.decode([String: JSON].self))
    }
  }

  subscript(_ key: String) -> JSON? { if case .object(let members) = self { members[key] } else { nil } }
  var members: [String: JSON] { if case .object(let members) = self { members } else { [:] } }
  var items: [JSON] { if case .array(let items) = self { items } else { [] } }
  var word: String? { if case .text(let text) = self { text } else { nil } }

  var type: String {
    switch self {
    case .object: "object"
    case .array: "array"
    case .text: "string"
    case .number: "number"
    case .bool: "boolean"
    case .null: "null"
    }
  }
}

@Suite("docs/schema/models.schema.json is what the socket says")
struct ModelSchemaTests {
  private static let path =
    #filePath.split(separator: "/", omittingEmptySubsequences: false).dropLast().joined(separator: "/")
    + "/../../docs/schema/models.schema.json"

  /// Where a value is not what its schema says: an unknown member, a missing one, another type.
  private func problems(_ value: JSON, _ schema: JSON, _ root: JSON, at place: String) -> [String] {
    var schema = schema
    if let inner = schema["allOf"]?.items.first { schema = inner }
    if let name = schema["$ref"]?.word?.split(separator: "/").last {
      guard let found = root["definitions"]?[String(name)] else { return ["\(place): no definition \(name)"] }
      schema = found
    }
    guard let wanted = schema["type"]?.word else { return [] }
    guard value.type == wanted || wanted == "integer" && value.type == "number" else {
      return ["\(place): \(value.type), not \(wanted)"]
    }
    let properties = schema["properties"]?.members ?? [:]
    let missing = (schema["required"]?.items ?? []).compactMap(\.word).filter { value[$0] == nil }
    var found = missing.map { "\(place): lacks \($0)" }
    for (key, member) in value.members {
      guard let property = properties[key] else {
        found.append("\(place): \(key) is not in the schema")
        continue
      }
      found += problems(member, property, root, at: "\(place).\(key)")
    }
    if let items = schema["items"] {
      for (index, item) in value.items.enumerated() { found += problems(item, items, root, at: "\(place)[\(index)]") }
    }
    return found
  }

  private func problems(_ document: some Codable & Sendable & Equatable, spoilt: (String) -> String = { $0 }) throws
    -> [String]
  {
    let root = try JSONDecoder().decode(JSON.self, from: Data(contentsOf: URL(filePath: Self.path)))
    let text = spoilt(String(decoding: try APIJSON.encode(document), as: UTF8.self))
    let value = try JSONDecoder().decode(JSON.self, from: Data(text.utf8))
    let name = String(describing: Swift.type(of: document))
    let definition = try #require(root["definitions"]?[name], "no definition \(name)")
    return problems(value, definition, root, at: name)
  }

  @Test func `every member that is sent is in it, with its type, and none that it requires is missing`() async throws {
    let source = StubSource()
    #expect(try problems(try await source.models()).isEmpty)
    #expect(try problems(try await source.model("hall-a")).isEmpty)
    #expect(try problems(try await source.modelHistory("hall-a")).isEmpty)
    #expect(try problems(API.ModelRequest(reason: "r")).isEmpty)
    #expect(
      try problems(
        API.ModelTally(total: 1, ok: 0, uncalibrated: 0, suspect: 0, drifting: 1, stale: 0, worst: "w")
      ).isEmpty)
  }

  @Test(
    arguments: [
      (#""level":0.3"#, #""level":"high""#), (#""response":"none""#, #""reply":"none""#),
      (#""learned_steps":960"#, #""learned_steps":null"#),
    ])
  func `tells what differs`(old: String, new: String) async throws {
    let models = try await StubSource().models()
    #expect(try !problems(models, spoilt: { $0.replacing(old, with: new) }).isEmpty)
  }
}
