public import TwinCore

/// Why the daemon does not start, or stopped.
public struct EdgeFault: Fault, Equatable {
  public let code: String
  public let message: String
  public let remedy: String

  public init(_ code: String, _ message: String, remedy: String) {
    (self.code, self.message, self.remedy) = ("edge.\(code)", message, remedy)
  }

  init(code: String, _ message: String, remedy: String) {
    (self.code, self.message, self.remedy) = (code, message, remedy)
  }

  public init(_ fault: some Fault) { (code, message, remedy) = (fault.code, fault.message, fault.remedy) }
}
