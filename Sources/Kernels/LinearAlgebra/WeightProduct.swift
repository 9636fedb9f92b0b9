import CKernels
import Tensors

/// y[s, n] = sum over k of x[s, k] * w[n, k] + bias[n] with weights in any format, shared by the threads of a
/// pool.
///
/// Weights in blocks meet activations in int8; an output has the same bits whatever the number of rows.
/// Weights in f32 and bf16 meet f32: the same holds for up to ``LinearProduct/blockRows`` rows, and more go
/// to OpenBLAS where it is, for which bf16 is widened a few rows at a time. Nothing depends on the number of
/// threads.
public struct WeightProduct {
  public let x: Activations
  public let weights: WeightMatrix
  public let bias: UnsafePointer<Float>?
  /// Rows of N outputs.
  public let y: UnsafeMutablePointer<Float>

  public init(
    _ x: Activations, _ weights: WeightMatrix, bias: UnsafePointer<Float>? = nil,
    y: UnsafeMutablePointer<Float>
  ) {
    precondition(x.inner == weights.columns, "rows of weights are as long as those of activations")
    (self.x, self.weights, self.bias, self.y) = (x, weights, bias, y)
  }

  /// A part of y that one thread computes.
  public struct Piece {
    public let rows: Range<Int>
    public let columns: Range<Int>
    /// Room of ``roomCount`` numbers for widened weights, where there are many rows.
    fileprivate let room: UnsafeMutablePointer<Float>?
  }

  /// Computes all of y. `finish` is called for each piece of it, on the thread that computed it.
  public func run(_ resources: Resources, finish: (Piece) -> Void = { _ in }) {
    let pool = resources.pool
    guard x.rows > LinearProduct.blockRows else {
      return pool.forEach(pieceCount) { index in
        let piece = piece(index, nil)
        compute(piece)
        finish(piece)
      }
    }
    let count = pool.placeCount(pieceCount) * roomCount
    let rooms = resources.scratch(byteCount: count * 4).bindMemory(to: Float.self, capacity: count)
    pool.forEachInPlace(pieceCount) { index, place in
      let piece = piece(index, rooms + place * roomCount)
      compute(piece)
      finish(piece)
    }
  }

  // MARK: Pieces

  /// Numbers of widened weights that a thread holds at a time: a part of its second-level cache, but 16 rows
  /// at least.
  private var roomCount: Int { max(64 << 10, 16 * weights.columns) }

  private var pieceRows: Int { x.rows > Int(CK_BLOCK_ROWS) ? 256 : Int(CK_BLOCK_ROWS) }

  /// Outputs are stored sixteen at a time. Few rows: about a sixteenth of the weights, within 16 and 256 KiB;
  /// many rows meet as many weights as stay in the second-level cache, at least 32 KiB and at most 128 KiB of
  /// them.
  private var pieceColumns: Int {
    let rowBytes = max(1, weights.rowBytes)
    let (least, most) = x.rows > Int(CK_BLOCK_ROWS) ? (32 << 10, 128 << 10) : (16 << 10, 256 << 10)
    return max(1, min(max(rowBytes * weights.rows / 16, least), most) / rowBytes / 16) * 16
  }

  private var piecesDown: Int { (x.rows + pieceRows - 1) / pieceRows }

  private var pieceCount: Int {
    weights.format == .f32
      ? numbers.pieceCount : piecesDown * ((weights.rows + pieceColumns - 1) / pieceColumns)
  }

  private func piece(_ index: Int, _ room: UnsafeMutablePointer<Float>?) -> Piece {
    if weights.format == .f32 {
      let piece = numbers.piece(index)
      return Piece(rows: piece.rows, columns: piece.columns, room: room)
    }
    // Neighbours share columns of the weights, the larger operand.
    let (row, column) = (index % piecesDown * pieceRows, index / piecesDown * pieceColumns)
    return Piece(
      rows: row..<min(x.rows, row + pieceRows), columns: column..<min(weights.rows, column + pieceColumns),
      room: room)
  }

  // MARK: Kernels

  /// Computes a part of y.
  public func compute(_ piece: Piece) {
    switch weights.format {
    case .f32: numbers.compute(LinearProduct.Piece(rows: piece.rows, columns: piece.columns))
    case .bf16: if !computeWidened(piece) { computeBF16(piece) }
    case .q4b32, .q5b32, .q6b16, .q8b32, .q8n32, .q4n32: computeBlocks(piece)
    }
  }

  /// The same product with weights in f32.
  private var numbers: LinearProduct {
    var product = LinearProduct(
      rows: x.rows, inner: x.inner, columns: weights.rows, x: x.x,
      w: weights.base.assumingMemoryBound(to: Float.self), bias: bias, y: y)
    product.xStride = x.stride
    return product
  }

  private func computeBlocks(_ piece: Piece) {
    guard let quantized = x.quantized else { preconditionFailure("activations are not quantized") }
    let kernel = VectorMath.best.linearBlocks(weights.format)
    for row in stride(from: piece.rows.lowerBound, to: piece.rows.upperBound, by: Int(CK_BLOCK_ROWS)) {
      var call = ck_linear_blocks(
        rows: min(Int(CK_BLOCK_ROWS), piece.rows.upperBound - row), inner: x.inner,
        n0: piece.columns.lowerBound, n1: piece.columns.upperBound, x: quantized + row * x.quantizedStride,
        w: weights.base, low: weights.low, bias: bias, y: y + row * weights.rows,
        x_stride: x.quantizedStride, w_stride: weights.stride, y_stride: weights.rows, list: nil)
      kernel(&call)
    }
  }

  private func computeBF16(_ piece: Piece) {
    for row in stride(from: piece.rows.lowerBound, to: piece.rows.upperBound, by: LinearProduct.blockRows) {
      var call = ck_linear_bf16(
        rows: min(LinearProduct.blockRows, piece.rows.upperBound - row), inner: x.inner,
        n0: piece.columns.lowerBound, n1: piece.columns.upperBound, x: x.x + row * x.stride,
        w: weights.base.assumingMemoryBound(to: UInt16.self), bias: bias, y: y + row * weights.rows,
        x_stride: x.stride, w_stride: weights.rowBytes / 2, y_stride: weights.rows)
      VectorMath.best.linearBF16(&call)
    }
  }

  /// Widens as many rows of weights as there is room for, and hands them to OpenBLAS; false when that is not
  /// possible.
  private func computeWidened(_ piece: Piece) -> Bool {
    guard let room = piece.room, x.inner > 0, x.stride >= x.inner, let library = OpenBLAS.shared else {
      return false
    }
    let step = roomCount / x.inner
    for first in stride(from: piece.columns.lowerBound, to: piece.columns.upperBound, by: step) {
      let columns = first..<min(first + step, piece.columns.upperBound)
      for column in columns { weights.decode(column, into: room + (column - first) * x.inner) }
      library.product(
        m: piece.rows.count, n: columns.count, k: x.inner, x.x + piece.rows.lowerBound * x.stride, x.stride,
        room,
        x.inner, transposed: false, y + piece.rows.lowerBound * weights.rows + first, weights.rows)
    }
    guard let bias else { return true }
    for row in piece.rows {
      for column in piece.columns { y[row * weights.rows + column] += bias[column] }
    }
    return true
  }
}
