import GraphIR
import Kernels
import Operators
import Tensors
import TestSupport
import Testing

@testable import Passes

/// What is planted in the rows of a block of 512 neurons over 64 numbers.
struct PlantedNeurons {
  /// The share of a neuron's variance that it has in common with seven others, anywhere in the block.
  var shared: Float = 0
  /// Added to all neurons: what is negative leaves few active.
  var bias: Float?
  /// Groups of 8 neighbours that look for the first number, which is 1, and how strongly.
  var common: [Int] = []
  var strength: Float = 0
  /// Whether down lies on a grid of 4 bits and 32 neighbours.
  var isOnGrid = false

  /// The planted group of each neuron: steps of 37 through the block.
  static func group(of neuron: Int, _ neurons: Int) -> Int { neuron * 37 % neurons / 8 }

  func rows(_ neurons: Int, _ width: Int, _ random: inout SeededGenerator) -> [Float] {
    func noise(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: -1...1, using: &random) } }
    let (directions, own) = (noise(neurons / 8 * width), noise(neurons * width))
    return (0..<neurons * width).map { index in
      let (neuron, k) = (index / width, index % width)
      if k == 0 { return common.contains(neuron / 8) ? strength : 0 }
      let direction = directions[Self.group(of: neuron, neurons) * width + k]
      return shared.squareRoot() * direction + (1 - shared).squareRoot() * own[index]
    }
  }

  /// What is left of numbers that were stored in q4b32.
  static func onGrid(_ numbers: [Float], _ columns: Int) -> [Float] {
    var result = numbers
    let format = BlockFormat.q4b32
    withUnsafeTemporaryAllocation(byteCount: format.rowBytes(columns), alignment: 64) { bytes in
      result.withUnsafeMutableBufferPointer { rows in
        for start in stride(from: 0, to: numbers.count, by: columns) {
          format.encode(rows.baseAddress! + start, columns: columns, into: bytes.baseAddress!)
          format.decode(bytes.baseAddress!, columns: columns, into: rows.baseAddress! + start)
        }
      }
    }
    return result
  }
}

/// Orders of neurons: groups by co-activation, and the common path.
@Suite struct NeuronOrderTests {
  private typealias Decoder = HireFeedForwardPassTests

  private static let together = PlantedNeurons(shared: 0.99, bias: -4.5)
  private static let apart = PlantedNeurons(shared: 0, bias: -4.5)

  private static func order(_ module: Module, _ block: Int) -> [Int]? {
    module.constants["hire.ffn.\(block).order"]?.doubles.map { Int($0) }
  }

  private static func sparse(_ module: Module, _ name: String, _ block: Int = 0) throws -> Node {
    let graph = try #require(module.functions.first { $0.name == name }).graph
    return graph.order.map { graph[$0] }.filter { $0.operation == "hire_feed_forward" }[block]
  }

  // MARK: Co-activation

  /// Neurons that were scattered over the block are found again, and the model stays what it is.
  @Test(arguments: [false, true]) func neuronsThatAreActiveTogetherBecomeGroups(isGated: Bool) throws {
    let block = Decoder.Block(activation: "relu", isGated: isGated, active: 0, planted: Self.together)
    let plain = try Decoder.decoder([block])
    var module = plain
    let record = try Decoder.run(&module, HireFeedForward(states: Decoder.states(1), threadCount: 2))
    #expect(record.misses.isEmpty, "\(record.misses)")
    let order = try #require(Self.order(module, 0), "\(record.notes) \(record.details)")
    #expect(order.sorted() == Array(0..<512))
    let whole = (0..<64).count { group in
      Set(order[(group * 8)..<(group * 8 + 8)].map { PlantedNeurons.group(of: $0, 512) }).count == 1
    }
    #expect(whole >= 60, "\(whole) of 64 groups")
    for name in ["decode", "block"] {
      let node = try Self.sparse(module, name)
      #expect(node.attributes.int("group_size") == 8 && node.attributes.int("active_groups") == nil)
      #expect(node.attributes.string("scan_of", default: "") == "groups", "eight neurons share a row")
      #expect(node.attributes.int("candidate_groups", default: 64) < 32)
    }
    let note = try #require(record.notes.first { $0.hasPrefix("co-activation: ") })
    #expect(note.hasPrefix("co-activation: neurons of 1 block lie in groups by it ("), "\(note)")
    // The same sums in another order; then those of what the predictor finds.
    let exact = try Decoder.logits(plain, "main")
    for name in ["main", "prefill"] { #expect(Decoder.close(try Decoder.logits(module, name), exact, 1e-4)) }
    #expect(Decoder.close(try Decoder.logits(module, "decode"), exact, 0.05))
  }

  /// A near miss: neurons are as rarely active, but each by itself.
  @Test func neuronsThatAreActiveApartStay() throws {
    var module = try Decoder.decoder([Decoder.Block(activation: "relu", active: 0, planted: Self.apart)])
    let record = try Decoder.run(&module, HireFeedForward(states: Decoder.states(1), threadCount: 2))
    #expect(record.misses.isEmpty && Self.order(module, 0) == nil, "\(record.misses) \(record.details)")
    let node = try Self.sparse(module, "decode")
    #expect(node.attributes.int("group_size") == 1 && node.attributes.int("common_groups") == nil)
    let note = try #require(record.notes.first { $0.hasPrefix("co-activation: ") })
    #expect(
      note.hasPrefix("co-activation: does not pay in 1 block (") && note.contains(" without)"), "\(note)")
  }

