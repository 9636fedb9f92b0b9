import Tensors

extension Tensor {
  /// The matrix with its axes swapped, in blocks that fit the first-level cache.
  func transposed() -> Tensor {
    let result = Tensor(element, [shape[1], shape[0]])
    switch element.byteCount {
    case 8: transpose(into: result, as: UInt64.self)
    case 4: transpose(into: result, as: UInt32.self)
    case 2: transpose(into: result, as: UInt16.self)
    default: transpose(into: result, as: UInt8.self)
    }
    return result
  }

  private func transpose<T: BitwiseCopyable>(into target: Tensor, as type: T.Type) {
    let (rows, columns, block) = (shape[0], shape[1], 32)
    let from = base.assumingMemoryBound(to: T.self)
    let to = target.base.assumingMemoryBound(to: T.self)
    for row0 in stride(from: 0, to: rows, by: block) {
      for column0 in stride(from: 0, to: columns, by: block) {
        for row in row0..<min(row0 + block, rows) {
          for column in column0..<min(column0 + block, columns) {
            to[column &* rows &+ row] = from[row &* columns &+ column]
          }
        }
      }
    }
  }
}
