import Provenance
import Sync
import Testing
import TwinCore

@Suite("Topics are read only as they are printed")
struct SyncTopicTests {
  static let digest = Digest(bytes: Array(0..<32))!
  static let all: [(SyncTopic, String)] = [
    (.birth(.a), "tw/1/up/acme.a/birth"), (.heartbeat(.a), "tw/1/up/acme.a/hb"),
    (.death(.a), "tw/1/up/acme.a/death"), (.request(.a), "tw/1/up/acme.a/req"),
    (.log(.a, .audit), "tw/1/up/acme.a/log/audit"), (.log(.a, .debug), "tw/1/up/acme.a/log/debug"),
    (.upload(.a, digest), "tw/1/up/acme.a/art/\(digest.hex)"), (.ack(.a, .model), "tw/1/dn/acme.a/ack/model"),
    (.command(.a), "tw/1/dn/acme.a/cmd"), (.directed(.a), "tw/1/dn/acme.a/log"),
    (.download(.a, digest), "tw/1/dn/acme.a/art/\(digest.hex)"), (.metadata(.root), "tw/1/all/meta/root"),
    (.metadata(.timestamp), "tw/1/all/meta/timestamp"), (.state(foundation: "f-1"), "tw/1/all/state/f-1"),
    (.enrolRequest(token: "t1"), "tw/1/enrol/t1/csr"), (.enrolAnswer(token: "t1"), "tw/1/enrol/t1/cert"),
  ]

  @Test("each topic is read back", arguments: all)
  func roundTrip(_ topic: SyncTopic, _ text: String) {
    #expect(topic.description == text)
    #expect(SyncTopic(text) == topic)
    #expect(text.utf8.count <= SyncTopic.bytesMax)
  }

  @Test(
    "anything else is refused",
    arguments: [
      "", "tw", "tw/1/up/acme.a", "tw/1/up/acme.a/", "tw/1/up/acme.a/birth/", "/tw/1/up/acme.a/birth",
      "tw/2/up/acme.a/birth", "TW/1/up/acme.a/birth", "tw/1/up/acme/birth", "tw/1/up/acme.a.b/birth",
      "tw/1/up/Acme.a/birth", "tw/1/up/acme.+/birth", "tw/1/up/#", "tw/1/up/acme.a/log", "tw/1/up/acme.a/log/0",
      "tw/1/up/acme.a/log/audit/x", "tw/1/up/acme.a/art/00", "tw/1/dn/acme.a/birth", "tw/1/up/acme.a/cmd",
      "tw/1/dn/acme.a/art/\(String(repeating: "A", count: 64))", "tw/1/all/meta/snapshot", "tw/1/all/state/",
      "tw/1/all/state/\(String(repeating: "f", count: 37))", "tw/1/enrol//csr", "tw/1/enrol/t/key",
      "tw/1/up/\(String(repeating: "a", count: 25)).a/birth", "tw/1/up/acme.a/hb\u{0}",
      "tw/1/up/acme.a/" + String(repeating: "/", count: 200),
    ])
  func refused(_ text: String) { #expect(SyncTopic(text) == nil) }
}
