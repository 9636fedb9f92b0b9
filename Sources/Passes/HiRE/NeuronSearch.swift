import GraphIR
import Kernels
import Tensors

/// Searches how a block's neurons are found in the least time: the predictor, the order and groups of neurons, the
/// common path, and the number of candidates that finds what it must on rows held out.
struct NeuronSearch {
  private let block: NeuronBlock
  private let pool: ThreadPool
  /// f32 [N, K], held out.
  private let judged: Tensor
  let basis: HeadBasis?
  /// Neurons of a unit, and units that count; nil counts all that are not 0.
  private let unitSize: Int
  private let most: Int?
  /// What judged rows need, and rows that are not judged.
  private let needed: NeuronActivity, fitted: NeuronActivity

  private var units: Int { block.neurons / unitSize }

  /// Rows that predictors are judged by, and rows that orders and common paths are made from.
  private static let judgedCount = 256, fittedCount = 2048
  /// Candidates at most, as a multiple of what rows need, and steps of one.
  private static let mostCandidates = 6, steps = 24

  /// - Parameter predicts: whether predictors are looked for.
  init(
    _ block: NeuronBlock, unitSize: Int, most: Int?, predicts: Bool, _ states: HiddenStates, pool: ThreadPool
  ) throws(Miss) {
    (self.block, self.unitSize, self.most, self.pool) = (block, unitSize, most, pool)
    judged = states.heldOut(Self.judgedCount)
    // Scores of gates that are cut off depend on all of them: nothing predicts them.
    basis =
      predicts && block.cutoff == nil
      ? try HeadBasis(states: states.rows, rows: states.fittedCount, weights: block.first, pool: pool) : nil
    needed = NeuronActivity(block, judged, unitSize: unitSize, most: most, pool)
    fitted = NeuronActivity(block, states.fitted(Self.fittedCount), unitSize: unitSize, most: most, pool)
  }

  // MARK: Groupings

  /// Units one by one, as they lie.
  var asTheyLie: NeuronGrouping { NeuronGrouping(units: units, unitSize: unitSize, size: 1) }

  /// Neighbours in groups, as they lie.
  func neighbours(of size: Int) -> NeuronGrouping {
    NeuronGrouping(units: units, unitSize: unitSize, size: size)
  }

  /// Those together that are active together.
  ///
  /// - Throws: why the neurons must stay as they lie.
  func coactive(size: Int) throws(Miss) -> NeuronGrouping {
    if block.cutoff != nil { throw Miss("cut-offs depend on the order of gates") }
    guard units % size == 0 else { throw Miss("\(units) neurons make no groups of \(size)") }
    guard needed.mean <= Double(units) / 2 else {
      throw Miss("\(HireFeedForward.percent(needed.mean / Double(units))) of them are active at a time")
    }
    let groups = CoactivationGroups(fitted, size: size)
    let grouping = NeuronGrouping(.coactive, groups.order, unitSize: unitSize, size: size)
    if let reason = block.reasonToKeepOrder(grouping.neurons()) { throw Miss(reason) }
    return grouping
  }

  // MARK: Forms

  /// What the forms of predictors find.
  struct Findings {
    /// Forms that find the recall, the fastest first.
    var choices: [NeuronChoice] = []
    var best: NeuronChoice?
    /// For each form its recall with 1, 1.5, 2 and 3 times as many candidates as are needed, in the first grouping.
    var comparison: [(form: NeuronScan, recalls: [Double])] = []
  }

  /// Reading all rows of what decides: neurons that are 0 are left out, and no others.
  ///
  /// - Parameters:
  ///   - grouping: of single neurons, or of those whose columns of down are to lie together.
  ///   - bounds: rows that they leave are read, and what they are read from.
  func exact(_ grouping: NeuronGrouping, _ bounds: NeuronBounds? = nil) -> NeuronChoice {
    let active = Int(needed.mean.rounded(.up))
    var traffic =
      bounds?.traffic ?? WeightTraffic(inOrder: block.neurons * block.firstFormat.rowBytes(block.width))
    if block.gate != nil { traffic.picked += active * block.upFormat.rowBytes(block.width) }
    traffic.columns = block.downBytes(needed, grouping)
    var choice = NeuronChoice(
      groupSize: 1, candidateGroups: block.neurons, activeGroups: nil, scan: nil,
      traffic: traffic, recall: 1, interval: 0)
    if grouping.kind == .coactive { (choice.isCoactive, choice.order) = (true, grouping.neurons()) }
    (choice.boundFormat, choice.expectedCandidates) = (bounds?.format, bounds?.survivors)
    choice.expectedActive = active
    return choice
  }

  /// Bounds of what decides.
  func bounds() throws(Miss) -> [NeuronBounds] { try NeuronBounds.all(block, judged, pool) }

