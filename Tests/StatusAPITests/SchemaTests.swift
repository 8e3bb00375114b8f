import Testing
import TwinCore

@testable import StatusAPI

@Suite("Documents keep their shape")
struct SchemaTests {
  private func text(_ value: some Encodable) throws -> String {
    String(decoding: try APIJSON.encode(value), as: UTF8.self)
  }

  @Test("keys are snake_case and sorted, times UTC, absent fields left out")
  func document() throws {
    let meta = API.Meta(version: "0.1.0", site: "lyon-01", startedAt: StubSource.at)
    let document = API.Document(meta, header: API.Header(site: "lyon-01", utcOffsetS: 3600), at: StubSource.at.instant)
    #expect(
      try text(document) == """
        {"api":"twind/v1","clock_trusted":true,"data":{"api_max":1,"api_min":1,"features":[],"site":"lyon-01",\
        "started_at":"2026-11-22T13:03:20.000Z","version":"0.1.0"},"generated_at":"2026-11-22T13:03:20.000Z",\
        "kind":"Meta","site":"lyon-01","utc_offset_s":3600}
        """)
  }

  @Test(
    "a missing value is null with a quality, never a number",
    arguments: [
      (6.5, Quality.good, #"{"quality":"good","unit":"Cel","value":6.5}"#),
      (nil, Quality.good, #"{"quality":"absent","unit":"Cel","value":null}"#),
      (Double.nan, Quality.good, #"{"quality":"absent","unit":"Cel","value":null}"#),
      (Double.infinity, Quality.suspect, #"{"quality":"absent","unit":"Cel","value":null}"#),
      (0, Quality.failed, #"{"quality":"failed","unit":"Cel","value":null}"#),
      (6.5, Quality.suspect, #"{"quality":"suspect","unit":"Cel","value":6.5}"#),
    ])
  func quantity(value: Double?, quality: Quality, json: String) throws {
    #expect(try text(API.Quantity(value, unit: "Cel", quality: quality)) == json)
  }

  @Test("what is written is read back the same")
  func roundTrip() async throws {
    let source = StubSource()
    let status = API.Document(try await source.status(), header: source.header, at: StubSource.at.instant)
    #expect(try APIJSON.decode(API.Document<API.Status>.self, from: APIJSON.encode(status)) == status)
    let point = try await source.point(StubSource.point)
    #expect(try APIJSON.decode(API.Point.self, from: APIJSON.encode(point)) == point)
    let problem = APIProblem(status: 409, code: "a.b", title: "t", since: StubSource.at, next: "n")
    #expect(try APIJSON.decode(APIProblem.self, from: APIJSON.encode(problem)) == problem)
  }

  @Test("fields that this release does not know are passed over")
  func additive() throws {
    let json = #"{"api_min":1,"api_max":2,"version":"9","site":"s","features":[],"news":{"a":[1]}}"#
    #expect(try APIJSON.decode(API.Meta.self, from: Array(json.utf8)).apiMax == 2)
  }

  @Test(
    "a wrong body is named by its field",
    arguments: [
      (#"{"for_s":1,"reason":"r"}"#, "value is missing"),
      (#"{"value":"x","for_s":1,"reason":"r"}"#, "value is no Double"),
      (#"{"value":1,"for_s":null,"reason":"r"}"#, "for_s is null"),
      (#"{"value":1,"#, "it is not valid JSON"),
      ("", "it is not valid JSON"),
    ])
  func body(json: String, cause: String) {
    let error = #expect(throws: APIProblem.self) {
      try APIJSON.decode(API.OverrideRequest.self, from: Array(json.utf8))
    }
    #expect(error?.cause == cause)
  }
}

@Suite("Names and patterns")
struct NameTests {
  @Test(arguments: [
    ("*", "a.b", true), ("chiller-1.*", "chiller-1.x", true), ("chiller-1.*", "chiller-2.x", false),
    ("*.x", "a.b.x", true),
    ("a?c", "abc", true), ("a?c", "ac", false), ("**", "", true), ("a*b*c", "a--b--c", true),
    ("a*b*c", "a--c--b", false),
    ("abc", "abc", true), ("abc", "abcd", false), ("*a", "aaaa", true),
  ])
  func matches(pattern: String, id: String, expected: Bool) throws {
    #expect(try #require(PointPattern(pattern)).matches(id) == expected)
  }

  @Test("agrees with the definition on random texts", arguments: [1, 2, 3] as [UInt64])
  func definition(seed: UInt64) throws {
    var random = Seeded(state: seed)
    func slow(_ p: ArraySlice<Character>, _ t: ArraySlice<Character>) -> Bool {
      guard let first = p.first else { return t.isEmpty }
      if first == "*" { return slow(p.dropFirst(), t) || !t.isEmpty && slow(p, t.dropFirst()) }
      return !t.isEmpty && (first == "?" || first == t.first) && slow(p.dropFirst(), t.dropFirst())
    }
    for _ in 0..<2000 {
      let pattern = String(
        (0..<Int.random(in: 1...6, using: &random)).map { _ in "ab*?".randomElement(using: &random)! })
      let text = String((0..<Int.random(in: 0...7, using: &random)).map { _ in "ab".randomElement(using: &random)! })
      let expected = slow(Array(pattern)[...], Array(text)[...])
      #expect(try #require(PointPattern(pattern)).matches(text) == expected, "seed \(seed): \(pattern) on \(text)")
    }
  }

  @Test(arguments: [
    ("chiler-1", "chiller-1"), ("Chiller-1", "chiller-1"), ("metre-1", "meter-1"), ("pump", nil), ("", nil),
  ])
  func nearest(name: String, expected: String?) {
    #expect(NearestName.of(name, among: ["chiller-1", "chiller-2", "meter-1"]) == expected)
  }

  @Test(arguments: [
    ("a%20b", "a b"), ("a+b", "a+b"), ("%C3%A9", "é"), ("%", nil), ("%2", nil), ("%zz", nil), ("%FF", nil),
  ])
  func percent(text: String, expected: String?) { #expect(Request.decoded(text[...]) == expected) }

  @Test("what the client escapes the server reads back", arguments: ["a b/c?d&e=f", "é%", "chiller-1.*", "100 %"])
  func escaping(text: String) { #expect(Request.decoded(StatusClient.escaped(text)[...]) == text) }
}
