import Tensors

enum RearrangeKernels {
  static let entries: [KernelEntry] = [
    KernelEntry("depth_to_space") { attributes throws(KernelError) in
      try BlockRearrangement.make(attributes, isDepthToSpace: true)
    },
    KernelEntry("space_to_depth") { attributes throws(KernelError) in
      try BlockRearrangement.make(attributes, isDepthToSpace: false)
    },
    KernelEntry("reverse_sequence") {
      ReverseSequenceKernel(
        batchAxis: $0.int("batch_axis", default: 1), timeAxis: $0.int("time_axis", default: 0))
    },
    KernelEntry("trilu") { TriluKernel(keepsUpper: $0.bool("upper", default: true)) },
  ]
}

/// Moves blocks of `b` by `b` positions between channels and space of `[N, C, H, W]`, as one permuted copy.
///
///     depth to space, DCR:  [N, b, b, C/b2, H, W] -> axes 0 3 4 1 5 2 -> [N, C/b2, H*b, W*b]
///     depth to space, CRD:  [N, C/b2, b, b, H, W] -> axes 0 1 4 2 5 3
///     space to depth, DCR:  [N, C, H/b, b, W/b, b] -> axes 0 3 5 1 2 4 -> [N, C*b2, H/b, W/b]
///     space to depth, CRD:  [N, C, H/b, b, W/b, b] -> axes 0 1 3 5 2 4
struct BlockRearrangement: Kernel {
  let block: Int
  let isDepthToSpace: Bool
  let isColumnRowDepth: Bool

  static func make(_ attributes: Attributes, isDepthToSpace: Bool) throws(KernelError) -> BlockRearrangement {
    let mode = attributes.string("mode", default: "DCR")
    guard let block = attributes.int("blocksize"), block > 0, mode == "DCR" || mode == "CRD" else {
      throw .invalid("'blocksize' must be positive and 'mode' be 'DCR' or 'CRD'")
    }
    return BlockRearrangement(block: block, isDepthToSpace: isDepthToSpace, isColumnRowDepth: mode == "CRD")
  }

  func run(_ call: KernelCall) throws(KernelError) {
    let x = call.contiguous(0)
    guard x.rank == 4 else { throw .invalid("the operand has rank \(x.rank), accepted is [N, C, H, W]") }
    let (n, c, h, w, b) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3], block)
    let divides = isDepthToSpace ? c % (b * b) == 0 : h % b == 0 && w % b == 0
    guard divides else { throw .invalid("blocks of \(b) do not divide \(x.shape.array)") }
    let split: [Int]
    let order: [Int]
    let shape: [Int]
    if isDepthToSpace {
      split = isColumnRowDepth ? [n, c / (b * b), b, b, h, w] : [n, b, b, c / (b * b), h, w]
      order = isColumnRowDepth ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2]
      shape = [n, c / (b * b), h * b, w * b]
    } else {
      split = [n, c, h / b, b, w / b, b]
      order = isColumnRowDepth ? [0, 1, 3, 5, 2, 4] : [0, 3, 5, 1, 2, 4]
      shape = [n, c * b * b, h / b, w / b]
    }
    let blocks = TensorView(x.base, x.element, Extents(split))
    var permuted = blocks
    for (axis, source) in order.enumerated() {
      permuted.shape[axis] = blocks.shape[source]
      permuted.strides[axis] = blocks.strides[source]
    }
    let y = call.allocate(0, x.element, Extents(shape))
    StridedCopy.run(from: permuted, to: TensorView(y.base, y.element, permuted.shape))
  }
}

/// Reverses the first `sequence_lens[b]` time steps of each batch entry; the rest stays.
struct ReverseSequenceKernel: Kernel {
  let batchAxis: Int
  let timeAxis: Int

  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    let lengths = try call.integerBuffer(1)
    let (batch, time) = (try x.shape.axis(batchAxis), try x.shape.axis(timeAxis))
    guard batch != time, lengths.count == x.shape[batch],
      lengths.allSatisfy({ (0...x.shape[time]).contains($0) })
    else {
      throw .invalid("lengths \(Array(lengths)) do not fit axes \(batch) and \(time) of \(x.shape.array)")
    }
    let y = call.allocate(0, x.element, x.shape)
    for (entry, length) in lengths.enumerated() {
      let from = x.narrowed(batch, from: entry, count: 1)
      let to = y.narrowed(batch, from: entry, count: 1)
      if length > 0 {
        StridedCopy.run(
          from: from.narrowed(time, from: length - 1, count: length, step: -1),
          to: to.narrowed(time, from: 0, count: length))
      }
      let rest = x.shape[time] - length
      StridedCopy.run(
        from: from.narrowed(time, from: length, count: rest), to: to.narrowed(time, from: length, count: rest)
      )
    }
  }
}

/// Keeps the triangle on one side of diagonal `k` of each matrix (the diagonal included), zeros elsewhere.
struct TriluKernel: Kernel {
  let keepsUpper: Bool

  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    guard x.rank >= 2 else { throw .invalid("the operand has rank \(x.rank), accepted is 2 or more") }
    let offset = call.has(1) ? try call.integerBuffer(1) : nil
    guard offset?.count ?? 1 == 1 else {
      throw .invalid("'k' has \(offset?.count ?? 0) entries, accepted is 1")
    }
    let y = call.allocate(0, x.element, x.shape)
    StridedCopy.run(from: x, to: y)
    let (rows, columns, size) = (x.shape[x.rank - 2], x.shape[x.rank - 1], x.element.byteCount)
    if rows == 0 || columns == 0 { return }
    let k = min(max(offset?[0] ?? 0, -rows), columns)
    for matrix in 0..<(x.elementCount / (rows * columns)) {
      for row in 0..<rows {
        let diagonal = min(max(row &+ k, -1), columns)
        let cleared = keepsUpper ? 0..<max(0, diagonal) : min(columns, diagonal + 1)..<columns
        let start = (matrix * rows + row) * columns + cleared.lowerBound
        (y.base + start * size).initializeMemory(as: UInt8.self, repeating: 0, count: cleared.count * size)
      }
    }
  }
}
