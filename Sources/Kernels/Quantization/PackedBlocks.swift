import Tensors

/// Rows of small integers with a scale, and possibly a zero point, per block of consecutive ones.
///
/// Integers of 2, 4 or 8 bits are packed into bytes, the first in the low bits, or lie one per byte. Zero
/// points are packed like the integers, each row starting at a byte, or lie one per scale, integers or
/// floats.
struct PackedBlocks: @unchecked Sendable {  // points at operands, which no kernel writes
  /// Elements and scales of one row.
  let columns: Int, blocks: Int
  let blockSize: Int
  private let data: UnsafePointer<UInt8>
  private let rowBytes: Int
  private let bits: Int
  private let isPacked: Bool
  private let isSigned: Bool
  private let scales: UnsafePointer<Float>
  private let zeros: Zeros

  enum Zeros {
    case constant(Float)
    case packed(UnsafePointer<UInt8>, rowBytes: Int)
    case perScale(UnsafePointer<Float>)
  }

  /// - Parameters:
  ///   - data: u8 with packed integers, or a narrow integer type; the last axis holds a row, dense.
  ///   - scales: one per block, row by row.
  init(
    data: TensorView, rowBytes: Int, columns: Int, bits: Int, blockSize: Int, scales: UnsafePointer<Float>,
    zeros: Zeros
  ) {
    self.columns = columns
    self.blockSize = blockSize
    blocks = (columns + blockSize - 1) / blockSize
    self.data = UnsafePointer(data.base.assumingMemoryBound(to: UInt8.self))
    self.rowBytes = rowBytes
    self.bits = bits
    isPacked = data.element == .u8 && bits < 8
    isSigned = data.element.isSignedInteger
    self.scales = scales
    self.zeros = zeros
  }

  /// `(code - zero) * scale` for every element of a row.
  func dequantize(_ row: Int, into to: UnsafeMutablePointer<Float>) {
    let codes = data + row * rowBytes
    let mask = UInt8((1 << bits) - 1)
    for block in 0..<blocks {
      let (scale, zero) = (scales[row * blocks + block], zero(row, block))
      let range = (block * blockSize)..<min(columns, (block + 1) * blockSize)
      if !isPacked {
        for index in range {
          let code = isSigned ? Float(Int8(bitPattern: codes[index])) : Float(codes[index])
          to[index] = (code - zero) * scale
        }
      } else if bits == 4 {
        for index in range {
          let code = codes[index >> 1] >> (UInt8(truncatingIfNeeded: index & 1) << 2) & 15
          to[index] = (Float(code) - zero) * scale
        }
      } else {
        for index in range {
          let place = index * bits
          to[index] = (Float(codes[place >> 3] >> UInt8(place & 7) & mask) - zero) * scale
        }
      }
    }
  }

  private func zero(_ row: Int, _ block: Int) -> Float {
    switch zeros {
    case .constant(let value): return value
    case .perScale(let values): return values[row * blocks + block]
    case .packed(let bytes, let rowBytes):
      let place = block * bits
      return Float(bytes[row * rowBytes + place >> 3] >> UInt8(place & 7) & UInt8((1 << bits) - 1))
    }
  }
}

extension KernelCall {
  /// The zero points in an optional operand: packed when u8 of fewer than 8 bits, else one per scale.
  ///
  /// - Parameter missing: what an absent operand means.
  func packedZeros(_ operand: Int, rows: Int, blocks: Int, bits: Int, missing: Float) throws(KernelError)
    -> PackedBlocks.Zeros
  {
    guard has(operand) else { return .constant(missing) }
    let view = contiguous(operand)
    let rowBytes = (blocks * bits + 7) / 8
    let isPacked = view.element == .u8
    guard view.elementCount == rows * (isPacked ? rowBytes : blocks) else {
      throw .invalid(
        "the zero points are \(view.element)\(view.shape.array) for \(rows) rows of \(blocks) blocks")
    }
    if isPacked { return .packed(view.base.assumingMemoryBound(to: UInt8.self), rowBytes: rowBytes) }
    return .perScale(quantizationNumbers(operand))
  }
}
