/// A command cannot do what it is asked to.
struct CommandError: Error, CustomStringConvertible {
  let status: ExitStatus
  /// Lower case: where, what was found, and what would be accepted.
  let description: String

  init(_ description: String) { self.init(.inputAtFault, description) }

  init(_ status: ExitStatus, _ description: String) {
    self.status = status
    self.description = description
  }
}
