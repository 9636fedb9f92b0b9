import Tensors

/// Searches stages, ranks, bits and quotas for the least cost that meets a recall on held-out hidden states.
struct HeadSearch {
  /// A form with what it costs and finds.
  struct Option {
    let form: HireForm
    let nanoseconds: Double
    let bytes: Int
    /// Expected share of the best tokens that are candidates, over states and shards; and half of its 95 %
    /// interval.
    let recall: Double
    let interval: Double
    /// The same of the best token alone.
    let topRecall: Double
  }

  let cost: HeadCost
  let target: Double

  private static let scans = [32, 48, 64, 96, 128, 160, 192].flatMap { rank in
    [4, 8].map { PredictorTrial(rank: rank, coding: .scan(bits: $0)) }
  }
  private static let rows = [128, 192, 256, 320, 384].flatMap { rank in
    [BlockFormat.q4b32, .q8b32].map { PredictorTrial(rank: rank, coding: .rows($0)) }
  }
  private static let survivors = [32, 48, 64, 96, 128, 192, 256, 384, 512, 768]
  private static let candidates = [4, 8, 12, 16, 24, 32, 48, 64, 96, 128]
  /// Survivors for one candidate where one stage chooses both.
  private static let observed = 8
  /// Ranks from here on are as good as lost with any of these quotas.
  private static let largestRank = 1 << 17

  /// Rows per shard: about 64 shards, of at least 256 rows so that quotas are small shares.
  var shardRows: Int { max(256, (cost.vocabulary / 64 + 15) / 16 * 16) }
  private var shards: Int { (cost.vocabulary + shardRows - 1) / shardRows }

  /// For each pair of stages the cheapest form that meets the target, cheapest first; and the best recall of
  /// all.
  ///
  /// - Parameter plane: the ranks by the head's first plane, for forms that read it.
  func options(
    _ ranks: PredictorRanks, plane: [Int32]? = nil, progress: (Double) -> Void
  ) -> (options: [Option], best: Option?) {
    let scans = Self.scans.filter { $0.rank < cost.width }
    let rows = Self.rows.filter { $0.rank < cost.width }
    let whole = PredictorTrial(rank: cost.width, coding: .plane)
    var tables = [whole: plane].compactMapValues { $0 }
    let planes = Array(tables.keys)
    for (index, trial) in (scans + rows).enumerated() {
      tables[trial] = ranks.ranks(trial)
      progress(Double(index + 1) / Double(scans.count + rows.count))
    }
    let kept = Dictionary(
      uniqueKeysWithValues: Set(Self.survivors + Self.candidates).map {
        ($0, ShardQuota(shards: shards, quota: $0).table(min(Self.largestRank, cost.vocabulary)))
      })
    var options: [Option] = []
    var best: Option?
    for scan in scans + planes {
      for second in [nil] + (rows + planes).filter({ $0.rank > scan.rank }).map(Optional.some) {
        var cheapest: Option?
        for form in forms(scan, second) {
          let nanoseconds = cost(form)
          if let cheapest, cheapest.nanoseconds <= nanoseconds { continue }
          let option = judge(form, nanoseconds, tables, kept, ranks)
          if option.recall > best?.recall ?? 0 { best = option }
          if option.recall - option.interval >= target, option.topRecall >= target { cheapest = option }
        }
        if let cheapest { options.append(cheapest) }
      }
    }
    return (options.sorted { $0.nanoseconds < $1.nanoseconds }, best)
  }

  private func forms(_ scan: PredictorTrial, _ rows: PredictorTrial?) -> [HireForm] {
    let candidates = Self.candidates.filter { $0 <= shardRows }
    return candidates.flatMap { count -> [HireForm] in
      guard rows != nil else {
        // Survivors that are no candidates cost next to nothing, and tell what is missed.
        let survivors = min(Self.observed * count, shardRows)
        return [
          HireForm(scan: scan, rows: nil, shardRows: shardRows, survivors: survivors, candidates: count)
        ]
      }
      return Self.survivors.filter { $0 > count && $0 <= shardRows }.map {
        HireForm(scan: scan, rows: rows, shardRows: shardRows, survivors: $0, candidates: count)
      }
    }
  }

  private func judge(
    _ form: HireForm, _ nanoseconds: Double, _ tables: [PredictorTrial: [Int32]], _ kept: [Int: [Double]],
    _ ranks: PredictorRanks
  ) -> Option {
    // A second stage chooses the candidates, or the first does.
    let stages: [(ranks: [Int32], kept: [Double])] =
      if let rows = form.rows {
        [(tables[form.scan]!, kept[form.survivors]!), (tables[rows]!, kept[form.candidates]!)]
      } else {
        [(tables[form.scan]!, kept[form.candidates]!)]
      }
    var (all, top) = (RunningMean(), RunningMean())
    for state in 0..<ranks.count {
      var recall = 0.0
      for index in (state * ranks.k)..<((state + 1) * ranks.k) {
        let probability = stages.reduce(1.0) { product, stage in
          let rank = Int(stage.ranks[index])
          return rank < stage.kept.count ? product * stage.kept[rank] : 0
        }
        recall += probability
        if index == state * ranks.k { top.add(probability) }
      }
      all.add(recall / Double(ranks.k))
    }
    return Option(
      form: form, nanoseconds: nanoseconds, bytes: cost.bytes(form), recall: all.mean,
      interval: 1.96 * all.standardError, topRecall: top.mean)
  }
}
