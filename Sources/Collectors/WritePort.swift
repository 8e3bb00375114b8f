import Synchronization

/// The right to write on one bus. A bus gives it away once; without it nobody can send a write request.
public final class WritePort: Sendable {
  private let bus: Bus

  init(_ bus: Bus) { self.bus = bus }

  /// Writes a setpoint by its profile's sequence, each step confirmed, and reads the point back until it shows the
  /// value or the profile's time is over. Steps are never repeated, and no other write comes between them.
  public func perform(_ transaction: WriteTransaction) async -> WriteResult { await bus.perform(transaction) }

  /// Writes registers (functions 6, 16) or coils (5, 15; nonzero is on) as they are, the confirmation checked.
  public func writeRegisters(
    device: String, function: UInt8, address: Int, _ registers: [UInt16]
  ) async throws(BusFault) {
    try await bus.writeRegisters(device: device, function: function, address: address, registers)
  }
}

extension Bus {
  /// The bus's write port, to the first who asks; nil to everyone after.
  public nonisolated func claimWritePort() -> WritePort? {
    portIsClaimed.exchange(true, ordering: .acquiringAndReleasing) ? nil : WritePort(self)
  }
}
