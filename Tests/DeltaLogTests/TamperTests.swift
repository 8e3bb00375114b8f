import DeltaLog
import Provenance
import SQLite
import Seams
import Sodium
import Testing
import TwinCore

/// Changes rows as somebody with the disk in hand does, who knows the format.
struct Rewriter {
  let place: Place

  init(_ place: Place) { self.place = place }

  func run(_ sql: String) throws(SQLiteFault) { try place.database().execute(sql) }

  /// Another body under one entry, with entry, chain and tiles of all that follow made to fit.
  func rewrite(_ table: String, sequence: UInt64, epoch: Int64 = 1) throws {
    let database = try place.database()
    let base = epoch << 40
    let select = try database.prepare(
      "SELECT entry, chain FROM log_\(table) WHERE place >= \(base) AND place < \(base + 1 << 40) ORDER BY place")
    var rows: [(entry: [UInt8], chain: Digest)] = []
    while try select.step() { rows.append((select.bytes(0), Digest(bytes: select.bytes(1))!)) }
    var chain = sequence == 0 ? Digest.zero : rows[Int(sequence) - 1].chain
    for index in Int(sequence)..<rows.count {
      var entry = try LogEntry(rows[index].entry)
      if index == Int(sequence) { entry.wall += 1 }
      chain = LogHead.chain(chain, leafHash: entry.leafHash)
      let update = try database.prepare(
        "UPDATE log_\(table) SET entry = ?1, chain = ?2 WHERE place = \(base + Int64(index))")
      try update.bind(1, entry.bytes)
      try update.bind(2, chain.bytes)
      try update.run()
    }
  }
}

@Suite struct `A log that somebody has changed` {
  /// Row 35 of the attack matrix.
  @Test(arguments: [
    ("UPDATE log_audit SET entry = x'a0' WHERE place = (1 << 40) + 40", "audit 40"),
    ("UPDATE log_audit SET chain = zeroblob(32) WHERE place = (1 << 40) + 41", "audit 41"),
    ("UPDATE log_audit SET body = x'00' WHERE place = (1 << 40) + 42", "audit 42"),
    ("UPDATE log_audit SET body = NULL WHERE place = (1 << 40) + 43", "audit 43"),
    ("DELETE FROM log_audit WHERE place = (1 << 40) + 44", "audit 44"),
    ("UPDATE body_model SET body = zeroblob(40) WHERE place = (1 << 40) + 45", "model 45"),
    ("DELETE FROM body_model WHERE place = (1 << 40) + 46", "model 46"),
    ("UPDATE tiles SET hash = zeroblob(32) WHERE stream = 0 AND level = 1 AND \"index\" = 1", "audit 511"),
    (
      "UPDATE log_audit SET entry = (SELECT entry FROM log_audit WHERE place = (1 << 40) + 50) "
        + "WHERE place = (1 << 40) + 51", "audit 51"
    ),
  ]) func `names the first entry that is not as it was`(sql: String, what: String) throws {
    let place = Place()
    do {
      let log = try place.open()
      try log.add(.audit, 700)
      try log.add(.model, 300)
      #expect(try log.verify() == nil)
    }
    try Rewriter(place).run(sql)
    let problem = try place.open().verify()
    #expect(problem.map { "\($0.stream)\($0.sequence.map { " \($0)" } ?? "")" } ?? "none" == what, "\(problem as Any)")
  }

  @Test func `with its tail cut off is whole by itself, and not against a checkpoint`() throws {
    let place = Place()
    let (checkpoint, early): (Checkpoint, Checkpoint)
    do {
      let log = try place.open()
      try log.add(.audit, 100)
      early = try Checkpoint(body: SignedNote(parse: try log.checkpoint(.audit, by: testKey())).text)
      try log.add(.audit, 200)
      checkpoint = try Checkpoint(body: SignedNote(parse: try log.checkpoint(.audit, by: testKey())).text)
      #expect(try log.verify(trusted: [early, checkpoint]) == nil)
    }
    try Rewriter(place).run(
      "DELETE FROM log_audit WHERE place >= (1 << 40) + 200; DELETE FROM checkpoints; DELETE FROM tiles")
    let log = try place.open()
    #expect(log.head(.audit).next == 200)
    #expect(try log.verify() == nil)
    #expect(try log.verify(trusted: [early]) == nil)
    #expect(try log.verify(trusted: [early, checkpoint])?.sequence == 200)
  }

  @Test func `rewritten with its chain is found by the kept checkpoint, and by one from outside`() throws {
    let place = Place()
    let checkpoint: Checkpoint
    do {
      let log = try place.open()
      try log.add(.audit, 100)
      checkpoint = try Checkpoint(body: SignedNote(parse: try log.checkpoint(.audit, by: testKey())).text)
    }
    try Rewriter(place).rewrite("audit", sequence: 60)
    let what = "the entries below 101 are not those of its checkpoint"
    #expect(try place.open().verify()?.what == what)
    try Rewriter(place).run("DELETE FROM checkpoints")
    let log = try place.open()
    #expect(try log.verify() == nil)
    #expect(try log.verify(trusted: [checkpoint])?.what == what)
  }

