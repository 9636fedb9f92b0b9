/// Text on its way to tokens: one run of bytes, cut into pieces.
struct PieceBuffer {
  /// A stretch of the bytes: text still to be tokenized, or an added token already recognized.
  struct Piece {
    var range: Range<Int>
    /// The added token that this piece is; nil for text.
    var token: TokenID?
    /// Whether the piece begins where the caller's text begins.
    var isFirst: Bool
  }

  private(set) var bytes: [UInt8]
  private(set) var pieces: [Piece]

  init(_ bytes: [UInt8]) {
    self.bytes = bytes
    pieces = bytes.isEmpty ? [] : [Piece(range: 0..<bytes.count, token: nil, isFirst: true)]
  }

  /// Replaces every piece of text by the pieces `cut` yields for it; empty ones are dropped.
  ///
  /// - Parameter cut: is given the text and appends ranges within it, with the added token a range is.
  mutating func cut(
    _ cut: (UnsafeBufferPointer<UInt8>, inout [(range: Range<Int>, token: TokenID?)]) -> Void
  ) {
    var result: [Piece] = []
    result.reserveCapacity(pieces.count)
    var parts: [(range: Range<Int>, token: TokenID?)] = []
    bytes.withUnsafeBufferPointer { buffer in
      for piece in pieces {
        guard piece.token == nil else {
          result.append(piece)
          continue
        }
        parts.removeAll(keepingCapacity: true)
        cut(UnsafeBufferPointer(rebasing: buffer[piece.range]), &parts)
        for (range, token) in parts where !range.isEmpty {
          let start = piece.range.lowerBound
          result.append(
            Piece(
              range: start + range.lowerBound..<start + range.upperBound, token: token,
              isFirst: piece.isFirst && range.lowerBound == 0))
        }
      }
    }
    pieces = result
  }

  /// Splits every piece of text at the matches of `pattern`.
  mutating func split(_ pattern: TextPattern, _ behavior: SplitBehavior, invert: Bool) {
    var stretches: [SplitBehavior.Stretch] = []
    cut { text, parts in
      stretches.removeAll(keepingCapacity: true)
      var end = 0
      pattern.forEachMatch(in: text) { match in
        if end < match.lowerBound { stretches.append((end..<match.lowerBound, invert)) }
        stretches.append((match, !invert))
        end = match.upperBound
      }
      if end < text.count { stretches.append((end..<text.count, invert)) }
      for range in behavior.pieces(of: stretches) { parts.append((range, nil)) }
    }
  }

  /// Rewrites every piece of text; those that become empty are dropped.
  ///
  /// - Parameter rewrite: is given the text and whether the caller's text begins there; appends the new text.
  mutating func rewrite(_ rewrite: (UnsafeBufferPointer<UInt8>, Bool, inout [UInt8]) -> Void) {
    var result: [UInt8] = []
    result.reserveCapacity(bytes.count + bytes.count / 4)
    var kept: [Piece] = []
    kept.reserveCapacity(pieces.count)
    bytes.withUnsafeBufferPointer { buffer in
      for var piece in pieces {
        let start = result.count
        if piece.token == nil {
          rewrite(UnsafeBufferPointer(rebasing: buffer[piece.range]), piece.isFirst, &result)
          guard result.count > start else { continue }
        }
        piece.range = start..<result.count
        kept.append(piece)
      }
    }
    (bytes, pieces) = (result, kept)
  }
}
