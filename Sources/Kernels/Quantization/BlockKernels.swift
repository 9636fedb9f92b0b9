import Tensors

/// A matrix of f32 stored in a format of blocks: `[N, K]` to u8 `[N, rowBytes(K)]`.
struct PackBlocksKernel: Kernel {
  let format: BlockFormat

  static let entry = KernelEntry("pack_blocks", widensNarrowFloats: true) { attributes throws(KernelError) in
    PackBlocksKernel(format: try attributes.blockFormat("format", orThrow: KernelError.unsupported))
  }

  func run(_ call: KernelCall) throws(KernelError) {
    let x = call.contiguous(0)
    guard x.element == .f32 else { throw .element(x.element, of: "x", accepted: "f16, bf16 and f32") }
    guard x.rank == 2 else { throw .invalid("x is \(x.element)\(x.shape.array), accepted is a matrix") }
    let (rows, columns) = (x.shape[0], x.shape[1])
    let rowBytes = format.rowBytes(columns)
    let y = call.allocate(0, .u8, Extents(rows, rowBytes))
    let (from, to) = (x.base.assumingMemoryBound(to: Float.self), y.base)
    let elements = UnsafeBufferPointer(start: from, count: rows * columns)
    guard format == .f32 || elements.allSatisfy({ $0.isFinite }) else {
      throw .invalid("x holds numbers that are not finite, which format '\(format)' cannot store")
    }
    call.resources.pool.forEachRow(rows, bytes: columns * 4) { row in
      format.encode(from + row * columns, columns: columns, into: to, row: row, of: rows)
    }
  }
}

/// The numbers of rows stored in a format of blocks: u8 `[..., rowBytes(K)]` to f32 `[..., K]`.
struct UnpackBlocksKernel: Kernel {
  let format: BlockFormat
  let columns: Int

  static let entry = KernelEntry("unpack_blocks") { attributes throws(KernelError) in
    guard let columns = attributes.int("columns"), columns >= 0 else {
      throw .invalid("attribute 'columns' must be given and not negative")
    }
    return UnpackBlocksKernel(
      format: try attributes.blockFormat("format", orThrow: KernelError.unsupported), columns: columns)
  }

  func run(_ call: KernelCall) throws(KernelError) {
    let x = call.contiguous(0)
    let rowBytes = format.rowBytes(columns)
    guard x.element == .u8, x.rank >= 1, x.shape[x.rank - 1] == rowBytes else {
      throw .invalid(
        "x is \(x.element)\(x.shape.array), accepted are \(rowBytes) bytes per row of \(columns) columns"
      )
    }
    var shape = x.shape
    shape[x.rank - 1] = columns
    let y = call.allocate(0, .f32, shape)
    let (from, to) = (x.base, y.base.assumingMemoryBound(to: Float.self))
    let rows = shape.product(0..<x.rank - 1)
    call.resources.pool.forEachRow(rows, bytes: columns * 4) { row in
      format.decode(from, row: row, of: rows, columns: columns, into: to + row * columns)
    }
  }
}

/// The numbers of a matrix whose columns lie one behind the other (``BlockColumns``), f32 `[N, K]`.
struct UnpackColumnsKernel: Kernel {
  let layout: BlockColumns
  let columns: Int

  static let entry = KernelEntry("unpack_columns") { attributes throws(KernelError) in
    guard let rows = attributes.int("rows"), let columns = attributes.int("columns"), columns >= 0 else {
      throw .invalid("attributes 'rows' and 'columns' must be given and not negative")
    }
    return UnpackColumnsKernel(
      layout: try attributes.blockColumns("format", rows: rows, orThrow: KernelError.unsupported),
      columns: columns)
  }

  func run(_ call: KernelCall) throws(KernelError) {
    let panels = try call.panels(0, layout, columns: columns)
    let y = call.allocate(0, .f32, Extents(layout.rows, columns))
    let (layout, columns, to) = (layout, columns, y.base.assumingMemoryBound(to: Float.self))
    let size = BlockFormat.blockSize
    call.resources.pool.forEach(layout.count(columns: columns)) { block in
      withUnsafeTemporaryAllocation(of: Float.self, capacity: layout.rows * size) { numbers in
        layout.decode(panels, block: block, into: numbers.baseAddress!)
        for row in 0..<layout.rows {
          for e in 0..<min(size, columns - block * size) {
            to[row * columns + block * size + e] = numbers[row * size + e]
          }
        }
      }
    }
  }
}

extension KernelCall {
  /// A required operand of columns of weights.
  func panels(_ operand: Int, _ layout: BlockColumns, columns: Int) throws(KernelError) -> UnsafeRawPointer {
    let (view, count) = (contiguous(operand), layout.count(columns: columns))
    guard view.element == .u8, view.shape == Extents(count, layout.panelBytes) else {
      throw .invalid(
        "operand \(operand) is \(view.element)\(view.shape.array), accepted are \(count) panels of"
          + " \(layout.panelBytes) u8 for \(columns) columns of \(layout.rows) weights in '\(layout.format)'")
    }
    return UnsafeRawPointer(view.base)
  }
}

extension ThreadPool {
  /// Calls `body` for each of `0..<count` rows, in pieces of about 64 KiB of rows of `bytes`.
  func forEachRow(_ count: Int, bytes: Int, _ body: (Int) -> Void) {
    let piece = max(1, (64 << 10) / max(1, bytes))
    forEach((count + piece - 1) / piece) { index in
      for row in index * piece..<min(count, (index + 1) * piece) { body(row) }
    }
  }
}
