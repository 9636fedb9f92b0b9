import CKernels

/// y[s, n] = sum over k of x[s, k] * w[n, k] + bias[n] on f32 rows, shared by the threads of a pool.
///
/// Up to ``blockRows`` rows of x: one pass over the weights, and each row of y has the same bits as if it
/// were computed alone. More rows: OpenBLAS on a grid of tiles, or, without it, that pass once per block of
/// rows. Pieces and tiles depend on shapes alone, hence results do not depend on the number of threads.
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

  public func run(_ pool: ThreadPool) {
    if rows == 0 || columns == 0 { return }
    if rows > Self.blockRows, isPlain, let library = OpenBLAS.shared { return runTiles(library, pool) }
    for row in stride(from: 0, to: rows, by: Self.blockRows) {
      runBlock(row, min(Self.blockRows, rows - row), pool)
    }
  }

  /// Whether rows lie one behind the other, as BLAS wants them; a repeated row has stride 0.
  private var isPlain: Bool {
    inner > 0 && xStride >= inner && wStride >= (isTransposed ? columns : inner) && yStride >= columns
  }

  // MARK: Blocks of few rows

  private func runBlock(_ row: Int, _ count: Int, _ pool: ThreadPool) {
    let piece = pieceColumns
    pool.forEach((columns + piece - 1) / piece) { index in
      let range = index * piece..<min(columns, (index + 1) * piece)
      if isTransposed { sumRows(row, count, range) } else { sumProducts(row, count, range) }
    }
  }

  /// About a sixteenth of the weights, within 16 and 256 KiB, in whole tiles of every kernel (2, 3 and 4
  /// columns); when transposed about an eighth, 64...1024 columns, so that rows are read in long runs.
  private var pieceColumns: Int {
    if isTransposed { return min(max(columns / 512, 1), 16) * 64 }
    let columnBytes = max(1, inner) * 4
    let bytes = min(max(columnBytes * columns / 16, 16 << 10), 256 << 10)
    return max(1, bytes / columnBytes / 12) * 12
  }

  private func sumProducts(_ row: Int, _ count: Int, _ range: Range<Int>) {
    var call = ck_linear_f32(
      rows: count, inner: inner, n0: range.lowerBound, n1: range.upperBound, x: x + row * xStride, w: w,
      bias: bias,
      y: y + row * yStride, x_stride: xStride, w_stride: wStride, y_stride: yStride)
    VectorMath.best.linear(&call)
  }

  private func sumRows(_ row: Int, _ count: Int, _ range: Range<Int>) {
    var call = ck_weighted_sum_f32(
      rows: count, inner: inner, columns: range.count, p: x + row * xStride, v: w + range.lowerBound,
      y: y + row * yStride + range.lowerBound, p_stride: xStride, v_stride: wStride, y_stride: yStride)
    VectorMath.best.weightedSum(&call)
    for row in row..<row + count { addBias(row, range) }
  }

  private func addBias(_ row: Int, _ range: Range<Int>) {
    guard let bias else { return }
    let y = y + row * yStride
    for column in range { y[column] += bias[column] }
  }

  // MARK: Tiles of many rows

  /// Tile sizes by measurement: large enough that packing is a small share, small enough to balance few
  /// threads.
  private static let tileRows = 256
  private static let tileColumns = 512

  private func runTiles(_ library: OpenBLAS, _ pool: ThreadPool) {
    let across = (columns + Self.tileColumns - 1) / Self.tileColumns
    let down = (rows + Self.tileRows - 1) / Self.tileRows
    pool.forEach(across * down) { index in
      // Neighbours share columns of the weights, the larger operand.
      let row = index % down * Self.tileRows
      let column = index / down * Self.tileColumns
      let (m, n) = (min(Self.tileRows, rows - row), min(Self.tileColumns, columns - column))
      library.product(
        m: m, n: n, k: inner, x + row * xStride, xStride, w + column * (isTransposed ? 1 : wStride), wStride,
        transposed: isTransposed, y + row * yStride + column, yStride)
      for row in row..<row + m { addBias(row, column..<column + n) }
    }
  }
}
