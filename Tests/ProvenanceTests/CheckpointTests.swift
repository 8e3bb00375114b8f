import Sodium
import Testing
import TwinCore

@testable import Provenance

@Suite struct `Notes are those of C2SP` {
  /// golang/mod, sumdb/note.
  static let text = """
    If you think cryptography is the answer to your problem,
    then you don't know what your problem is.

    """
  static let peter = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
  static let peterLine =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
  static let enoch = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
  static let enochLine =
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"

  private func verify(_ note: String, _ keyText: String) -> String {
    outcome { () throws(ProvenanceFault) in
      let key = try NoteKey(parse: keyText)
      try SignedNote(parse: note).verify(name: key.name, key: key.key)
    }
  }

  @Test func `Public notes verify`() throws {
    let note = Self.text + "\n" + Self.peterLine + Self.enochLine
    #expect(verify(note, Self.peter) == "accepted")
    #expect(verify(note, Self.enoch) == "accepted")
    #expect(verify(Self.text + "\n" + Self.peterLine, Self.enoch) == "provenance.signer_unknown")
    #expect(try SignedNote(parse: note).encode() == note)
    // C2SP/C2SP, signed-note.md.
    let example = """
      This is an example message.

      — example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=

      """
    let foo = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    #expect(verify(example, foo) == "accepted")
    #expect(try NoteKey(parse: foo).text == foo)
  }

  /// golang/mod, sumdb/note/example_test.go: the seed behind PeterNeumann and the line it gives.
  @Test func `Signing gives the public bytes`() throws {
    let skey = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
    let secret = Ed25519.SecretKey(seed: Array(Base64.decode(skey.utf8)!.dropFirst()))!
    let publicKey = secret.publicKey
    let noteKey = NoteKey(name: "PeterNeumann", key: publicKey)!
    #expect(noteKey.text == Self.peter)
    let line = SignedNote.Signature(
      name: "PeterNeumann", keyID: noteKey.id, bytes: secret.sign(Array(Self.text.utf8))
    ).line
    #expect(line == Self.peterLine)
  }

