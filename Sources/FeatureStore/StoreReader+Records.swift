import SQLite
public import TwinCore

extension StoreReader {
  func hasDecision(_ id: String) throws(StoreError) -> Bool {
    try storing { () throws(SQLiteFault) in
      let statement = try database.prepare("SELECT 1 FROM decisions WHERE id = ?1")
      try statement.bind(1, id)
      defer { statement.reset() }
      return try statement.step()
    }
  }

  /// One decision record; `store.not_found`, or `store.corrupt` when it does not match its checksum.
  public func decision(id: String) throws(StoreError) -> DecisionEntry {
    try look()
    let found = try decisionRows("WHERE id = ?1", limit: 1) { (statement) throws(SQLiteFault) in
      try statement.bind(1, id)
    }
    guard let (_, entry) = found.first else { throw StoreError(.notFound, "no decision \(id) is recorded") }
    guard let entry else { throw StoreError(.corrupt, "decision \(id) does not match its checksum") }
    return entry
  }

  /// Decision records, newest first: at most `limit`, of one point if given, older than the decision `before` if given.
  public func decisions(limit: Int, before: String? = nil, point: String? = nil) throws(StoreError) -> [DecisionEntry] {
    try look()
    var number = Int64.max
    if let before {
      let found = try decisionRows("WHERE id = ?1", limit: 1) { (statement) throws(SQLiteFault) in
        try statement.bind(1, before)
      }
      guard let row = found.first else { throw StoreError(.notFound, "no decision \(before) is recorded") }
      number = row.number
    }
    let ofPoint = point == nil ? "" : "AND point = ?2"
    return try decisionRows("WHERE number < ?1 \(ofPoint) ORDER BY number DESC", limit: limit) {
      (statement) throws(SQLiteFault) in
      try statement.bind(1, number)
      if let point { try statement.bind(2, point) }
    }.compactMap(\.entry)
  }

  /// Decisions recorded after the one numbered so, oldest first, each with its number: for whoever follows the record.
  /// Numbers rise and are never used twice; begin with 0.
  public func decisions(
    after number: Int64, limit: Int
  ) throws(StoreError) -> [(number: Int64, entry: DecisionEntry?)] {
    try look()
    return try decisionRows("WHERE number > ?1 ORDER BY number", limit: limit) { (statement) throws(SQLiteFault) in
      try statement.bind(1, number)
    }
  }

  private func decisionRows(
    _ condition: String, limit: Int, bind: (Statement) throws(SQLiteFault) -> Void
  ) throws(StoreError) -> [(number: Int64, entry: DecisionEntry?)] {
    let rows = try storing { () throws(SQLiteFault) in
      let statement = try database.prepare(
        "SELECT number, id, tick, at_ns, kind, point, body FROM decisions \(condition) LIMIT \(max(0, limit))")
      try bind(statement)
      var rows: [(Int64, DecisionEntry)] = []
      while try statement.step() {
        let entry = DecisionEntry(
          id: statement.text(1), tick: statement.integer(2), instant: Instant(nanoseconds: statement.integer(3)),
          kind: statement.text(4), point: statement.text(5), bytes: statement.bytes(6))
        rows.append((statement.integer(0), entry))
      }
      return rows
    }
    return rows.map { number, sealed in
      var entry = sealed
      guard let content = Seal.open(sealed.bytes, key: sealed.key) else {
        noteBad("decisions \(number)", "does not match its checksum")
        return (number, nil)
      }
      entry.bytes = content
      return (number, entry)
    }
  }

  /// Events, newest first: at most `limit`, before the instant `before`.
  public func events(limit: Int, before: Instant = .distantFuture) throws(StoreError) -> [EventEntry] {
    try look()
    return try eventRows("WHERE at_ns < ?1 ORDER BY number DESC", bound: before.nanoseconds, limit: limit)
      .compactMap(\.entry)
  }

  /// Events recorded after the one numbered so, oldest first; as `decisions(after:limit:)`.
  public func events(after number: Int64, limit: Int) throws(StoreError) -> [(number: Int64, entry: EventEntry?)] {
    try look()
    return try eventRows("WHERE number > ?1 ORDER BY number", bound: number, limit: limit)
  }

