/// How a row of weights is stored: as numbers, or in blocks of 32 with f16 scales.
///
/// A matrix is rows of ``rowBytes(_:)`` bytes, one behind the other, but for `q8n32`, whose rows lie in two
/// places: the first ``firstBytes(_:)`` of each one behind the other, and behind these the rest of each. A
/// row is encoded and decoded by itself. The layout inside a row of blocks is ``BlockRow``'s.
/// `CKernels/linear/blocks.h` draws the same layout.
public enum BlockFormat: String, CaseIterable, Sendable, Hashable {
  case q4b32, q5b32, q6b16, q8b32
  /// The numbers of q8b32 in nested planes, and what the first of these tells of them.
  case q8n32, q4n32
  case bf16, f32

  /// Numbers that share a scale in formats of blocks.
  public static let blockSize = 32

  /// The largest error of a block, as a share of its largest magnitude, that counts as rounding: numbers that
  /// lie on a grid stay within it when the scale of the grid is rounded to f16.
  public static let rounding: Float = 0x1p-10

  /// Bits that one weight of a long row takes.
  public var bitsPerWeight: Double {
    switch self {
    case .f32: 32
    case .bf16: 16
    default: Double(coding!.byteCount) / 4
    }
  }

  /// Whether products take activations that are quantized in blocks (`quantize_rows`), not f32.
  public var quantizesActivations: Bool { coding != nil }

  /// Bytes of a row: rows of bf16 are filled up to 16 weights, rows of blocks to whole blocks and then to 8
  /// bytes.
  public func rowBytes(_ columns: Int) -> Int {
    switch self {
    case .f32: columns * 4
    case .bf16: (columns + 15) / 16 * 32
    default: firstBytes(columns) + restBytes(columns)
    }
  }

  /// Bytes from one row to the next: all of a row, or what is not behind all rows.
  public func firstBytes(_ columns: Int) -> Int {
    guard let coding else { return rowBytes(columns) }
    return (BlockRow.blockCount(columns) * (coding.byteCount - coding.byteCountApart) + 7) / 8 * 8
  }

  /// Bytes of a row that lie behind the first bytes of all rows.
  private func restBytes(_ columns: Int) -> Int {
    coding.map { BlockRow.blockCount(columns) * $0.byteCountApart } ?? 0
  }

  /// The format of the first bytes of rows, as a matrix by themselves: that of fewer bits for nested planes.
  public var firstPlane: BlockFormat? { self == .q8n32 ? .q4n32 : nil }

  /// Where the rest of rows begins in a matrix of nested planes.
  public func rest(of matrix: UnsafeRawPointer, rows: Int, columns: Int) -> UnsafeRawPointer? {
    firstPlane == nil ? nil : matrix + rows * firstBytes(columns)
  }

  /// Row `index` of `rows`.
  private func place(_ index: Int, of matrix: UnsafeRawPointer, rows: Int, columns: Int) -> BlockRow.Place {
    let first = firstBytes(columns)
    return BlockRow.Place(
      bytes: matrix + index * first, apart: matrix + rows * first + index * restBytes(columns))
  }

  /// The most columns that a row of so many bytes can have: those that fill its last block up.
  public func columns(inBytes byteCount: Int) -> Int {
    switch self {
    case .f32: byteCount / 4
    case .bf16: byteCount / 2
    default: byteCount / coding!.byteCount * BlockRow.blockSize
    }
  }

  /// Stores a row of finite numbers as row `index` of a matrix of `rows`: on their grid where they lie on
  /// one, else rounded to the nearest codes.
  public func encode(
    _ row: UnsafePointer<Float>, columns: Int, into matrix: UnsafeMutableRawPointer, row index: Int = 0,
    of rows: Int = 1
  ) {
    let place = place(index, of: matrix, rows: rows, columns: columns)
    let bytes = UnsafeMutableRawPointer(mutating: place.bytes)
    bytes.initializeMemory(as: UInt8.self, repeating: 0, count: firstBytes(columns))
    UnsafeMutableRawPointer(mutating: place.apart)
      .initializeMemory(as: UInt8.self, repeating: 0, count: restBytes(columns))
    switch self {
    case .f32: bytes.copyMemory(from: row, byteCount: columns * 4)
    case .bf16:
      for k in 0..<columns {
        bytes.storeBytes(of: NumberCoding.bf16(row[k]), toByteOffset: k * 2, as: UInt16.self)
      }
    default: BlockRow(coding!, columns: columns).encode(row, into: place)
    }
  }

  /// The numbers of row `index` of a matrix of `rows`.
  public func decode(
    _ matrix: UnsafeRawPointer, row index: Int = 0, of rows: Int = 1, columns: Int,
    into row: UnsafeMutablePointer<Float>
  ) {
    let place = place(index, of: matrix, rows: rows, columns: columns)
    switch self {
    case .f32: UnsafeMutableRawPointer(row).copyMemory(from: place.bytes, byteCount: columns * 4)
    case .bf16:
      for k in 0..<columns {
        row[k] = NumberCoding.float(bf16: place.bytes.load(fromByteOffset: k * 2, as: UInt16.self))
      }
    default: BlockRow(coding!, columns: columns).decode(place, into: row)
    }
  }

