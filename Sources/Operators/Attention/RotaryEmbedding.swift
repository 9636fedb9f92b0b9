import GraphIR
import Tensors

/// Rotates pairs of the first entries of each head by angles that depend on the position.
///
///     a' = cos * a - sin * b        b' = sin * a + cos * b
///
/// x is `[B, S, heads * size]` or `[B, heads, S, size]`; cos and sin are `[B or 1, S, d/2]`, or tables
/// `[positions, d/2]` that position ids `[B or 1, S]` pick from.
struct RotaryEmbedding: Operator {
  let schema = OperatorSchema(
    "rotary_embedding", "Rotates pairs of entries of each head by the angle of its position.",
    operands: ["x", "cos", "sin", "position_ids?"],
    attributes: ["interleaved": .int, "num_heads": .int, "rotary_embedding_dim": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (x, angles) = (try call.type(0), try call.type(1))
    guard x.rank == 4 || (x.rank == 3 && call.attributes.int("num_heads", default: 0) > 0) else {
      throw OperatorError("x is \(x), accepted are rank 4, and rank 3 with 'num_heads'")
    }
    guard angles.rank == (call.has(3) ? 2 : 3) else {
      throw OperatorError("cos is \(angles), accepted are rank 2 with position ids and rank 3 without")
    }
    return [ValueFact(x)]
  }
}

/// `com.microsoft` RotaryEmbedding: tables and positions in another order; one position id is the first
/// position.
struct MicrosoftRotaryEmbedding: Operator {
  let schema = OperatorSchema(
    "microsoft_rotary_embedding", "rotary_embedding with operands x, position_ids, cos and sin tables.",
    operands: ["x", "position_ids", "cos", "sin"],
    attributes: [
      "interleaved": .int, "num_heads": .int, "rotary_embedding_dim": .int, "scale": .float,
      "is_packed_batching": .int,
    ])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] { [ValueFact(try call.type(0))] }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    guard let x = node.operands[0], var ids = node.operands[1], let cos = node.operands[2],
      let sin = node.operands[3]
    else { return nil }
    guard !node.attributes.bool("is_packed_batching", default: false) else {
      throw OperatorError("'is_packed_batching' is not supported")
    }
    let rank = builder.type(x).rank
    if builder.type(ids).rank == 1 {
      let first = try builder("reshape", ids, builder.constant([Int]()))
      ids = try RotaryPositions.range(from: first, rowsOf: x, axis: rank - 2, into: &builder)
    }
    var heads = node.attributes.int("num_heads", default: 0)
    if heads == 0, rank == 3, let width = builder.type(x).shape[2].constant,
      let half = builder.type(cos).shape.last?.constant, half > 0
    {
      heads = width / (2 * half)
    }
    return [
      try builder(
        "rotary_embedding", x, cos, sin, ids,
        attributes: [
          "interleaved": .int(node.attributes.int("interleaved", default: 0)), "num_heads": .int(heads),
          "rotary_embedding_dim": .int(node.attributes.int("rotary_embedding_dim", default: 0)),
        ])
    ]
  }
}

/// Position ids that a composite operator makes from sizes.
enum RotaryPositions {
  /// `[1, S]`: `first, first + 1, ...`, one for each position of `axis` of x.
  static func range(
    from first: ValueID, rowsOf x: ValueID, axis: Int, into builder: inout GraphBuilder
  ) throws(OperatorError) -> ValueID {
    let rows = try size(of: x, axis: axis, into: &builder)
    let end = try builder("add", first, rows)
    let positions = try builder("range", first, end, builder.constant(Tensor(i64: [1], [])))
    return try builder("unsqueeze", positions, builder.constant([0]))
  }

  /// The extent of one axis as an i64 scalar.
  static func size(of x: ValueID, axis: Int, into builder: inout GraphBuilder) throws(OperatorError)
    -> ValueID
  {
    let extent = try builder("shape", x, attributes: ["start": .int(axis), "end": .int(axis + 1)])
    return try builder("squeeze", extent, builder.constant([0]))
  }
}