  private func eventRows(
    _ condition: String, bound: Int64, limit: Int
  ) throws(StoreError) -> [(number: Int64, entry: EventEntry?)] {
    let rows = try storing { () throws(SQLiteFault) in
      let statement = try database.prepare(
        "SELECT number, tick, at_ns, kind, subject, body FROM events \(condition) LIMIT \(max(0, limit))")
      try statement.bind(1, bound)
      var rows: [(Int64, EventEntry)] = []
      while try statement.step() {
        let entry = EventEntry(
          tick: statement.integer(1), instant: Instant(nanoseconds: statement.integer(2)), kind: statement.text(3),
          subject: statement.text(4), bytes: statement.bytes(5))
        rows.append((statement.integer(0), entry))
      }
      return rows
    }
    return rows.map { number, sealed in
      var entry = sealed
      guard let content = Seal.open(sealed.bytes, key: sealed.key) else {
        noteBad("events \(number)", "does not match its checksum")
        return (number, nil)
      }
      entry.bytes = content
      return (number, entry)
    }
  }

  /// The newest checkpoint that is whole and not after `tick`; nil when there is none.
  public func checkpoint(atOrBefore tick: Int64) throws(StoreError) -> Checkpoint? {
    try look()
    var bound = tick
    // Damaged ones are passed over; the number of checkpoints kept bounds the loop.
    while true {
      let row = try storing { () throws(SQLiteFault) -> Checkpoint? in
        let statement = try database.prepare(
          "SELECT tick, at_ns, reason, body FROM checkpoints WHERE tick <= ?1 ORDER BY tick DESC LIMIT 1")
        try statement.bind(1, bound)
        defer { statement.reset() }
        guard try statement.step() else { return nil }
        return Checkpoint(
          tick: statement.integer(0), instant: Instant(nanoseconds: statement.integer(1)), reason: statement.text(2),
          bytes: statement.bytes(3))
      }
      guard var found = row else { return nil }
      if let content = Seal.open(found.bytes, key: found.key) {
        found.bytes = content
        return found
      }
      noteBad("checkpoints \(found.tick)", "does not match its checksum")
      guard found.tick > .min else { return nil }
      bound = found.tick - 1
    }
  }

  /// The newest checkpoint that is whole.
  public func latestCheckpoint() throws(StoreError) -> Checkpoint? { try checkpoint(atOrBefore: .max) }

  /// Leases that are open on disk, by point.
  public func openLeases() throws(StoreError) -> [LeaseEntry] {
    try look()
    return try pairs("SELECT point, body FROM leases ORDER BY point", table: "leases").map {
      LeaseEntry(point: $0.key, bytes: $0.bytes)
    }
  }

  /// A small named value; `store.corrupt` when it does not match its checksum.
  public func fact(_ key: String) throws(StoreError) -> [UInt8]? {
    try look()
    let body = try storing { () throws(SQLiteFault) -> [UInt8]? in
      let statement = try database.prepare("SELECT body FROM facts WHERE key = ?1")
      try statement.bind(1, key)
      defer { statement.reset() }
      return try statement.step() ? statement.bytes(0) : nil
    }
    guard let body else { return nil }
    guard let content = Seal.open(body, key: key) else {
      noteBad("facts \(key)", "does not match its checksum")
      throw StoreError(.corrupt, "fact \(key) does not match its checksum")
    }
    return content
  }

  /// All facts whose key begins with `prefix`, by key.
  public func facts(prefix: String) throws(StoreError) -> [(key: String, bytes: [UInt8])] {
    try look()
    return try pairs("SELECT key, body FROM facts ORDER BY key", table: "facts").filter { $0.key.hasPrefix(prefix) }
  }

  private func pairs(_ sql: String, table: String) throws(StoreError) -> [(key: String, bytes: [UInt8])] {
    let rows = try storing { () throws(SQLiteFault) in
      let statement = try database.prepare(sql)
      var rows: [(String, [UInt8])] = []
      while try statement.step() { rows.append((statement.text(0), statement.bytes(1))) }
      return rows
    }
    return rows.compactMap { key, body in
      guard let content = Seal.open(body, key: key) else {
        noteBad("\(table) \(key)", "does not match its checksum")
        return nil
      }
      return (key, content)
    }
  }
}
