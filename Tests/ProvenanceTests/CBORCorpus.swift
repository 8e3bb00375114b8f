@testable import Provenance

/// The strict subset by example. What RFC 8949 appendix A has is marked by its own notation.
enum CBORCorpus {
  struct Accepted: Sendable {
    let hex: String
    let item: CBORItem
    init(_ hex: String, _ item: CBORItem) { (self.hex, self.item) = (hex, item) }
  }

  struct Rejected: Sendable {
    let hex: String
    let problem: CBORProblem
    let what: String
    init(_ hex: String, _ problem: CBORProblem, _ what: String) {
      (self.hex, self.problem, self.what) = (hex, problem, what)
    }
  }

  static let accepted: [Accepted] = [
    // Appendix A.
    .init("00", .unsigned(0)), .init("01", .unsigned(1)), .init("0a", .unsigned(10)), .init("17", .unsigned(23)),
    .init("1818", .unsigned(24)), .init("1819", .unsigned(25)), .init("1864", .unsigned(100)),
    .init("1903e8", .unsigned(1000)), .init("1a000f4240", .unsigned(1_000_000)),
    .init("1b000000e8d4a51000", .unsigned(1_000_000_000_000)), .init("1bffffffffffffffff", .unsigned(.max)),
    .init("20", .negative(-1)), .init("29", .negative(-10)), .init("3863", .negative(-100)),
    .init("3903e7", .negative(-1000)), .init("f4", .bool(false)), .init("f5", .bool(true)), .init("f6", .null),
    .init("40", .bytes([])), .init("4401020304", .bytes([1, 2, 3, 4])), .init("60", .text("")),
    .init("6161", .text("a")), .init("6449455446", .text("IETF")), .init("62225c", .text("\"\\")),
    .init("62c3bc", .text("\u{fc}")), .init("63e6b0b4", .text("\u{6c34}")), .init("64f0908591", .text("\u{10151}")),
    .init("80", .array([])), .init("83010203", .array([.unsigned(1), .unsigned(2), .unsigned(3)])),
    .init(
      "8301820203820405",
      .array([.unsigned(1), .array([.unsigned(2), .unsigned(3)]), .array([.unsigned(4), .unsigned(5)])])),
    .init(
      "98190102030405060708090a0b0c0d0e0f101112131415161718181819",
      .array((1...25).map { .unsigned($0) })),
    .init("a0", .map()), .init("a201020304", .map((1, .unsigned(2)), (3, .unsigned(4)))),
    // Ends of every argument's width.
    .init("18ff", .unsigned(255)), .init("190100", .unsigned(256)), .init("19ffff", .unsigned(65_535)),
    .init("1a00010000", .unsigned(65_536)), .init("1affffffff", .unsigned(4_294_967_295)),
    .init("1b0000000100000000", .unsigned(4_294_967_296)), .init("3b7fffffffffffffff", .negative(.min)),
    .init("a217f61818f5", .map((23, .null), (24, .bool(true)))),
    .init("a218ff00190100a0", .map((255, .unsigned(0)), (256, .map()))),
    .init("a11bffffffffffffffff40", .map((.max, .bytes([])))),
    .init("8181818181818180", nested(8)),
    .init("5818" + String(repeating: "ab", count: 24), .bytes([UInt8](repeating: 0xab, count: 24))),
    // One letter in two spellings: different texts.
    .init("62c3a9", .text("\u{e9}")), .init("6365cc81", .text("e\u{301}")),
  ]

