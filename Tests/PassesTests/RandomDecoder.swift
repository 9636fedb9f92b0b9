import GraphIR
import Tensors

/// A small random decoder with caches, every part of it in one of the ways in which exporters spell it.
///
///     ids, caches, (mask), (position ids) -> embedding, 1 or 2 layers, head -> logits, caches
struct RandomDecoder {
  /// How positions come in.
  enum Positions: CaseIterable {
    case none, rotary, learned, slopes
  }

  /// What all layers have in common.
  struct Form {
    let hasBatch: Bool
    let hasMask: Bool
    let hasPositionIDs: Bool
    let positions: Positions
    let heads: Int
    let keyHeads: Int
    let size: Int
    let layers: Int
    /// Keys that a query sees; nil is the whole past.
    let window: Int?
  }

  static let width = 8
  /// More than any product within has columns.
  static let vocabulary = 80
  /// Positions that tables have.
  static let context = 24

  let form: Form
  var blocks: RandomBlocks
  var ids = ValueID(0)
  var maskInput: ValueID?
  var positionIDs: ValueID?
  /// `[rows]`, and scalars.
  var (rows, past, total) = (ValueID(0), ValueID(0), ValueID(0))
  /// What masks add to scores, `[B or 1, 1, S, P + S]`, or whether keys are seen.
  var mask: Mask?
  /// Cosines and sines, `[B or 1, 1, S, entries]`.
  var angles: (cos: ValueID, sin: ValueID)?
  var presents: [(name: String, value: ValueID)] = []

  enum Mask {
    case added(ValueID)
    case chosen(ValueID, low: Float)
  }

  var builder: GraphBuilder {
    get { blocks.builder }
    _modify { yield &blocks.builder }
  }

  static func module(seed: UInt64) throws -> (module: Module, form: Form) {
    var decoder = RandomDecoder(seed: seed)
    try decoder.build()
    let module = Module(
      functions: [Module.Function("main", decoder.builder.graph)], constants: decoder.builder.constants,
      metadata: ["context_length": "\(context)"])
    return (module, decoder.form)
  }

  private init(seed: UInt64) {
    var blocks = RandomBlocks(seed: seed)
    let heads = blocks.pick([1, 2, 4])
    let positions = blocks.pick(Positions.allCases)
    form = Form(
      hasBatch: blocks.pick([true, true, false]), hasMask: blocks.flip(), hasPositionIDs: blocks.flip(),
      positions: positions, heads: heads, keyHeads: blocks.pick([1, 2, 4].filter { heads % $0 == 0 }),
      size: blocks.pick([4, 6]), layers: blocks.pick([1, 2]), window: blocks.pick([nil, 3, 5]))
    self.blocks = blocks
  }

  private mutating func build() throws {
    try addInputs()
    try addMask()
    if form.positions == .rotary { try addAngles() }
    var x = try embedding()
    for layer in 0..<form.layers {
      builder.location = "layer \(layer)"
      let normalized = try norm(x)
      x = try blocks.commutative("add", x, attention(normalized, layer: layer))
      x = try blocks.commutative("add", x, blocks.feedForward(norm(x), width: Self.width))
    }
    builder.location = "head"
    var logits = try blocks.product(norm(x), Self.width, Self.vocabulary)
    if blocks.flip() {
      let capped = try builder("tanh", builder("div", logits, builder.constant(3)))
      logits = try builder("mul", capped, builder.constant(3))
    }
    builder.graph.outputs = [("logits", logits)] + presents
  }

  private mutating func norm(_ x: ValueID) throws -> ValueID {
    try blocks.normalized(x, width: Self.width, isCentered: blocks.flip())
  }

  // MARK: Inputs

  private mutating func addInputs() throws {
    let batch: Dim = form.hasBatch ? Dim("B") : 1
    ids = builder.graph.addInput("input_ids", TensorType(.i64, [batch, Dim("S")]))
    if form.hasMask {
      maskInput = builder.graph.addInput(
        "attention_mask", TensorType(.i64, [batch, blocks.flip() ? Dim("P") + Dim("S") : Dim("T")]))
    }
    if form.hasPositionIDs {
      positionIDs = builder.graph.addInput("position_ids", TensorType(.i64, [batch, Dim("S")]))
    }
    let cache = TensorType(.f32, [batch, Dim(form.keyHeads), Dim("P"), Dim(form.size)])
    for layer in 0..<form.layers {
      for part in ["key", "value"] { _ = builder.graph.addInput(Self.cache(layer, part), cache) }
    }
    rows = try extent(of: ids, axis: 1)
    past = try extent(of: builder.graph.inputs.first { builder.type($0).rank == 4 }!, axis: 2)
    total = try blocks.commutative("add", past, rows)
  }

  static func cache(_ layer: Int, _ part: String) -> String { "past_key_values.\(layer).\(part)" }

  /// A scalar.
  private mutating func extent(of value: ValueID, axis: Int) throws -> ValueID {
    guard blocks.flip() else {
      let one = try builder(
        "shape", value, attributes: ["start": .int(axis), "end": .int(axis + 1)])
      return try builder("squeeze", one)
    }
    return try builder("gather", builder("shape", value), builder.constant(Tensor(i64: [axis], [])))
  }

  /// Whole numbers from a scalar on, below another.
  mutating func range(_ start: ValueID?, _ end: ValueID) throws -> ValueID {
    let first = start ?? builder.constant(Tensor(i64: [0], []))
    return try builder("range", first, end, builder.constant(Tensor(i64: [1], [])))
  }

  /// The positions of the new rows, `[B or 1, S]`.
  mutating func positions() throws -> ValueID {
    if let positionIDs { return positionIDs }
    return try builder("unsqueeze", range(past, total), builder.constant([0]))
  }

  private mutating func embedding() throws -> ValueID {
    builder.location = "embedding"
    var x = try builder("gather", blocks.weights(Self.vocabulary, Self.width), ids)
    if blocks.flip() { x = try blocks.commutative("mul", x, builder.constant(2)) }
    guard form.positions == .learned else { return x }
    let offset = blocks.pick([0, 2])
    var places = try positions()
    if offset > 0 {
      places = try blocks.commutative("add", places, builder.constant(Tensor(i64: [offset], [])))
    }
    let table = blocks.weights(Self.context + offset, Self.width)
    return try blocks.commutative("add", x, builder("gather", table, places))
  }
}
