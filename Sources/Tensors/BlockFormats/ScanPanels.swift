/// Rows of small codes, sixteen to a panel: the first stage of a search over all rows of a large matrix.
///
/// A panel holds `rank` coordinates of 16 rows in groups of 64 bytes, then the scales of the rows:
///
///     4 bits, rank / 8 groups: byte j 64 + row 4 + c holds the codes of coordinates 8 j + c (low half) and
///                              8 j + 4 + c (high half), a = scale (code - 8)
///     8 bits, rank / 4 groups: that byte holds the code of coordinate 4 j + c, a = scale (code - 128)
///     16 scales, f16
///
/// Rows past the end of the matrix have scale 0. `CKernels/scan/scan.h` draws the same layout.
public struct ScanPanels: Sendable {
  /// Rows of a panel.
  public static let rows = 16

  /// Coordinates of a row, a multiple of 8.
  public let rank: Int
  /// Bits of a code, 4 or 8.
  public let bits: Int

  /// Nil when no panel has this form.
  public init?(rank: Int, bits: Int) {
    guard rank > 0, rank % 8 == 0, bits == 4 || bits == 8 else { return nil }
    (self.rank, self.bits) = (rank, bits)
  }

  /// Bytes of a panel.
  public var byteCount: Int { Self.rows * (rank * bits / 8 + 2) }

  /// Panels of a matrix of so many rows.
  public func count(rows: Int) -> Int { (rows + Self.rows - 1) / Self.rows }

  /// Stores a matrix of finite numbers, the first `rank` of each row, rounded to the nearest codes.
  ///
  /// - Parameters:
  ///   - stride: numbers from one row to the next.
  ///   - panels: `count(rows:)` panels.
  public func encode(
    _ matrix: UnsafePointer<Float>, rows: Int, stride: Int, into panels: UnsafeMutableRawPointer
  ) {
    for index in 0..<count(rows: rows) {
      encode(panel: index, of: matrix, rows: rows, stride: stride, panels)
    }
  }

  /// Stores one panel of a matrix; panels can be stored side by side.
  public func encode(
    panel index: Int, of matrix: UnsafePointer<Float>, rows: Int, stride: Int,
    _ panels: UnsafeMutableRawPointer
  ) {
    let panel = panels + index * byteCount
    panel.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    for row in 0..<min(Self.rows, rows - index * Self.rows) {
      let numbers = matrix + (index * Self.rows + row) * stride
      let scale = self.scale(of: numbers)
      for k in 0..<rank {
        let byte = panel.assumingMemoryBound(to: UInt8.self) + offset(of: k) + 4 * row
        byte.pointee |= UInt8(code(numbers[k], scale) + offset) << (isHigh(k) ? 4 : 0)
      }
      panel.storeBytes(of: scale, toByteOffset: scaleOffset(row), as: Float16.self)
    }
  }

  /// The numbers that a row of a matrix of panels stands for.
  public func decode(
    _ panels: UnsafeRawPointer, row: Int, into numbers: UnsafeMutablePointer<Float>
  ) {
    let (panel, place) = (panels + row / Self.rows * byteCount, row % Self.rows)
    let scale = Float(panel.loadUnaligned(fromByteOffset: scaleOffset(place), as: Float16.self))
    for k in 0..<rank {
      let byte = panel.load(fromByteOffset: offset(of: k) + 4 * place, as: UInt8.self)
      let code = bits == 8 ? byte : isHigh(k) ? byte >> 4 : byte & 15
      numbers[k] = scale * Float(Int(code) - offset)
    }
  }

  // MARK: Layout

  /// What is subtracted from a code.
  private var offset: Int { bits == 4 ? 8 : 128 }

  /// Whether the code of a coordinate is the high half of a byte.
  private func isHigh(_ k: Int) -> Bool { bits == 4 && k % 8 >= 4 }

  /// The byte of a coordinate of row 0.
  private func offset(of k: Int) -> Int { (bits == 4 ? k / 8 : k / 4) * 64 + k % 4 }

  private func scaleOffset(_ row: Int) -> Int { Self.rows * rank * bits / 8 + 2 * row }

  // MARK: Codes

  /// Scales that are tried for 4 bits, as shares of that which holds the largest number: a few numbers cut
  /// off may leave the others better.
  private static let shares: [Float] = [1, 0.93, 0.86, 0.79, 0.72]

  /// The scale of the least squared error among those tried.
  private func scale(of numbers: UnsafePointer<Float>) -> Float16 {
    var largest: Float = 0
    for k in 0..<rank { largest = max(largest, numbers[k].magnitude) }
    let whole = largest / Float(offset - 1)
    if bits == 8 { return Self.rounded(whole) }
    var best: (scale: Float16, error: Float) = (0, .infinity)
    for share in Self.shares {
      let scale = Self.rounded(whole * share)
      var error: Float = 0
      for k in 0..<rank {
        let difference = numbers[k] - Float(scale) * Float(code(numbers[k], scale))
        error += difference * difference
      }
      if error < best.error { best = (scale, error) }
    }
    return best.scale
  }

  private static func rounded(_ scale: Float) -> Float16 {
    Float16(min(scale, Float(Float16.greatestFiniteMagnitude)))
  }

  /// The nearest code, less the offset.
  private func code(_ number: Float, _ scale: Float16) -> Int {
    if scale == 0 { return 0 }
    let code = (number / Float(scale)).rounded(.toNearestOrEven)
    return Int(min(max(code, Float(-offset)), Float(offset - 1)))
  }
}
