// The body of a directed entry of kind keysOrdered:
//
//     {0: key epoch}

public import Provenance

/// Has a site replace the keys of one epoch; obeyed once, for afterwards that epoch is not in use any more.
public struct KeyOrder: Equatable, Sendable {
  public let keyEpoch: UInt32

  public init(keyEpoch: UInt32) { self.keyEpoch = keyEpoch }

  public var body: [UInt8] { CBORItem.map((0, .number(keyEpoch))).encoded }

  public init(body: [UInt8]) throws(ProvenanceFault) {
    var fields = try CBORItem.decode(body).fields("key order")
    keyEpoch = try fields.number(0)
    try fields.finish()
  }
}
