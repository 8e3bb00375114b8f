/// What stands behind a `ModbusServer`: a simulated device, or several, told apart by unit.
public protocol RegisterBank: Sendable {
  /// Answers one valid request: `.registers` or `.bits` of the asked count for a read, `.written` for a write, `.exception`
  /// to refuse, or nil to stay silent as a dead unit does.
  ///
  /// Called on the thread in `ModbusServer.run`, one request at a time: a bank that blocks delays all clients, as a slow
  /// gateway does.
  func answer(_ request: ModbusRequest, unit: UInt8) -> ModbusReply?
}

/// A bank made of one closure.
public struct ClosureBank: RegisterBank {
  private let body: @Sendable (ModbusRequest, UInt8) -> ModbusReply?

  public init(_ body: @escaping @Sendable (ModbusRequest, UInt8) -> ModbusReply?) { self.body = body }

  public func answer(_ request: ModbusRequest, unit: UInt8) -> ModbusReply? { body(request, unit) }
}
