public import Tensors

/// A rewrite: finds a pattern at a node and says what is to stand there instead.
///
/// Matching never changes the graph, and must not depend on the order of nodes. What a rule replaces must not
/// match it again.
public protocol Rule: Sendable {
  /// Verb first, words joined by hyphens: `drop-identity`. It is the name of the pass's statistic, too.
  var name: String { get }
  /// Operations of the nodes at which the rule looks: the last node of its pattern.
  var anchors: [String] { get }

  /// - Returns: what to do, or nil where the node is nothing for this rule.
  /// - Throws: why the rule leaves a node alone that looks like its pattern.
  func match(_ node: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch?
}

/// Why a rule leaves a node alone, in words that somebody who knows the model understands: what was found,
/// what is needed.
public struct Miss: Error, CustomStringConvertible {
  public let reason: String
  public var description: String { reason }

  public init(_ reason: String) { self.reason = reason }
}

/// One change: values, and how to compute what replaces them.
public struct Patch {
  public typealias Build = (inout GraphBuilder) throws(OperatorError) -> [ValueID]

  /// What happens, for lists of patches.
  public let description: String
  /// Every use of these is going to be a use of what `build` returns.
  public let replaced: [ValueID]
  /// Adds nodes before the anchor and returns one value per replaced one, of the same type.
  let build: Build

  public init(_ description: String, replacing replaced: [ValueID], build: @escaping Build) {
    self.description = description
    self.replaced = replaced
    self.build = build
  }

  /// Replaces one value by another that exists.
  public init(_ description: String, replacing old: ValueID, with new: ValueID) {
    self.init(description, replacing: [old]) { _ in [new] }
  }

  /// Replaces one value by what one node computes.
  public init(
    _ description: String, replacing old: ValueID, with operation: String, _ operands: [ValueID?],
    _ attributes: [String: AttributeValue] = [:]
  ) {
    self.init(description, replacing: [old]) { builder throws(OperatorError) in
      [try builder.add(operation, operands, Attributes(attributes))[0]!]
    }
  }
}
