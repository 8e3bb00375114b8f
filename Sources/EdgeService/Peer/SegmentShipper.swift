// The body of an entry of kind featureSegment, strict CBOR:
//
//     {0: kind text, 1: day text, 2: group, 3: layout, 4: from ns, 5: through ns, 6: first tick, 7: last tick, 8: rows,
//      9: BLAKE2b-256 bytes(32), 10: length, 11?: the unit's bytes, 12?: manifest bytes}
//
// Kind is `frames`, `rollup`, `overlay` or `layout`. A small unit is in the entry; a larger one is an artefact that the
// foundation asks for by its manifest. A layout comes before the first unit that it describes.

import DeltaLog
import FeatureStore
import Provenance
import Sodium
import Sync
import TwinCore

/// Puts closed days into the feature stream: what the pack lets go, as it is stored.
enum SegmentShipper {
  static let inlineBytesMax = 32 << 10
  /// Larger units stay: nobody could hold them at once beside their work.
  static let unitBytesMax = 64 << 20
  private static let dayMark = "segments"

  /// Appends the oldest closed day that was not yet; false when there is none.
  static func ship(
    from keeper: StoreKeeper, to log: DeltaLog, at instant: Instant, uptime: Uptime
  ) async throws(EdgeFault) -> Bool {
    let since: Int64
    do throws(DeltaLogFault) { since = try log.followed(Self.dayMark) ?? 0 } catch { throw EdgeFault(error) }
    let day: ClosedDay?
    do throws(StoreError) {
      day = try await keeper.with { (store) throws(StoreError) in try ClosedDay.next(after: since, in: store) }
    } catch {
      throw EdgeFault(error)
    }
    guard let day else { return false }
    do throws(DeltaLogFault) {
      var rest = day.drafts[...]
      repeat {
        let part = rest.prefix(DeltaLogLimits.draftsMax)
        rest = rest.dropFirst(part.count)
        // The mark goes with the last part: a start in between sends the first ones again, with the same hashes.
        try log.append(
          Array(part), at: instant, uptime: uptime, following: rest.isEmpty ? [Self.dayMark: day.number] : [:])
      } while !rest.isEmpty
    } catch {
      throw EdgeFault(error)
    }
    return true
  }

  /// One chunk of a unit that is an artefact; nil where the unit is gone. `last` is what was served before.
  static func chunk(
    _ digest: Digest, _ index: UInt32, of site: SiteName, from keeper: StoreKeeper, last: Served?
  ) async -> (chunk: ArtefactChunk, served: Served)? {
    var served = last
    if served?.digest != digest {
      let bytes = try? await keeper.with { (store) throws(StoreError) in try Self.bytes(of: digest, in: store) }
      guard let bytes else { return nil }
      served = Served(digest: digest, chunks: ArtefactTree.chunks(of: bytes), tree: ArtefactTree(bytes))
    }
    guard let served, Int(index) < served.chunks.count else { return nil }
    let chunk = ArtefactChunk(
      site: site, digest: digest, index: index, bytes: served.chunks[Int(index)], proof: served.tree.proof(index))
    return (chunk, served)
  }

  /// An artefact that is being served, with its tree.
  struct Served: Sendable {
    var digest: Digest
    var chunks: [[UInt8]]
    var tree: ArtefactTree
  }

  private static func bytes(of digest: Digest, in store: SiteStore) throws(StoreError) -> [UInt8]? {
    for day in store.unitDays.reversed() {
      guard let unit = try store.units(day: day).first(where: { $0.hash == digest && $0.mayLeave }) else { continue }
      return try store.bytes(of: unit)
    }
    for layout in store.layouts.values {
      let bytes = layout.layout.canonicalBytes
      if Sodium.blake2b256(bytes) == digest { return bytes }
    }
    return nil
  }
}

/// A closed day as entries.
private struct ClosedDay: Sendable {
  /// As decimal digits, 20260703.
  var number: Int64
  var drafts: [LogDraft]

  static func next(after since: Int64, in store: SiteStore) throws(StoreError) -> ClosedDay? {
    for name in store.unitDays {
      guard let number = Int64(name.filter { $0 != "-" }), number > since else { continue }
      let units = try store.units(day: name)
      // Days close in order; one that is still open has all its units in the day's open file.
      guard units.contains(where: { $0.file?.hasSuffix(".twc") ?? false }) else { return nil }
      var drafts: [LogDraft] = []
      var described: Set<Int64> = []
      for unit in units where unit.mayLeave && unit.kind != .ticks && unit.length <= SegmentShipper.unitBytesMax {
        if unit.kind == .frames, described.insert(unit.layout).inserted,
          let layout = store.layouts[unit.layout]?.layout.canonicalBytes
        {
          drafts.append(
            draft("layout", unit, hash: Sodium.blake2b256(layout), length: layout.count, bytes: layout))
        }
        drafts.append(
          draft(
            unit.kind.rawValue, unit, hash: unit.hash, length: unit.length, bytes: try store.bytes(of: unit)))
      }
      return ClosedDay(number: number, drafts: drafts)
    }
    return nil
  }

  private static func draft(_ kind: String, _ unit: DeltaUnit, hash: Digest, length: Int, bytes: [UInt8]) -> LogDraft {
    let isInline = length <= SegmentShipper.inlineBytesMax
    let manifest =
      isInline
      ? nil
      : ArtefactManifest(
        digest: hash, size: UInt64(length), root: ArtefactTree(bytes).root, kind: LogKind.featureSegment.rawValue)
    return LogDraft(
      .features, .featureSegment,
      CBORItem.map(
        (0, .text(kind)), (1, .text(unit.day)), (2, .integer(Int64(unit.group))), (3, .integer(unit.layout)),
        (4, .integer(unit.effective.lowerBound.nanoseconds)), (5, .integer(unit.effective.upperBound.nanoseconds)),
        (6, .integer(unit.ticks.lowerBound)), (7, .integer(unit.ticks.upperBound)), (8, .unsigned(UInt64(unit.rows))),
        (9, .digest(hash)), (10, .unsigned(UInt64(length))), (11, isInline ? .bytes(bytes) : nil),
        (12, manifest.map { .bytes($0.payload) })
      ).encoded)
  }
}
