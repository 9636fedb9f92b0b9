/// Logits with the tokens that they belong to: those of the whole vocabulary in order, or those of a list.
struct LogitRow {
  let logits: UnsafeBufferPointer<Float>
  /// The token of each place, -1 where there is none, whose logit is minus infinity; nil when place and token are
  /// the same.
  let tokens: UnsafePointer<Int32>?

  var count: Int { logits.count }

  @inline(__always)
  func token(_ place: Int) -> Int { tokens.map { Int($0[place]) } ?? place }

  /// The token with the largest logit; of equal ones the smallest.
  func likeliest(_ maximum: Float) -> Int {
    guard let tokens else { return LogitScan.first(maximum, in: logits) }
    var token = Int32.max
    for place in 0..<count where logits[place] == maximum { token = min(token, tokens[place]) }
    return Int(token)
  }

  /// Calls `body` for every logit that is at least `threshold` then; it returns the threshold from there on.
  @inline(__always)
  func forEach(from threshold: Float, _ body: (_ token: Int, _ logit: Float) -> Float) {
    LogitScan.forEach(logits, from: threshold) { place, logit in body(token(place), logit) }
  }
}
