import Tensors

/// `y = a . dequantize(b)^T + bias` with weights of 2, 4 or 8 bits in blocks along K.
///
/// Operands: a `[..., K]`; b u8 `[N, blocks, blockSize * bits / 8]`; scales `[N, blocks]`; zero points
/// (default `2^(bits - 1)`); group indices, which are refused; bias `[N]`. A weight row is dequantized once
/// and multiplied with every row of a, in f32 and one fixed order.
struct MatMulNBitsKernel: Kernel {
  let depth: Int
  let columns: Int
  let bits: Int
  let blockSize: Int

  static let entry = KernelEntry("matmul_nbits", widensNarrowFloats: true) { attributes throws(KernelError) in
    let bits = attributes.int("bits", default: 4)
    guard [2, 4, 8].contains(bits) else { throw .unsupported("'bits' is \(bits), accepted are 2, 4 and 8") }
    guard let depth = attributes.int("K"), let columns = attributes.int("N"),
      let block = attributes.int("block_size"),
      depth > 0, columns > 0, block > 0, block * bits % 8 == 0
    else { throw .invalid("attributes 'K', 'N' and 'block_size' must be positive, blocks be whole bytes") }
    return MatMulNBitsKernel(depth: depth, columns: columns, bits: bits, blockSize: block)
  }

  /// Pieces that the columns are cut into.
  private static let pieceCount = 64

  func run(_ call: KernelCall) throws(KernelError) {
    let a = call.contiguous(0)
    let b = call.contiguous(1)
    let blocks = (depth + blockSize - 1) / blockSize
    let rowBytes = blocks * blockSize * bits / 8
    guard a.element == .f32, a.rank >= 1, a.shape[a.rank - 1] == depth else {
      throw .invalid("a is \(a.element)\(a.shape.array), accepted is f32 with \(depth) columns")
    }
    guard b.element == .u8, b.elementCount == columns * rowBytes, call[2].elementCount == columns * blocks
    else {
      throw .invalid(
        "b \(b.element)\(b.shape.array) with scales \(call[2].shape.array) is not"
          + " [\(columns), \(blocks), \(blockSize * bits / 8)]"
      )
    }
    if call.has(4) { throw .unsupported("group indices 'g_idx' are not supported") }
    let weights = PackedBlocks(
      data: b, rowBytes: rowBytes, columns: depth, bits: bits, blockSize: blockSize,
      scales: call.quantizationNumbers(2),
      zeros: try call.packedZeros(
        3, rows: columns, blocks: blocks, bits: bits, missing: Float(1 << (bits - 1))))
    let bias = call.has(5) ? call.quantizationNumbers(5) : nil
    var shape = a.shape
    shape[a.rank - 1] = columns
    let y = call.allocate(0, .f32, shape)
    let rows = a.elementCount / depth
    let (from, to) = (a.base.assumingMemoryBound(to: Float.self), y.base.assumingMemoryBound(to: Float.self))
    let pieceSize = (columns + Self.pieceCount - 1) / Self.pieceCount
    let scratch = call.resources.scratch(byteCount: Self.pieceCount * depth * 4)
      .bindMemory(to: Float.self, capacity: Self.pieceCount * depth)
    call.resources.pool.forEach(Self.pieceCount) { piece in
      let weight = scratch + piece * depth
      for column in (piece * pieceSize)..<max(piece * pieceSize, min(columns, (piece + 1) * pieceSize)) {
        weights.dequantize(column, into: weight)
        for row in 0..<rows {
          let sum = VectorMath.best.dot(from + row * depth, weight, count: depth)
          to[row * columns + column] = sum + (bias?[column] ?? 0)
        }
      }
    }
  }
}
