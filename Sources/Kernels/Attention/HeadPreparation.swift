import Tensors

/// The norm and the rotation of heads before attention.
struct HeadPreparation {
  let size: Int
  /// Scale of the root-mean-square norm; without it heads are not normalized.
  let scale: UnsafePointer<Float>?
  let epsilon: Float
  let rotation: HeadRotation?

  /// - Parameters:
  ///   - batch, row: whose position the head has.
  ///   - to: `size` numbers that do not overlap `head`.
  func write(
    _ head: UnsafePointer<Float>, batch: Int, row: Int, to result: UnsafeMutablePointer<Float>
  ) {
    if let scale {
      VectorMath.best.rmsNorm(size, head, scale, epsilon, result)
    } else {
      result.update(from: head, count: size)
    }
    rotation?.rotate(result, batch: batch, row: row)
  }
}

/// Rotates pairs of the first entries of a head by the angles of its row's position.
///
///     a' = cos * a - sin * b        b' = sin * a + cos * b
///
/// Pairs are entries `i` and `i + r/2`, or `2i` and `2i + 1` when interleaved, of the first `r` of a head.
/// The position of row `s` of batch entry `b` is `position_ids[b, s]`, or `P + s` without them.
struct HeadRotation {
  /// `[positions, r/2]`
  private let cos: UnsafePointer<Float>
  private let sin: UnsafePointer<Float>
  private let half: Int
  private let isInterleaved: Bool
  /// Rows of the tables, per row or per row and batch entry; nil where they follow from the row.
  private let positions: UnsafeMutablePointer<Int>?
  private let batchStride: Int
  private let past: Int

  /// Reads the tables in operands 5 and 6 and the positions in operand 7; nil without tables.
  ///
  /// - Throws: also when a position is not in the tables.
  init?(
    _ call: KernelCall, batch: Int, rows: Int, past: Int, size: Int, isInterleaved: Bool
  ) throws(KernelError) {
    guard call.has(5) == call.has(6) else { throw .invalid("cos and sin must be given together") }
    guard call.has(5) else {
      if call.has(7) { throw .invalid("position ids are given without cos and sin") }
      return nil
    }
    let (cosines, sines) = (call.contiguous(5), call.contiguous(6))
    guard cosines.rank == 2, cosines.shape == sines.shape, 2 * cosines.shape[1] <= size else {
      throw .invalid(
        "cos is \(cosines.shape.array) and sin \(sines.shape.array),"
          + " accepted are equal tables [positions, up to \(size / 2)]")
    }
    cos = UnsafePointer(cosines.pointer())
    sin = UnsafePointer(sines.pointer())
    half = cosines.shape[1]
    self.isInterleaved = isInterleaved
    self.past = past
    guard call.has(7) else {
      positions = nil
      batchStride = 0
      guard past + rows <= cosines.shape[0] else {
        throw Self.outOfRange(past + rows - 1, cosines.shape[0])
      }
      return
    }
    let shape = call[7].shape
    guard shape.count == 2, shape[0] == batch || shape[0] == 1, shape[1] == rows else {
      throw .invalid("position ids are \(shape.array), accepted is [\(batch) or 1, \(rows)]")
    }
    let ids = try call.integerBuffer(7)
    let resolved = call.resources.scratch(byteCount: max(1, ids.count) * 8)
      .bindMemory(to: Int.self, capacity: ids.count)
    for index in ids.indices {
      guard ids[index] >= 0, ids[index] < cosines.shape[0] else {
        throw Self.outOfRange(ids[index], cosines.shape[0])
      }
      resolved[index] = ids[index]
    }
    positions = resolved
    batchStride = shape[0] == 1 ? 0 : rows
  }

  private static func outOfRange(_ position: Int, _ count: Int) -> KernelError {
    .invalid(
      "position \(position) is beyond the rotary angles, accepted are 0..<\(count); they reach as far as the"
        + " context that the plan was made for")
  }

  func rotate(_ head: UnsafeMutablePointer<Float>, batch: Int, row: Int) {
    let position = positions.map { $0[batch * batchStride + row] } ?? past + row
    let (cos, sin) = (cos + position * half, sin + position * half)
    if isInterleaved {
      for index in 0..<half {
        let (a, b) = (head[2 * index], head[2 * index + 1])
        head[2 * index] = cos[index] * a - sin[index] * b
        head[2 * index + 1] = sin[index] * a + cos[index] * b
      }
    } else {
      for index in 0..<half {
        let (a, b) = (head[index], head[index + half])
        head[index] = cos[index] * a - sin[index] * b
        head[index + half] = sin[index] * a + cos[index] * b
      }
    }
  }
}
