import Guard
import TwinCore

extension CanonicalWriter {
  /// One byte each.
  mutating func qualities(_ qualities: [Quality]) { bytes(qualities.map(\.rawValue)) }

  mutating func optional(_ value: Double?) { if let value { double(value) } else { null() } }
}

extension Decision {
  /// Canonical form for the fingerprint.
  func encode(to writer: inout CanonicalWriter) {
    writer.array(14)
    writer.integer(1)
    writer.integer(Int64(id.ordinal))
    writer.integer(Int64(proposal.point.raw))
    switch proposal.actor {
    case .policy(let policy): writer.integer(Int64(policy))
    case .person(let person): writer.text(person)
    }
    writer.double(proposal.value)
    writer.integer(Int64(verdict.disposition.rawValue))
    writer.double(verdict.value)
    writer.double(verdict.revertValue)
    writer.bool(isCarriedOut)
    writer.bool(isNews)
    writer.integer(Int64(verdict.binding?.rawValue ?? 255))
    writer.optional(previous)
    writer.text(reason)
    writer.array(verdict.trace.count)
    for position in 0..<verdict.trace.count {
      let result = verdict.trace[position]
      writer.integer(Int64(result.rule.rawValue))
      writer.integer(Int64(result.outcome.rawValue))
      writer.double(result.value)
      writer.double(result.limit)
    }
  }
}
