import GraphIR
import Operators
import Tensors
import TestSupport
import Testing

/// What a function computes from random inputs.
struct Meaning {
  /// How large inputs are, and what some are made of.
  struct Sizes {
    var batch = 3
    var rows = 2
    var past = 4
    /// Tokens are below this.
    var vocabulary = 2
    /// Distance of position ids from the places of their rows.
    var shift = 0
    /// Past positions that the attention mask hides.
    var hidden: Set<Int> = []

    fileprivate var extents: [String: Int] {
      ["B": batch, "S": rows, "P": past, "T": past + rows]
    }
  }

  private let inputs: [String: Tensor]
  private let outputs: [String: Tensor]

  /// Runs the first function of a module.
  ///
  /// Symbols stand for sizes; floats are between -1 and 1, integers can be indices of anything.
  init(of module: Module, _ sizes: Sizes = Sizes(), seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var inputs: [String: Tensor] = [:]
    for id in module.main.graph.inputs {
      let value = module.main.graph[id]
      let shape = try value.type.shape.map { dim in
        guard let extent = dim.evaluated(sizes.extents) else { throw OperatorError("no size for \(dim)") }
        return extent
      }
      inputs[value.name] =
        try Self.tensor(of: value.name, value.type.element, shape, sizes, &random)
        ?? Self.tensor(value.type.element, shape, &random)
    }
    self.inputs = inputs
    outputs = try Interpreter(module).run(module.main, inputs: inputs)
  }

  /// The inputs of decoders that have a meaning.
  private static func tensor(
    of name: String, _ element: ElementType, _ shape: [Int], _ sizes: Sizes, _ random: inout SeededGenerator
  ) throws -> Tensor? {
    guard element == .i64, shape.count == 2 else { return nil }
    let columns = 0..<shape[0] * shape[1]
    switch name {
    case "input_ids":
      return Tensor(i64: columns.map { _ in Int.random(in: 0..<sizes.vocabulary, using: &random) }, shape)
    case "attention_mask":
      return Tensor(i64: columns.map { sizes.hidden.contains($0 % shape[1]) ? 0 : 1 }, shape)
    case "position_ids":
      return Tensor(i64: columns.map { sizes.past + $0 % shape[1] + sizes.shift }, shape)
    default: return nil
    }
  }

  private static func tensor(
    _ element: ElementType, _ shape: [Int], _ random: inout SeededGenerator
  ) throws -> Tensor {
    let count = shape.reduce(1, *)
    let floats = (0..<count).map { _ in Float.random(in: -1...1, using: &random) }
    let integers = (0..<count).map { _ in Int.random(in: 0...1, using: &random) }
    switch element {
    case .f32: return Tensor(f32: floats, shape)
    case .f16: return Tensor(.f16, shape, values: floats.map { Float16($0) })
    case .f64: return Tensor(.f64, shape, values: floats.map { Double($0) })
    case .i64: return Tensor(i64: integers, shape)
    case .i8: return Tensor(.i8, shape, values: integers.map { Int8($0) })
    case .u8: return Tensor(.u8, shape, values: integers.map { UInt8($0) })
    case .bool: return Tensor(bool: integers.map { $0 == 1 }, shape)
    default: throw OperatorError("no random \(element)")
    }
  }

  /// The first output in which another module differs by more than roundings do.
  ///
  /// - Parameter function: the function to run in place of the first; one that gives the last row only of an output
  ///   is compared with that.
  func difference(to module: Module, _ function: Module.Function? = nil) throws -> String? {
    let found = try Interpreter(module).run(function ?? module.main, inputs: inputs)
    for (name, whole) in outputs.sorted(by: { $0.key < $1.key }) {
      guard let tensor = found[name] else { return "output '\(name)' is missing" }
      let expected = function == nil ? whole : Self.lastRow(of: whole, as: tensor.shape)
      guard tensor.type == expected.type else { return "'\(name)' is \(tensor.type), not \(expected.type)" }
      let scale = expected.doubles.filter(\.isFinite).map { abs($0) }.max() ?? 0
      let tolerance = (expected.element == .f16 ? 4e-3 : 1e-4) * max(scale, 1e-3)
      for (a, b) in zip(tensor.doubles, expected.doubles) {
        guard a == b || a.isNaN && b.isNaN || abs(a - b) <= tolerance else {
          return "'\(name)' has \(a), not \(b)"
        }
      }
    }
    return nil
  }

  /// The last row of one sequence of rows, where that is what the shape says.
  private static func lastRow(of tensor: Tensor, as shape: [Int]) -> Tensor {
    guard tensor.element == .f32, tensor.rank == 3, shape == [1, 1, tensor.shape[2]] else { return tensor }
    return Tensor(f32: tensor.array(of: Float.self).suffix(tensor.shape[2]), shape)
  }
}
