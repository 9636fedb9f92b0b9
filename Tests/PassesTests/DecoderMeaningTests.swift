import Compiler
import GraphIR
import Operators
import Testing

/// The pipeline leaves what decoders compute as it is, however they are spelled.
@Suite struct DecoderMeaningTests {
  private static let seeds = 0..<40

  /// First and later tokens, one or several sequences, a past longer than any window, and one with hidden keys.
  private func sizes(_ form: RandomDecoder.Form) -> [Meaning.Sizes] {
    let batch = form.hasBatch ? 2 : 1
    var sizes = [(1, 4, 0), (batch, 3, 2), (1, 1, 9), (batch, 2, 17)].map { batch, rows, past in
      Meaning.Sizes(batch: batch, rows: rows, past: past, vocabulary: RandomDecoder.vocabulary)
    }
    if form.hasMask { sizes[1].hidden = [0] }
    if form.hasMask { sizes[3].hidden = [0, 1, 2, 15] }
    if form.hasPositionIDs { sizes[2].shift = 3 }
    return sizes
  }

  /// Every prefix of the pipeline, and the functions that it makes last.
  @Test(arguments: seeds)
  func everyPrefixComputesTheSame(_ seed: Int) throws {
    let (source, form) = try RandomDecoder.module(seed: UInt64(seed))
    let sizes = sizes(form)
    let meanings = try sizes.map { try Meaning(of: source, $0, seed: UInt64(seed)) }
    var module = source
    for pass in Pipeline.faithful.passes {
      let before = module.text
      try PassPipeline([pass]).run(on: &module, operators: OperatorSet.standard)
      guard module.text != before else { continue }
      for (size, meaning) in zip(sizes, meanings) {
        let difference = try meaning.difference(to: module)
        #expect(difference == nil, "seed \(seed), \(size), after '\(pass.name)' of \(form)\n\(before)")
        if difference != nil { return }
      }
    }
    for function in module.functions.dropFirst() {
      for (size, meaning) in zip(sizes, meanings)
      where size.batch == 1 && (size.rows == 1 || function.name != "decode") {
        let difference = try meaning.difference(to: module, function)
        #expect(difference == nil, "seed \(seed), \(size), '\(function.name)' of \(form)\n\(source.text)")
      }
    }
  }

  /// What keeps an attention from being one node would keep the test above from seeing what that does.
  @Test(arguments: seeds)
  func everyDecoderIsRecognized(_ seed: Int) throws {
    var (module, form) = try RandomDecoder.module(seed: UInt64(seed))
    let text = module.text
    let records = try Pipeline.faithful.run(on: &module, operators: OperatorSet.standard)
    let counts = records.reduce(into: [String: Int]()) { $0.merge($1.statistics, uniquingKeysWith: +) }
    let reasons = records.flatMap(\.misses).map { "\($0)" }.joined(separator: "\n")
    #expect(counts["attention"] == form.layers, "seed \(seed): \(form)\n\(reasons)\n\(text)")
    #expect(
      counts["positions"] == (form.positions == .learned ? 1 : nil), "seed \(seed): \(form)\n\(reasons)")
    #expect(counts["fuse-feed-forward"] == form.layers && counts["phases"] == 3, "seed \(seed)\n\(reasons)")
  }

  /// The seeds are such that every spelling comes up.
  @Test func everyFormComesUp() throws {
    let forms = try Self.seeds.map { try RandomDecoder.module(seed: UInt64($0)).form }
    for positions in RandomDecoder.Positions.allCases {
      #expect(forms.contains { $0.positions == positions && $0.hasPositionIDs }, "\(positions) by ids")
      #expect(
        forms.contains { $0.positions == positions && !$0.hasPositionIDs }, "\(positions) from the past")
    }
    #expect(
      forms.contains { $0.window != nil && $0.hasMask } && forms.contains { $0.window == nil && !$0.hasMask })
    #expect(forms.contains { $0.keyHeads > 1 && $0.keyHeads < $0.heads } && forms.contains { !$0.hasBatch })
  }
}
