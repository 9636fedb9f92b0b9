import Tokenization

/// Proposes what followed the last tokens where they stood in the text before.
///
///     ... the driver was written by Dani ... the driver was         proposes  written by Dani ...
///         `----------'                       `----------'
///          longest match, the latest of equals
///
/// Costs one scan of the text per draft and no weights.
///
/// - Source: prompt lookup decoding; papers.md, 4.5.
final class NgramDrafter: Drafter {
  /// The text, and behind it the draft.
  private var text: [TokenID] = []
  /// Where in the text the next proposal stands; nil without a match.
  private var source: Int?
  private var matched = 0

  /// Tokens of a match at most.
  private static let longest = 8

  func reset(capacity: Int) {
    text.removeAll(keepingCapacity: true)
    text.reserveCapacity(capacity + BlockLength.largest + 2)
  }

  func keep(_ tokens: [TokenID], _ count: Int, _ decoder: Decoder) {
    for place in 0..<count { text.append(tokens[place]) }
  }

  func begin(after token: TokenID) {
    text.append(token)
    match()
  }

  private func match() {
    (source, matched) = (nil, 0)
    let end = text.count - 1
    var place = end - 1
    while place >= 0, matched < Self.longest {
      var length = 0
      while length < Self.longest, place >= length, text[place - length] == text[end - length] { length += 1 }
      if length > matched { (source, matched) = (place + 1, length) }
      place -= 1
    }
  }

  func propose(position: Int, _ sampler: Sampler) -> Proposal? {
    guard let place = source else { return nil }
    let token = text[place]
    text.append(token)
    source = place + 1
    // A longer match is a better one; what is learned of each confidence replaces this guess.
    return Proposal(token: token, confidence: 1 - 1 / Float(matched + 1))
  }

  func forget(from count: Int) { while text.count > count { text.removeLast() } }
}
