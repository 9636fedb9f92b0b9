import CKernels

/// y[s, n] = sum over k of x[s, k] * w[n, k] + bias[n] on f32 rows, shared by the threads of a pool.
///
/// Up to ``blockRows`` rows of x: one pass over the weights, and each row of y has the same bits as if it
/// were computed alone. More rows: OpenBLAS on a grid of tiles, or, without it, that pass once per block of
/// rows. Pieces depend on shapes alone, hence results do not depend on the number of threads.
public struct LinearProduct {
  public var rows: Int
  public var inner: Int
  public var columns: Int
  public var x: UnsafePointer<Float>
  public var w: UnsafePointer<Float>
  public var bias: UnsafePointer<Float>?
  public var y: UnsafeMutablePointer<Float>
  /// Elements from one row to the next; w has `columns` rows, or `inner` rows when it is transposed.
  public var xStride: Int
  public var wStride: Int
  public var yStride: Int
  /// w is [K, N], as products in exported graphs hold it.
  public var isTransposed = false

  /// Rows of x that C kernels serve with one reading of the weights.
  public static let blockRows = 16

  public init(
    rows: Int, inner: Int, columns: Int, x: UnsafePointer<Float>, w: UnsafePointer<Float>,
    bias: UnsafePointer<Float>? = nil, y: UnsafeMutablePointer<Float>, isTransposed: Bool = false
  ) {
    self.rows = rows
    self.inner = inner
    self.columns = columns
    self.x = x
    self.w = w
    self.bias = bias
    self.y = y
    self.isTransposed = isTransposed
    xStride = inner
    wStride = isTransposed ? columns : inner
    yStride = columns
  }

  /// Computes all of y. `finish` is called for each piece of it, on the thread that computed it.
  public func run(_ pool: ThreadPool, finish: (Piece) -> Void = { _ in }) {
    pool.forEach(pieceCount) { index in
      let piece = piece(index)
      compute(piece)
      finish(piece)
    }
  }

  // MARK: Pieces

  /// A part of y that one thread computes.
  public struct Piece {
    public var rows: Range<Int>
    public var columns: Range<Int>
  }

  /// Tile sizes of OpenBLAS by measurement: large enough that packing is a small share, small enough to
  /// balance few threads.
  private static let tileRows = 256
  private static let tileColumns = 512

  private var usesTiles: Bool { rows > Self.blockRows && isPlain && OpenBLAS.shared != nil }

  /// Whether rows lie one behind the other, as BLAS wants them; a repeated row has stride 0.
  private var isPlain: Bool {
    inner > 0 && xStride >= inner && wStride >= (isTransposed ? columns : inner) && yStride >= columns
  }

  private var pieceRows: Int { usesTiles ? Self.tileRows : Self.blockRows }

  /// Without tiles about a sixteenth of the weights, within 16 and 256 KiB, in whole tiles of every kernel
  /// (2, 3 and 4 columns); when transposed about an eighth, 64...1024 columns, so that rows are read in long
  /// runs.
  private var pieceColumns: Int {
    if usesTiles { return Self.tileColumns }
    if isTransposed { return min(max(columns / 512, 1), 16) * 64 }
    let columnBytes = max(1, inner) * 4
    let bytes = min(max(columnBytes * columns / 16, 16 << 10), 256 << 10)
    return max(1, bytes / columnBytes / 12) * 12
  }

  private var piecesDown: Int { (rows + pieceRows - 1) / pieceRows }

  /// How many pieces y is cut into.
  public var pieceCount: Int { piecesDown * ((columns + pieceColumns - 1) / pieceColumns) }

  /// Neighbours share columns of the weights, the larger operand.
  public func piece(_ index: Int) -> Piece {
    let (row, column) = (index % piecesDown * pieceRows, index / piecesDown * pieceColumns)
    return Piece(
      rows: row..<min(rows, row + pieceRows), columns: column..<min(columns, column + pieceColumns))
  }

  /// Computes a part of y.
  public func compute(_ piece: Piece) {
    if usesTiles, let library = OpenBLAS.shared { return multiply(piece, library) }
    if isTransposed { sumRows(piece) } else { sumProducts(piece) }
  }

  private func sumProducts(_ piece: Piece) {
    let (row, columns) = (piece.rows.lowerBound, piece.columns)
    var call = ck_linear_f32(
      rows: piece.rows.count, inner: inner, n0: columns.lowerBound, n1: columns.upperBound,
      x: x + row * xStride, w: w, bias: bias, y: y + row * yStride, x_stride: xStride, w_stride: wStride,
      y_stride: yStride)
    VectorMath.best.linear(&call)
  }

  private func sumRows(_ piece: Piece) {
    let (row, column) = (piece.rows.lowerBound, piece.columns.lowerBound)
    var call = ck_weighted_sum_f32(
      rows: piece.rows.count, inner: inner, columns: piece.columns.count, p: x + row * xStride,
      v: w + column, y: y + row * yStride + column, p_stride: xStride, v_stride: wStride, y_stride: yStride,
      adds: false)
    VectorMath.best.weightedSum(&call)
    addBias(piece)
  }

  private func multiply(_ piece: Piece, _ library: OpenBLAS) {
    let (row, column) = (piece.rows.lowerBound, piece.columns.lowerBound)
    library.product(
      m: piece.rows.count, n: piece.columns.count, k: inner, x + row * xStride, xStride,
      w + column * (isTransposed ? 1 : wStride), wStride, transposed: isTransposed,
      y + row * yStride + column, yStride)
    addBias(piece)
  }

  private func addBias(_ piece: Piece) {
    guard let bias else { return }
    for row in piece.rows {
      let y = y + row * yStride
      for column in piece.columns { y[column] += bias[column] }
    }
  }
}
