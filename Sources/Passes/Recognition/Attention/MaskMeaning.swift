import GraphIR
import Tensors

/// What a mask means: which keys a query sees, and what is added to their scores.
///
/// A query at position `p` sees keys `j` with `j <= p` (causal) and `j > p - window`, of those the ones whose
/// entry in the attention mask is not 0; their scores are shifted by `slopes[head] * j`.
struct MaskMeaning: Equatable {
  var isCausal = true
  /// 0 when the whole past is seen.
  var window = 0
  var readsKeyMask = false
  /// One per head (ALiBi: Press, Smith and Lewis 2022); nil when there is no bias.
  var slopes: [Float]?
}

/// What is added to the scores at some sizes, `[batch, heads, rows, keys]`; minus infinity where a key is not seen.
struct ScoreBias {
  let probe: Probe
  let heads: Int
  let values: [Float]

  var keys: Int { probe.past + probe.rows }

  func at(_ batch: Int, _ head: Int, _ row: Int, _ key: Int) -> Float {
    values[((batch * heads + head) * probe.rows + row) * keys + key]
  }

  func sees(_ batch: Int, _ head: Int, _ row: Int, _ key: Int) -> Bool {
    at(batch, head, row, key) > -.infinity
  }

  /// The keys that one row sees, when they are a range.
  func range(_ head: Int, _ row: Int) -> Range<Int>? {
    let seen = (0..<keys).filter { sees(0, head, row, $0) }
    guard let first = seen.first, let last = seen.last, last - first + 1 == seen.count else { return nil }
    return first..<last + 1
  }
}

/// Finds out what a mask means from what it adds to scores at many sizes.
///
/// At every size the whole bias is compared with the reading, so a penalty that grows with the distance, or a mask that
/// weakens keys instead of hiding them, is no mask here.
struct MaskReader {
  /// Evaluates the bias: sizes, and the attention mask when it is not all ones (row-major, `[batch, keys]`).
  let bias: (Probe, [Int]?) throws(Miss) -> ScoreBias
  /// Whether the bias is computed from the elements of the attention mask.
  let dependsOnMask: Bool
  /// Whether several sequences fit the graph.
  let isBatchFree: Bool
  /// Whole numbers in the computation of the mask, near which a window could begin.
  let hints: [Int]
  /// The longest context that is looked at.
  let limit: Int

  /// Scores below this exclude a key; exporters write -inf, the least f32 or bf16, -1e9, -1e4.
  static let exclusion: Float = -9999

  func meaning() throws(Miss) -> MaskMeaning {
    var meaning = MaskMeaning()
    let widest = try bias(Probe(rows: 3, past: 9), nil)
    meaning.isCausal = !widest.sees(0, 0, 0, widest.keys - 1)
    meaning.slopes = try slopes(widest)
    for probe in probes {
      let found = try bias(probe, nil)
      if meaning.window == 0 { meaning.window = try window(found) }
      try confirm(meaning, found, mask: nil)
    }
    if dependsOnMask { meaning.readsKeyMask = try readsKeyMask(meaning) }
    return meaning
  }

  private var probes: [Probe] {
    var probes = [Probe(rows: 1, past: 0), Probe(rows: 5, past: 0), Probe(rows: 3, past: 9)]
    for hint in hints where hint > 1 && hint + 2 <= limit {
      probes += [Probe(rows: 2, past: hint - 2), Probe(rows: 3, past: hint - 1)]
    }
    if limit > 16 { probes.append(Probe(rows: 1, past: min(limit, 8192) - 1)) }
    return probes
  }

  /// The window of the last row; 0 when that sees the first key.
  private func window(_ bias: ScoreBias) throws(Miss) -> Int {
    guard let seen = bias.range(0, bias.probe.rows - 1) else {
      throw Miss("the mask shows a query something other than a run of keys")
    }
    return seen.lowerBound == 0 ? 0 : bias.keys - seen.lowerBound
  }

  /// Compares a bias with what the reading says it is, up to a shift of each row.
  private func confirm(_ meaning: MaskMeaning, _ bias: ScoreBias, mask: [Int]?) throws(Miss) {
    for batch in 0..<bias.probe.batch {
      for row in 0..<bias.probe.rows {
        let position = bias.probe.past + row
        let expected = (0..<bias.keys).map { key in
          (!meaning.isCausal || key <= position) && (meaning.window == 0 || key > position - meaning.window)
            && mask.map { $0[batch * bias.keys + key] != 0 } ?? true
        }
        // What a row without any key gives is nobody's business.
        guard let first = expected.firstIndex(of: true) else { continue }
        for head in 0..<bias.heads {
          let slope = meaning.slopes?[head] ?? 0
          let tolerance = 1e-4 * max(1, abs(slope) * Float(bias.keys))
          for key in 0..<bias.keys {
            guard bias.sees(batch, head, row, key) == expected[key] else {
              throw Miss(
                "the mask is neither causal nor a window: with \(bias.probe.past) past and \(bias.probe.rows)"
                  + " new positions, row \(row) \(expected[key] ? "does not see" : "sees") key \(key)")
            }
            guard expected[key] else { continue }
            let added = bias.at(batch, head, row, key) - bias.at(batch, head, row, first)
            let rest = added - slope * Float(key - first)
            guard abs(rest) <= tolerance else {
              throw Miss("the mask changes the scores of keys that are seen, by \(rest) at key \(key)")
            }
          }
        }
      }
    }
  }

  /// Whether keys are hidden where the attention mask is 0, found with padding on the left and holes, one of them
  /// right before the new rows, where the narrowest window sees it.
  private func readsKeyMask(_ meaning: MaskMeaning) throws(Miss) -> Bool {
    let masks = [
      [0, 0, 1, 1, 1, 1, 0, 1, 0, 1, 1, 1, 1], [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1],
    ]
    let batches = isBatchFree ? [masks.flatMap { $0 }] : masks
    var isRead = false
    for mask in batches {
      let found = try bias(Probe(batch: isBatchFree ? 2 : 1, rows: 4, past: 9), mask)
      do throws(Miss) {
        try confirm(meaning, found, mask: nil)
      } catch {
        try confirm(meaning, found, mask: mask)
        isRead = true
      }
    }
    return isRead
  }

  /// The slope of each head, from the outermost keys of the last row.
  private func slopes(_ bias: ScoreBias) throws(Miss) -> [Float]? {
    let row = bias.probe.rows - 1
    var slopes: [Float] = []
    for head in 0..<bias.heads {
      guard let seen = bias.range(head, row), seen.count > 1 else {
        throw Miss("the mask shows a query something other than a run of keys")
      }
      let rise = bias.at(0, head, row, seen.upperBound - 1) - bias.at(0, head, row, seen.lowerBound)
      slopes.append(rise / Float(seen.count - 1))
    }
    return slopes.allSatisfy { $0 == 0 } ? nil : slopes
  }
}
