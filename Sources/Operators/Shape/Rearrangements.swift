import GraphIR
import Tensors

/// Moves blocks of `b` by `b` positions from channels to space: `[N, C, H, W] -> [N, C/b2, H*b, W*b]`.
struct DepthToSpace: Operator {
  let schema = OperatorSchema(
    "depth_to_space",
    "Moves blocks of positions from channels to space: [N, C, H, W] -> [N, C/b2, H*b, W*b].",
    operands: ["x"], attributes: ["blocksize!": .int, "mode": .string])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let block = Dim(try call.requiredInt("blocksize"))
    guard x.rank == 4 else { throw OperatorError("the operand is \(x), accepted is [N, C, H, W]") }
    let s = x.shape
    return [ValueFact(x.element, [s[0], s[1] / (block * block), s[2] * block, s[3] * block])]
  }
}

/// Moves blocks of `b` by `b` positions from space to channels: `[N, C, H, W] -> [N, C*b2, H/b, W/b]`.
struct SpaceToDepth: Operator {
  let schema = OperatorSchema(
    "space_to_depth",
    "Moves blocks of positions from space to channels: [N, C, H, W] -> [N, C*b2, H/b, W/b].",
    operands: ["x"], attributes: ["blocksize!": .int, "mode": .string])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let block = Dim(try call.requiredInt("blocksize"))
    guard x.rank == 4 else { throw OperatorError("the operand is \(x), accepted is [N, C, H, W]") }
    let s = x.shape
    return [ValueFact(x.element, [s[0], s[1] * block * block, s[2] / block, s[3] / block])]
  }
}

/// Reverses the first `sequence_lens[b]` time steps of each batch entry.
struct ReverseSequence: Operator {
  let schema = OperatorSchema(
    "reverse_sequence", "Reverses the first lengths[b] steps of 'time_axis' for each b of 'batch_axis'.",
    operands: ["x", "lengths"], attributes: ["batch_axis": .int, "time_axis": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] { [ValueFact(try call.type(0))] }
}

/// One triangle of each matrix, zeros elsewhere.
///
///     upper: y[i, j] = x[i, j] if j >= i + k else 0        lower: if j <= i + k
struct Trilu: Operator {
  let schema = OperatorSchema(
    "trilu", "The triangle of each matrix above (or below) diagonal k, which is kept; zeros elsewhere.",
    operands: ["x", "k?"], attributes: ["upper": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    guard x.rank >= 2 else { throw OperatorError("the operand is \(x), accepted is rank 2 or more") }
    return [ValueFact(x)]
  }
}
