import GraphIR
import Operators
import Tensors
import TestSupport

/// What decoders are made of, in one of the ways in which exporters spell it.
struct RandomBlocks {
  var builder = GraphBuilder(
    Graph(), constants: [:], operators: OperatorSet.standard, symbols: SymbolSource())
  var random: SeededGenerator

  init(seed: UInt64) { random = SeededGenerator(seed: seed) }

  mutating func flip() -> Bool { Bool.random(using: &random) }

  mutating func pick<T>(_ values: [T]) -> T { values.randomElement(using: &random)! }

  mutating func weights(_ shape: Int...) -> ValueID {
    let values = (0..<shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &random) }
    return builder.constant(Tensor(f32: values, shape), name: "w")
  }

  /// A scalar, alone or in a vector.
  mutating func scalar(_ value: Float) -> ValueID {
    Bool.random(using: &random) ? builder.constant(value) : builder.constant(Tensor(f32: [value]), name: "s")
  }

  mutating func commutative(_ operation: String, _ a: ValueID, _ b: ValueID) throws -> ValueID {
    Bool.random(using: &random) ? try builder(operation, a, b) : try builder(operation, b, a)
  }

  mutating func activated(_ x: ValueID) throws -> ValueID {
    switch Int.random(in: 0..<4, using: &random) {
    case 0: return try builder("relu", x)
    case 1: return try commutative("mul", x, try builder("sigmoid", x))
    case 2:
      let f = try builder("erf", try builder("div", x, scalar(1.4142135)))
      let sum = try commutative("add", f, scalar(1))
      return try commutative("mul", try commutative("mul", x, sum), scalar(0.5))
    default:
      let cubic = try commutative("mul", try builder("pow", x, scalar(3)), scalar(0.044715))
      let argument = try commutative("mul", try commutative("add", x, cubic), scalar(0.7978846))
      let sum = try commutative("add", try builder("tanh", argument), scalar(1))
      return try commutative("mul", try commutative("mul", x, scalar(0.5)), sum)
    }
  }

  mutating func normalized(_ x: ValueID, width: Int = 4, isCentered: Bool) throws -> ValueID {
    let axes = builder.constant([-1])
    let centered = isCentered ? try builder("sub", x, try builder("reduce_mean", x, axes)) : x
    let mean = try builder("reduce_mean", try builder("pow", centered, scalar(2)), axes)
    let root = try builder("sqrt", try commutative("add", mean, scalar(1e-3)))
    var y = try builder("div", centered, root)
    if Bool.random(using: &random) {
      y = try builder("mul", centered, try builder("div", scalar(1), root))
    }
    y = try commutative("mul", y, weights(width))
    return isCentered ? try commutative("add", y, weights(width)) : y
  }

  mutating func product(_ x: ValueID, _ inner: Int, _ outer: Int) throws -> ValueID {
    var y: ValueID
    if Bool.random(using: &random) {
      y = try builder("matmul", x, weights(inner, outer))
    } else {
      y = try builder("matmul", x, try builder("transpose", weights(outer, inner)))
    }
    if Bool.random(using: &random) { y = try commutative("add", y, weights(outer)) }
    return y
  }

  mutating func feedForward(_ x: ValueID, width: Int = 4) throws -> ValueID {
    let inner = 6
    guard Bool.random(using: &random) else {
      return try product(try activated(product(x, width, inner)), inner, width)
    }
    if Bool.random(using: &random) {
      let both = try product(x, width, 2 * inner)
      let halves = try builder.add(
        "split", [both], Attributes(["axis": .int(-1), "num_outputs": .int(2)]), resultCount: 2)
      return try product(try commutative("mul", try activated(halves[0]!), halves[1]!), inner, width)
    }
    let gate = try activated(product(x, width, inner))
    return try product(try commutative("mul", gate, try product(x, width, inner)), inner, width)
  }
}
