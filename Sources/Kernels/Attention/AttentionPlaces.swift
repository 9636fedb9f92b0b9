/// Where queries stand among the keys, and which keys they may see from there.
///
/// A row `i` stands at `p = offset + i`; key `j` may be seen when `j <= p` (causal), `p - left <= j <= p +
/// right` (where not negative) and `j` is below the number of valid keys.
struct AttentionPlaces {
  var offset: Int
  var isCausal: Bool
  var left = -1
  var right = -1
  /// Per batch entry the number of valid keys, at whose end its queries then stand.
  var valid: UnsafeBufferPointer<Int>?
  var rows = 0

  func keys(batch: Int, row: Int, of count: Int) -> Range<Int> {
    let valid = valid?[batch]
    let position = (valid.map { $0 - rows } ?? offset) + row
    var (low, high) = (0, min(count, valid ?? count))
    if isCausal { high = min(high, position + 1) }
    if right >= 0 { high = min(high, position &+ right + 1) }
    if left >= 0 { low = max(low, position - left) }
    high = max(high, 0)
    return min(low, high)..<high
  }
}
