public import Tensors

/// One application of an operator.
public struct Node: Sendable {
  /// The operator's mnemonic, a key of the ``OperatorTable``.
  public var operation: String
  /// Operands in the schema's order; nil marks an optional operand that is absent.
  public var operands: [ValueID?]
  /// Results in the schema's order; nil marks an optional result that the exporter left out.
  public var results: [ValueID?]
  public var attributes: Attributes
  /// The exporter's path of the node, kept through every rewrite.
  public var location: String

  public init(
    _ operation: String, operands: [ValueID?], results: [ValueID?], attributes: Attributes = Attributes(),
    location: String = ""
  ) {
    self.operation = operation
    self.operands = operands
    self.results = results
    self.attributes = attributes
    self.location = location
  }
}

/// A value: a function's input, a constant of the module, or one result of a node.
public struct Value: Sendable {
  public enum Definition: Sendable, Equatable {
    case input(Int)
    case constant(String)
    case result(NodeID, Int)
    /// Removed from the graph; no node refers to it.
    case none
  }

  /// Unique within the function.
  public var name: String
  public var type: TensorType
  public var definition: Definition
  /// The elements of a small integer tensor as far as they are known, row-major: shapes under construction.
  public var content: [Dim]?
}

/// Nodes in an order in which every value is defined before it is used (SSA).
///
/// Users of a value and the place of a node are kept up to date: replacing, inserting and removing cost what
/// they touch.
public struct Graph: Sendable {
  public private(set) var values: [Value] = []
  public private(set) var nodes: [Node?] = []
  private var sequence = NodeSequence()
  /// Nodes that read each value, in no order; a node that reads a value twice is listed twice.
  private var readers: [[NodeID]] = []
  public private(set) var inputs: [ValueID] = []
  /// Results by their external name, in order.
  public var outputs: [(name: String, value: ValueID)] = []
  private var names: [String: ValueID] = [:]
  /// The suffix to try next for a name that was taken.
  private var suffixes: [String: Int] = [:]
  private var constants: [String: ValueID] = [:]

  public init() {}

  /// Execution order; the nodes that exist.
  public var order: [NodeID] { sequence.elements }

  public subscript(value: ValueID) -> Value {
    get { values[Int(value.index)] }
    _modify { yield &values[Int(value.index)] }
  }

  /// A node that exists.
  public subscript(node: NodeID) -> Node {
    get { nodes[Int(node.index)]! }
    set {
      let old = nodes[Int(node.index)]!.operands
      nodes[Int(node.index)] = newValue
      if old != newValue.operands {
        unlink(node, from: old)
        link(node, to: newValue.operands)
      }
    }
  }

  public func contains(_ node: NodeID) -> Bool { nodes[Int(node.index)] != nil }

  /// Whether a value was ever made; it may have been removed since.
  public func contains(_ value: ValueID) -> Bool { Int(value.index) < values.count }

  public func value(named name: String) -> ValueID? { names[name] }

  /// The node that computes a value, if one does.
  public func producer(of value: ValueID) -> NodeID? {
    if case .result(let node, _) = self[value].definition { node } else { nil }
  }

  /// The name of the module constant that a value stands for, if it is one.
  public func constantName(of value: ValueID?) -> String? {
    if let value, case .constant(let name) = self[value].definition { name } else { nil }
  }

  // MARK: Building

  private mutating func add(
    _ name: String, _ type: TensorType, _ definition: Value.Definition, _ content: [Dim]?
  )
    -> ValueID
  {
    let id = ValueID(values.count)
    let unique = uniqueName(name)
    values.append(Value(name: unique, type: type, definition: definition, content: content))
    readers.append([])
    names[unique] = id
    return id
  }

  /// `name`, or `name.1`, `name.2`, ... if it is taken.
  private mutating func uniqueName(_ name: String) -> String {
    let stem = name.isEmpty ? "v" : name
    if names[stem] == nil { return stem }
    var suffix = suffixes[stem] ?? 1
    while names["\(stem).\(suffix)"] != nil { suffix += 1 }
    suffixes[stem] = suffix + 1
    return "\(stem).\(suffix)"
  }

  @discardableResult
  public mutating func addInput(_ name: String, _ type: TensorType) -> ValueID {
    let id = add(name, type, .input(inputs.count), nil)
    inputs.append(id)
    return id
  }

  /// The value that stands for a module constant; one per constant and function.
  ///
  /// - Parameter valueName: the name of the value where it is not to be that of the constant.
  public mutating func addConstant(
    _ name: String, _ type: TensorType, content: [Dim]? = nil, valueName: String? = nil
  ) -> ValueID {
    if let id = constants[name] { return id }
    let id = add(valueName ?? name, type, .constant(name), content)
    constants[name] = id
    return id
  }

  /// Appends a node and makes its results.
  ///
  /// - Parameter results: name and fact per result; nil for one that is left out.
  @discardableResult
  public mutating func append(
    _ operation: String, _ operands: [ValueID?], attributes: Attributes = Attributes(),
    results: [(name: String, fact: ValueFact)?], location: String = "", before position: NodeID? = nil
  ) -> [ValueID?] {
    let node = NodeID(nodes.count)
    var ids: [ValueID?] = []
    for (index, result) in results.enumerated() {
      ids.append(result.map { add($0.name, $0.fact.type, .result(node, index), $0.fact.content) })
    }
    nodes.append(
      Node(operation, operands: operands, results: ids, attributes: attributes, location: location))
    sequence.insert(node, before: position)
    link(node, to: operands)
    return ids
  }

  // MARK: Changing

