import Kernels
public import PlanFormat
import Tensors

/// What a feed-forward block of chosen neurons did over a text.
public struct SparseBlockFacts: Sendable, Encodable {
  /// What was counted of a block: mean shares of its neurons.
  public struct Density: Sendable, Encodable {
    /// Candidates, whose products are computed.
    public let candidates: Double
    /// Neurons whose columns of down are added up.
    public let active: Double
    /// The share of the groups that are active by exact scores of all which were.
    public let recall: Double
    /// By the number of tokens in a run: neurons that any of them used.
    public let union: [String: Double]

    public init(candidates: Double, active: Double, recall: Double, union: [String: Double]) {
      (self.candidates, self.active, self.recall, self.union) = (candidates, active, recall, union)
    }
  }

  public let location: String
  public let neurons: Int
  public let density: Density
  /// Bytes of weights that a token reads at most, those that it read on average, and those of all neurons.
  public let bytes: Int, readBytes: Int, denseBytes: Int

  /// - Parameter densities: of the blocks of a program, in order.
  public static func all(_ program: Program, _ densities: [(neurons: Int, density: Density)])
    -> [SparseBlockFacts]
  {
    let function = program.decoding
    let steps = function.steps.filter { $0.kernel == "hire_feed_forward" }
    return zip(steps, densities).map { step, counted in
      let weights = [1, 2, 3].compactMap { position -> Int? in
        guard position < step.operands.count, step.operands[position] >= 0,
          case .weight(let index) = function.values[Int(step.operands[position])].place
        else { return nil }
        return program.weights[index].byteCount
      }
      let traffic = PlanTraffic(program, function)
      func neurons(_ share: Double) -> Int { Int((share * Double(counted.neurons)).rounded()) }
      let read = HireNeuronSettings.Occupancy.counted(
        candidates: neurons(counted.density.candidates), active: neurons(counted.density.active))
      return SparseBlockFacts(
        location: step.location, neurons: counted.neurons, density: counted.density,
        bytes: traffic.bytes(of: step, .most),
        readBytes: traffic.bytes(of: step, read), denseBytes: weights.reduce(0, +))
    }
  }

  /// A table of blocks.
  public static func table(_ blocks: [SparseBlockFacts]) -> String {
    let sizes = Set(blocks.flatMap { $0.density.union.keys }).sorted { Int($0)! < Int($1)! }
    func percent(_ share: Double?) -> String {
      pad(share.map { "\(($0 * 1000).rounded() / 10) %" } ?? "-", 9)
    }
    func pad(_ text: String, _ width: Int) -> String {
      String(repeating: " ", count: max(1, width - text.count)) + text
    }
    func megabytes(_ bytes: Int) -> String { "\((Double(bytes) / 1e4).rounded() / 100)" }
    var lines = [
      "block  candidates   active   recall   MB read at most   of all"
        + sizes.map { pad("union \($0)", 9) }.joined()
    ]
    for (index, block) in blocks.enumerated() {
      let density = block.density
      lines.append(
        pad("\(index)", 5) + "  " + pad(percent(density.candidates), 11) + percent(density.active)
          + percent(density.recall) + pad(megabytes(block.readBytes), 10) + pad(megabytes(block.bytes), 8)
          + pad(megabytes(block.denseBytes), 9)
          + sizes.map { percent(density.union[$0]) }.joined())
    }
    return lines.joined(separator: "\n") + "\n"
  }
}
