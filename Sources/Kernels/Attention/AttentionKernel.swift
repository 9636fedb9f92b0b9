import Tensors

/// Scaled dot-product attention of grouped heads, with masks, windows and an optional cache.
///
///     s[b, h, i, j] = softcap(scale * q[b, h, i, :] . k[b, g, j, :]) + mask[b, h, i, j]
///     g             = h / (heads / kvHeads)
///     y[b, h, i, :] = sum over allowed j of softmax(s[b, h, i, :])[j] * v[b, g, j, :]
///
/// Operands: q, k, v, mask, past_key, past_value, nonpad_kv_seqlen; results: y, present_key, present_value,
/// scores. Query `i` stands at position `p = offset + i` among the keys: `offset` is the length of the past,
/// or `nonpad_kv_seqlen[b] - S`, or `T - S` with `queries_at_end`, else 0. Key `j` is allowed when `j <= p`
/// (causal), `p - left <= j <= p + right` (window), `j < nonpad_kv_seqlen[b]`, and the mask is not false or
/// minus infinity. A row without an allowed key is zero.
///
/// Keys and values may have any strides but along the head: a cache of larger capacity is read in place. Each
/// row is accumulated in one order, whatever the number of rows or threads.
struct AttentionKernel: Kernel {
  var queryHeads: Int?
  var keyHeads: Int?
  var scale: Float?
  var softcap: Float
  var isCausal: Bool
  var left: Int
  var right: Int
  var areQueriesAtEnd: Bool
  var scoresStep: AttentionScoreStep

  static let entry = KernelEntry("attention", widensNarrowFloats: true) { attributes throws(KernelError) in
    let mode = attributes.int("qk_matmul_output_mode", default: 0)
    guard let step = AttentionScoreStep(rawValue: mode) else {
      throw .invalid("'qk_matmul_output_mode' is \(mode), accepted are 0...3")
    }
    return AttentionKernel(
      queryHeads: attributes.int("q_num_heads"), keyHeads: attributes.int("kv_num_heads"),
      scale: attributes.float("scale"), softcap: attributes.float("softcap", default: 0),
      isCausal: attributes.bool("is_causal", default: false),
      left: attributes.int("left_window_size", default: -1),
      right: attributes.int("right_window_size", default: -1),
      areQueriesAtEnd: attributes.bool("queries_at_end", default: false), scoresStep: step)
  }

  func run(_ call: KernelCall) throws(KernelError) {
    switch call[0].element {
    case .f32: try run(call, as: Float.self)
    case .f64: try run(call, as: Double.self)
    default: throw .element(call[0].element, of: "q", accepted: "f16, bf16, f32 and f64")
    }
  }

  private func run<T: AttentionScalar>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    let q = try heads(call, 0, queryHeads)
    var k = try heads(call, 1, keyHeads)
    var v = try heads(call, 2, keyHeads)
    guard call.has(4) == call.has(5) else { throw .invalid("past_key and past_value must be given together") }
    if call.has(4) || call.isUsed(result: 1) || call.isUsed(result: 2) {
      k = try present(call, k, past: call.optional(4), result: 1)
      v = try present(call, v, past: call.optional(5), result: 2)
    }
    let (batch, headCount, rows, size) = (q.shape[0], q.shape[1], q.shape[2], q.shape[3])
    let (groups, keys) = (k.shape[1], k.shape[2])
    guard k.shape[0] == batch, v.shape[0] == batch, k.shape[3] == size, v.shape[1] == groups,
      v.shape[2] == keys,
      groups > 0, headCount % groups == 0, k.element == q.element, v.element == q.element
    else {
      throw .invalid(
        "q \(q.shape.array), k \(k.shape.array) and v \(v.shape.array) do not fit as [B, heads, S, d]")
    }
    let isFlat = call[0].rank == 3
    let valueSize = v.shape[3]
    let y = call.allocate(
      0, q.element,
      Extents(isFlat ? [batch, rows, headCount * valueSize] : [batch, headCount, rows, valueSize]))
    let scoreShape = Extents(batch, headCount, rows, keys)
    let scores = call.isUsed(result: 3) ? call.allocate(3, q.element, scoreShape) : nil
    let valid = call.has(6) ? try call.integerBuffer(6) : nil
    guard valid?.count ?? batch == batch else {
      throw .invalid("nonpad_kv_seqlen must have \(batch) entries")
    }
    let offset = call.optional(4)?.shape[2] ?? (areQueriesAtEnd ? keys - rows : 0)
    AttentionRows<_, T>(
      queries: ScaledQueries<T>(q: q, scale: scale.map { T($0) } ?? 1 / T(size).squareRoot()),
      tiling: AttentionTiling(batch: batch, groups: groups, headsPerGroup: headCount / groups, rows: rows),
      k: k, v: v, y: isFlat ? Self.split(y, headCount) : y,
      places: AttentionPlaces(
        offset: offset, isCausal: isCausal, left: left, right: right, valid: valid, rows: rows),
      softcap: T(softcap), mask: try AttentionMask(call.optional(3), as: scoreShape, element: q.element),
      scores: scores.map { AttentionScores(view: $0, step: scoresStep) }
    ).run(call.resources)
  }

  /// An operand as `[B, heads, S, d]` with dense heads; flat ones `[B, S, heads * d]` are divided.
  private func heads(_ call: KernelCall, _ operand: Int, _ count: Int?) throws(KernelError) -> TensorView {
    var x = call[operand]
    if x.rank > 0, x.shape[x.rank - 1] != 1, x.strides[x.rank - 1] != 1 { x = call.contiguous(operand) }
    switch x.rank {
    case 4: return x
    case 3:
      guard let count, count > 0, x.shape[2] % count == 0 else {
        throw .invalid(
          "operand \(operand) is \(x.shape.array): the number of heads must be given and divide its last axis"
        )
      }
      return Self.split(x, count)
    default: throw .invalid("operand \(operand) has rank \(x.rank), accepted are 3 and 4")
    }
  }

  private static func split(_ x: TensorView, _ heads: Int) -> TensorView {
    let size = x.shape[2] / heads
    return TensorView(
      x.base, x.element, Extents(x.shape[0], heads, x.shape[1], size),
      strides: Extents(x.strides[0], size, x.strides[1], 1))
  }

  /// The past followed by the new entries, `[B, kvHeads, T, d]`.
  private func present(_ call: KernelCall, _ new: TensorView, past: TensorView?, result: Int)
    throws(KernelError) -> TensorView
  {
    var shape = new.shape
    if let past {
      var expected = shape
      expected[2] = past.rank == 4 ? past.shape[2] : -1
      guard past.shape == expected, past.element == new.element else {
        throw .invalid(
          "the past is \(past.element)\(past.shape.array), the new entries \(new.element)\(shape.array)")
      }
      shape[2] += past.shape[2]
    }
    let all = call.allocate(result, new.element, shape)
    if let past { StridedCopy.run(from: past, to: all.narrowed(2, from: 0, count: past.shape[2])) }
    StridedCopy.run(from: new, to: all.narrowed(2, from: shape[2] - new.shape[2], count: new.shape[2]))
    return all
  }
}

/// The rows of q as they are, but for the scale.
private struct ScaledQueries<T: AttentionScalar>: AttentionQueries {
  /// `[B, heads, S, d]`
  let q: TensorView
  let scale: T

  func write(batch: Int, head: Int, row: Int, to query: UnsafeMutablePointer<T>) {
    let from: UnsafeMutablePointer<T> = q.row(batch, head, row)
    for index in 0..<q.shape[3] { query[index] = from[index] * scale }
  }
}
