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
  var rowsFormat: BlockFormat? { if case .rows(let format)? = rows?.coding { format } else { nil } }

  /// Coordinates that are computed of a hidden state, whole blocks of 32.
  var rank: Int { (max(scan.rank, rows?.rank ?? 0) + 31) / 32 * 32 }
}

/// Nanoseconds per token, for choosing between forms.
///
///     bytes read in order / 25 GB/s + bytes of picked rows / 7 GB/s + 4.5 ns per picked row
///     + 0.3 ns per row that is selected from + 10 us for stages that begin and end
///
/// The figures stand for the two Zen 3 cores of the README's tables, 25 to 35 GB/s, where picked rows lie on pages of
/// their own; `kernelbench` prints the stages of `hire_lm_head` beside the read roof. What matters is their
/// proportion. They are constants, so that equal input gives equal plans.
struct HeadCost {
  let vocabulary: Int, width: Int
  let rowBytes: Int

  private static let streamed = 1 / 25.0
  private static let picked = 1 / 7.0
  private static let perPick = 4.5
  private static let perSelected = 0.3
  private static let fixed = 10_000.0

  /// Reading all rows.
  var dense: Double { Double(vocabulary * rowBytes) * Self.streamed }

  func callAsFunction(_ form: HireForm) -> Double {
    let shards = Double((vocabulary + form.shardRows - 1) / form.shardRows)
    var cost = Self.fixed + Double(bytesInOrder(form)) * Self.streamed + Double(vocabulary) * Self.perSelected
    if let rows = form.rows {
      let count = shards * Double(form.survivors)
      cost += count * (Double(rows.rowBytes) * Self.picked + Self.perPick + Self.perSelected)
    }
    return cost + shards * Double(form.candidates) * (Double(rowBytes) * Self.picked + Self.perPick)
  }

  /// Reading so many bytes in order, by stages of their own.
  func streaming(_ bytes: Int) -> Double { Self.fixed + Double(bytes) * Self.streamed }

  /// Computing so many rows of the head exactly.
  func picking(_ rows: Int) -> Double { Double(rows) * (Double(rowBytes) * Self.picked + Self.perPick) }

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
