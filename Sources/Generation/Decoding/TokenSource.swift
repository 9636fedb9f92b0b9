import Tokenization

/// Draws the tokens that follow a prompt, one or several at a time.
protocol TokenSource: AnyObject {
  /// Tokens that the last call drew and that stay; at first the one that follows the prompt.
  var settled: [TokenID] { get }
  /// Whether a drafter proposed the token at a place of ``settled``.
  func wasProposed(_ place: Int) -> Bool

  /// Draws the tokens that come next into ``settled``.
  ///
  /// - Parameters:
  ///   - limit: the most that are wanted, at least 1.
  ///   - onDrawn: given each token that is not settled as it is drawn.
  func advance(
    limit: Int, isCancelled: () -> Bool, _ statistics: inout GenerationStatistics, onDrawn: (TokenID) -> Void
  ) throws(GenerationError)
}

extension Sampler {
  /// Draws a token from each row, as long as they are the ones that were proposed.
  ///
  /// Row `i` holds what is known behind the first `i` proposals, so it is valid only if these are what is drawn. With
  /// the noise of each position a function of the seed alone, the tokens are those of drawing one by one.
  ///
  /// - Parameters:
  ///   - proposed: the tokens of the first rows; a row behind them gives one more.
  ///   - start: the number of tokens before that which the first row belongs to.
  ///   - settled: gets every token that is drawn, also that in place of the first wrong proposal.
  ///   - draw: gives the token of a row for a position.
  /// - Returns: how many proposals are right.
  func confirm(
    _ proposed: [TokenID], rows: Int, from start: Int, into settled: inout [TokenID],
    draw: (_ row: Int, _ position: Int) throws(GenerationError) -> TokenID
  ) throws(GenerationError) -> Int {
    for row in 0..<rows {
      let token = try draw(row, start + row + 1)
      observe(token)
      settled.append(token)
      if row == proposed.count || token != proposed[row] { return row }
    }
    return rows
  }
}
