public import TwinCore
import YAML

/// What a daemon wants trained.
public struct LearnRequest: Sendable, Equatable {
  /// Rises with every request.
  public var id: Int64
  public var days: Int
  /// Ids; empty for all of the site.
  public var models: [String]
  public var reason: String

  public init(id: Int64, days: Int, models: [String], reason: String) {
    (self.id, self.days, self.models, self.reason) = (id, days, models, reason)
  }

  static let bytesMax = 64 << 10
  static let modelsMax = 256

  /// JSON is read as the YAML that it is. Nil for anything that no daemon wrote.
  init?(json bytes: [UInt8]) {
    do throws(YAMLFault) {
      guard let fields = try Node.documents(in: bytes, file: "request").first?.mapping,
        let id = try fields["id"]?.scalar.integer(in: 1...Int64.max),
        let days = try fields["days"]?.scalar.integer(in: 1...TrainingSettings.daysMax),
        let items = try fields["models"]?.sequence, items.count <= Self.modelsMax
      else { return nil }
      (self.id, self.days) = (id, days)
      models = []
      for item in items { models.append(try item.scalar.text) }
      reason = try fields["reason"]?.scalar.text ?? ""
    } catch {
      return nil
    }
  }

  var json: String {
    let names = models.map { JSONText.quoted($0) }.joined(separator: ", ")
    return "{\"id\": \(id), \"days\": \(days), \"models\": [\(names)], \"reason\": \(JSONText.quoted(reason))}\n"
  }
}

/// How far a learner is, for people and screens.
public struct LearnProgress: Sendable, Equatable {
  public var model: String
  /// A phase of `TrainingJob`, or `collecting`, `waiting`, `failed`.
  public var phase: String
  public var share: Double
  public var text: String
  public var at: Instant

  public init(model: String, phase: String, share: Double, text: String, at: Instant) {
    (self.model, self.phase, self.share, self.text, self.at) = (model, phase, share, text, at)
  }

  public var json: String {
    let percent = Double((max(0, min(1, share)) * 1000).rounded()) / 1000
    return "{\"model\": \(JSONText.quoted(model)), \"phase\": \(JSONText.quoted(phase)), \"share\": \(percent), "
      + "\"text\": \(JSONText.quoted(text)), \"at\": \(JSONText.quoted(at.rfc3339))}\n"
  }
}

extension LearnFolder {
  /// The daemon's side: replaces a request that was not obeyed yet.
  public func ask(_ request: LearnRequest) throws(TrainingFault) {
    try write(Array(request.json.utf8), Self.requestFile)
  }

  /// What is asked for and was not obeyed yet.
  ///
  /// Fault: `training.request_malformed` for a file that no daemon wrote.
  public func request() throws(TrainingFault) -> LearnRequest? {
    guard let bytes = bytes(Self.requestFile, max: LearnRequest.bytesMax) else { return nil }
    guard let request = LearnRequest(json: bytes) else {
      throw TrainingFault(
        .requestMalformed, "\(requestPath) is no request", remedy: "remove it, and ask again: twinctl model train")
    }
    return request.id > answered ? request : nil
  }

  /// The last request that was obeyed; 0 before the first.
  public var answered: Int64 {
    bytes(Self.answeredFile, max: 32).flatMap {
      Int64(String(decoding: $0.prefix { (48...57).contains($0) }, as: UTF8.self))
    } ?? 0
  }

  public func answer(_ request: LearnRequest) throws(TrainingFault) {
    try write(Array("\(request.id)\n".utf8), Self.answeredFile)
  }

  public func tell(_ progress: LearnProgress) throws(TrainingFault) {
    try write(Array(progress.json.utf8), Self.progressFile)
  }

  public func saved() -> [UInt8]? { bytes(Self.jobFile, max: Self.jobBytesMax) }
  public func save(_ job: [UInt8]) throws(TrainingFault) { try write(job, Self.jobFile) }
  public func forget() { remove(Self.jobFile) }
}

enum JSONText {
  /// RFC 8259, in ASCII but for what UTF-8 has.
  static func quoted(_ text: String) -> String {
    var quoted = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": quoted += "\\\""
      case "\\": quoted += "\\\\"
      case "\n": quoted += "\\n"
      case _ where scalar.value < 0x20:
        let digits = Array("0123456789abcdef")
        quoted += "\\u00\(digits[Int(scalar.value >> 4)])\(digits[Int(scalar.value & 15)])"
      default: quoted.unicodeScalars.append(scalar)
      }
    }
    return quoted + "\""
  }
}
