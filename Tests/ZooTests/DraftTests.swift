import Foundation
import Kernels
import TestSupport
import Testing
import Tokenization

@testable import Generation

/// Drafted texts are those of plain decoding, whatever is proposed.
@Suite struct DraftTests {
  /// Proposes tokens of a given text, some of them spoiled, or tokens of chance.
  private final class ScriptedDrafter: Drafter {
    let script: [TokenID]
    /// Every so many proposals one is wrong; 0 spoils none.
    let spoils: Int
    let vocabulary: Int
    private(set) var kept: [TokenID] = []
    private var proposed = 0
    private var random = SeededGenerator(seed: 3)

    init(_ script: [TokenID], spoils: Int, vocabulary: Int) {
      (self.script, self.spoils, self.vocabulary) = (script, spoils, vocabulary)
    }

    func reset(capacity: Int) { kept = [] }
    func keep(_ tokens: [TokenID], _ count: Int, _ decoder: Generation.Decoder) {
      kept += tokens.prefix(count)
      #expect(kept.count <= decoder.count)
    }
    func begin(after token: TokenID) {}
    func propose(position: Int, _ sampler: Sampler) -> Proposal? {
      proposed += 1
      let token = position < script.count ? script[position] : 0
      let isSpoiled = spoils > 0 && proposed % spoils == 0
      return Proposal(
        token: isSpoiled ? TokenID.random(in: 0..<TokenID(vocabulary), using: &random) : token,
        confidence: Float.random(in: 0...1, using: &random))
    }
    func forget(from count: Int) { #expect(count == kept.count) }
  }

  private static let models =
    [Zoo.tandem8M]
    + Zoo.runnable.filter {
      ["gemma3_text/optimum", "llama/genai32", "gpt2/mobius"].contains($0.testDescription)
    }.map(\.path)

  private static let sampling: [SamplingOptions] = {
    var options = [SamplingOptions](repeating: SamplingOptions(), count: 5)
    for index in 1..<5 { (options[index].temperature, options[index].seed) = (0.8, UInt64(index)) }
    options[2].topP = 0.9
    (options[3].topK, options[3].repetitionPenalty) = (5, 1.4)
    options[4].repetitionPenalty = 0.8
    return options
  }()

  private static let lengths: [BlockLength] = [
    .adaptive, .fixed(1), .fixed(2), .fixed(3), .fixed(8), .fixed(15),
  ]

  /// A decoder, and what it writes without drafts.
  private struct Writer {
    let decoder: Generation.Decoder
    let vocabulary: Int
    var prompt: [TokenID]
    var context = 512

    init(_ model: String, threads: Int = 2, promptCount: Int = 9) throws {
      decoder = try Generation.Decoder(try CompiledPlan(model).file, pool: ThreadPool(threadCount: threads))
      let vocabulary = try #require(decoder.vocabularyCount)
      (self.vocabulary, prompt) = (
        vocabulary, (0..<promptCount).map { TokenID(($0 * 7919 + 3) % vocabulary) }
      )
    }

    func options(_ tokens: Int, _ sampling: SamplingOptions = SamplingOptions()) -> TokenGenerator.Options {
      var options = TokenGenerator.Options()
      (options.maxTokens, options.sampling) = (tokens, sampling)
      return options
    }

    func plain(_ options: TokenGenerator.Options) throws -> TokenGenerator.Output {
      try TokenGenerator(decoder, context: context).generate(prompt, options)
    }

    func drafted(
      _ options: TokenGenerator.Options, by drafter: any Drafter, isCancelled: () -> Bool = { false },
      onDrawn: (TokenID) -> Void = { _ in }, onToken: (TokenID) -> TokenGenerator.Ending? = { _ in nil }
    ) throws -> TokenGenerator.Output {
      try TokenGenerator(decoder, context: context, drafting: Drafting(.ngram, drafter, decoder)).generate(
        prompt, options, isCancelled: isCancelled, onDrawn: onDrawn, onToken: onToken)
    }
  }

