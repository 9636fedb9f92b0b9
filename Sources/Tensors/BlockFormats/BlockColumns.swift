/// The columns of a matrix [N, K] whose rows are stored in f32 or in a format of blocks, one behind the other: for sums
/// of some columns, of which each is read as a whole.
///
/// Codes and parameters are those of the rows, so the numbers are, too. A panel holds the 32 columns of a block:
///
///     panel:  codes of column 0, of column 1, ..., of column 31, first parameters, second parameters
///
/// The N entries of a column are cut into chunks of 64, the last one filled up with zeros. A plane of w bits of a
/// chunk takes B = 8 w bytes, and byte i holds the codes of rows i, i + B, i + 2 B, ..., the first in the low bits.
/// Parameters are one f16 per row. Columns of f32 are its numbers, without parameters. `CKernels/rows/columns.h` draws the same layout.
public struct BlockColumns: Sendable {
  /// Formats that have this layout.
  public static let formats: [BlockFormat] = [.q4b32, .q5b32, .q6b16, .q8b32, .f32]

  /// Rows of a chunk.
  public static let chunkRows = 64

  public let format: BlockFormat
  /// N, and N filled up to whole chunks.
  public let rows: Int, paddedRows: Int

  /// Nil for other formats.
  public init?(_ format: BlockFormat, rows: Int) {
    guard Self.formats.contains(format), rows > 0 else { return nil }
    (self.format, self.rows) = (format, rows)
    paddedRows = (rows + Self.chunkRows - 1) / Self.chunkRows * Self.chunkRows
  }

  /// Nil for f32.
  private var coding: (any BlockCoding.Type)? { format.coding }
  /// Bytes of the codes of a column.
  public var columnBytes: Int { paddedRows * codeBits / 8 }
  /// Bytes of a panel.
  public var panelBytes: Int { BlockFormat.blockSize * columnBytes + parameterCount * parameterBytes }
  /// Bytes of the parameters of so many columns, which sums of any of them in a block need.
  public func parameterBytes(columns: Int) -> Int {
    count(columns: columns) * parameterCount * parameterBytes
  }
  /// Panels of so many columns.
  public func count(columns: Int) -> Int { BlockRow.blockCount(columns) }
  /// Chunks of the rows.
  public var chunkCount: Int { paddedRows / Self.chunkRows }

  private var codeBits: Int { coding?.planes.reduce(0, +) ?? 32 }
  private var parameterCount: Int { coding?.parameterCount ?? 0 }
  private var parameterBytes: Int { paddedRows * 2 }

  /// Stores one chunk of rows of finite numbers; chunks can be stored side by side.
  ///
  /// - Parameters:
  ///   - matrix: f32 [N, K].
  ///   - panels: `count(columns:)` panels, all zero.
  public func encode(
    chunk: Int, of matrix: UnsafePointer<Float>, columns: Int, into panels: UnsafeMutableRawPointer
  ) {
    guard let coding else {
      for row in chunk * Self.chunkRows..<min(rows, (chunk + 1) * Self.chunkRows) {
        for column in 0..<columns {
          panels.storeBytes(
            of: matrix[row * columns + column], toByteOffset: column * columnBytes + row * 4, as: Float.self)
        }
      }
      return
    }
    let blockRow = BlockRow(coding, columns: columns)
    let byteCount = format.rowBytes(columns)
    withUnsafeTemporaryAllocation(byteCount: byteCount, alignment: 8) { bytes in
      let stored = bytes.baseAddress!
      for row in chunk * Self.chunkRows..<min(rows, (chunk + 1) * Self.chunkRows) {
        format.encode(matrix + row * columns, columns: columns, into: stored)
        blockRow.forEachBlock(of: BlockRow.Place(bytes: stored, apart: stored + byteCount)) {
          block, codes, parameters in
          let panel = panels + block * panelBytes
          for e in 0..<BlockFormat.blockSize { store(codes[e], row, panel + e * columnBytes) }
          let place = panel + BlockFormat.blockSize * columnBytes + row * 2
          place.storeBytes(of: parameters.first, as: Float16.self)
          if coding.parameterCount > 1 {
            place.storeBytes(of: parameters.second, toByteOffset: parameterBytes, as: Float16.self)
          }
        }
      }
    }
  }

  /// The numbers of a block of columns, f32 [N, 32].
  public func decode(_ panels: UnsafeRawPointer, block: Int, into numbers: UnsafeMutablePointer<Float>) {
    let (panel, size) = (panels + block * panelBytes, BlockFormat.blockSize)
    guard let coding else {
      for row in 0..<rows {
        for e in 0..<size {
          numbers[row * size + e] = panel.loadUnaligned(
            fromByteOffset: e * columnBytes + row * 4, as: Float.self)
        }
      }
      return
    }
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: size) { codes in
      for row in 0..<rows {
        for e in 0..<size { codes[e] = load(row, panel + e * columnBytes) }
        let place = panel + size * columnBytes + row * 2
        var parameters = BlockParameters(first: place.loadUnaligned(as: Float16.self))
        if coding.parameterCount > 1 {
          parameters.second = place.loadUnaligned(fromByteOffset: parameterBytes, as: Float16.self)
        }
        coding.decode(codes.baseAddress!, size, parameters, into: numbers + row * size)
      }
    }
  }

  // MARK: Planes

  private func store(_ code: UInt8, _ row: Int, _ column: UnsafeMutableRawPointer) {
    forEachField(row) { offset, width, place, shift in
      let byte = column.assumingMemoryBound(to: UInt8.self) + offset
      byte.pointee |= (code &>> shift & Self.mask(width)) &<< place
    }
  }

  private func load(_ row: Int, _ column: UnsafeRawPointer) -> UInt8 {
    var code: UInt8 = 0
    forEachField(row) { offset, width, place, shift in
      let byte = column.load(fromByteOffset: offset, as: UInt8.self)
      code |= (byte &>> place & Self.mask(width)) &<< shift
    }
    return code
  }

  private static func mask(_ width: Int) -> UInt8 { UInt8((1 << width) - 1) }

  /// Calls `body` with each field of a row's code: its byte, its width, its first bit in the byte and in the code.
  private func forEachField(
    _ row: Int, _ body: (_ offset: Int, _ width: Int, _ place: UInt8, _ shift: UInt8) -> Void
  ) {
    let within = row % Self.chunkRows
    var (offset, shift) = (row / Self.chunkRows * Self.chunkRows * codeBits / 8, 0)
    for width in coding?.planes ?? [] {
      let size = Self.chunkRows * width / 8
      body(offset + within % size, width, UInt8(within / size * width), UInt8(shift))
      offset += size
      shift += width
    }
  }
}

extension Attributes {
  /// The layout of columns in a format by its name.
  public func blockColumns<Failure: Error>(
    _ name: String, rows: Int, orThrow error: (_ message: String) -> Failure
  ) throws(Failure) -> BlockColumns {
    let format = try blockFormat(name, orThrow: error)
    if let columns = BlockColumns(format, rows: rows) { return columns }
    throw error(
      "'\(name)' is '\(format)' for \(rows) rows, accepted are \(BlockColumns.formats) and 1 row or more")
  }
}
