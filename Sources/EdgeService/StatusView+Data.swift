import FeatureStore
import Seams
import SiteKernel
import StatusAPI
import TwinCore

extension StatusView {
  /// More is a job for several corrections.
  static let correctedMax = 100_000

  func correct(
    _ id: String, _ request: API.CorrectionRequest, by peer: Peer
  ) async throws(APIProblem) -> API.Corrected {
    let point = try self.point(named: id)
    let range = try span(of: request)
    let value = try number(of: request)
    let known = site.definition.points[point.position]
    let now = siteClock.instant
    let grounds = (reason: request.reason, cause: request.cause ?? "", by: peer.name)
    let (count, tick) = try await ask { (store) throws(StoreError) in
      let found = try store.read(points: [id], effective: range, limit: Self.correctedMax + 1)[0]
      guard found.samples.count <= Self.correctedMax || request.kind == .retract || request.kind == .rescale else {
        throw StoreError(.tooBig, "more than \(Self.correctedMax) samples of \(id) from \(range.lowerBound.rfc3339) on")
      }
      switch request.kind {
      case .set, .shift:
        var samples = found.samples.filter(\.quality.hasValue).map { sample in
          CorrectedSample(
            effective: sample.effective, value: request.kind == .shift ? sample.value + value : value)
        }
        if request.kind == .set, request.to == nil {
          samples = [CorrectedSample(effective: range.lowerBound, value: value)]
        }
        guard !samples.isEmpty else { throw StoreError(.notFound, "no sample of \(id) with a value in that stretch") }
        try store.correct(
          point: id, samples: samples, reason: grounds.reason, cause: grounds.cause, by: grounds.by)
        return (samples.count, try Self.commit(id, request, peer, store, at: now))
      case .retract:
        try store.retract(
          point: id, effective: range, reason: grounds.reason, cause: grounds.cause, by: grounds.by)
      case .rescale:
        try store.revise(
          point: id, meaning: Meaning(unit: known.unit, factor: value), effective: range, reason: grounds.reason)
      }
      return (min(found.samples.count, Self.correctedMax), try Self.commit(id, request, peer, store, at: now))
    }
    return API.Corrected(
      point: id, tick: tick, samples: count,
      text: "\(id): \(Self.done(request.kind)), \(count) samples; what was known before stays readable")
  }

  /// It is known from the tick to come, whose number this is.
  private static func commit(
    _ id: String, _ request: API.CorrectionRequest, _ peer: Peer, _ store: SiteStore, at now: Instant
  ) throws(StoreError) -> Int64 {
    let tick = store.lastTickNumber
    try store.append(events: [
      EventEntry(
        tick: tick, instant: now, kind: "data.\(request.kind.rawValue)",
        subject: id, bytes: Array("\(peer.name): \(request.reason)".utf8))
    ])
    try store.commit()
    return tick + 1
  }

  private static func done(_ kind: API.CorrectionRequest.Kind) -> String {
    switch kind {
    case .set: "set"
    case .shift: "shifted"
    case .retract: "retracted"
    case .rescale: "rescaled"
    }
  }

  private func span(of request: API.CorrectionRequest) throws(APIProblem) -> Range<Instant> {
    let from = request.from.instant
    let to = request.to?.instant ?? (request.kind == .set ? from.advanced(byNanoseconds: 1) : .distantFuture)
    guard from < to else {
      throw .invalid(
        "a correction ends before it begins", cause: "from \(from.rfc3339) to \(to.rfc3339)",
        next: "give the earlier instant as from")
    }
    return from..<to
  }

  private func number(of request: API.CorrectionRequest) throws(APIProblem) -> Double {
    guard request.kind != .retract else { return 0 }
    guard let value = request.value, value.isFinite, request.kind != .rescale || value != 0 else {
      throw .invalid(
        "a correction of kind \(request.kind.rawValue) needs a value",
        cause: "wanted a finite number, for rescale not 0",
        next: "say which: --value 0.5")
    }
    return value
  }
}