  @Test(arguments: models, [1, 2])
  func textsAreThoseOfPlainDecoding(_ model: String, threads: Int) throws {
    let writer = try Writer(model, threads: threads)
    for sampling in Self.sampling {
      var options = writer.options(60, sampling)
      let plain = try writer.plain(options)
      for length in Self.lengths {
        options.blockLength = length
        for spoils in [0, 1, 2, 5] {
          let drafter = ScriptedDrafter(
            writer.prompt + plain.tokens, spoils: spoils, vocabulary: writer.vocabulary)
          let output = try writer.drafted(options, by: drafter)
          #expect(output.tokens == plain.tokens, "\(length), every \(spoils) wrong, \(sampling)")
          let draft = output.statistics.draft
          #expect(draft.accepted + draft.largePasses == 59 && draft.lengths.reduce(0, +) == draft.largePasses)
          #expect(draft.draftedAt.reduce(0, +) == draft.drafted)
          #expect(draft.acceptedAt.reduce(0, +) == draft.accepted)
          if spoils == 0, case .fixed(let count) = length {
            #expect(draft.largePasses == (59 + count) / (count + 1) && draft.accepted == draft.drafted)
          }
          // All but the last token went through the decoder, each once.
          #expect(drafter.kept == writer.prompt + plain.tokens.dropLast())
        }
        let ngram = try writer.drafted(options, by: NgramDrafter())
        #expect(ngram.tokens == plain.tokens, "n-grams, \(length), \(sampling)")
      }
    }
  }

  /// Of a text that repeats itself most tokens are found.
  @Test func repetitionIsFound() throws {
    let drafter = NgramDrafter()
    let decoder = try Writer(Self.models[2]).decoder
    let sampler = Sampler(SamplingOptions(), vocabularyCount: 100)
    func propose(_ text: [TokenID], _ count: Int) -> [TokenID] {
      drafter.reset(capacity: 64)
      drafter.keep(text, text.count - 1, decoder)
      drafter.begin(after: text.last!)
      defer { drafter.forget(from: text.count - 1) }
      return (0..<count).compactMap { drafter.propose(position: text.count + $0, sampler)?.token }
    }
    #expect(propose([1, 2, 3, 4, 5, 1, 2, 3], 4) == [4, 5, 1, 2])
    // The longest match, the latest of equals; a draft may go on in itself.
    #expect(propose([7, 1, 2, 3, 9, 2, 3, 8, 1, 2, 3], 2) == [9, 2])
    #expect(propose([2, 3, 9, 2, 3, 8, 2, 3], 1) == [8])
    #expect(propose([5, 5, 5], 5) == [5, 5, 5, 5, 5])
    #expect(propose([1, 2, 3], 2) == [] && propose([4], 2) == [])
  }

  // MARK: Without verification

  /// All of a draft stays, and the decoder draws the token behind it.
  @Test(arguments: [1, 4, 7])
  func unverifiedTextIsTheDrafters(_ length: Int) throws {
    let writer = try Writer(Self.models[2])
    let script = (0..<60).map { TokenID(($0 * 31 + 5) % writer.vocabulary) }
    func drafter() -> ScriptedDrafter { ScriptedDrafter(script, spoils: 0, vocabulary: writer.vocabulary) }
    var options = writer.options(41)
    // Token by token, so that the same tokens as a prompt give the same bits.
    (options.chunk, options.blockLength, options.verifiesDrafts) = (1, .fixed(length), false)
    let output = try writer.drafted(options, by: drafter())
    #expect(output.tokens.count == 41)
    for (place, token) in output.tokens.enumerated() {
      if place % (length + 1) > 0 {
        #expect(token == script[writer.prompt.count + place], "token \(place)")
      } else {
        var (reader, single) = (writer, writer.options(1))
        reader.prompt += output.tokens[..<place]
        single.chunk = 1
        #expect(try reader.plain(single).tokens == [token], "token \(place)")
      }
    }
    let draft = output.statistics.draft
    #expect(draft.largePasses == 40 / (length + 1) && draft.tokensPerPass == Double(length + 1))
    #expect(draft.accepted == draft.drafted && draft.acceptance == 1 && draft.right * 2 < draft.drafted)
    #expect(draft.right == draft.rightAt.reduce(0, +))
  }

