/// A step of the optimizer: rewrites a module, and declares how faithful it is.
///
/// A pass keeps no state between runs; what it counts and what it missed goes to the context.
public protocol Pass: Sendable {
  /// Verb first, words joined by hyphens: `fuse-rms-norm`.
  var name: String { get }
  /// One sentence.
  var summary: String { get }
  var fidelity: Fidelity { get }

  func run(on module: inout Module, context: inout PassContext) throws
}

/// What a pass works with, and what it reports.
public struct PassContext {
  public let operators: OperatorTable
  /// Makes symbols that the module does not have.
  public let symbols: SymbolSource
  public private(set) var statistics: [String: Int] = [:]
  public private(set) var misses: [PassMiss] = []
  public private(set) var notes: [String] = []
  /// What was wanted and what was measured, of a pass that trades accuracy for speed: for the ledger.
  public private(set) var budget: (wanted: String, measured: String)?
  /// Lines that back up what the pass decided.
  public private(set) var details: [String] = []
  /// Numbers the changes of rules.
  public var patches: PatchLog

  public init(operators: OperatorTable, symbols: SymbolSource, patches: PatchLog = PatchLog()) {
    self.operators = operators
    self.symbols = symbols
    self.patches = patches
  }

  /// Adds to a statistic: `count("fused")`.
  public mutating func count(_ statistic: String, by amount: Int = 1) {
    statistics[statistic, default: 0] += amount
  }

  /// Records why the pass, or one of its rules, left a node alone that it was made for.
  public mutating func miss(_ node: Node, _ reason: String, rule: String? = nil) {
    misses.append(
      PassMiss(operation: node.operation, location: node.location, reason: reason, rule: rule))
  }

  /// Records a sentence for whoever reads the summary.
  public mutating func note(_ text: String) { notes.append(text) }

  /// Records lines, such as a table of choices.
  public mutating func explain(_ lines: [String]) { details += lines }

  /// Records what was wanted of the accuracy and what was measured.
  public mutating func measure(wanted: String, measured: String) { budget = (wanted, measured) }
}

/// A node that a pass was made for and left alone.
public struct PassMiss: Sendable, Equatable, CustomStringConvertible {
  public let operation: String
  /// The exporter's path of the node.
  public let location: String
  public let reason: String
  /// The rule that says so, where a pass is made of rules.
  public let rule: String?

  public init(operation: String, location: String, reason: String, rule: String? = nil) {
    self.operation = operation
    self.location = location
    self.reason = reason
    self.rule = rule
  }

  public var description: String {
    (location.isEmpty ? operation : "node '\(location)' (\(operation))") + ": \(reason)"
  }
}

/// What one run of a pass did.
public struct PassRecord: Sendable {
  public let name: String
  public let fidelity: Fidelity
  public let statistics: [String: Int]
  public let misses: [PassMiss]
  public let notes: [String]
  /// What was wanted and what was measured, for the ledger.
  public let budget: (wanted: String, measured: String)?
  /// Lines that back up what the pass decided.
  public let details: [String]
  /// The changes that its rules made, in order; numbers go on from the pass before.
  public let patches: [PatchLog.Entry]
  public let duration: Duration
}