  /// Makes every use of `old`, outputs included, a use of `new`.
  public mutating func replaceUses(of old: ValueID, with new: ValueID) {
    guard old != new else { return }
    for node in readers[Int(old.index)] {
      for index in nodes[Int(node.index)]!.operands.indices
      where nodes[Int(node.index)]!.operands[index] == old {
        nodes[Int(node.index)]!.operands[index] = new
      }
    }
    readers[Int(new.index)] += readers[Int(old.index)]
    readers[Int(old.index)] = []
    for index in outputs.indices where outputs[index].value == old { outputs[index].value = new }
  }

  /// Gives a value another name, made unique if it is taken.
  public mutating func rename(_ value: ValueID, to name: String) {
    guard self[value].name != name else { return }
    let unique = uniqueName(name)
    names[self[value].name] = nil
    names[unique] = value
    self[value].name = unique
  }

  /// Makes the values of constants stand for others of the module's pool, of the same types.
  ///
  /// - Parameter names: new names by old ones; several may become one.
  public mutating func renameConstants(_ names: [String: String]) {
    let renamed = constants.filter { names[$0.key] != nil }
    for name in renamed.keys { constants[name] = nil }
    for (old, value) in renamed.sorted(by: { $0.key < $1.key }) {
      let new = names[old]!
      if let other = constants[new] {
        replaceUses(of: value, with: other)
        forget(value)
      } else {
        constants[new] = value
        self[value].definition = .constant(new)
        rename(value, to: new)
      }
    }
  }

  /// Removes nodes; their results must have no uses left outside of the removed nodes.
  public mutating func remove(_ removed: Set<NodeID>) {
    for id in removed { remove(id) }
  }

  private mutating func remove(_ id: NodeID) {
    for result in self[id].results { if let result { forget(result) } }
    unlink(id, from: self[id].operands)
    nodes[Int(id.index)] = nil
    sequence.remove(id)
  }

  private mutating func forget(_ value: ValueID) {
    names[self[value].name] = nil
    values[Int(value.index)].definition = .none
  }

  /// Drops an input that has no uses, and renumbers the others.
  public mutating func removeInput(_ value: ValueID) {
    inputs.removeAll { $0 == value }
    forget(value)
    for (index, input) in inputs.enumerated() { self[input].definition = .input(index) }
  }

  /// Drops the values of constants that no node and no output uses, and returns the names still used.
  @discardableResult
  public mutating func removeUnusedConstants() -> Set<String> {
    var used = Set(outputs.map(\.value))
    for node in order { used.formUnion(self[node].operands.compactMap { $0 }) }
    for (name, id) in constants where !used.contains(id) {
      forget(id)
      constants[name] = nil
    }
    return Set(constants.keys)
  }

  // MARK: Reading

  /// Nodes that read each value, in execution order; a node that reads a value twice is listed twice.
  public func uses() -> [ValueID: [NodeID]] {
    var uses: [ValueID: [NodeID]] = [:]
    for node in order {
      for operand in self[node].operands { if let operand { uses[operand, default: []].append(node) } }
    }
    return uses
  }

  /// Nodes that read a value, in no particular order; one that reads it twice is listed twice.
  public func users(of value: ValueID) -> [NodeID] { readers[Int(value.index)] }

  public func isOutput(_ value: ValueID) -> Bool { outputs.contains { $0.value == value } }

  private mutating func link(_ node: NodeID, to operands: [ValueID?]) {
    for case let operand? in operands where contains(operand) { readers[Int(operand.index)].append(node) }
  }

  private mutating func unlink(_ node: NodeID, from operands: [ValueID?]) {
    for case let operand? in operands where contains(operand) {
      guard let place = readers[Int(operand.index)].firstIndex(of: node) else { continue }
      readers[Int(operand.index)].swapAt(place, readers[Int(operand.index)].count - 1)
      readers[Int(operand.index)].removeLast()
    }
  }

  // MARK: Order and dead nodes

  /// Moves nodes before those that read them, and leaves all others in their order.
  ///
  /// - Returns: whether that is possible; nodes in a circle keep their places.
  public mutating func sortNodes() -> Bool {
    var sorted: [NodeID] = []
    var states = [VisitState](repeating: .new, count: nodes.count)
    for root in order {
      var stack = [root]
      while let id = stack.last {
        switch states[Int(id.index)] {
        case .new:
          states[Int(id.index)] = .open
          for case let operand? in self[id].operands.reversed() {
            guard let producer = producer(of: operand) else { continue }
            switch states[Int(producer.index)] {
            case .new: stack.append(producer)
            case .open: return false
            case .done: break
            }
          }
        case .open:
          states[Int(id.index)] = .done
          sorted.append(id)
          stack.removeLast()
        case .done: stack.removeLast()
        }
      }
    }
    sequence = NodeSequence(sorted)
    return true
  }

  private enum VisitState { case new, open, done }

  /// Removes nodes that no output depends on.
  ///
  /// - Returns: how many these were.
  @discardableResult
  public mutating func removeDeadNodes() -> Int {
    var count = 0
    for id in order.reversed() where isDead(id) {
      remove(id)
      count += 1
    }
    return count
  }

  /// Removes the nodes that computed `values` and those that only they needed, as far as nothing reads them
  /// any more.
  mutating func removeDeadProducers(of values: [ValueID]) {
    var candidates = values.compactMap { producer(of: $0) }
    while let id = candidates.popLast() {
      guard contains(id), isDead(id) else { continue }
      let operands = self[id].operands
      remove(id)
      for case let operand? in operands { if let id = producer(of: operand) { candidates.append(id) } }
    }
  }

  private func isDead(_ id: NodeID) -> Bool {
    self[id].results.allSatisfy { $0.map { readers[Int($0.index)].isEmpty && !isOutput($0) } ?? true }
  }
}
