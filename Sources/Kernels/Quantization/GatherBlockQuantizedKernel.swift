import Tensors

/// Rows of a block-quantized matrix picked by indices, dequantized: `y[i.., :] =
/// dequantize(data[indices[i..], :])`.
///
/// Operands: data (u8 with 2, 4 or 8 bits per element packed along the last axis, or i4, u4, i8 elements),
/// indices, scales per block of the last axis, zero points. Without zero points, u8 data is centred at
/// `2^(bits - 1)`.
struct GatherBlockQuantizedKernel: Kernel {
  let gatherAxis: Int
  let quantizeAxis: Int
  let bits: Int
  let blockSize: Int

  static let entry = KernelEntry("gather_block_quantized", widensNarrowFloats: true) {
    attributes throws(KernelError) in
    let bits = attributes.int("bits", default: 4)
    guard [2, 4, 8].contains(bits) else { throw .unsupported("'bits' is \(bits), accepted are 2, 4 and 8") }
    return GatherBlockQuantizedKernel(
      gatherAxis: attributes.int("gather_axis", default: 0),
      quantizeAxis: attributes.int("quantize_axis", default: 1),
      bits: bits, blockSize: attributes.int("block_size", default: 128))
  }

  func run(_ call: KernelCall) throws(KernelError) {
    let data = call.contiguous(0)
    guard data.element.byteCount == 1, data.element.isInteger, data.rank >= 2, blockSize > 0 else {
      throw .invalid(
        "data is \(data.element)\(data.shape.array), accepted are integers of up to 8 bits and"
          + " rank 2 and up"
      )
    }
    let last = data.rank - 1
    guard try data.shape.axis(gatherAxis) == 0, try data.shape.axis(quantizeAxis) == last else {
      throw .unsupported("only blocks along the last axis and indices of the first are supported")
    }
    let isPacked = data.element == .u8 && bits < 8
    let columns = isPacked ? data.shape[last] * 8 / bits : data.shape[last]
    let blocks = (columns + blockSize - 1) / blockSize
    let rows = data.shape.product(0..<last)
    guard call[2].elementCount == rows * blocks else {
      throw .invalid("scales are \(call[2].shape.array), accepted are \(blocks) for each of \(rows) rows")
    }
    let source = PackedBlocks(
      data: data, rowBytes: data.shape[last], columns: columns, bits: bits, blockSize: blockSize,
      scales: call.quantizationNumbers(2),
      zeros: try call.packedZeros(
        3, rows: rows, blocks: blocks, bits: bits, missing: data.element == .u8 ? Float(1 << (bits - 1)) : 0))
    let indexShape = call[1].shape
    let indices = try call.integerBuffer(1)
    var shape = indexShape
    for axis in 1..<last { shape.append(data.shape[axis]) }
    shape.append(columns)
    let y = call.allocate(0, .f32, shape)
    let to = y.base.assumingMemoryBound(to: Float.self)
    let slice = data.shape.product(1..<last)
    for (place, index) in indices.enumerated() {
      let index = try resolveIndex(index, data.shape[0])
      for row in 0..<slice {
        source.dequantize(index * slice + row, into: to + (place * slice + row) * columns)
      }
    }
  }
}