  /// Forms that find `recall` of the units that rows need, and how all of them compare.
  ///
  /// Common paths are tried with the form that is fastest without one.
  ///
  /// - Parameter limit: forms that would take as long with the fewest candidates are not tried; in nanoseconds.
  func findings(recall: Double, _ groupings: [NeuronGrouping], below limit: Double = .infinity) -> Findings {
    var findings = Findings()
    if block.cutoff != nil { return findings }
    for (index, grouping) in groupings.enumerated() {
      let active = active(grouping)
      let forms = self.forms.flatMap { self.forms($0, grouping) }.filter {
        traffic($0, grouping, candidates: max(1, Int(Double(active) * recall))).nanoseconds < limit
      }
      if forms.isEmpty { continue }
      let layout = NeuronLayout(block, grouping, active: active)
      var least: NeuronChoice?
      for form in forms {
        let found = Candidates(needed, sorted(form, layout), grouping)
        if index == 0 {
          let recalls = [1, 1.5, 2, 3].map { found.recall(of: Int(Double(layout.active) * $0)).mean }
          findings.comparison.append((form, recalls))
        }
        guard let choice = leastCandidates(form, layout, found, recall, &findings.best) else { continue }
        findings.choices.append(choice)
        if choice.traffic.nanoseconds < least?.traffic.nanoseconds ?? .infinity { least = choice }
      }
      guard let form = least?.scan else { continue }
      let path = CommonPath(fitted, grouping)
      guard let largest = path.levels.last,
        block.reasonToKeepOrder(grouping.neurons(first: largest.groups)) == nil
      else { continue }
      let order = sorted(form, layout)
      for level in path.levels {
        let found = Candidates(needed, order, grouping, common: level.groups)
        if let choice = leastCandidates(form, layout, found, recall, common: level, &findings.best) {
          findings.choices.append(choice)
        }
      }
    }
    findings.choices.sort { $0.traffic.nanoseconds < $1.traffic.nanoseconds }
    return findings
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

  /// With a row per neuron, and per group. Behind ReLU single neurons that are predicted to be 0 need their sign to
  /// be told apart, which only scores of groups keep.
  private func forms(_ form: NeuronScan, _ grouping: NeuronGrouping) -> [NeuronScan] {
    guard block.hasZeros else { return [form] }
    var ofGroups = form
    ofGroups.isOfGroups = true
    return grouping.groupSize == 1 ? [ofGroups] : [form, ofGroups]
  }

  // MARK: Judging

  /// For each judged row as many groups as may be candidates, the highest first score first.
  private func sorted(_ form: NeuronScan, _ layout: NeuronLayout) -> [[Int32]] {
    let (rows, groups) = (judged.shape[0], layout.grouping.groups)
    let predictor = NeuronPredictor(
      form, first: form.isOfGroups ? layout.means : layout.block.first, basis: basis, pool: pool)
    let scores = predictor.scores(judged, bits: form.bits, pool: pool)
    let values = scores.base.assumingMemoryBound(to: Float.self)
    if form.isOfGroups {
      if let means = layout.meanBiases {
        for index in 0..<rows * groups { values[index] += means[index % groups] }
      }
    } else {
      layout.block.activate(values, rows: rows)
    }
    // Scores of groups are sums of one number each.
    let size = form.isOfGroups ? 1 : layout.grouping.groupSize
    let most = min(groups, Self.mostCandidates * layout.active)
    var result = [[Int32]](repeating: [], count: rows)
    result.withUnsafeMutableBufferPointer { result in
      nonisolated(unsafe) let (result, values) = (result, values)
      pool.forEach(rows) { row in
        result[row] = Self.largest(
          most, of: values + row * groups * size, groups, size, areScores: form.isOfGroups)
      }
    }
    return withExtendedLifetime(scores) { result }
  }

  private static func largest(
    _ count: Int, of values: UnsafePointer<Float>, _ groups: Int, _ size: Int, areScores: Bool
  ) -> [Int32] {
    var scores = [Float](repeating: 0, count: groups)
    if areScores {
      for group in 0..<groups { scores[group] = values[group] }
    } else {
      for index in 0..<groups * size { scores[index / size] += values[index].magnitude }
    }
    var chosen = [UInt32](repeating: 0, count: count)
    MicroKernel.best("select_f32").pointer(as: FormComparison.Select.self)(groups, scores, count, &chosen)
    func precedes(_ a: UInt32, _ b: UInt32) -> Bool {
      let (own, other) = (scores[Int(a)], scores[Int(b)])
      return own > other || own == other && a < b
    }
    return chosen.sorted(by: precedes).map { Int32($0) }
  }

  /// Groups that rows need of a grouping on average, or that count.
  private func active(_ grouping: NeuronGrouping) -> Int {
    if let most { return most }
    var count = 0
    for row in needed.rows.indices { needed.forEachGroup(grouping, row) { _ in count += 1 } }
    return max(1, (count + needed.rows.count - 1) / max(1, needed.rows.count))
  }

  /// The choice of the fewest candidates that find the recall; nil where none does.
  private func leastCandidates(
    _ form: NeuronScan, _ layout: NeuronLayout, _ found: Candidates, _ recall: Double,
    common: CommonPath.Level = CommonPath.Level(share: 1, groups: []), _ best: inout NeuronChoice?
  ) -> NeuronChoice? {
    let (active, groups) = (layout.active, layout.grouping.groups)
    let counts = stride(
      from: active, through: min(groups, Self.mostCandidates * active), by: max(1, active / Self.steps)
    ).filter { $0 >= common.groups.count }
    func finds(_ candidates: Int) -> Bool {
      let found = found.recall(of: candidates)
      return found.mean - 1.96 * found.standardError >= recall
    }
    guard let largest = counts.last else { return nil }
    guard finds(largest) else {
      let choice = choice(form, layout.grouping, common, candidates: largest, found.recall(of: largest))
      if choice.recall > best?.recall ?? -1 { best = choice }
      return nil
    }
    var (low, high) = (0, counts.count - 1)
    while low < high {
      let middle = (low + high) / 2
      if finds(counts[middle]) { high = middle } else { low = middle + 1 }
    }
    return choice(form, layout.grouping, common, candidates: counts[low], found.recall(of: counts[low]))
  }

  private func choice(
    _ form: NeuronScan, _ grouping: NeuronGrouping, _ common: CommonPath.Level, candidates: Int,
    _ recall: RunningMean
  ) -> NeuronChoice {
    var choice = NeuronChoice(
      groupSize: grouping.groupSize, candidateGroups: candidates, activeGroups: most, scan: form,
      traffic: traffic(form, grouping, common: common.groups.count, candidates: candidates),
      recall: recall.mean, interval: 1.96 * recall.standardError)
    choice.isCoactive = grouping.kind == .coactive
    if choice.isCoactive || !common.groups.isEmpty { choice.order = grouping.neurons(first: common.groups) }
    (choice.commonGroups, choice.commonShare) = (common.groups.count, common.share)
    if most == nil { choice.expectedActive = Int(needed.mean.rounded(.up)) }
    return choice
  }

  /// What a token reads.
  private func traffic(
    _ form: NeuronScan, _ grouping: NeuronGrouping, common: Int = 0, candidates: Int
  ) -> WeightTraffic {
    let (size, scanned) = (grouping.groupSize, grouping.groups - common)
    let down = most.map { block.downBytes($0 * size, groupSize: size) } ?? block.downBytes(needed, grouping)
    return WeightTraffic(
      inOrder: form.bytes(rows: form.isOfGroups ? scanned : scanned * size, width: block.width),
      picked: candidates * size * block.rowBytes, columns: down)
  }
}

/// A block in an order that is tried.
private struct NeuronLayout {
  let grouping: NeuronGrouping
  /// With its neurons in that order.
  let block: NeuronBlock
  /// Means of the rows of each group, f32 [groups, K], and of its biases.
  let means: Tensor
  let meanBiases: [Float]?
  /// Groups that rows need on average, or that count.
  let active: Int