  @Test func `of more than one epoch must be linked, and end where it was closed`() throws {
    for (sql, what) in [
      (
        "DELETE FROM log_model WHERE place = (1 << 40) + 19",
        "the epoch was closed with 20 entries and another chain or root"
      ),
      ("UPDATE epochs SET prev = zeroblob(16) WHERE number = 2", "the epoch does not follow the one before"),
      ("UPDATE epochs SET closed = NULL WHERE number = 1", "the epoch does not follow the one before"),
      ("DELETE FROM log_model", "the epoch was closed with 20 entries and another chain or root"),
    ] {
      let place = Place()
      do {
        let log = try place.open()
        try log.add(.model, 20)
        try log.newEpoch()
      }
      try Rewriter(place).run(sql)
      #expect(try place.open().verify()?.what == what, "\(sql)")
    }
  }

  @Test func `near its end is refused at the door, with a named error`() throws {
    for sql in [
      "UPDATE log_audit SET entry = zeroblob(90) WHERE place = (1 << 40) + 99",
      "DELETE FROM log_audit WHERE place = (1 << 40) + 98",
      "UPDATE log_audit SET chain = x'00' WHERE place = (1 << 40) + 97",
      "DELETE FROM marks WHERE stream = 3",
      "UPDATE marks SET safe = 999 WHERE stream = 2",
      "UPDATE epochs SET id = x'00'",
    ] {
      let place = Place()
      try place.open().add(.audit, 100)
      try Rewriter(place).run(sql)
      let fault = #expect(throws: DeltaLogFault.self, "\(sql)") { try place.open() }
      #expect(fault?.code == "delta_log.corrupt", "\(sql)")
    }
  }

  @Test func `torn, foreign or newer files are refused by name, the last two untouched`() throws {
    let files = SystemFileStore()
    func write(_ place: Place, _ bytes: [UInt8], at offset: Int64) throws {
      try files.open(place.file, .create).write(bytes, at: offset)
    }
    let newer = Place()
    try newer.open().add(.audit, 3)
    try write(newer, [0, 0, 0, 99], at: 60)
    var before = try files.open(newer.file, .read).read(1 << 20, at: 0)
    #expect(#expect(throws: DeltaLogFault.self) { try newer.open() }?.code == "delta_log.newer_version")
    #expect(try files.open(newer.file, .read).read(1 << 20, at: 0) == before)

    let foreign = Place()
    try Database(path: foreign.file, access: .create).execute("CREATE TABLE t(a); PRAGMA application_id = 5")
    before = try files.open(foreign.file, .read).read(1 << 20, at: 0)
    #expect(#expect(throws: DeltaLogFault.self) { try foreign.open() }?.code == "delta_log.not_a_log")
    #expect(try files.open(foreign.file, .read).read(1 << 20, at: 0) == before)

    let text = Place()
    try write(text, [UInt8](repeating: 65, count: 5000), at: 0)
    #expect(#expect(throws: DeltaLogFault.self) { try text.open() }?.code == "delta_log.not_a_log")

    let torn = Place()
    try torn.open().add(.audit, 300)
    try files.open(torn.file, .write).truncate(to: 9000)
    #expect(#expect(throws: DeltaLogFault.self) { try torn.open() }?.code == "delta_log.corrupt")

    let missing = #expect(throws: DeltaLogFault.self) {
      try DeltaLog(
        file: "/nowhere/sync.db", site: testSite, boot: testBoot, keyEpoch: 1, clock: HandClock())
    }
    #expect(missing?.code == "delta_log.cannot_open")
  }

  @Test func `two that write one file are one too many`() throws {
    let place = Place()
    let log = try place.open()
    #expect(#expect(throws: DeltaLogFault.self) { try place.open() }?.code == "delta_log.busy")
    try log.add(.audit, 1)
  }

  @Test func `an older image put back is a log like any other`() throws {
    let place = Place()
    let files = SystemFileStore()
    try place.open().add(.audit, 50)
    let image = try files.open(place.file, .read).read(1 << 24, at: 0)
    try place.open().add(.audit, 50)
    #expect(try place.open().head(.audit).next == 101)
    let file = try files.open(place.file, .write)
    try file.write(image, at: 0)
    try file.truncate(to: Int64(image.count))
    let log = try place.open()
    #expect(log.head(.audit).next == 51)
    #expect(try log.verify() == nil)
    try log.newEpoch()
    #expect(try log.verify() == nil)
  }
}
