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

  /// Records why the pass left a node alone that it was made for.
  public mutating func miss(_ node: Node, _ reason: String) {
    misses.append(PassMiss(operation: node.operation, location: node.location, reason: reason))
  }

  /// Records a sentence for whoever reads the summary.
  public mutating func note(_ text: String) { notes.append(text) }
}

/// A node that a pass was made for and left alone.
public struct PassMiss: Sendable, Equatable, CustomStringConvertible {
  public let operation: String
  /// The exporter's path of the node.
  public let location: String
  public let reason: String

  public init(operation: String, location: String, reason: String) {
    self.operation = operation
    self.location = location
    self.reason = reason
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
  /// The changes that its rules made, in order; numbers go on from the pass before.
  public let patches: [PatchLog.Entry]
  public let duration: Duration
}
