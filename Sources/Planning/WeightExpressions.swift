import GraphIR
import Operators
import Tensors

/// Expressions over constants, such as `concat(transpose(@a), transpose(@b))`: equal ones are known once,
/// whatever function they stand in, and none is evaluated before its tensor is asked for.
///
/// Entries are numbered as they are made, operands before what reads them.
struct WeightExpressions {
  /// One tensor: a constant, or a result of a node over constants.
  struct Reference: Hashable {
    fileprivate let entry: Int
    fileprivate let result: Int
  }

  private enum Entry {
    case constant(String, Tensor)
    case application(Node, operands: [Reference?])
  }

  private enum Key: Hashable {
    /// The same memory under the same type is the same constant, whatever its name.
    case constant(UnsafeMutableRawPointer, TensorType)
    case application(String, attributes: [String], operands: [Reference?], results: [Bool])
  }

  private let constants: [String: Tensor]
  private var entries: [Entry] = []
  private var numbers: [Key: Int] = [:]

  init(_ constants: [String: Tensor]) { self.constants = constants }

  // MARK: Building

  mutating func constant(_ name: String) -> Reference {
    let tensor = constants[name]!
    return Reference(entry: number(.constant(tensor.base, tensor.type), .constant(name, tensor)), result: 0)
  }

  /// What a node computes from expressions; one reference per declared result.
  mutating func application(_ node: Node, _ operands: [Reference?]) -> [Reference] {
    let isMatrixTransposition = Self.isMatrixTransposition(node, node.attributes.ints("perm")?.count ?? 2)
    let key = Key.application(
      node.operation, attributes: isMatrixTransposition ? [] : Self.spelled(node.attributes),
      operands: operands, results: node.results.map { $0 != nil })
    let entry = number(key, .application(node, operands: operands))
    return node.results.indices.map { Reference(entry: entry, result: $0) }
  }

  private mutating func number(_ key: Key, _ entry: Entry) -> Int {
    if let number = numbers[key] { return number }
    entries.append(entry)
    numbers[key] = entries.count - 1
    return entries.count - 1
  }

  /// Attributes in an order, as text; tensors, which the entry keeps alive, by their memory.
  private static func spelled(_ attributes: Attributes) -> [String] {
    attributes.values.sorted { $0.key < $1.key }.map { name, value in
      if case .tensor(let tensor) = value { return "\(name)=\(tensor.type)\(tensor.base)" }
      return "\(name)=\(value)"
    }
  }

  private static func isMatrixTransposition(_ node: Node, _ rank: Int) -> Bool {
    node.operation == "transpose" && rank == 2 && node.attributes.ints("perm") ?? [1, 0] == [1, 0]
  }

  // MARK: Reading

  /// The name of a constant, `name.T` for its transposition, nil for other expressions.
  func name(of reference: Reference) -> String? {
    switch entries[reference.entry] {
    case .constant(let name, _): name
    case .application(let node, let operands):
      if node.operation == "transpose", let operand = operands[0],
        case .constant(let name, _) = entries[operand.entry]
      {
        "\(name).T"
      } else {
        nil
      }
    }
  }

  /// Bytes of all constants that an expression is made of.
  func sourceByteCount(of reference: Reference) -> Int {
    cone(of: reference).reduce(0) { sum, number in
      if case .constant(_, let tensor) = entries[number] { sum + tensor.byteCount } else { sum }
    }
  }

  /// The entries that an expression is made of, operands before what reads them.
  private func cone(of reference: Reference) -> [Int] {
    var seen: Set<Int> = [reference.entry]
    var pending = [reference.entry]
    while let number = pending.popLast() {
      guard case .application(_, let operands) = entries[number] else { continue }
      for case let operand? in operands where seen.insert(operand.entry).inserted {
        pending.append(operand.entry)
      }
    }
    return seen.sorted()
  }

  // MARK: Evaluating

  /// Computes a tensor. What it is made of on the way is freed after its last use.
  func tensor(_ reference: Reference) throws(Planner.Failure) -> Tensor {
    let interpreter = Interpreter(Module())
    let cone = cone(of: reference)
    var remaining: [Int: Int] = [reference.entry: 1]
    for number in cone {
      guard case .application(_, let operands) = entries[number] else { continue }
      for case let operand? in operands { remaining[operand.entry, default: 0] += 1 }
    }
    var values: [Int: [Tensor?]] = [:]
    for number in cone {
      switch entries[number] {
      case .constant(_, let tensor): values[number] = [tensor]
      case .application(let node, let operands):
        let tensors = operands.map { operand in operand.flatMap { values[$0.entry]?[$0.result] } }
        values[number] = try evaluate(node, tensors, interpreter)
        for case let operand? in operands {
          remaining[operand.entry]! -= 1
          if remaining[operand.entry] == 0 { values[operand.entry] = nil }
        }
      }
    }
    return values[reference.entry]![reference.result]!
  }

  private func evaluate(
    _ node: Node, _ operands: [Tensor?], _ interpreter: Interpreter
  ) throws(Planner.Failure) -> [Tensor?] {
    if let matrix = operands.first ?? nil, Self.isMatrixTransposition(node, matrix.rank) {
      return [matrix.transposed()]
    }
    do throws(Interpreter.Failure) {
      return try interpreter.evaluate(node, operands)
    } catch {
      throw Planner.Failure(message: "\(error)")
    }
  }
}
