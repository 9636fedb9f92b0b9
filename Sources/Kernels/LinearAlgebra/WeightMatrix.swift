import CKernels
public import Tensors

/// A matrix of weights [N, K], a row per output, in some format.
public struct WeightMatrix {
  public let format: BlockFormat
  public let base: UnsafeRawPointer
  /// N and K.
  public let rows: Int, columns: Int
  /// Bytes of a row, and from one row to the next: less where planes lie apart.
  public let rowBytes: Int, stride: Int

  /// - Parameter base: `rows` rows of `format.rowBytes(columns)` bytes.
  public init(_ format: BlockFormat, _ base: UnsafeRawPointer, rows: Int, columns: Int) {
    (self.format, self.base, self.rows, self.columns) = (format, base, rows, columns)
    (rowBytes, stride) = (format.rowBytes(columns), format.firstBytes(columns))
  }

  /// The plane that lies apart, for formats that have one.
  var low: UnsafeRawPointer? { format.rest(of: base, rows: rows, columns: columns) }

  /// What the first plane tells of the weights, where they are stored in nested planes.
  var firstPlane: WeightMatrix? {
    format.firstPlane.map { WeightMatrix($0, base, rows: rows, columns: columns) }
  }

  /// Row `index` as numbers.
  func decode(_ index: Int, into row: UnsafeMutablePointer<Float>) {
    format.decode(base, row: index, of: rows, columns: columns, into: row)
  }
}

extension WeightMatrix {
  /// What codes of 0 stand for in row `index`.
  func decodeOffsets(_ index: Int, into row: UnsafeMutablePointer<Float>) {
    format.decodeOffsets(base, row: index, of: rows, columns: columns, into: row)
  }
}

/// Rows of activations, in the forms in which weights of some formats meet them.
public struct Activations {
  public let rows: Int, inner: Int
  let x: UnsafePointer<Float>
  /// Elements from one row to the next.
  let stride: Int
  /// Rows as `quantize_rows` stores them, where a format asks for them.
  private(set) var quantized: UnsafeMutableRawPointer?
  var quantizedStride: Int { ck_quantized_row_bytes(inner) }

  /// Quantizes the rows, once for all products with them, if a format asks for it.
  public init(
    _ x: UnsafePointer<Float>, rows: Int, inner: Int, stride: Int? = nil, for format: BlockFormat,
    or other: BlockFormat? = nil, resources: Resources
  ) {
    (self.x, self.rows, self.inner, self.stride) = (x, rows, inner, stride ?? inner)
    guard format.quantizesActivations || other?.quantizesActivations ?? false else { return }
    let quantized = resources.scratch(byteCount: rows * quantizedStride)
    self.quantized = quantized
    let (from, step, bytes) = (x, self.stride, quantizedStride)
    resources.pool.forEachRow(rows, bytes: inner * 4) { row in
      var call = ck_quantize_rows_f32(
        rows: 1, inner: inner, x: from + row * step, q: quantized + row * bytes, x_stride: step,
        q_stride: bytes)
      VectorMath.best.quantizeRows(&call)
    }
  }
}

extension KernelCall {
  /// A required matrix of weights for rows of `columns` activations: f32, or bytes in a format of blocks.
  func weights(_ operand: Int, _ format: BlockFormat, columns: Int) throws(KernelError) -> WeightMatrix {
    if format == .f32 {
      let view = try matrix(operand, columns: columns)
      return WeightMatrix(format, view.base, rows: view.shape[0], columns: columns)
    }
    let view = contiguous(operand)
    guard view.element == .u8, view.rank == 2, view.shape[1] == format.rowBytes(columns) else {
      throw .invalid(
        "operand \(operand) is \(view.element)\(view.shape.array), accepted are rows of"
          + " \(format.rowBytes(columns)) u8 for \(columns) weights in '\(format)'")
    }
    return WeightMatrix(format, view.base, rows: view.shape[0], columns: columns)
  }
}
