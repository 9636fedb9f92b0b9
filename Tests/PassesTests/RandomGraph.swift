import GraphIR
import Tensors

/// Small random functions over what decoders are made of, as exporters spell it.
struct RandomGraph {
  private var blocks: RandomBlocks
  /// Values of the type f32[B, S, 4].
  private var pool: [ValueID] = []

  static func module(seed: UInt64, steps: Int) throws -> Module {
    var graph = RandomGraph(blocks: RandomBlocks(seed: seed))
    for name in ["x", "y"] {
      graph.pool.append(graph.blocks.builder.graph.addInput(name, TensorType(.f32, [Dim("B"), Dim("S"), 4])))
    }
    for step in 0..<steps {
      graph.blocks.builder.location = "step \(step)"
      graph.pool.append(try graph.step())
    }
    let outputs = [graph.pool.last!, graph.any()]
    for (index, value) in outputs.enumerated() {
      graph.blocks.builder.graph.outputs.append(("out\(index)", value))
    }
    return Module(
      functions: [Module.Function("main", graph.blocks.builder.graph)],
      constants: graph.blocks.builder.constants)
  }

  private init(blocks: RandomBlocks) { self.blocks = blocks }

  private mutating func any() -> ValueID { pool.randomElement(using: &blocks.random)! }

  private mutating func step() throws -> ValueID {
    let x = any()
    switch Int.random(in: 0..<14, using: &blocks.random) {
    case 0: return try blocks.builder("identity", x)
    case 1: return try blocks.builder("cast", try blocks.builder("cast", x, to: .f64), to: .f32)
    case 2:
      let turned = try blocks.builder("transpose", x, attributes: ["perm": .ints([2, 0, 1])])
      return try blocks.builder("transpose", turned, attributes: ["perm": .ints([1, 2, 0])])
    case 3: return try reshaped(x)
    case 4:
      let neutral: Float = Bool.random(using: &blocks.random) ? 1 : 0
      return try blocks.commutative(neutral == 1 ? "mul" : "add", x, blocks.scalar(neutral))
    case 5:
      return try blocks.builder(
        "slice", x, blocks.builder.constant([0]), blocks.builder.constant([Int.max]),
        blocks.builder.constant([1]))
    case 6: return try blocks.commutative("add", x, any())
    case 7: return try blocks.activated(x)
    case 8: return try blocks.normalized(x, isCentered: Bool.random(using: &blocks.random))
    case 9: return try blocks.product(x, 4, 4)
    case 10: return try blocks.feedForward(x)
    case 11:
      let norm = try blocks.normalized(try blocks.commutative("add", x, any()), isCentered: false)
      return try blocks.product(norm, 4, 4)
    case 12:
      let rows = try blocks.builder("reshape", x, blocks.builder.constant([-1, 4]))
      let multiplied = try blocks.builder("gemm", rows, blocks.weights(4, 4), blocks.weights(4))
      return try blocks.builder("reshape", multiplied, try blocks.builder("shape", x))
    default: return try blocks.builder("tanh", try blocks.builder("div", x, blocks.scalar(2)))
    }
  }

  private mutating func reshaped(_ x: ValueID) throws -> ValueID {
    var y =
      Bool.random(using: &blocks.random)
      ? try blocks.builder("reshape", x, blocks.builder.constant([0, 0, 2, 2])) : x
    for shape in [[-1, 2, 2], [-1, 4], [1, -1, 2, 2]].shuffled(using: &blocks.random).prefix(2) {
      y = try blocks.builder("reshape", y, blocks.builder.constant(shape))
    }
    return try blocks.builder("reshape", y, try blocks.builder("shape", x))
  }
}

extension GraphBuilder {
  mutating func callAsFunction(
    _ operation: String, _ x: ValueID, to element: ElementType
  ) throws -> ValueID {
    try self(operation, x, attributes: ["to": .element(element)])
  }
}
