import TwinCore
import YAML

extension DataPolicy {
  private static let exports = Dictionary(uniqueKeysWithValues: Export.allCases.map { ($0.name, $0) })
  /// A value kept for less than an hour is hardly kept: it is in the memory of the gateway for minutes anyway.
  private static let keepRange: ClosedRange<Int64> = 3_600_000_000_000...(10 * 366 * 86_400_000_000_000)

  /// `data:` of a profile's defaults, of a device or of a point; what it leaves out stays as it was.
  mutating func read(_ section: Section) {
    if let export = section.word("export", Self.exports) { self.export = export }
    if let purpose = section.text("purpose") {
      self.purpose = purpose
      if purpose.utf8.count > Self.purposeBytesMax {
        section.problems.add(
          .error, "pack.out_of_range", at: section.mark(of: "purpose"),
          "a purpose of \(purpose.utf8.count) bytes where \(Self.purposeBytesMax) may be", "say it shorter")
      }
    }
    if let keep = section.duration("keep", in: Self.keepRange) { keepNanoseconds = keep }
    section.close()
  }
}
