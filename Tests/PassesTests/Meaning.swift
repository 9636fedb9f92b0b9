import GraphIR
import Operators
import Tensors
import TestSupport
import Testing

/// What a function computes from random inputs.
struct Meaning {
  private let inputs: [String: Tensor]
  private let outputs: [String: Tensor]

  private static let extents = ["B": 2, "S": 3, "P": 5]

  /// Runs the first function of a module.
  ///
  /// Symbols stand for small numbers; floats are between -1 and 1, integers can be indices of anything.
  init(of module: Module, seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var inputs: [String: Tensor] = [:]
    for id in module.main.graph.inputs {
      let value = module.main.graph[id]
      let shape = value.type.shape.compactMap { $0.evaluated(Self.extents) }
      inputs[value.name] = try Self.tensor(value.type.element, shape, &random)
    }
    self.inputs = inputs
    outputs = try Interpreter(module).run(module.main, inputs: inputs)
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
  func difference(to module: Module) throws -> String? {
    let found = try Interpreter(module).run(module.main, inputs: inputs)
    for (name, expected) in outputs.sorted(by: { $0.key < $1.key }) {
      guard let tensor = found[name] else { return "output '\(name)' is missing" }
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
}