  init(_ block: NeuronBlock, _ grouping: NeuronGrouping, active: Int) {
    let size = grouping.groupSize
    let ordered = grouping.kind == .asTheyLie ? block : block.reordered(grouping.neurons())
    (self.grouping, self.block, self.active) = (grouping, ordered, active)
    means = NeuronPredictor.means(ordered.first, of: size)
    meanBiases = ordered.bias.map { bias in
      var means = [Float](repeating: 0, count: grouping.groups)
      for (neuron, number) in bias.array(of: Float.self).enumerated() {
        means[neuron / size] += number / Float(size)
      }
      return means
    }
  }
}

/// How many candidates it takes to find what rows need.
private struct Candidates {
  /// For each row and each unit that it needs, how many candidates find it, ascending.
  private let counts: [[Int32]]

  /// - Parameters:
  ///   - order: for each row the best groups, the best first.
  ///   - common: groups that are candidates before all others.
  init(_ activity: NeuronActivity, _ order: [[Int32]], _ grouping: NeuronGrouping, common: [Int] = []) {
    var isCommon = [Bool](repeating: false, count: grouping.groups)
    for group in common { isCommon[group] = true }
    counts = order.indices.map { row in
      var places = [Int32](repeating: .max, count: grouping.groups)
      var next = Int32(common.count)
      for group in order[row] where !isCommon[Int(group)] {
        next += 1
        places[Int(group)] = next
      }
      return activity.rows[row].map { unit in
        let group = Int(grouping.groupOfUnit[Int(unit)])
        return isCommon[group] ? 0 : places[group]
      }.sorted()
    }
  }

  /// The mean share of needed units that so many candidates find; a row that needs none has found all.
  func recall(of candidates: Int) -> RunningMean {
    var recall = RunningMean()
    for row in counts {
      var (low, high) = (0, row.count)
      while low < high {
        let middle = (low + high) / 2
        if row[middle] <= Int32(candidates) { low = middle + 1 } else { high = middle }
      }
      recall.add(row.isEmpty ? 1 : Double(low) / Double(row.count))
    }
    return recall
  }
}
