import Glibc
import Harnesses
import Models
import Provenance
import Seams
import Sodium
import Testing
import TwinCore

@testable import Training

@Suite("A candidate is handed over")
struct TrainerTests {
  private let folder = Room.Folder()

  private func trainer(_ name: String, seed: UInt64 = 1) throws -> Trainer {
    let state = "\(folder.path)/\(name)"
    try PrivateFile.makeDirectory(state)
    let learn = LearnFolder(state: state)
    try learn.make()
    if try LearnerKey.open(directory: learn.path) == nil { _ = try LearnerKey.make(directory: learn.path) }
    return Trainer(
      folder: learn, settings: TrainingSettings(seed: seed, starts: 2, iterationsMax: 20), codeVersion: "1",
      clock: SystemClock(assumed: true))
  }

  private func secret(of trainer: Trainer) throws -> Ed25519.SecretKey {
    guard let key = try LearnerKey.open(directory: trainer.folder.path) else { throw KeyGone() }
    return key
  }

  private struct KeyGone: Error {}

  private func train(_ trainer: Trainer, _ history: ModelHistory, tell: (LearnProgress) -> Bool = { _ in true })
    throws -> Trainer.Trained?
  {
    try trainer.train(Room.model(), over: history, source: "test", site: "test.room", champion: nil, tell: tell)
  }

  @Test("interrupted again and again, it hands over the same bytes; what it saved is gone then")
  func interrupted() throws {
    let history = Room.history(Room.readings(480, seed: 4))
    let whole = try #require(try train(try trainer("a"), history))
    let broken = try trainer("b")
    var done: Trainer.Trained?
    for _ in 0..<200 where done == nil {
      var left = 25
      done = try train(broken, history) { _ in
        left -= 1
        return left > 0
      }
    }
    let trained = try #require(done)
    #expect(trained.digest == whole.digest)
    #expect(broken.folder.saved() == nil)
    #expect(broken.folder.waiting() == [whole.name])
  }

  @Test("a saved job of other data, another model or broken is not gone on with")
  func otherJob() throws {
    let history = Room.history(Room.readings(480, seed: 4))
    let whole = try #require(try train(try trainer("a"), history))
    let other = try trainer("b")
    _ = try train(other, Room.history(Room.readings(480, seed: 5))) { $0.share < 0.2 }
    let left = try #require(other.folder.saved())
    #expect(try train(other, history)?.digest == whole.digest)
    for bytes in [Array(left.dropLast(9)), [], Array(repeating: 0xFF, count: 64), left + [0]] {
      try other.folder.save(bytes)
      #expect(try train(other, history)?.digest == whole.digest)
    }
  }

  @Test("its signatures, its manifest and its digest are believed by nobody")
  func sealed() throws {
    let trainer = try trainer("a")
    let trained = try #require(try train(trainer, Room.history(Room.readings(480, seed: 6))))
    let key = try secret(of: trainer).publicKey
    let bytes = try #require(trainer.folder.candidate(trained.name))
    let sealed = try SealedCandidate(bytes, signedBy: key)
    #expect(sealed.digest == trained.digest)
    #expect(SealedCandidate.fileName(sealed.digest) == trained.name)
    #expect(sealed.manifest.origin.scores.contains { $0.name.hasPrefix("rmse.t@") })
    #expect(sealed.manifest.origin.trainedOn.first?.digest == Room.history(Room.readings(480, seed: 6)).digest)
    let other = Ed25519.SecretKey()
    #expect(throws: TrainingFault.self) { _ = try SealedCandidate(bytes, signedBy: other.publicKey) }
    var random = Philox(seed: 11, stream: 0)
    for round in 0..<60 {
      var flipped = bytes
      let place = random.index(below: flipped.count)
      flipped[place] ^= 1 << UInt8(round % 8)
      #expect(throws: TrainingFault.self, "bit of byte \(place)") { _ = try SealedCandidate(flipped, signedBy: key) }
    }
    for cut in [0, 1, 100, bytes.count / 2, bytes.count - 1] {
      #expect(throws: TrainingFault.self) { _ = try SealedCandidate(Array(bytes.prefix(cut)), signedBy: key) }
    }
  }

  @Test("a manifest of another run, signed rightly, is refused")
  func otherManifest() throws {
    let trainer = try trainer("a")
    let trained = try #require(try train(trainer, Room.history(Room.readings(480, seed: 6))))
    let key = try secret(of: trainer)
    let manifest = try ReleaseManifest(
      name: "model/room", version: 1, kind: "model", bytes: [1], origin: trained.manifest.origin)
    let candidate = trained.product.candidate(trained.manifest)
    let (_, bytes) = try SealedCandidate.seal(candidate, manifest, by: key)
    let fault = #expect(throws: TrainingFault.self) { _ = try SealedCandidate(bytes, signedBy: key.publicKey) }
    #expect(fault?.message.contains("another manifest") ?? false)
    let swapped = trained.product.candidate(manifest)
    let (_, others) = try SealedCandidate.seal(swapped, manifest, by: key)
    let second = #expect(throws: TrainingFault.self) { _ = try SealedCandidate(others, signedBy: key.publicKey) }
    #expect(second?.message.contains("another run") ?? false)
  }

  @Test("a folder that cannot be written, or has no key, is told before the work")
  func unwritable() throws {
    let trainer = try trainer("a")
    _ = unsafe unlink("\(trainer.folder.path)/\(LearnerKey.file)")
    let history = Room.history(Room.readings(480, seed: 6))
    let fault = #expect(throws: TrainingFault.self) { _ = try train(trainer, history) }
    #expect(fault?.kind == .keyRefused)
    let nowhere = Trainer(
      folder: LearnFolder(state: "\(folder.path)/nowhere"), settings: TrainingSettings(), codeVersion: "1",
      clock: SystemClock(assumed: true))
    #expect(throws: TrainingFault.self) { _ = try train(nowhere, history) }
  }

  @Test("requests: what is asked for is read again, is answered once, and garbage is told")
  func requests() throws {
    let learn = try trainer("a").folder
    #expect(try learn.request() == nil)
    let request = LearnRequest(id: 3, days: 12, models: ["room", "a\"b"], reason: "anna: \"why\"\n\u{1}")
    try learn.ask(request)
    #expect(try learn.request() == request)
    try learn.answer(request)
    #expect(try learn.request() == nil)
    #expect(learn.answered == 3)
    for text in [
      "", "{", "[]", "{\"id\": 0, \"days\": 1, \"models\": []}", "{\"id\": 9, \"days\": 100000, \"models\": []}",
    ] {
      try PrivateFile.write(Array(text.utf8), directory: learn.path, name: "request.json")
      #expect(throws: TrainingFault.self, "\(text)") { _ = try learn.request() }
    }
  }
}
