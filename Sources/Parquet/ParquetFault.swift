public import TwinCore

/// Why a Parquet file could not be written. Nothing readable is left behind: a file without its footer is refused by
/// every reader.
public struct ParquetFault: Fault, Equatable {
  public enum Kind: String, Sendable, CaseIterable {
    /// The list of columns cannot be a schema.
    case schema
    /// The batch does not fit the schema: number of columns, kind of values, lengths.
    case batch
    /// A value does not fit its column: a decimal with too many digits, an integer too wide, a null that is not
    /// allowed.
    case outOfRange = "out_of_range"
    /// More row groups, or a larger page, than the format can count.
    case tooLarge = "too_large"
    /// libzstd refused.
    case compression
    /// The sink threw; its own words are in the message.
    case sink
    /// The file was finished, or an earlier call failed.
    case closed
  }

  public let kind: Kind
  public let message: String

  public init(_ kind: Kind, _ message: String) { (self.kind, self.message) = (kind, message) }

  public var code: String { "parquet.\(kind.rawValue)" }

  public var remedy: String {
    switch kind {
    case .schema, .batch: "report this message together with the version of twind"
    case .outOfRange: "export the column with more digits, or as a floating-point number"
    case .tooLarge: "export a shorter span of time"
    case .compression: "export without compression, and check that libzstd is installed whole"
    case .sink: "free space on the volume of the file, or name another one"
    case .closed: "begin a new file"
    }
  }
}
