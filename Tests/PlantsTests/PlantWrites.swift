import Testing
import TwinCore

@testable import Plants

/// 2026-07-20T00:00:00Z, a Monday in summer, and 2026-01-19, one in winter.
let summer = Instant(nanoseconds: 1_784_505_600_000_000_000)
let winter = Instant(nanoseconds: 1_768_780_800_000_000_000)

extension SimulatedPlant {
  /// A write that must be taken.
  mutating func write(_ name: String, _ value: Double, at location: SourceLocation = #_sourceLocation) {
    let taken = set(name, value)
    #expect(taken, "\(name) = \(value)", sourceLocation: location)
  }

  /// A write that must be refused.
  mutating func refuse(_ name: String, _ value: Double, at location: SourceLocation = #_sourceLocation) {
    let taken = set(name, value)
    #expect(!taken, "\(name) = \(value)", sourceLocation: location)
  }
}
