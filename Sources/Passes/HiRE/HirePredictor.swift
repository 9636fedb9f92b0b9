import Kernels
import Tensors

/// The tensors of a predictor in a chosen form, as `hire_lm_head` reads them.
struct HirePredictor {
  /// f32 [R, K].
  let projection: Tensor
  /// u8 [panels, bytes].
  let scan: Tensor
  /// u8 [V, bytes]; nil with one stage.
  let rows: Tensor?
  /// i32 [V]: which row of the head each row of the predictor is for.
  let rowIDs: Tensor

  /// Rows of panels that are made at a time.
  private static let chunk = 64 * ScanPanels.rows

  /// - Parameter weights: f32 [V, K].
  init(_ form: HireForm, _ basis: HeadBasis, weights: Tensor, pool: ThreadPool) {
    let (vocabulary, width) = (weights.shape[0], weights.shape[1])
    let (scanRank, rank) = (form.scan.rank, form.rank)
    guard case .scan(let bits) = form.scan.coding, let panels = ScanPanels(rank: scanRank, bits: bits) else {
      preconditionFailure("the first stage is a scan")
    }
    projection = Tensor(f32: basis.projection(count: rank, rotated: scanRank, pool), [rank, width])
    let mixing = basis.mixing(count: rank, rotated: scanRank, pool)
    let order = Self.order(vocabulary)
    rowIDs = Tensor(i32: order, [vocabulary])
    scan = Tensor(.u8, [panels.count(rows: vocabulary), panels.byteCount])
    let format = form.rowsFormat
    let rowBytes = format?.rowBytes(rank) ?? 0
    rows = format == nil ? nil : Tensor(.u8, [vocabulary, rowBytes])

    let (scanBase, rowsBase) = (scan.base, rows?.base)
    let numbers = UnsafePointer(weights.base.assumingMemoryBound(to: Float.self))
    mixing.withUnsafeBufferPointer { mixing in
      nonisolated(unsafe) let (mixing, scanBase, rowsBase, numbers) = (mixing, scanBase, rowsBase, numbers)
      pool.forEach((vocabulary + Self.chunk - 1) / Self.chunk) { index in
        let places = index * Self.chunk..<min((index + 1) * Self.chunk, vocabulary)
        let memory = UnsafeMutablePointer<Float>.allocate(capacity: places.count * (width + rank))
        defer { memory.deallocate() }
        for (index, place) in places.enumerated() {
          (memory + index * width).update(from: numbers + Int(order[place]) * width, count: width)
        }
        let factor = memory + places.count * width
        LinearProduct(
          rows: places.count, inner: width, columns: rank, x: memory, w: mixing.baseAddress!, y: factor,
          isTransposed: true
        ).run(pool)
        let first = places.lowerBound / ScanPanels.rows
        panels.encode(
          factor, rows: places.count, stride: rank, into: scanBase + first * panels.byteCount)
        guard let rowsBase, let format else { return }
        for (index, place) in places.enumerated() {
          format.encode(factor + index * rank, columns: rank, into: rowsBase, row: place, of: vocabulary)
        }
      }
    }
  }

  /// The rows of the head in an order that spreads neighbours, which often are candidates together, over all shards:
  /// steps of the golden section.
  static func order(_ count: Int) -> [Int32] {
    var step = max(1, Int(Double(count) * 0.6180339887498949))
    while step > 1, !Self.areCoprime(step, count) { step -= 1 }
    return (0..<count).map { Int32($0 * step % count) }
  }

  private static func areCoprime(_ a: Int, _ b: Int) -> Bool {
    var (a, b) = (a, b)
    while b != 0 { (a, b) = (b, a % b) }
    return a == 1
  }
}