  /// What codes of 0 stand for in a row: products take the numbers as those above these, and these.
  public func decodeOffsets(
    _ matrix: UnsafeRawPointer, row index: Int = 0, of rows: Int = 1, columns: Int,
    into row: UnsafeMutablePointer<Float>
  ) {
    guard let coding else { return row.update(repeating: 0, count: columns) }
    let place = place(index, of: matrix, rows: rows, columns: columns)
    BlockRow(coding, columns: columns).decode(place, into: row, isOffset: true)
  }

  /// Whether this format stores a row such that no error exceeds `tolerance` times the largest magnitude of
  /// its block.
  public func reproduces(_ row: UnsafePointer<Float>, columns: Int, tolerance: Float = rounding) -> Bool {
    if self == .f32 { return true }
    for start in stride(from: 0, to: columns, by: BlockRow.blockSize) {
      let count = min(BlockRow.blockSize, columns - start)
      let isExact =
        coding.map { $0.fit(row + start, count, tolerance) != nil }
        ?? Self.isBF16(row + start, count, tolerance)
      if !isExact { return false }
    }
    return true
  }

  private static func isBF16(_ w: UnsafePointer<Float>, _ count: Int, _ tolerance: Float) -> Bool {
    var (largest, error): (Float, Float) = (0, 0)
    for k in 0..<count {
      largest = max(largest, w[k].magnitude)
      error = max(error, (NumberCoding.float(bf16: NumberCoding.bf16(w[k])) - w[k]).magnitude)
    }
    return error <= tolerance * largest
  }

  /// What ``smallest(reproducing:rows:columns:tolerance:)`` chooses from.
  private static let ladder: [BlockFormat] = [.q4b32, .q5b32, .q6b16, .q8b32, .bf16, .f32]

  /// The smallest format that reproduces every row of a matrix within `tolerance`; f32 when none else does.
  ///
  /// A few rows are looked at first, so that weights on no grid cost next to nothing.
  public static func smallest(
    reproducing matrix: UnsafePointer<Float>, rows: Int, columns: Int, tolerance: Float = rounding
  ) -> BlockFormat {
    let samples = 16
    let step = max(1, rows / samples)
    return ladder.first { format in
      func isExact(_ row: Int) -> Bool {
        format.reproduces(matrix + row * columns, columns: columns, tolerance: tolerance)
      }
      return stride(from: 0, to: rows, by: step).allSatisfy(isExact) && (0..<rows).allSatisfy(isExact)
    } ?? .f32
  }

  /// The product of row `index` of a matrix of `rows` and a row of activations: the sum over blocks of their
  /// scale times quants by weights.
  public func dot(
    _ matrix: UnsafeRawPointer, row index: Int = 0, of rows: Int = 1, _ x: QuantizedRow
  ) -> Double {
    let columns = x.quants.count
    return withUnsafeTemporaryAllocation(of: Float.self, capacity: columns) { row in
      decode(matrix, row: index, of: rows, columns: columns, into: row.baseAddress!)
      var sum = 0.0
      for k in 0..<columns {
        let quant = Double(x.scales[k / BlockRow.blockSize]) * Double(x.quants[k])
        sum += quant * Double(row[k])
      }
      return sum
    }
  }

  var coding: (any BlockCoding.Type)? {
    switch self {
    case .q4b32: Q4B32.self
    case .q5b32: Q5B32.self
    case .q6b16: Q6B16.self
    case .q8b32: Q8B32.self
    case .q8n32: Q8N32.self
    case .q4n32: Q4N32.self
    case .bf16, .f32: nil
    }
  }
}

extension BlockFormat: CustomStringConvertible {
  public var description: String { rawValue }
}

extension Attributes {
  /// A format by its name; f32 when the attribute is absent.
  public func blockFormat<Failure: Error>(
    _ name: String, orThrow error: (_ message: String) -> Failure
  ) throws(Failure) -> BlockFormat {
    guard case .string(let text)? = self[name] else { return .f32 }
    if let format = BlockFormat(rawValue: text) { return format }
    throw error("'\(name)' is \"\(text)\", accepted are \(BlockFormat.allCases.map(\.rawValue))")
  }
}

/// Activations of one row as products with blocks take them: per block of 32, `x = scale * quant` with
/// `scale = max |x| / 127`.
public struct QuantizedRow: Sendable {
  public let quants: [Int8]
  /// One per block.
  public let scales: [Float]

  /// - Parameter x: finite numbers.
  public init(_ x: [Float]) {
    var (quants, scales): ([Int8], [Float]) = ([], [])
    for start in stride(from: 0, to: x.count, by: BlockRow.blockSize) {
      let block = x[start..<min(x.count, start + BlockRow.blockSize)]
      let largest = block.reduce(0) { max($0, $1.magnitude) }
      // Below this 127 / max is infinite.
      let isZero = largest < 0x1p-119
      scales.append(isZero ? 0 : largest / 127)
      quants += block.map { isZero ? 0 : Int8(($0 * (127 / largest)).rounded(.toNearestOrEven)) }
    }
    (self.quants, self.scales) = (quants, scales)
  }
}
