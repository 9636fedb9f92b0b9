import GraphIR
import Operators
import Tensors
import Testing

@testable import Passes

/// With a recall of 1 nothing is predicted: zeros are proved, groups are chosen by exact scores.
@Suite struct NeuronBoundsTests {
  private typealias Decoder = HireFeedForwardPassTests

  private static func pass(recall: Double = 1) -> HireFeedForward {
    var options = HireFeedForward.Options()
    options.recall = recall
    return HireFeedForward(options, states: Decoder.states(1), threadCount: 2)
  }

  private static func sparse(_ module: Module, _ name: String = "decode") throws -> Node {
    let graph = try #require(module.functions.first { $0.name == name }).graph
    return try #require(graph.order.map { graph[$0] }.first { $0.operation == "hire_feed_forward" })
  }

  /// Few neurons are active, all others proved to be 0 by a copy of a fifth of the bytes.
  @Test(arguments: [false, true]) func zerosAreProved(isGated: Bool) throws {
    let planted = PlantedNeurons(bias: -4.5)
    var module = try Decoder.decoder([
      Decoder.Block(activation: "relu", isGated: isGated, active: 0, planted: planted)
    ])
    let record = try Decoder.run(&module, Self.pass())
    #expect(record.misses.isEmpty, "\(record.misses)")
    for name in ["decode", "block"] {
      let node = try Self.sparse(module, name)
      #expect(node.attributes.string("bound_format", default: "") == "q6b16", "\(record.details)")
      #expect(node.operands[4] == nil && node.operands.count == 14)
      let (left, active) = (
        try #require(node.attributes.int("expected_candidates")),
        try #require(node.attributes.int("expected_active"))
      )
      #expect(active > 0 && left >= active && left < 128, "\(left) of 512, \(active) active")
    }
    let note = try #require(
      record.notes.first { $0.hasPrefix("certified zeros: in 1 block bounds prove all but ") })
    #expect(note.hasSuffix(" MB more in the plan"), "\(note)")
    #expect(record.notes[0].hasSuffix("and miss nothing") && record.budget?.wanted == "nothing predicted")
    #expect(record.fidelity == .rounding)

    // The same module without its bounds.
    var plain = module
    for place in plain.functions.indices {
      var graph = plain.functions[place].graph
      for id in graph.order where graph[id].operation == "hire_feed_forward" {
        graph[id].attributes["bound_format"] = nil
        graph[id].operands.removeLast(3)
        while graph[id].operands.last == .some(nil) { graph[id].operands.removeLast() }
      }
      plain.functions[place].graph = graph
    }
    for name in ["decode", "block"] {
      #expect(try Decoder.logits(module, name) == (try Decoder.logits(plain, name)), "the same bits")
    }
    #expect(Decoder.close(try Decoder.logits(module, "decode"), try Decoder.logits(module, "main"), 1e-5))
  }

  /// Near misses: half of noise is active, so copies in 5 or 6 bits spare next to nothing of 8, and nothing is smaller than
  /// 4 bits. Picked columns of so many neurons take as long as all.
  @Test(arguments: [
    (BlockFormat.q8b32, "bounds of q6b16 leave "), (.q4b32, "no bounds: no format is smaller"),
  ])
  func boundsThatDoNotPayAreLeftOut(_ format: BlockFormat, _ line: String) throws {
    var module = try Decoder.decoder([Decoder.Block(activation: "relu", active: 0)])
    _ = try PassPipeline([QuantizeWeights(.format(format))]).run(on: &module, operators: OperatorSet.standard)
    let record = try Decoder.run(&module, Self.pass())
    #expect(record.misses.first?.reason.hasPrefix("it would not pay: ") == true, "\(record.misses)")
    #expect(record.details.contains { $0.contains(line) }, "\(record.details)")
    #expect(Decoder.operations(module, "decode") == ["feed_forward"])
  }

  /// Groups that the model was trained with are the best by exact scores of all.
  @Test func trainedGroupsAreChosenExactly() throws {
    var module = try Decoder.decoder([Decoder.Block()])
    var options = HireFeedForward.Options()
    options.recall = 1
    // Nothing is judged, so nothing need be known of what the block reads.
    let pass = HireFeedForward(options)
    #expect(pass.taps(module.main.graph).isEmpty)
    let record = try Decoder.run(&module, pass)
    #expect(record.misses.isEmpty, "\(record.misses)")
    let node = try Self.sparse(module)
    #expect(node.operands.count == 3 && node.attributes.int("candidate_groups") == Decoder.active)
    #expect(node.attributes.int("active_groups") == Decoder.active)
    #expect(Decoder.close(try Decoder.logits(module, "decode"), try Decoder.logits(module, "main"), 1e-5))
  }

  /// Neither loss of meaning is there without a prediction, so the pass is allowed where rounding is.
  @Test func theClassIsThatOfTheOptions() {
    #expect(Self.pass().fidelity == .rounding && Self.pass(recall: 0.99).fidelity == .statistical)
    var options = HireFeedForward.Options()
    (options.recall, options.keep) = (1, 0.5)
    #expect(HireFeedForward(options).fidelity == .statistical)
    (options.keep, options.budget) = (nil, 0.1)
    #expect(HireFeedForward(options).fidelity == .statistical)
  }
}
