import SeriesCodec
import Sodium
public import TwinCore

/// Changes of the record of the past. Each is a row of its own, known from its tick on (0: from the next tick to come);
/// what was known before stays readable as of any earlier instant. Buffered until the next commit. All throw
/// `store.out_of_order` for a tick before the last one.
extension SiteStore {
  /// Replaces what is known of the samples' instants; instants of which nothing was known become known.
  ///
  /// Values are in the unit in which the point is stored. `store.not_found` of a point that no layout has,
  /// `store.duplicate` where two samples have one instant, `store.too_big` of a text above 1,024 bytes.
  public func correct(
    point: String, samples: [CorrectedSample], reason: String, cause: String = "", by: String, tick: Int64 = 0
  ) throws(StoreError) {
    let grounds = try grounds(reason, cause, by)
    try refuseUnknown(point)
    let sorted = samples.sorted { $0.effective < $1.effective }
    for (sample, next) in zip(sorted, sorted.dropFirst()) where sample.effective == next.effective {
      throw StoreError(.duplicate, "two samples of \(point) at \(sample.effective.nanoseconds) ns in one correction")
    }
    guard sorted.last.map({ $0.effective < .distantFuture }) ?? true else {
      throw StoreError(.tooBig, "a sample of \(point) at the end of time")
    }
    let step = reader.decimalStep(of: point)
    for start in stride(from: 0, to: sorted.count, by: Overlay.samplesMax) {
      let part = sorted[start..<min(start + Overlay.samplesMax, sorted.count)]
      var columns = SampleColumns()
      for sample in part {
        columns.append(sample.effective.nanoseconds, tick: tick, value: sample.value, quality: sample.quality)
      }
      guard let first = part.first?.effective, let last = part.last?.effective else { return }
      let range = first..<last.advanced(byNanoseconds: 1)
      let overlay = Overlay(
        tick: tick, effective: range.lowerBound.nanoseconds..<range.upperBound.nanoseconds,
        operation: .replace(columns), grounds: grounds)
      try keep(
        VersionEntry(
          family: Overlay.family, subject: point, effective: range, tick: tick, bytes: overlay.encode(step: step)))
    }
  }

  /// Adds samples that came too late to be frames. As `correct`: a later word on an instant is a later word.
  public func insert(
    point: String, samples: [CorrectedSample], reason: String, cause: String = "", by: String, tick: Int64 = 0
  ) throws(StoreError) {
    try correct(point: point, samples: samples, reason: reason, cause: cause, by: by, tick: tick)
  }

  /// Takes back everything that is known of a stretch, earlier corrections too. Frames of later ticks count again.
  public func retract(
    point: String, effective: Range<Instant>, reason: String, cause: String = "", by: String, tick: Int64 = 0
  ) throws(StoreError) {
    let grounds = try grounds(reason, cause, by)
    try refuseUnknown(point)
    guard !effective.isEmpty else { throw StoreError(.notFound, "nothing to retract of \(point) in an empty stretch") }
    let overlay = Overlay(
      tick: tick, effective: effective.lowerBound.nanoseconds..<effective.upperBound.nanoseconds, operation: .retract,
      grounds: grounds)
    try keep(
      VersionEntry(
        family: Overlay.family, subject: point, effective: effective, tick: tick, bytes: overlay.encode(step: 0)))
  }

  /// Says what the stored numbers of a point mean over a stretch; no sample is written again. `store.layout` of a
  /// meaning that cannot be.
  public func revise(
    point: String, meaning: Meaning, effective: Range<Instant> = .distantPast ..< .distantFuture, tick: Int64 = 0,
    reason: String
  ) throws(StoreError) {
    try refuseLong(reason)
    try refuseUnknown(point)
    if let defect = meaning.defect { throw StoreError(.layout, "meaning of \(point): \(defect)") }
    let revision = MeaningRevision(meaning: meaning, effective: effective, tick: tick, reason: reason)
    try keep(
      VersionEntry(
        family: MeaningRevision.family, subject: point, effective: effective, tick: tick, bytes: revision.bytes))
  }

  /// Gives a feature its recipe over a stretch of time; the next version of its name. `store.layout` of a recipe that
  /// cannot be.
  public func define(
    feature name: String, _ definition: FeatureDefinition,
    effective: Range<Instant> = .distantPast ..< .distantFuture, tick: Int64 = 0, reason: String
  ) throws(StoreError) {
    try refuseLong(reason)
    if let defect = definition.defect { throw StoreError(.layout, "feature \(name) with \(defect)") }
    let revision = FeatureRevision(
      name: name, version: 0, definition: definition, effective: effective, tick: tick, reason: reason)
    try keep(
      VersionEntry(
        family: FeatureRevision.family, subject: name, effective: effective, tick: tick, bytes: revision.bytes))
  }

  /// Keeps a text, a picture or a document as it was over a stretch of time; gives its content's hash. A content above
  /// 100 KB is a file of its own, and on the device when this returns; the version is buffered as all else.
  @discardableResult
  public func put(
    object name: String, mediaType: String, _ content: [UInt8],
    effective: Range<Instant> = .distantPast ..< .distantFuture, tick: Int64 = 0, reason: String
  ) throws(StoreError) -> Digest {
    try refuseLong(reason)
    try refuseTooBig(content, max: ObjectVersion.sizeMax, "object \(name)")
    guard mediaType.utf8.count <= ObjectVersion.mediaTypeMax else {
      throw StoreError(.tooBig, "media type of \(mediaType.utf8.count) bytes")
    }
    let hash = Sodium.blake2b256(content)
    if content.count > ObjectVersion.inlineMax {
      try ObjectFiles(files: reader.archive.shelf.files, directory: directory).write(content, hash)
    } else if try reader.inlineContent(hash) == nil {
      try keep(
        VersionEntry(
          family: ObjectVersion.contentFamily, subject: hash.hex, effective: .distantPast ..< .distantFuture,
          tick: tick, bytes: content))
    }
    let version = ObjectVersion(
      name: name, mediaType: mediaType, hash: hash, size: content.count, effective: effective, tick: tick,
      reason: reason)
    try keep(
      VersionEntry(
        family: ObjectVersion.family, subject: name, effective: effective, tick: tick, bytes: version.bytes))
    return hash
  }

  /// What was known at a tick that is over never changes.
  private func keep(_ version: VersionEntry) throws(StoreError) {
    guard version.tick == 0 || version.tick >= lastTickNumber else {
      throw StoreError(
        .outOfOrder, "\(version.family) of \(version.subject) known from tick \(version.tick), after \(lastTickNumber)")
    }
    try append(version: version)
  }

  private func grounds(_ reason: String, _ cause: String, _ by: String) throws(StoreError) -> Grounds {
    for text in [reason, cause, by] { try refuseLong(text) }
    return Grounds(reason: reason, cause: cause, by: by)
  }

  private func refuseLong(_ text: String) throws(StoreError) {
    guard text.utf8.count <= Grounds.textBytesMax else {
      throw StoreError(.tooBig, "a text of \(text.utf8.count) bytes where \(Grounds.textBytesMax) may be")
    }
  }

  private func refuseUnknown(_ point: String) throws(StoreError) {
    guard !reader.places(of: point).isEmpty else { throw StoreError(.notFound, "no layout has a point \(point)") }
  }
}
