public import Tensors

/// How a HiRE head searches the vocabulary: the attributes of `hire_lm_head`.
///
/// Predictor rows are cut into shards of `shardRows`, the last one shorter where they do not divide. Of each
/// shard `survivors` rows pass the first stage and `candidates` are computed exactly.
public struct HireSettings: Sendable {
  /// The form of the first stage.
  public let panels: ScanPanels
  /// A multiple of ``ScanPanels/rows``.
  public let shardRows: Int
  public let survivors: Int
  public let candidates: Int
  public let softcap: Float
  public let isLastOnly: Bool
  /// What is added to the estimate of the logarithm of the sum of exponentials.
  public let normalizerBias: Float

  /// The names of the attributes that must be given.
  public static let required = ["scan_rank", "scan_bits", "shard_rows", "candidates"]

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
    softcap = attributes.float("softcap", default: 0)
    isLastOnly = attributes.bool("last_only", default: false)
    normalizerBias = attributes.float("normalizer_bias", default: 0)
  }

  /// Shards of a vocabulary.
  public func shardCount(_ vocabulary: Int) -> Int { (vocabulary + shardRows - 1) / shardRows }
}
