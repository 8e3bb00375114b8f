public import TwinCore

/// Why there is no answer, or why nothing was written: RFC 9457 problem details with the fields that a person on site
/// needs.
///
/// Every error of this room is one. `status` is the HTTP status, 0 when no daemon was reached.
public struct APIProblem: Fault, Equatable, Codable {
  public var type: String
  public var status: Int
  public var code: String
  /// What happened, in the reader's words, without a full stop.
  public var title: String
  /// The root, one line.
  public var cause: String?
  /// What it means for the plant.
  public var effect: String?
  public var since: Timestamp?
  /// One command or one act.
  public var next: String
  /// The closest thing that exists or is allowed.
  public var nearest: String?

  public init(
    status: Int, code: String, title: String, cause: String? = nil, effect: String? = nil, since: Timestamp? = nil,
    next: String, nearest: String? = nil
  ) {
    (type, self.status, self.code, self.title) = ("urn:twind:problem:\(code)", status, code, title)
    (self.cause, self.effect, self.since) = (cause, effect, since)
    (self.next, self.nearest) = (next, nearest)
  }

  public var message: String { cause.map { "\(title): \($0)" } ?? title }
  public var remedy: String { next }
  /// 408, 429, 503, 504: the same request may be answered later.
  public var isRetriable: Bool { [408, 429, 503, 504].contains(status) }
  /// 409 and 412: the envelope, a policy or a lock said no, and nothing was written.
  public var isRefusal: Bool { status == 409 || status == 412 }
}

extension APIProblem {
  /// Nothing of that id; `known` are the ids to suggest from.
  public static func notFound(_ noun: String, _ id: String, known: [String] = [], list: String) -> APIProblem {
    let nearest = NearestName.of(id, among: known)
    return APIProblem(
      status: 404, code: "api.not_found", title: "there is no \(noun) \"\(id)\"",
      next: nearest.map { "did you mean \($0)? All of them: \(list)" } ?? "see what there is: \(list)", nearest: nearest
    )
  }

  /// Envelope, policy or lock said no, and nothing was written.
  public static func refused(
    code: String, title: String, cause: String, effect: String? = nil, next: String, nearest: String? = nil
  ) -> APIProblem {
    APIProblem(status: 409, code: code, title: title, cause: cause, effect: effect, next: next, nearest: nearest)
  }

  /// What came in cannot be meant.
  public static func invalid(_ title: String, cause: String? = nil, next: String) -> APIProblem {
    APIProblem(status: 400, code: "api.invalid", title: title, cause: cause, next: next)
  }
}
