import Tensors

/// Rows of a table for token ids, and for positions where these are learned.
///
///     y[b, s, :] = scale * table[ids[b, s], :] + position_table[positions[b, s], :]
///
/// Operands: ids `[B, S]`, table `[V, d]`, positions `[B or 1, S]`, position_table `[N, d]`. Of tables in f16
/// or bf16 the rows that are picked are computed in f32 and rounded once. With a format the table holds rows
/// of blocks, and the result is f32.
struct EmbeddingKernel: Kernel {
  let scale: Float
  let format: BlockFormat
  /// d, for a table in a format.
  let columns: Int?

  static let entry = KernelEntry("embedding") { attributes throws(KernelError) in
    let format = try attributes.blockFormat("table_format", orThrow: KernelError.unsupported)
    let columns = attributes.int("columns")
    guard format == .f32 || columns ?? -1 >= 0 else {
      throw .invalid("a table in format '\(format)' needs the attribute 'columns'")
    }
    return EmbeddingKernel(scale: attributes.float("scale", default: 1), format: format, columns: columns)
  }

  /// Numbers that one thread writes before another one is worth its dispatch.
  private static let pieceCount = 64 << 10

  func run(_ call: KernelCall) throws(KernelError) {
    let table: EmbeddingTable =
      format == .f32 ? try numbers(call, 1) : .blocks(try call.weights(1, format, columns: columns ?? 0))
    let width = table.width
    guard call.has(2) == call.has(3) else {
      throw .invalid("positions and their table must be given together")
    }
    var shape = call[0].shape
    var positionTable: EmbeddingTable?
    if call.has(2) {
      positionTable = try numbers(call, 3)
      shape = try Broadcasting.shape(shape, call[2].shape)
      guard positionTable!.width == width, positionTable!.element == table.element else {
        throw .invalid(
          "the position table has rows of \(positionTable!.width) \(positionTable!.element),"
            + " accepted are rows of \(width) \(table.element)")
      }
    }
    let count = shape.product
    let ids = try indices(call, 0, as: shape, in: table, "token id")
    let positions = try positionTable.map { table throws(KernelError) in
      try indices(call, 2, as: shape, in: table, "position")
    }
    shape.append(width)
    let y = call.allocate(0, table.element, shape)
    let piece = max(1, Self.pieceCount / max(1, width))
    let pool = call.resources.pool
    let isWide = table.element == .f32
    let rooms = isWide ? 0 : pool.placeCount((count + piece - 1) / piece) * 2 * width
    let room = call.resources.scratch(byteCount: rooms * 4).bindMemory(to: Float.self, capacity: rooms)
    pool.forEachInPlace((count + piece - 1) / piece) { index, place in
      for row in index * piece..<min(count, (index + 1) * piece) {
        let target = y.base + row * width * y.element.byteCount
        let sum = isWide ? target.assumingMemoryBound(to: Float.self) : room + place * 2 * width
        var added: UnsafePointer<Float>?
        if let positionTable, let positions {
          added = positionTable.row(positions[row], or: sum + width)
        }
        write(table.row(ids[row], or: sum), added, sum, width)
        if !isWide {
          let extents = Extents(repeating: width, count: 1)
          StridedCopy.convert(
            from: TensorView(sum, .f32, extents), to: TensorView(target, y.element, extents))
        }
      }
    }
  }

  private func numbers(_ call: KernelCall, _ operand: Int) throws(KernelError) -> EmbeddingTable {
    let table = call.contiguous(operand)
    guard table.rank == 2 else { throw .invalid("a table is \(table.shape.array), accepted is a matrix") }
    switch table.element {
    case .f32, .f16, .bf16: return .numbers(table)
    default: throw .element(table.element, of: "operand \(operand)", accepted: "f16, bf16 and f32")
    }
  }

  /// Rows of a table, one per row of the result; negative ones count from its end.
  private func indices(
    _ call: KernelCall, _ operand: Int, as shape: Extents, in table: EmbeddingTable, _ name: String
  ) throws(KernelError) -> UnsafeMutablePointer<Int> {
    let indices = try call.integerBuffer(operand)
    let extent = table.rows
    let count = shape.product
    let rows = call.resources.scratch(byteCount: count * 8).bindMemory(to: Int.self, capacity: count)
    let dense = TensorView(
      UnsafeMutableRawPointer(mutating: indices.baseAddress!), .i64, call[operand].shape)
    let spread = TensorView(
      dense.base, .i64, shape, strides: Broadcasting.strides(of: dense, as: shape))
    StridedCopy.run(from: spread, to: TensorView(rows, .i64, shape))
    for index in 0..<count {
      let given = rows[index]
      rows[index] = given < 0 ? given &+ extent : given
      guard rows[index] >= 0, rows[index] < extent else {
        throw .invalid("\(name) \(given) is out of range, accepted are \(-extent)..<\(extent)")
      }
    }
    return rows
  }

  private func write(
    _ row: UnsafePointer<Float>, _ added: UnsafePointer<Float>?, _ sum: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    VectorMath.best.scale(count, row, scale, sum)
    if let added { for index in 0..<count { sum[index] += added[index] } }
  }
}

/// Rows of numbers, or of weights in a format.
private enum EmbeddingTable {
  case numbers(TensorView)
  case blocks(WeightMatrix)

  var rows: Int {
    switch self {
    case .numbers(let view): view.shape[0]
    case .blocks(let matrix): matrix.rows
    }
  }

  var width: Int {
    switch self {
    case .numbers(let view): view.shape[1]
    case .blocks(let matrix): matrix.columns
    }
  }

  /// What its rows are given out as.
  var element: ElementType { if case .numbers(let view) = self { view.element } else { .f32 } }

  /// A row as f32: in place, or widened into `room`.
  func row(_ index: Int, or room: UnsafeMutablePointer<Float>) -> UnsafePointer<Float> {
    switch self {
    case .numbers(let view):
      let base = view.base + index * width * view.element.byteCount
      if view.element == .f32 { return UnsafePointer(base.assumingMemoryBound(to: Float.self)) }
      let extents = Extents(repeating: width, count: 1)
      StridedCopy.convert(
        from: TensorView(base, view.element, extents), to: TensorView(room, .f32, extents))
    case .blocks(let matrix): matrix.decode(index, into: room)
    }
    return UnsafePointer(room)
  }
}
