import Tensors

/// How a HiRE head finds its candidates: stages, and what each shard keeps.
struct HireForm: Hashable {
  let scan: PredictorTrial
  /// The second stage, for survivors of the first; nil where the best of these are candidates.
  let rows: PredictorTrial?
  let shardRows: Int
  /// Kept per shard by the first stage.
  let survivors: Int
  /// Kept per shard for exact logits.
  let candidates: Int

  /// How the rows of the second stage are stored.
  var rowsFormat: BlockFormat? { rows?.format }

  /// Whether a stage reads the head's first plane.
  var readsPlane: Bool { scan.coding == .plane || rows?.coding == .plane }

  /// Coordinates that are computed of a hidden state, whole blocks of 32; the plane meets the state itself.
  var rank: Int {
    let ranks = [scan, rows].compactMap { $0 }.filter { $0.coding != .plane }.map(\.rank)
    return ((ranks.max() ?? 0) + 31) / 32 * 32
  }
}

/// Nanoseconds per token, for choosing between forms.
///
///     bytes read in order / 25 GB/s + bytes of picked rows / 8 GB/s + 15 ns per place in memory that they lie in
///     + 0.3 ns per row that is selected from + 10 us for stages that begin and end
///
/// The figures are those of the two Zen 3 cores of the README's tables, which read 25 to 35 GB/s. Picked rows of 80,
/// 240, 408 and 680 bytes, one of 16 of a matrix that no cache holds, took 31, 39-66, 50-62 and 71-76 ns there by two
/// threads, one of 128 up to twice that; a row in two planes 15-40 ns more. `kernelbench` prints the stages of
/// `hire_lm_head` beside the read roof. What matters is their proportion. They are constants, so that equal input
/// gives equal plans.
struct HeadCost {
  let vocabulary: Int, width: Int
  let rowBytes: Int
  /// Places in memory that a row of the head lies in.
  let places: Int

  private static let streamed = 1 / 25.0
  private static let picked = 1 / 8.0
  private static let perPlace = 15.0
  private static let perSelected = 0.3
  private static let fixed = 10_000.0

  init(vocabulary: Int, width: Int, format: BlockFormat) {
    (self.vocabulary, self.width, rowBytes) = (vocabulary, width, format.rowBytes(width))
    places = format.firstPlane == nil ? 1 : 2
  }

  /// Reading all rows.
  var dense: Double { reading(vocabulary * rowBytes) }

  func callAsFunction(_ form: HireForm) -> Double {
    let shards = Double((vocabulary + form.shardRows - 1) / form.shardRows)
    var cost = Self.fixed + Double(bytesInOrder(form)) * Self.streamed + Double(vocabulary) * Self.perSelected
    if let rows = form.rows {
      let count = shards * Double(form.survivors)
      cost += count * (Double(rows.rowBytes) * Self.picked + Self.perPlace + Self.perSelected)
    }
    return cost + shards * Double(form.candidates) * perRow
  }

  /// Reading so many bytes in order, by stages of their own.
  func streaming(_ bytes: Int) -> Double { Self.fixed + reading(bytes) }

  /// Reading so many bytes in order, in a stage that there is anyway.
  func reading(_ bytes: Int) -> Double { Double(bytes) * Self.streamed }

  /// Computing so many rows of the head exactly.
  func picking(_ rows: Int) -> Double { Double(rows) * perRow }

  /// Picking a row of the head.
  private var perRow: Double { Double(rowBytes) * Self.picked + Double(places) * Self.perPlace }

  /// Bytes that a token reads.
  func bytes(_ form: HireForm) -> Int {
    let shards = (vocabulary + form.shardRows - 1) / form.shardRows
    let picked = form.rows.map { shards * form.survivors * $0.rowBytes } ?? 0
    return bytesInOrder(form) + picked + shards * form.candidates * rowBytes
  }

  private func bytesInOrder(_ form: HireForm) -> Int {
    vocabulary * form.scan.rowBytes + form.rank * width * 4
  }
}
