public import Tensors

/// How a HiRE head searches the vocabulary: the attributes of `hire_lm_head`.
///
/// Predictor rows are cut into shards of `shardRows`, the last one shorter where they do not divide. Of each
/// shard `survivors` rows pass the first stage and `candidates` are computed exactly.
public struct HireSettings: Sendable {
  /// The form of the first stage.
  public let panels: ScanPanels
  /// How the rows of the second stage are stored.
  public let rowsFormat: BlockFormat
  /// A multiple of ``ScanPanels/rows``.
  public let shardRows: Int
  public let survivors: Int
  public let candidates: Int
  public let softcap: Float
  public let isLastOnly: Bool
  /// How the sum over tokens that are no candidates is estimated.
  public let tail: HireTail

  public init<Failure: Error>(
    _ attributes: Attributes, orThrow error: (_ message: String) -> Failure
  ) throws(Failure) {
    func number(_ name: String, _ range: PartialRangeFrom<Int>) throws(Failure) -> Int {
      guard let value = attributes.int(name), range.contains(value) else {
        throw error("'\(name)' is \(attributes.int(name).map { "\($0)" } ?? "missing"), accepted is \(range)")
      }
      return value
    }
    let (rank, bits) = (try number("scan_rank", 8...), try number("scan_bits", 4...))
    guard let panels = ScanPanels(rank: rank, bits: bits) else {
      throw error(
        "'scan_rank' is \(rank) and 'scan_bits' \(bits), accepted are a multiple of 8, and 4 or 8")
    }
    (self.panels, shardRows) = (panels, try number("shard_rows", 16...))
    candidates = try number("candidates", 1...)
    survivors = attributes.int("survivors") ?? candidates
    guard shardRows % ScanPanels.rows == 0, candidates <= survivors, survivors <= shardRows else {
      throw error(
        "of shards of \(shardRows) rows \(survivors) survive and \(candidates) are candidates, accepted are"
          + " a multiple of 16 rows, not fewer than survive, and not fewer survivors than candidates"
      )
    }
    let format = try attributes.blockFormat("rows_format", orThrow: error)
    rowsFormat = attributes["rows_format"] == nil ? .q8b32 : format
    guard rowsFormat != .f32 else {
      throw error("'rows_format' is \"f32\", accepted are the formats of packed rows, q8b32 when absent")
    }
    softcap = attributes.float("softcap", default: 0)
    isLastOnly = attributes.bool("last_only", default: false)
    tail = HireTail(
      bias: attributes.float("tail_bias", default: 0), slope: attributes.float("tail_slope", default: 1))
    guard tail.bias.isFinite, tail.slope > 0, tail.slope.isFinite else {
      throw error(
        "'tail_bias' is \(tail.bias) and 'tail_slope' \(tail.slope), accepted are numbers, and a slope above 0"
      )
    }
  }

  /// Shards of a vocabulary.
  public func shardCount(_ vocabulary: Int) -> Int { (vocabulary + shardRows - 1) / shardRows }
}
