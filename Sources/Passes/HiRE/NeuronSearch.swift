import GraphIR
import Kernels
import Tensors

/// Searches the predictor of a block's groups that reads the least and finds what it must.
struct NeuronSearch {
  private let block: NeuronBlock
  private let pool: ThreadPool
  /// f32 [N, K], held out.
  private let judged: Tensor
  let basis: HeadBasis?
  private let groupSize: Int
  private let active: Int
  /// The groups that should be active, `active` of them per row; -1 for one whose score is 0, which nobody misses.
  private let best: [Int]

  private var groups: Int { block.neurons / groupSize }

  /// States that predictors are judged by.
  private static let judgedCount = 256
  /// Candidates at most, as a multiple of active groups, and steps of one.
  private static let mostCandidates = 6, steps = 24

  init(_ block: NeuronBlock, groupSize: Int, active: Int, _ states: HiddenStates, pool: ThreadPool)
    throws(Miss)
  {
    (self.block, self.groupSize, self.active, self.pool) = (block, groupSize, active, pool)
    judged = states.heldOut(Self.judgedCount)
    basis = try HeadBasis(states: states.rows, rows: states.fittedCount, weights: block.first, pool: pool)
    let exact = NeuronPredictor.product(judged, block.first, isTransposed: false, pool)
    let scores = Self.groupScores(exact, block, groupSize)
    let count = block.neurons / groupSize
    best = (0..<judged.shape[0]).flatMap { row in
      Self.largest(active, Array(scores[(row * count)..<((row + 1) * count)])).map {
        scores[row * count + $0] == 0 ? -1 : $0
      }
    }
  }

  /// What the forms of predictors find.
  struct Findings {
    /// Forms that find the recall, the least bytes first.
    var choices: [NeuronChoice] = []
    var best: NeuronChoice?
    /// For each form its recall with 1, 1.5, 2 and 3 times as many candidates as active groups.
    var comparison: [(form: NeuronScan, recalls: [Double])] = []
  }

  /// Forms that find `recall` of the active groups, and how all of them compare.
  func findings(recall: Double) -> Findings {
    var found: [NeuronChoice] = []
    var best: NeuronChoice?
    var comparison: [(form: NeuronScan, recalls: [Double])] = []
    for form in forms {
      let ranks = ranks(form)
      comparison.append(
        (form, [1, 1.5, 2, 3].map { judge(form, ranks, candidates: Int(Double(active) * $0)).recall }))
      let most = min(groups, Self.mostCandidates * active)
      for candidates in stride(from: active, through: most, by: max(1, active / Self.steps)) {
        let choice = judge(form, ranks, candidates: candidates)
        if choice.recall > best?.recall ?? -1 { best = choice }
        guard choice.recall - choice.interval >= recall else { continue }
        found.append(choice)
        break
      }
    }
    return Findings(choices: found.sorted { $0.bytes < $1.bytes }, best: best, comparison: comparison)
  }

  private var forms: [NeuronScan] {
    let width = block.width
    let whole = [4, 8].filter { _ in width % 8 == 0 }.map {
      NeuronScan(rank: width, bits: $0, hasBasis: false)
    }
    let ranks = Set([8, 4, 3, 2].map { width / $0 / 32 * 32 }).filter { $0 > 0 }
    return whole
      + ranks.sorted().flatMap { rank in [4, 8].map { NeuronScan(rank: rank, bits: $0, hasBasis: true) } }
  }

  /// The mean number of neurons that are not 0, rounded up.
  static func activeCount(_ block: NeuronBlock, _ states: HiddenStates, _ pool: ThreadPool) -> Int {
    let judged = states.heldOut(judgedCount)
    let scores = groupScores(NeuronPredictor.product(judged, block.first, isTransposed: false, pool), block, 1)
    let active = scores.count { $0 != 0 }
    return (active + judged.shape[0] - 1) / max(1, judged.shape[0])
  }

  // MARK: Judging

  /// For each of the best groups of each row its place among all groups by the predictor.
  private func ranks(_ form: NeuronScan) -> [Int] {
    let predictor = NeuronPredictor(form, first: block.first, basis: basis, pool: pool)
    let predicted = Self.groupScores(
      predictor.scores(judged, bits: form.bits, pool: pool), block, groupSize)
    var place = [Int](repeating: 0, count: groups)
    return (0..<judged.shape[0]).flatMap { row in
      let order = Self.largest(groups, Array(predicted[(row * groups)..<((row + 1) * groups)]))
      for (rank, group) in order.enumerated() { place[group] = rank }
      return best[(row * active)..<((row + 1) * active)].map { $0 < 0 ? 0 : place[$0] }
    }
  }

  private func judge(_ form: NeuronScan, _ ranks: [Int], candidates: Int) -> NeuronChoice {
    var recall = RunningMean()
    for row in 0..<judged.shape[0] {
      recall.add(
        Double(ranks[(row * active)..<((row + 1) * active)].count { $0 < candidates }) / Double(active))
    }
    let rowBytes =
      block.upFormat.rowBytes(block.width) + (block.gate == nil ? 0 : block.gateFormat.rowBytes(block.width))
    let bytes =
      form.bytes(neurons: block.neurons, width: block.width) + candidates * groupSize * rowBytes
      + block.downBytes(active * groupSize, groupSize: groupSize)
    return NeuronChoice(
      groupSize: groupSize, candidateGroups: candidates, activeGroups: active, scan: form, bytes: bytes,
      recall: recall.mean, interval: 1.96 * recall.standardError)
  }

  /// The sum of |act(z + bias)| of each group: a row of groups for each row of z.
  private static func groupScores(_ z: Tensor, _ block: NeuronBlock, _ size: Int) -> [Float] {
    let (rows, neurons) = (z.shape[0], block.neurons)
    let values = z.base.assumingMemoryBound(to: Float.self)
    if let bias = block.bias?.array(of: Float.self) {
      for index in 0..<rows * neurons { values[index] += bias[index % neurons] }
    }
    if let cutoff = block.cutoff { for row in 0..<rows { cutoff.apply(values + row * neurons, neurons) } }
    block.activation.apply(values, rows * neurons)
    return withExtendedLifetime(z) {
      (0..<(rows * neurons / size)).map { group in
        (0..<size).reduce(Float(0)) { $0 + values[group * size + $1].magnitude }
      }
    }
  }

  /// Places of the largest numbers, of equal ones the first.
  private static func largest(_ count: Int, _ scores: [Float]) -> [Int] {
    Array(scores.indices.sorted { scores[$0] > scores[$1] || scores[$0] == scores[$1] && $0 < $1 }.prefix(count))
  }
}