  /// What counts is what stays, and not what verification would have left of it.
  @Test func unverifiedDraftsAreAsLongAsTheySaveTime() throws {
    let writer = try Writer(Self.models[0])
    let script = (0..<260).map { TokenID(($0 * 31 + 5) % writer.vocabulary) }
    var options = writer.options(240)
    options.verifiesDrafts = false
    let draft = try writer.drafted(
      options, by: ScriptedDrafter(script, spoils: 0, vocabulary: writer.vocabulary)
    ).statistics.draft
    #expect(draft.accepted > 120 && draft.right * 4 < draft.accepted)
  }

  // MARK: Endings in the middle of a block

  @Test(arguments: lengths)
  func endingsAreThoseOfPlainDecoding(_ length: BlockLength) throws {
    for promptCount in [1, 2, 9] {
      var writer = try Writer(Self.models[2], promptCount: promptCount)
      let whole = try writer.plain(writer.options(40)).tokens
      func drafter() -> ScriptedDrafter {
        ScriptedDrafter(writer.prompt + whole, spoils: 7, vocabulary: writer.vocabulary)
      }
      for count in [1, 2, 5, 9, 15, 16, 17, 18, 24, 33, 34] {
        var options = writer.options(count)
        options.blockLength = length
        #expect(try writer.drafted(options, by: drafter()).tokens == Array(whole.prefix(count)))

        options.maxTokens = 40
        options.stopTokens = [whole[count]]
        let (stopped, plain) = (try writer.drafted(options, by: drafter()), try writer.plain(options))
        #expect(stopped.tokens == plain.tokens && stopped.ending == .stopToken)
        options.stopTokens = []

        var given = 0
        let asked = try writer.drafted(
          options, by: drafter(),
          onToken: { token in
            #expect(token == whole[given])
            given += 1
            return given == count ? .stopString : nil
          })
        #expect(asked.tokens == Array(whole.prefix(count)) && asked.ending == .stopString)

        writer.context = writer.prompt.count + count
        let full = try writer.drafted(options, by: drafter())
        let plainlyFull = try writer.plain(options)
        #expect(full.tokens == plainlyFull.tokens && full.ending == plainlyFull.ending)
        #expect(writer.decoder.count <= writer.context)
        writer.context = 512

        var polls = 0
        let cancelled = try writer.drafted(
          options, by: drafter(),
          isCancelled: {
            polls += 1
            return polls == count
          })
        #expect(cancelled.tokens == Array(whole.prefix(cancelled.tokens.count)))
        #expect(cancelled.ending == .cancelled && cancelled.tokens.count < 40)
      }
    }
  }

  @Test func proposedTokensAreTold() throws {
    let writer = try Writer(Self.models[2])
    let plain = try writer.plain(writer.options(50))
    var count = 0
    let output = try writer.drafted(
      writer.options(50),
      by: ScriptedDrafter(writer.prompt + plain.tokens, spoils: 3, vocabulary: writer.vocabulary),
      onDrawn: { _ in count += 1 })
    #expect(count == output.statistics.draft.drafted && count > 0)
    #expect(count > output.statistics.draft.accepted)
  }

  // MARK: Refusals

  @Test func whatCannotVerifyIsRefused() throws {
    let pool = ThreadPool(threadCount: 1)
    let dense = try Generation.Decoder(try CompiledPlan(Self.models[2]).file, pool: pool)
    #expect {
      try Drafting.make(.layers, for: dense, pool: pool)
    } throws: {
      "\($0)".contains("has no function of some of its layers, which --draft layers needs")
    }
    let single = try CompiledPlan(Self.models[2], disabling: ["specialize-phases"]).file
    #expect {
      try Drafting.make(.ngram, for: try Generation.Decoder(single, pool: pool), pool: pool)
    } throws: {
      "\($0)".contains("has no function 'block', which --draft ngram needs")
    }
    #expect(try Drafting.make(nil, for: dense, pool: pool) == nil)
  }
}
