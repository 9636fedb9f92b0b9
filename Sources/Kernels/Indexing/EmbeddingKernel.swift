import Tensors

/// Rows of a table for token ids, and for positions where these are learned.
///
///     y[b, s, :] = scale * table[ids[b, s], :] + position_table[positions[b, s], :]
///
/// Operands: ids `[B, S]`, table `[V, d]`, positions `[B or 1, S]`, position_table `[N, d]`. Of tables in f16
/// or bf16 the rows that are picked are computed in f32 and rounded once.
struct EmbeddingKernel: Kernel {
  let scale: Float

  /// Numbers that one thread writes before another one is worth its dispatch.
  private static let pieceCount = 64 << 10

  func run(_ call: KernelCall) throws(KernelError) {
    let table = try self.table(call, 1)
    let width = table.shape[1]
    guard call.has(2) == call.has(3) else {
      throw .invalid("positions and their table must be given together")
    }
    var shape = call[0].shape
    var positionTable: TensorView?
    if call.has(2) {
      positionTable = try self.table(call, 3)
      shape = try Broadcasting.shape(shape, call[2].shape)
      guard positionTable!.shape[1] == width, positionTable!.element == table.element else {
        throw .invalid(
          "the position table is \(positionTable!.element)\(positionTable!.shape.array),"
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
          added = Self.row(positionTable, positions[row], or: sum + width)
        }
        write(Self.row(table, ids[row], or: sum), added, sum, width)
        if !isWide {
          let extents = Extents(repeating: width, count: 1)
          StridedCopy.convert(
            from: TensorView(sum, .f32, extents), to: TensorView(target, y.element, extents))
        }
      }
    }
  }

  private func table(_ call: KernelCall, _ operand: Int) throws(KernelError) -> TensorView {
    let table = call.contiguous(operand)
    guard table.rank == 2 else { throw .invalid("a table is \(table.shape.array), accepted is a matrix") }
    guard [.f32, .f16, .bf16].contains(table.element) else {
      throw .element(table.element, of: "operand \(operand)", accepted: "f16, bf16 and f32")
    }
    return table
  }

  /// Rows of a table, one per row of the result; negative ones count from its end.
  private func indices(
    _ call: KernelCall, _ operand: Int, as shape: Extents, in table: TensorView, _ name: String
  ) throws(KernelError) -> UnsafeMutablePointer<Int> {
    let indices = try call.integerBuffer(operand)
    let extent = table.shape[0]
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

  /// A row as f32: in place, or widened into `room`.
  private static func row(_ table: TensorView, _ index: Int, or room: UnsafeMutablePointer<Float>)
    -> UnsafePointer<Float>
  {
    let width = table.shape[1]
    let base = table.base + index * width * table.element.byteCount
    if table.element == .f32 { return UnsafePointer(base.assumingMemoryBound(to: Float.self)) }
    let extents = Extents(repeating: width, count: 1)
    StridedCopy.convert(from: TensorView(base, table.element, extents), to: TensorView(room, .f32, extents))
    return UnsafePointer(room)
  }

  private func write(
    _ row: UnsafePointer<Float>, _ added: UnsafePointer<Float>?, _ sum: UnsafeMutablePointer<Float>,
    _ count: Int
  ) {
    VectorMath.best.scale(count, row, scale, sum)
    if let added { for index in 0..<count { sum[index] += added[index] } }
  }
}
