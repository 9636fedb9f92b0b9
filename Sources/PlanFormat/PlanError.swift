/// A plan file cannot be used.
public struct PlanError: Error, CustomStringConvertible, Sendable {
  public let path: String
  /// Lower case: what was found and what would be accepted.
  public let message: String

  public init(path: String, _ message: String) {
    self.path = path
    self.message = message
  }

  public var description: String { "'\(path)': \(message)" }

  static func notAPlan(_ path: String) -> PlanError {
    PlanError(path: path, "not a plan file (bad magic); accepted are files that 'tandem convert' wrote")
  }
  static func version(_ path: String, found: UInt32) -> PlanError {
    PlanError(
      path: path, "plan format version \(found), accepted is \(PlanLayout.version); convert the model again")
  }
  static func truncated(_ path: String, _ what: String) -> PlanError {
    PlanError(path: path, "\(what) lies beyond the end of the file: the file is truncated")
  }
  static func corrupt(_ path: String, _ what: String) -> PlanError {
    PlanError(path: path, "\(what) is corrupt")
  }
  static func checksum(_ path: String, _ section: String) -> PlanError {
    PlanError(path: path, "checksum of section '\(section)' differs from the recorded one")
  }
}