  static let rejected: [Rejected] = [
    .init("", .truncated, "nothing"), .init("18", .truncated, "argument missing"),
    .init("1900", .truncated, "argument cut"), .init("1b00000000000000", .truncated, "argument cut"),
    .init("41", .truncated, "bytes missing"), .init("62c3", .truncated, "text cut"),
    .init("81", .truncated, "array without its item"), .init("8201", .truncated, "array cut"),
    .init("a1", .truncated, "map without its entry"), .init("a101", .truncated, "key without its value"),
    .init("a20102", .truncated, "map cut"), .init("0000", .trailing, "two items"),
    .init("80f6", .trailing, "two items"),
    .init("f600", .trailing, "one byte more"),
    // Arguments in more bytes than needed.
    .init("1800", .notShortest, "0 in one byte"), .init("1817", .notShortest, "23 in one byte"),
    .init("190017", .notShortest, "23 in two"), .init("1900ff", .notShortest, "255 in two"),
    .init("1a0000ffff", .notShortest, "65535 in four"), .init("1b00000000ffffffff", .notShortest, "2^32-1 in eight"),
    .init("3817", .notShortest, "-24 in one byte"), .init("580100", .notShortest, "length of bytes"),
    .init("780161", .notShortest, "length of text"), .init("980101", .notShortest, "length of array"),
    .init("b8010101", .notShortest, "length of map"), .init("a1180101", .notShortest, "map key"),
    // Indefinite lengths, from appendix A and at the ends.
    .init("5f42010243030405ff", .indefinite, "bytes"), .init("7f657374726561646d696e67ff", .indefinite, "text"),
    .init("9fff", .indefinite, "array"), .init("9f018202039f0405ffff", .indefinite, "array"),
    .init("83018202039f0405ff", .indefinite, "array inside"), .init("bfff", .indefinite, "map"),
    .init("bf01020304ff", .indefinite, "map"), .init("ff", .indefinite, "break alone"),
    .init("81ff", .indefinite, "break inside"),
    // Forms that no standard gives a meaning.
    .init("1c", .reserved, "28"), .init("1d", .reserved, "29"), .init("1e", .reserved, "30"),
    .init("1f", .reserved, "31 on an integer"), .init("3f", .reserved, "31 on a negative"),
    .init("5c", .reserved, "28 on bytes"), .init("7e", .reserved, "30 on text"),
    .init("9d", .reserved, "29 on an array"),
    .init("bc", .reserved, "28 on a map"), .init("df", .reserved, "31 on a tag"),
    .init("fc", .reserved, "28 on simple"),
    // Tags, floats and simple values of appendix A.
    .init("c074323031332d30332d32315432303a30343a30305a", .tag, "0, a date"), .init("c11a514b67b0", .tag, "1, a time"),
    .init("c249010000000000000000", .tag, "2, a bignum"), .init("c349010000000000000000", .tag, "3, a bignum"),
    .init("d74401020304", .tag, "23"), .init("d818456449455446", .tag, "24"), .init("d9d9f700", .tag, "55799"),
    .init("f90000", .float, "half 0.0"), .init("f97e00", .float, "half NaN"), .init("fa47c35000", .float, "single"),
    .init("fb3ff199999999999a", .float, "double"), .init("f7", .simple, "undefined"), .init("f0", .simple, "16"),
    .init("f818", .simple, "24"), .init("f8ff", .simple, "255"), .init("e0", .simple, "0"),
    .init("3b8000000000000000", .tooNegative, "-2^63 - 1"), .init("3bffffffffffffffff", .tooNegative, "-2^64"),
    // Text.
    .init("61ff", .utf8, "no first byte"), .init("62c328", .utf8, "no second byte"),
    .init("62c080", .utf8, "overlong 0"),
    .init("63eda080", .utf8, "surrogate"), .init("64f4908080", .utf8, "above 10FFFF"),
    .init("61c3", .utf8, "cut letter"),
    // Maps.
    .init("a16001", .keyType, "text key"), .init("a14001", .keyType, "bytes key"),
    .init("a12001", .keyType, "-1 as key"),
    .init("a1f601", .keyType, "null key"), .init("a1a001", .keyType, "map as key"),
    .init("a26161016162820203", .keyType, "appendix A's text keys"), .init("a202000100", .keyOrder, "2 before 1"),
    .init("a218ff001700", .keyOrder, "255 before 23"), .init("a3010002000100", .keyOrder, "1 again after 2"),
    .init("a201000100", .keyTwice, "1 twice"), .init("a2000000f6", .keyTwice, "0 twice"),
    // Bounds.
    .init("818181818181818180", .tooDeep, "nine arrays"),
    .init("a100a100a100a100a100a100a100a100a0", .tooDeep, "nine maps"),
    .init(String(repeating: "81", count: 10_000) + "00", .tooDeep, "ten thousand arrays"),
    .init(String(repeating: "a100", count: 10_000) + "00", .tooDeep, "ten thousand maps"),
    .init("991000" + String(repeating: "f6", count: 4096), .tooMany, "4097 items"),
    .init("b90800" + (0..<2048).map(entry).joined(), .tooMany, "4097 items in a map"),
    .init("5b8000000000000000", .truncated, "2^63 bytes"), .init("5bffffffffffffffff", .truncated, "2^64-1 bytes"),
    .init("7b8000000000000000", .truncated, "2^63 bytes of text"),
    .init("9b8000000000000000", .truncated, "2^63 items"),
    .init("9b7fffffffffffffff", .truncated, "2^63-1 items"), .init("bb8000000000000000", .truncated, "2^63 entries"),
    .init("bb4000000000000000", .truncated, "2^62 entries"), .init("9affffffff00", .truncated, "2^32-1 items"),
  ]

  /// An entry of a map with ascending keys: the key, then null.
  private static func entry(_ key: Int) -> String {
    Hex.text(CBORItem.unsigned(UInt64(key)).encoded) + "f6"
  }

  static func nested(_ depth: Int) -> CBORItem {
    (1..<depth).reduce(CBORItem.array([])) { inner, _ in .array([inner]) }
  }
}