  @Test func `A known key's wrong signature is a fault, even beside a right one`() {
    let base = Self.text + "\n"
    let digits = Self.peterLine.index(Self.peterLine.startIndex, offsetBy: 60)
    let damaged = String(Self.peterLine[..<digits]) + "ABCD" + String(Self.peterLine[digits...])
    #expect(verify(base + damaged, Self.peter) == "provenance.signature_wrong")
    #expect(verify(base + Self.peterLine + damaged, Self.peter) == "provenance.signature_wrong")
    #expect(verify(base + Self.peterLine + Self.peterLine, Self.peter) == "accepted")
    #expect(verify(base + Self.enochLine + damaged, Self.enoch) == "accepted")
    #expect(verify(base.replacing("think", with: "thank") + Self.peterLine, Self.peter) == "provenance.signature_wrong")
    // The name of one, the id of the other.
    #expect(
      verify(base + Self.enochLine.replacing("EnochRoot", with: "PeterNeumann"), Self.peter)
        == "provenance.signer_unknown")
  }

  /// The first seven are golang/mod's.
  @Test func `Malformed notes`() {
    let (text, line) = (Self.text, Self.peterLine)
    let notes: [[UInt8]] = [
      Array(text.utf8), Array((text + "\n").utf8), Array((text + "\n" + line.dropLast()).utf8),
      Array(("\u{1}" + text + "\n" + line).utf8), [0xff] + Array((text + "\n" + line).utf8),
      Array((text + "\n" + line.replacing("PeterNeumann", with: "Bad Name")).utf8),
      Array((text + "\n" + line + "Unexpected line.\n").utf8), [], Array("\n".utf8), Array("\n\n".utf8),
      Array((text + "\n" + line.replacing("— ", with: "- ")).utf8), Array((text + line).utf8),
      Array((text + "\n" + line.replacing("PeterNeumann", with: "Peter+Neumann")).utf8),
      Array((text + "\n" + line.replacing("PeterNeumann", with: "Peter\u{a0}Neumann")).utf8),
      Array((text + "\n" + line.replacing("PeterNeumann ", with: " ")).utf8),
      Array((text + "\n" + line.replacing("=\n", with: "\n")).utf8), Array((text + "\n— PeterNeumann x08go=\n").utf8),
      Array((text + "\n— PeterNeumann x08gow==\n").utf8), Array((text + "\r\n\r\n" + line).utf8),
      Array((text + "\n" + String(repeating: line, count: 65)).utf8),
      [UInt8](repeating: 0x61, count: SignedNote.bytesMax) + Array(("\n\n" + line).utf8),
    ]
    for note in notes {
      let code = outcome { () throws(ProvenanceFault) in _ = try SignedNote(parse: note) }
      #expect(code == "provenance.note_malformed", "\(String(decoding: note.prefix(200), as: UTF8.self))")
    }
    #expect(verify(text + "\n" + String(repeating: line, count: 64), Self.peter) == "accepted")
    // The last empty line divides: a text may have its own.
    #expect(throws: Never.self) { try SignedNote(parse: "a\n\nb\n\n" + line) }
  }

  /// golang/mod, sumdb/note/note_test.go: every part of a key's text is no key, nor is any with one byte raised.
  @Test func `A key's text has one form`() {
    func isKey(_ text: [UInt8]) -> Bool {
      (try? NoteKey(parse: String(decoding: text, as: UTF8.self))) != nil
    }
    let good = Array(Self.peter.utf8)
    #expect(isKey(good))
    for start in 0...good.count {
      for end in start...good.count where start > 0 || end < good.count { #expect(!isKey(Array(good[start..<end]))) }
    }
    for index in good.indices {
      var changed = good
      changed[index] += 1
      #expect(!isKey(changed), "byte \(index)")
    }
    #expect(!isKey(Array("PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==".utf8)))
    #expect(!isKey(Array("PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW".utf8)))
    // transparency-dev/formats, note/note_cosigv1_test.go.
    #expect(isKey(Array("TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6".utf8)))
    #expect(isKey(Array("remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2".utf8)))
    #expect(!isKey(Array("bananas.sigstore.dev+12344556".utf8)))
    #expect(!isKey(Array("rekor.sigstore.dev+12345678+THIS_IS_NOT_BASE64!".utf8)))
    let publicKey = key(1).publicKey
    for name in ["", "a b", "a+b", "a\u{2003}b", "a\nb"] { #expect(NoteKey(name: name, key: publicKey) == nil) }
  }
}

@Suite struct `Checkpoints are those of C2SP` {
  /// C2SP/C2SP, tlog-checkpoint.md and tlog-cosignature.md.
  static let body = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
  static let note =
    body + """

      — example.com/behind-the-sofa \
      Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
      — witness.example.com/w1 \
      jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==

      """

  @Test func `The public example is read`() throws {
    let signed = try SignedNote(parse: Self.note)
    let checkpoint = try Checkpoint(body: signed.text)
    #expect(checkpoint.origin == "example.com/behind-the-sofa" && checkpoint.size == 20_852_163)
    #expect(checkpoint.root.bytes == Base64.decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=".utf8))
    #expect(checkpoint.body == Self.body && signed.encode() == Self.note)
    let cosignature = signed.signatures[1]
    #expect(cosignature.bytes.count == 72)
    #expect(cosignature.bytes.prefix(8).reduce(0) { $0 << 8 | Int($1) } == 1_679_315_147)
  }

  /// Cases of transparency-dev/formats, log/checkpoint_test.go, with roots of 32 bytes, and more.
  @Test func `Bodies have one form`() throws {
    let root = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
    let good = ["Log\n123\n\(root)\n", "Log\n0\n\(root)\n", "Banana\n18446744073709551615\n\(root)\n"]
    for text in good + ["Log\n9944\n\(root)\nHere's some data.\n", "Log\n9\n\(root)\nlots\nof\nlines\n"] {
      #expect(try Checkpoint(body: text).body == text)
    }
    let bad = [
      "", "\n", "Head\n9944\n", "\n9944\n\(root)\n", "Log\n123\n\(root)", "Log\nbananas\n\(root)\n",
      "Log\n-34\n\(root)\n",
      "Log\n+34\n\(root)\n", "Log\n034\n\(root)\n", "Log\n 34\n\(root)\n", "Log\n\n\(root)\n",
      "Log\n3438945738945739845734895735\n\(root)\n", "Log\n18446744073709551616\n\(root)\n",
      "Log\n123\nThisIsn'tBase64\n", "Log\n123\nYmFuYW5hcw==\n", "Log\n123\n\(root.dropLast())\n",
      "Log\n9944\n\(root)\n\n\n\n", "Log\n9944\n\(root)\nextension", "Log\n9944\n\(root)\r\n",
      "Log\n9944\n\(root)\n" + String(repeating: "x\n", count: 17),
    ]
    for text in bad {
      let code = outcome { () throws(ProvenanceFault) in _ = try Checkpoint(body: text) }
      #expect(code == "provenance.note_malformed", "\(text.debugDescription)")
    }
    let most = "Log\n9944\n\(root)\n" + String(repeating: "x\n", count: 16)
    #expect(try Checkpoint(body: most).extensions.count == 16)
  }

  private func checkpoint() -> Checkpoint {
    let origin = Checkpoint.origin(
      site: SiteName("acme.lyon-01")!, stream: .audit, epoch: LogEpoch(bytes: Array(0..<16))!)
    return Checkpoint(origin: origin, size: 3, root: Merkle.emptyRoot)
  }

  @Test func `A site's checkpoint is signed and cosigned`() throws {
    let checkpoint = checkpoint()
    #expect(checkpoint.origin == "twind/acme.lyon-01/audit/000102030405060708090a0b0c0d0e0f")
    let note = checkpoint.signed(name: checkpoint.origin, by: key(1))
    let signed = try SignedNote(parse: note)
    try signed.verify(name: checkpoint.origin, key: key(1).publicKey)
    #expect(try Checkpoint(body: signed.text) == checkpoint)
    let line = try Checkpoint.cosign(note, name: "fleet/ingest", by: key(2), at: 1_700_000_000)
    let cosigned = note + line
    func verify(_ note: String, _ number: UInt8, name: String = "fleet/ingest") -> String {
      outcome { () throws(ProvenanceFault) in
        try Checkpoint.verifyCosignature(of: note, name: name, key: key(number).publicKey)
      }
    }
    #expect(
      try Checkpoint.verifyCosignature(of: cosigned, name: "fleet/ingest", key: key(2).publicKey) == 1_700_000_000)
    #expect(verify(note, 2) == "provenance.signer_unknown")
    #expect(verify(cosigned, 3) == "provenance.signer_unknown")
    #expect(verify(cosigned, 2, name: "fleet/other") == "provenance.signer_unknown")
    #expect(verify(cosigned.replacing("\n3\n", with: "\n4\n"), 2) == "provenance.signature_wrong")
    let later = try Checkpoint.cosign(note, name: "fleet/ingest", by: key(2), at: 1_700_000_060)
    #expect(
      try Checkpoint.verifyCosignature(of: cosigned + later, name: "fleet/ingest", key: key(2).publicKey)
        == 1_700_000_060)
    // A plain signature of the same key is no cosignature, nor the other way round.
    #expect(verify(checkpoint.signed(name: "fleet/ingest", by: key(2)), 2) == "provenance.signer_unknown")
    #expect(
      outcome { () throws(ProvenanceFault) in
        try SignedNote(parse: cosigned).verify(name: "fleet/ingest", key: key(2).publicKey)
      } == "provenance.signer_unknown")
    #expect(
      outcome { () throws(ProvenanceFault) in _ = try Checkpoint.cosign("no note", name: "a", by: key(2), at: 1) }
        == "provenance.note_malformed")
  }

  @Test func `The time is signed too, and bounded`() throws {
    let checkpoint = checkpoint()
    let note = checkpoint.signed(name: checkpoint.origin, by: key(1))
    let witness = NoteKey(name: "w", key: key(2).publicKey, algorithm: .cosignature)!
    func line(_ stamp: UInt64, signing seconds: UInt64) -> String {
      let message = Array("cosignature/v1\ntime \(seconds)\n\(checkpoint.body)".utf8)
      let bytes = stamp.bigEndianBytes + key(2).sign(message)
      return SignedNote.Signature(name: "w", keyID: witness.id, bytes: bytes).line
    }
    func verify(_ line: String) -> String {
      outcome { () throws(ProvenanceFault) in
        try Checkpoint.verifyCosignature(of: note + line, name: "w", key: key(2).publicKey)
      }
    }
    #expect(verify(line(5, signing: 5)) == "accepted")
    #expect(verify(line(6, signing: 5)) == "provenance.signature_wrong")
    #expect(verify(line(1 << 63, signing: 1 << 63)) == "provenance.signature_wrong")
    #expect(verify(line(5, signing: 5).replacing("=\n", with: "=\n")) == "accepted")
    let short = SignedNote.Signature(name: "w", keyID: witness.id, bytes: [1, 2, 3]).line
    #expect(verify(short) == "provenance.signature_wrong")
  }
}
