import FoundationEssentials

/// The one way in which this API is written and read: sorted snake_case keys, UTF-8, slashes as they are.
public enum APIJSON {
  /// Throws `api.encoding` when a number is not finite.
  public static func encode(_ value: some Encodable, pretty: Bool = false) throws(APIProblem) -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting =
      pretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
    do {
      return [UInt8](try encoder.encode(value))
    } catch {
      throw APIProblem(
        status: 500, code: "api.encoding", title: "an answer could not be written as JSON", cause: "\(error)",
        next: "report this with the output of: twinctl version")
    }
  }

  /// Throws `api.body` and names the field that is missing or of another type.
  public static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws(APIProblem) -> Value {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    do {
      return try decoder.decode(type, from: Data(bytes))
    } catch {
      throw APIProblem(
        status: 400, code: "api.body", title: "the JSON is not what was expected here", cause: Self.sentence(error),
        next: "compare the body with the reference of \(API.version)")
    }
  }

  private static func sentence(_ error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    func path(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
      (context.codingPath + (last.map { [$0] } ?? [])).map { snake($0.stringValue) }.joined(separator: ".")
    }
    switch error {
    case .keyNotFound(let key, let context): return "\(path(context, key)) is missing"
    case .typeMismatch(let type, let context): return "\(path(context)) is no \(type)"
    case .valueNotFound(_, let context): return "\(path(context)) is null"
    case .dataCorrupted(let context):
      return context.codingPath.isEmpty ? "it is not valid JSON" : "\(path(context)): \(context.debugDescription)"
    @unknown default: return "\(error)"
    }
  }

  private static func snake(_ key: String) -> String {
    key.reduce(into: "") { $0 += $1.isUppercase ? "_" + $1.lowercased() : String($1) }
  }
}
