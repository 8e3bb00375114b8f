/// A choice of points by name: `*` stands for any characters, `?` for one; everything else for itself.
public struct PointPattern: Sendable, Hashable {
  public static let lengthMax = 256
  public let text: String
  private let bytes: [UInt8]

  /// Nil for an empty or longer text.
  public init?(_ text: String) {
    let bytes = Array(text.utf8)
    guard !bytes.isEmpty, bytes.count <= Self.lengthMax else { return nil }
    (self.text, self.bytes) = (text, bytes)
  }

  /// A pattern that means exactly one point.
  public var isExact: Bool { !bytes.contains(Self.any) && !bytes.contains(Self.one) }

  /// Linear in the product of the lengths at worst: one place to go back to.
  public func matches(_ id: String) -> Bool {
    let id = Array(id.utf8)
    var (p, i) = (0, 0)
    var star: (pattern: Int, id: Int)?
    while i < id.count {
      if p < bytes.count, bytes[p] == Self.any {
        star = (p, i)
        p += 1
      } else if p < bytes.count, bytes[p] == Self.one || bytes[p] == id[i] {
        (p, i) = (p + 1, i + 1)
      } else if let (pattern, at) = star {
        star = (pattern, at + 1)
        (p, i) = (pattern + 1, at + 1)
      } else {
        return false
      }
    }
    while p < bytes.count, bytes[p] == Self.any { p += 1 }
    return p == bytes.count
  }

  private static let any = UInt8(ascii: "*")
  private static let one = UInt8(ascii: "?")
}
