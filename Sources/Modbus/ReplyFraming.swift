public import Seams

/// What a framer makes of the bytes at hand.
public enum FrameScan: Equatable, Sendable {
  /// At least so many bytes are missing, one or more; reading no more than these never reads into the next frame.
  case needs(Int)
  /// The answer to the question that is open.
  case reply(pdu: [UInt8])
  /// The first `length` bytes answer a question that was given up.
  case late(length: Int)
}

/// How requests and replies are laid into a byte stream, and which reply answers which question. Pure: no socket, no
/// clock.
///
/// One question is open at a time. A framer belongs to one connection; a new connection takes a new framer.
public protocol ReplyFraming {
  init()
  /// Opens a question and returns the bytes to send.
  mutating func frame(unit: UInt8, pdu: [UInt8]) -> [UInt8]
  /// Reads the frame at the start of `bytes` as an answer to the open question.
  ///
  /// Errors: `.malformed` and `.wrongLength` leave the stream without a frame boundary; after `.mismatched` all of
  /// `bytes` is one whole frame that can be skipped.
  mutating func scan(_ bytes: [UInt8]) throws(LinkFault) -> FrameScan
  /// Strikes out late replies in bytes that came while no question was open, and returns how many there were. What
  /// stays in `bytes` is the start of a frame.
  mutating func discardLate(_ bytes: inout [UInt8]) throws(LinkFault) -> Int
  /// Gives the open question up. False when no later reply could be told from its answer on this connection.
  mutating func abandon() -> Bool
  /// Whether a late reply could be taken for the answer to this question.
  func isAmbiguous(unit: UInt8, pdu: [UInt8]) -> Bool
}
