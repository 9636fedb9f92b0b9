import Tensors

/// One stage of a predictor of logits that is tried out: a rank, and how its rows are stored.
struct PredictorTrial: Hashable {
  enum Coding: Hashable {
    /// Codes of so many bits with one scale per row, for all rows to be scanned.
    case scan(bits: Int)
    /// Rows in blocks, to be picked.
    case rows(BlockFormat)
    /// The first plane of the head in nested planes, all coordinates as they are: no rows of its own.
    case plane
  }

  let rank: Int
  let coding: Coding

  /// Coordinates among the first that are mixed evenly (see ``HeadBasis/projection(count:rotated:)``).
  var rotated: Int {
    switch coding {
    case .scan: rank
    case .rows: min(rank, 64)
    case .plane: 0
    }
  }

  /// How rows are stored; nil for codes that are scanned.
  var format: BlockFormat? {
    switch coding {
    case .scan: nil
    case .rows(let format): format
    case .plane: .q4n32
    }
  }

  /// Bytes of one row.
  var rowBytes: Int {
    switch coding {
    case .scan(let bits): rank * bits / 8 + 2
    case .rows, .plane: format!.rowBytes(rank)
    }
  }

  /// Replaces rows of numbers by what is left of them after they have been stored.
  func round(_ matrix: UnsafeMutablePointer<Float>, rows: Int) {
    switch coding {
    case .scan(let bits):
      let panels = ScanPanels(rank: rank, bits: bits)!
      withUnsafeTemporaryAllocation(
        byteCount: panels.count(rows: rows) * panels.byteCount, alignment: TensorStorage.alignment
      ) { bytes in
        panels.encode(matrix, rows: rows, stride: rank, into: bytes.baseAddress!)
        for row in 0..<rows { panels.decode(bytes.baseAddress!, row: row, into: matrix + row * rank) }
      }
    case .rows, .plane:
      let format = format!
      withUnsafeTemporaryAllocation(byteCount: format.rowBytes(rank), alignment: TensorStorage.alignment) {
        for row in 0..<rows {
          format.encode(matrix + row * rank, columns: rank, into: $0.baseAddress!)
          format.decode($0.baseAddress!, columns: rank, into: matrix + row * rank)
        }
      }
    }
  }

  /// What is left of coordinates z when they meet such rows: codes of 4 bits meet 8 bits, those of 8 bits 7.
  func roundCoordinates(_ z: UnsafeMutablePointer<Float>) {
    guard case .scan(let bits) = coding else { return }
    var largest: Float = 0
    for index in 0..<rank { largest = max(largest, z[index].magnitude) }
    guard largest > 0 else { return }
    let scale = largest / (bits == 4 ? 127 : 63)
    for index in 0..<rank { z[index] = (z[index] / scale).rounded() * scale }
  }
}
