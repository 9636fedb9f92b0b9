import GraphIR
import Operators
import Tensors
import TestSupport

/// Small random functions over what decoders are made of, as exporters spell it.
struct RandomGraph {
  private var builder = GraphBuilder(
    Graph(), constants: [:], operators: OperatorSet.standard, symbols: SymbolSource())
  private var random: SeededGenerator
  /// Values of the type f32[B, S, 4].
  private var pool: [ValueID] = []

  static func module(seed: UInt64, steps: Int) throws -> Module {
    var graph = RandomGraph(random: SeededGenerator(seed: seed))
    for name in ["x", "y"] {
      graph.pool.append(graph.builder.graph.addInput(name, TensorType(.f32, [Dim("B"), Dim("S"), 4])))
    }
    for step in 0..<steps {
      graph.builder.location = "step \(step)"
      graph.pool.append(try graph.step())
    }
    let outputs = [graph.pool.last!, graph.any()]
    for (index, value) in outputs.enumerated() { graph.builder.graph.outputs.append(("out\(index)", value)) }
    return Module(
      functions: [Module.Function("main", graph.builder.graph)], constants: graph.builder.constants)
  }

  private init(random: SeededGenerator) { self.random = random }

  private mutating func any() -> ValueID { pool.randomElement(using: &random)! }

  private mutating func weights(_ shape: Int...) -> ValueID {
    let values = (0..<shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &random) }
    return builder.constant(Tensor(f32: values, shape), name: "w")
  }

  /// A scalar, alone or in a vector.
  private mutating func scalar(_ value: Float) -> ValueID {
    Bool.random(using: &random) ? builder.constant(value) : builder.constant(Tensor(f32: [value]), name: "s")
  }

  private mutating func commutative(_ operation: String, _ a: ValueID, _ b: ValueID) throws -> ValueID {
    Bool.random(using: &random) ? try builder(operation, a, b) : try builder(operation, b, a)
  }

  private mutating func step() throws -> ValueID {
    let x = any()
    switch Int.random(in: 0..<14, using: &random) {
    case 0: return try builder("identity", x)
    case 1: return try builder("cast", try builder("cast", x, to: .f64), to: .f32)
    case 2:
      let turned = try builder("transpose", x, attributes: ["perm": .ints([2, 0, 1])])
      return try builder("transpose", turned, attributes: ["perm": .ints([1, 2, 0])])
    case 3: return try reshaped(x)
    case 4:
      let neutral: Float = Bool.random(using: &random) ? 1 : 0
      return try commutative(neutral == 1 ? "mul" : "add", x, scalar(neutral))
    case 5:
      return try builder(
        "slice", x, builder.constant([0]), builder.constant([Int.max]), builder.constant([1]))
    case 6: return try commutative("add", x, any())
    case 7: return try activated(x)
    case 8: return try normalized(x, isCentered: Bool.random(using: &random))
    case 9: return try product(x, 4, 4)
    case 10: return try feedForward(x)
    case 11:
      let norm = try normalized(try commutative("add", x, any()), isCentered: false)
      return try product(norm, 4, 4)
    case 12:
      let rows = try builder("reshape", x, builder.constant([-1, 4]))
      let multiplied = try builder("gemm", rows, weights(4, 4), weights(4))
      return try builder("reshape", multiplied, try builder("shape", x))
    default: return try builder("tanh", try builder("div", x, scalar(2)))
    }
  }

  private mutating func reshaped(_ x: ValueID) throws -> ValueID {
    var y = Bool.random(using: &random) ? try builder("reshape", x, builder.constant([0, 0, 2, 2])) : x
    for shape in [[-1, 2, 2], [-1, 4], [1, -1, 2, 2]].shuffled(using: &random).prefix(2) {
      y = try builder("reshape", y, builder.constant(shape))
    }
    return try builder("reshape", y, try builder("shape", x))
  }

  private mutating func activated(_ x: ValueID) throws -> ValueID {
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

  private mutating func normalized(_ x: ValueID, isCentered: Bool) throws -> ValueID {
    let axes = builder.constant([-1])
    let centered = isCentered ? try builder("sub", x, try builder("reduce_mean", x, axes)) : x
    let mean = try builder("reduce_mean", try builder("pow", centered, scalar(2)), axes)
    let root = try builder("sqrt", try commutative("add", mean, scalar(1e-3)))
    var y = try builder("div", centered, root)
    if Bool.random(using: &random) {
      y = try builder("mul", centered, try builder("div", scalar(1), root))
    }
    y = try commutative("mul", y, weights(4))
    return isCentered ? try commutative("add", y, weights(4)) : y
  }

  private mutating func product(_ x: ValueID, _ inner: Int, _ outer: Int) throws -> ValueID {
    var y: ValueID
    if Bool.random(using: &random) {
      y = try builder("matmul", x, weights(inner, outer))
    } else {
      y = try builder("matmul", x, try builder("transpose", weights(outer, inner)))
    }
    if Bool.random(using: &random) { y = try commutative("add", y, weights(outer)) }
    return y
  }

  private mutating func feedForward(_ x: ValueID) throws -> ValueID {
    guard Bool.random(using: &random) else { return try product(try activated(product(x, 4, 6)), 6, 4) }
    if Bool.random(using: &random) {
      let both = try product(x, 4, 12)
      let halves = try builder.add(
        "split", [both], Attributes(["axis": .int(-1), "num_outputs": .int(2)]), resultCount: 2)
      return try product(try commutative("mul", try activated(halves[0]!), halves[1]!), 6, 4)
    }
    let gate = try activated(product(x, 4, 6))
    return try product(try commutative("mul", gate, try product(x, 4, 6)), 6, 4)
  }
}

extension GraphBuilder {
  fileprivate mutating func callAsFunction(
    _ operation: String, _ x: ValueID, to element: ElementType
  ) throws -> ValueID {
    try self(operation, x, attributes: ["to": .element(element)])
  }
}