  /// What was quantized 32 neighbours at a time stays with these neighbours.
  @Test(arguments: [false, true]) func weightsOnAGridKeepTheirNeighbours(isOnGrid: Bool) throws {
    var planted = Self.together
    planted.isOnGrid = isOnGrid
    var module = try Decoder.decoder([Decoder.Block(activation: "relu", active: 0, planted: planted)])
    _ = try PassPipeline([QuantizeWeights(.format(.q4b32))]).run(on: &module, operators: OperatorSet.standard)
    let record = try Decoder.run(&module, HireFeedForward(states: Decoder.states(1), threadCount: 2))
    #expect(record.misses.isEmpty && (Self.order(module, 0) == nil) == isOnGrid, "\(record.details)")
    let reason = "neurons keep their order: down lies on a grid of q4b32"
    #expect(record.details.contains { $0.contains(reason) } == isOnGrid, "\(record.details)")
  }

  /// The method by itself: tokens, each with its active neurons, and the groups that come of them.
  @Test func groupsGrowByWhatIsMostAlike() throws {
    // 0, 3 and 6 are active together, so are 1, 4 and 7; 2 once, beside the first; 5 and 8 never.
    let rows: [[Int32]] = [[0, 3, 6], [0, 3, 6], [0, 2, 3, 6], [1, 4, 7], [1, 4, 7], [1, 4]]
    let activity = NeuronActivity(unitSize: 1, units: 9, rows: rows)
    #expect(CoactivationGroups(activity, size: 3).order == [0, 3, 6, 1, 4, 7, 2, 5, 8])
    // Of what is alike in nothing, the rarest and then the first.
    let apart = NeuronActivity(unitSize: 1, units: 4, rows: [[0], [1], [1], [2], [2], [2]])
    #expect(CoactivationGroups(apart, size: 2).order == [2, 3, 1, 0])
  }

  // MARK: The common path

  private static let always = Decoder.Block(
    active: 14, planted: PlantedNeurons(common: [3, 8, 9, 17, 18, 30, 31, 40, 50, 63], strength: 30))

  /// Groups that are active for nearly every token come first, and the predictor has no rows for them.
  @Test func groupsThatAreAlwaysActiveAreTheCommonPath() throws {
    let plain = try Decoder.decoder([Self.always])
    var module = plain
    let record = try Decoder.run(&module, HireFeedForward(states: Decoder.states(1), threadCount: 2))
    #expect(record.misses.isEmpty, "\(record.misses)")
    for name in ["decode", "block"] {
      #expect(try Self.sparse(module, name).attributes.int("common_groups") == 10, "\(record.details)")
    }
    let order = try #require(Self.order(module, 0))
    #expect(stride(from: 0, to: 80, by: 8).map { order[$0] / 8 } == Self.always.planted!.common)
    // Behind them the others, as they lay.
    #expect(
      order[80] == 0 && Array(order[80...]) == order[80...].sorted() && order.sorted() == Array(0..<512))
    let note = try #require(record.notes.first { $0.hasPrefix("common path: ") })
    #expect(note.hasPrefix("common path: 10 groups of 1 block are always computed ("), "\(note)")
    #expect(record.budget?.measured.hasSuffix(", 10 groups in common paths") == true)
    let exact = try Decoder.logits(plain, "main")
    for name in ["main", "prefill"] { #expect(Decoder.close(try Decoder.logits(module, name), exact, 1e-4)) }
    #expect(Decoder.close(try Decoder.logits(module, "decode"), exact, 0.05))
    let constants = try #require(Self.sparse(module, "decode").operands[4])
    let graph = try #require(module.functions.first { $0.name == "decode" }).graph
    #expect(graph[constants].type.shape[0].constant == 27, "432 of 512 neurons, 16 to a panel")
  }

  /// A near miss: they are active for about half of the tokens, and cost more in vain than a predictor.
  @Test func groupsThatAreOftenActiveAreNot() throws {
    var block = Self.always
    block.planted!.strength = 1.2
    var module = try Decoder.decoder([block])
    let record = try Decoder.run(&module, HireFeedForward(states: Decoder.states(1), threadCount: 2))
    #expect(record.misses.isEmpty && Self.order(module, 0) == nil, "\(record.misses) \(record.details)")
    #expect(try Self.sparse(module, "decode").attributes.int("common_groups") == nil)
    let note = try #require(record.notes.first { $0.hasPrefix("common path: ") })
    #expect(note.hasPrefix("common path: does not pay in 1 block ("), "\(note)")
  }
}
