import GraphIR
import Tensors

extension SelfAttention {
  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    var decomposition = SelfAttentionDecomposition(node, builder)
    let results = try decomposition.run()
    builder = decomposition.builder
    return Array(results.prefix(node.results.count))
  }
}

/// One self-attention node as the operators that it fuses.
private struct SelfAttentionDecomposition {
  let node: Node
  var builder: GraphBuilder

  init(_ node: Node, _ builder: GraphBuilder) {
    self.node = node
    self.builder = builder
  }

  private func operand(_ index: Int) -> ValueID? {
    index < node.operands.count ? node.operands[index] : nil
  }

  mutating func run() throws(OperatorError) -> [ValueID?] {
    let attributes = node.attributes
    let (heads, groups) = (
      attributes.int("num_heads", default: 1), attributes.int("kv_num_heads", default: 1)
    )
    guard let qkv = operand(0), let width = builder.type(qkv).shape[2].constant else {
      throw OperatorError("the last axis of qkv must be an integer")
    }
    let size = width / (heads + 2 * groups)
    let parts = try builder.add(
      "split", [qkv, builder.constant([heads * size, groups * size, groups * size])],
      Attributes(["axis": .int(-1)]), names: ["q", "k", "v"])
    let ids = try positions(qkv)
    let query = try prepared(parts[0], heads, size, scale: operand(3), ids)
    let key = try joined(try prepared(parts[1], groups, size, scale: operand(4), ids), past: operand(1))
    let value = try joined(try divided(parts[2], groups, size), past: operand(2))
    var inner: [String: AttributeValue] = [
      "is_causal": .int(attributes.int("is_causal", default: 1)), "queries_at_end": .int(1),
      "softcap": .float(attributes.float("softcap", default: 0)),
    ]
    if let scale = attributes["scale"] { inner["scale"] = scale }
    let window = attributes.int("window", default: 0)
    if window > 0 { inner["left_window_size"] = .int(window - 1) }
    let y = try builder("attention", query, key.read, value.read, try mask(key.read), attributes: inner)
    let rows = try builder("transpose", y, attributes: ["perm": .ints([0, 2, 1, 3])])
    return [try builder("reshape", rows, builder.constant([0, 0, heads * size])), key.kept, value.kept]
  }

  /// The past followed by new entries: as it is kept, and as attention reads it.
  private mutating func joined(_ new: ValueID, past: ValueID?) throws(OperatorError)
    -> (kept: ValueID, read: ValueID)
  {
    guard let past else { return (new, new) }
    let (narrow, wide) = (builder.type(past).element, builder.type(new).element)
    if narrow == wide {
      let kept = try builder("concat", past, new, attributes: ["axis": .int(2)])
      return (kept, kept)
    }
    let most = Double(Float16.greatestFiniteMagnitude)
    let clipped = try builder("clip", new, builder.constant(-most, wide), builder.constant(most, wide))
    let rounded = try builder("cast", clipped, attributes: ["to": .element(narrow)])
    let kept = try builder("concat", past, rounded, attributes: ["axis": .int(2)])
    return (kept, try builder("cast", kept, attributes: ["to": .element(wide)]))
  }

  /// The positions whose angles rows take; nil without rotation.
  private mutating func positions(_ qkv: ValueID) throws(OperatorError) -> ValueID? {
    guard operand(5) != nil else { return nil }
    if let ids = operand(7) { return ids }
    var first = builder.constant(Tensor(i64: [0], []))
    if let past = operand(1) { first = try RotaryPositions.size(of: past, axis: 2, into: &builder) }
    return try RotaryPositions.range(from: first, rowsOf: qkv, axis: 1, into: &builder)
  }

  /// `[B, heads, S, d]`, normalized and rotated.
  private mutating func prepared(
    _ x: ValueID?, _ heads: Int, _ size: Int, scale: ValueID?, _ ids: ValueID?
  ) throws(OperatorError) -> ValueID {
    var x = try divided(x, heads, size)
    if let scale {
      let epsilon = node.attributes.float("epsilon", default: 1e-6)
      x = try builder("rms_normalization", x, scale, attributes: ["epsilon": .float(epsilon)])
    }
    guard let ids, let cos = operand(5) else { return x }
    guard let half = builder.type(cos).shape[1].constant else {
      throw OperatorError("'cos' is \(builder.type(cos)): its last axis must be an integer")
    }
    return try builder(
      "rotary_embedding", x, cos, operand(6), ids,
      attributes: [
        "interleaved": .int(node.attributes.int("interleaved", default: 0)),
        "rotary_embedding_dim": .int(2 * half),
      ])
  }

  private mutating func divided(_ x: ValueID?, _ heads: Int, _ size: Int) throws(OperatorError) -> ValueID {
    let split = try builder("reshape", x, builder.constant([0, 0, heads, size]))
    return try builder("transpose", split, attributes: ["perm": .ints([0, 2, 1, 3])])
  }

  /// What attention adds to scores, or which keys it allows: the key mask `[B, 1, 1, T]`, slopes `[H, 1, T]`,
  /// or both as one; nil without either.
  private mutating func mask(_ key: ValueID) throws(OperatorError) -> ValueID? {
    var allowed: ValueID?
    if let mask = operand(8) {
      let bool = try builder("cast", mask, attributes: ["to": .element(.bool)])
      allowed = try builder("unsqueeze", bool, builder.constant([1, 2]))
    }
    guard let slopes = operand(9) else { return allowed }
    let element = builder.type(slopes).element
    let count = try RotaryPositions.size(of: key, axis: 2, into: &builder)
    let places = try builder(
      "range", builder.constant(Tensor(i64: [0], [])), count, builder.constant(Tensor(i64: [1], [])))
    let bias = try builder(
      "mul", try builder("unsqueeze", slopes, builder.constant([1, 2])),
      try builder("cast", places, attributes: ["to": .element(element)]))
    guard let allowed else { return bias }
    return try builder("where", allowed, bias, builder.constant(-.infinity, element))
  }
}
