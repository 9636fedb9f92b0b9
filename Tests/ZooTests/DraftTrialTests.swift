import Compiler
import Foundation
import GraphIR
import Kernels
import Operators
import PlanFormat
import Tensors
import Testing
import Tokenization

@testable import Generation

/// A plan whose runs over several tokens, and they alone, find one token likeliest after all of them.
private enum SpoiledBlocks {
  static func plan(_ model: String, saying token: Int) throws -> PlanFile {
    var options = ConversionOptions(model: model)
    (options.weights, options.maxContext) = (.f32, 512)
    var module = try Conversion(options).run().module
    let place = try #require(module.functions.firstIndex { $0.name == "block" })
    let graph = module.functions[place].graph
    let output = try #require(graph.outputs.firstIndex { $0.name == "logits" })
    var builder = GraphBuilder(
      graph, constants: module.constants, operators: OperatorSet.standard,
      symbols: SymbolSource(unusedIn: module))
    let logits = graph.outputs[output].value
    let vocabulary = try #require(graph[logits].type.shape.last?.constant)
    let large = Tensor(f32: (0..<vocabulary).map { $0 == token ? 1000 : 0 }, [vocabulary])
    builder.graph.outputs[output].value = try builder("add", logits, builder.constant(large, name: "large"))
    module.functions[place].graph = builder.graph
    module.constants = builder.constants
    return try CompiledPlan(module, [Entry("context", "512")]).file
  }
}

private let model = Zoo.runnable.first { $0.testDescription == "llama/genai32" }!.path

/// Ways to write the same texts, side by side.
@Suite struct DraftContestTests {
  @Test func everyWayIsTimedOverTheSameTexts() throws {
    let plan = try CompiledPlan(model, NoisyHead(deviation: 0.3)).file
    let pool = ThreadPool(threadCount: 2)
    let decoder = try Generation.Decoder(plan, pool: pool, head: .dense)
    let prompts = try DraftContest.texts(by: decoder, 2, length: 12, prefix: [], context: 512)
    #expect(prompts.map(\.count) == [13, 13] && prompts[0] != prompts[1])
    let entrants = [
      DraftContest.Entrant(.dense, .none), .init(.dense, .ngram), .init(.hire, .none), .init(.hire, .ngram),
    ]
    let contest = try DraftContest(plan, entrants, prompts, count: 16, pool: pool)
    #expect(contest.results.map(\.entrant) == entrants && contest.speedUp(contest.results[0]) == 1)
    for result in contest.results {
      // Two texts; the first token of each comes from the prompt.
      #expect(result.isSame && result.tokens == 2 * 15 && result.seconds > 0, "\(result.entrant)")
      #expect((result.replaced > 0) == (result.entrant.head == .hire), "\(result.entrant)")
    }
    #expect(contest.results.allSatisfy { $0.tokensPerSecond <= contest.best.tokensPerSecond })
  }
  /// A way that writes another text is not chosen, however fast: n-grams find all of a text of one token.
  @Test func onlyTheSameTextsCount() throws {
    let plan = try SpoiledBlocks.plan(model, saying: 7)
    let entrants = [DraftContest.Entrant(.dense, .none), .init(.dense, .ngram)]
    let prompts: [[TokenID]] = [[5, 9, 5, 9, 5, 9], [3, 3, 3, 3]]
    let contest = try DraftContest(plan, entrants, prompts, count: 64, pool: ThreadPool(threadCount: 2))
    #expect(contest.results.map(\.isSame) == [true, false])
    #expect(contest.results[1].tokensPerSecond > contest.results[0].tokensPerSecond)
    #expect(contest.best.entrant == entrants[0])
  }
}

/// Drafts of a text that is known, and how they can fail.
@Suite struct DraftReplayTests {
  private let pool = ThreadPool(threadCount: 2)

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "nothing was thrown"
    } catch {
      return "\(error)"
    }
  }

  @Test func aTextThatDiffersIsAnError() throws {
    let (plan, small) = (try SpoiledBlocks.plan(model, saying: 7), try CompiledPlan(model).file)
    let replay = try DraftReplay(plan, small: small, count: 12, rounds: 1, pool: pool)
    #expect(
      message { _ = try replay.run(acceptance: 1, length: 3) }.contains(
        "writes another text with drafts, from token 1 on: its runs over several tokens do not give the logits of"
      ))
  }

  @Test func plansThatCannotBeComparedAreErrors() throws {
    let plan = try CompiledPlan(model).file
    let single = try CompiledPlan(model, disabling: ["specialize-phases"]).file
    let other = try CompiledPlan(Zoo.tandem8M).file
    func replay(_ plan: PlanFile, _ small: PlanFile, _ count: Int = 4) -> String {
      message { _ = try DraftReplay(plan, small: small, count: count, rounds: 1, pool: pool) }
    }
    #expect(
      replay(single, plan).contains("has no function 'block', which --draft-plan needs to verify drafts"))
    #expect(replay(plan, other).contains("has a vocabulary of 16384 tokens, the plan it is compared with of"))
    #expect(replay(plan, plan, .max).contains("more, do not fit the plan's context of"))
    #expect(replay(plan, plan) == "nothing was thrown")
  }
}

/// Trials of drafts on a machine that is busy now and then.
@Suite struct DraftTrialTests {
  /// Takes no time, but for moments in which the machine does something else.
  private final class InterruptedDrafter: Drafter {
    private var proposed = 0, kept = 0

    private static func pause() { Thread.sleep(forTimeInterval: 0.02) }

    func reset(capacity: Int) {}
    func keep(_ tokens: [TokenID], _ count: Int, _ decoder: Generation.Decoder) {
      kept += 1
      if kept % 10 == 0 { Self.pause() }
    }
    func begin(after token: TokenID) {}
    func propose(position: Int, _ sampler: Sampler) -> Proposal? {
      proposed += 1
      if proposed % 40 == 0 { Self.pause() }
      return Proposal(token: 1, confidence: 0.5)
    }
    func forget(from count: Int) {}
  }

  @Test func aBusyMomentIsNotTakenForACost() throws {
    let decoder = try Generation.Decoder(try CompiledPlan(model).file, pool: ThreadPool(threadCount: 2))
    let drafting = Drafting(.ngram, InterruptedDrafter(), decoder)
    let trial = try DraftTrial(decoder, drafting, prefix: [], context: 128)
    // A pause in every 40th proposal takes longer than a run each time.
    #expect(trial.drafted > 40 && trial.proposalCost < 0.1 && trial.refreshCost < 0.1)
  }
}
