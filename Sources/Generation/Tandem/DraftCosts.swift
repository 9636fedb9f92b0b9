import Tokenization

/// What drafting costs on this machine: runs of a decoder over blocks, and drafters beside them, timed in the same turns
/// and by the same rule (``TurnTimes``).
struct DraftCosts {
  /// What a drafter takes, over a run over one token.
  struct Share {
    /// A proposal.
    let proposal: Double
    /// Taking in what a run has settled.
    let refresh: Double
  }

  /// T(m) / T(1) for m = 1, 2, ...
  let blocks: [Double]
  /// In the order of the drafters.
  let shares: [Share]

  private static let turns = 7
  /// Tokens of a draft, and of the run whose tokens drafters take in.
  private static let length = 4

  /// - Parameters:
  ///   - drafters: of the decoder.
  ///   - depth: tokens in the caches before.
  init(_ decoder: Decoder, _ drafters: [any Drafter], depth: Int) throws(GenerationError) {
    let largest = BlockLength.largest + 1
    let timer = try DecoderTimer(decoder, capacity: depth + largest, exactness: .none)
    for drafter in drafters { try drafter.reset(capacity: depth + largest) }
    try timer.fill(to: depth, drafters)
    let places = drafters.indices
    var (blocks, drafts) = (TurnTimes(largest), TurnTimes(places.count))
    var refreshes = TurnTimes(places.count)
    for _ in 0..<Self.turns {
      for size in 1...largest { blocks.note(try timer.block(size, depth: depth), of: size - 1) }
      for place in places {
        drafts.note(try timer.draft(Self.length, by: drafters[place], depth: depth), of: place)
      }
      let seconds = try timer.refreshes(Self.length, drafters, depth: depth)
      for place in places { refreshes.note(seconds[place], of: place) }
    }
    let medians = blocks.medians
    self.blocks = medians.map { $0 / medians[0] }
    shares = zip(drafts.medians, refreshes.medians).map {
      Share(proposal: $0 / Double(Self.length) / medians[0], refresh: $1 / medians[0])
    }
  }
}
