public import TwinCore

/// Why no model came of a history, or a candidate is not taken.
public struct TrainingFault: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    case tooLittleData = "too_little_data"
    /// No start of the calibration could run the model.
    case noFit = "no_fit"
    case unknownModel = "unknown_model"
    case noModels = "no_models"
    case candidateRefused = "candidate_refused"
    case candidateTooBig = "candidate_too_big"
    case keyRefused = "key_refused"
    case historyMalformed = "history_malformed"
    case requestMalformed = "request_malformed"
    case packInvalid = "pack_invalid"
    /// A file of the learning folder cannot be read or written.
    case io
  }

  public let kind: Kind
  public let message: String
  public let remedy: String

  public init(_ kind: Kind, _ message: String, remedy: String) {
    (self.kind, self.message, self.remedy) = (kind, message, remedy)
  }

  public var code: String { "training.\(kind.rawValue)" }
}
