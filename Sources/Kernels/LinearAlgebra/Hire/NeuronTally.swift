import Tensors

/// Counts what blocks with chosen neurons compute, and what they should have: for those who measure them.
///
/// Exact scores of all neurons are computed beside every choice, so runs are slow while it is there.
public final class NeuronTally {
  /// What one step did.
  public struct Counts: Sendable, Equatable {
    public var neurons = 0
    /// Rows, and sums over them: neurons that were candidates, and whose h was not 0.
    public var rows = 0, candidates = 0, active = 0
    /// Groups that are active by exact scores of all, and those of them that were.
    public var wanted = 0, found = 0
    /// By the number of rows that ran together.
    public var unions: [Int: Union] = [:]

    public init() {}

    /// Adds what another function did for the same block.
    public mutating func add(_ other: Counts) {
      neurons = other.neurons
      (rows, candidates, active) = (rows + other.rows, candidates + other.candidates, active + other.active)
      (wanted, found) = (wanted + other.wanted, found + other.found)
      for (size, union) in other.unions {
        unions[size, default: Union()].runs += union.runs
        unions[size, default: Union()].neurons += union.neurons
      }
    }
  }

  /// Runs of some rows together, and the neurons that any of their rows used.
  public struct Union: Sendable, Equatable {
    public var runs = 0, neurons = 0

    public init() {}
  }

  /// By step.
  public private(set) var counts: [Int: Counts] = [:]
  /// The step that runs.
  public var step = 0

  public init() {}

  func count(
    _ choice: HireNeurons, _ settings: HireNeuronSettings, _ block: HireBlock, _ x: Activations,
    _ resources: Resources
  ) {
    var own = counts[step] ?? Counts()
    let (neurons, groups) = (block.up.weights.rows, block.groups)
    own.neurons = neurons
    own.rows += x.rows
    own.unions[x.rows, default: Union()].runs += 1
    own.unions[x.rows, default: Union()].neurons += choice.unionCount
    let scores = Self.exactScores(settings, block, x, resources)
    let most = block.scan != nil && settings.keepsCandidates ? groups : settings.activeGroups
    var best = [UInt32](repeating: 0, count: most)
    for row in 0..<x.rows {
      own.candidates += choice.candidateCount(row)
      var isActive = [Bool](repeating: false, count: groups)
      choice.forEachActive(row) { neuron in
        own.active += 1
        isActive[neuron / settings.groupSize] = true
      }
      VectorMath.best.select(groups, scores + row * groups, most, &best)
      for group in best where scores[row * groups + Int(group)] > 0 {
        own.wanted += 1
        if isActive[Int(group)] { own.found += 1 }
      }
    }
    counts[step] = own
  }

  /// Exact scores of all groups.
  private static func exactScores(
    _ settings: HireNeuronSettings, _ block: HireBlock, _ x: Activations, _ resources: Resources
  ) -> UnsafeMutablePointer<Float> {
    let neurons = block.up.weights.rows
    func scratch(_ count: Int) -> UnsafeMutablePointer<Float> {
      resources.scratch(byteCount: count * 4).bindMemory(to: Float.self, capacity: count)
    }
    func product(_ rows: ListedRows) -> UnsafeMutablePointer<Float> {
      let product = WeightProduct(x, rows.weights, bias: rows.bias, y: scratch(x.rows * neurons))
      product.run(resources)
      return product.y
    }
    let decisive = product(block.first)
    if let cutoff = settings.cutoff {
      for row in 0..<x.rows { cutoff.apply(decisive + row * neurons, neurons) }
    }
    settings.activation.apply(decisive, x.rows * neurons)
    if let importance = block.importance {
      let up = block.gate.map { _ in product(block.up) }
      for index in 0..<x.rows * neurons { decisive[index] *= (up?[index] ?? 1) * importance[index % neurons] }
    }
    let scores = scratch(x.rows * block.groups)
    HireNeurons.addMagnitudes(decisive, groups: x.rows * block.groups, of: settings.groupSize, into: scores)
    return scores
  }
}
