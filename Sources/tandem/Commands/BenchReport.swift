import Foundation
import Generation
import Kernels
import PlanFormat
import Reports

/// Median and spread of some numbers.
struct Spread: Encodable {
  let median: Double
  let min: Double
  let max: Double

  /// - Parameter values: at least one.
  init(_ values: [Double]) {
    let sorted = values.sorted()
    median = (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    min = sorted[0]
    max = sorted[sorted.count - 1]
  }
}

/// What `tandem bench` prints.
struct BenchReport: Encodable {
  struct Result: Encodable {
    let test: String
    let tokens: Int
    let depth: Int
    let tokensPerSecond: Spread
    /// What decoding a token reads: weights, and caches half-way through the test. Of prefill the weights of its runs,
    /// divided by the tokens.
    let bytesPerToken: Double
    let gbPerSecond: Double
    /// Of the speed of memory measured around each round; nil where all that a token reads fits in the cache.
    let shareOfRoof: Spread?
  }
  struct BlockCost: Encodable {
    let tokens: Int
    let ms: Spread
    /// Median over that of one token.
    let ratio: Double
  }
  struct Memory {
    let plan: Int, working: Int, peak: Int
  }

  let plan: String
  let threads: Int
  let rounds: Int
  let results: [Result]
  let blockCost: [BlockCost]
  /// GB/s.
  let roof: Spread?
  /// Opening and preparing the plan the first time in this process, and again.
  let loadMs: Double
  let loadAgainMs: Double
  /// The most that was resident after each test ran once, before anything was measured with memory of its own.
  let peakRssBytes: Int
  let planBytes: Int
  /// Caches and temporaries.
  let workingBytes: Int
  /// What the HiRE head did in all rounds; nil for the dense one.
  let head: HeadReport?

  init(
    plan: String, threads: Int, rounds: Int, _ measurement: BenchMeasurement, _ program: Program,
    load: (first: Double, again: Double), _ memory: Memory, head: HeadReport?
  ) {
    (self.plan, self.threads, self.rounds, self.head) = (plan, threads, rounds, head)
    (loadMs, loadAgainMs) = (load.first * 1000, load.again * 1000)
    (peakRssBytes, planBytes, workingBytes) = (memory.peak, memory.plan, memory.working)
    results = zip(measurement.tests, measurement.samples).map { Result($0, $1, program, head) }
    let single = measurement.blockSeconds.first.map { Spread($0).median } ?? 1
    blockCost = zip(measurement.blockSizes, measurement.blockSeconds).map { size, seconds in
      BlockCost(
        tokens: size, ms: Spread(seconds.map { $0 * 1000 }), ratio: Spread(seconds).median / single)
    }
    let roofs = measurement.samples.joined().map { $0.roof / 1e9 }
    roof = roofs.isEmpty ? nil : Spread(roofs)
  }
}

extension BenchReport.Result {
  fileprivate init(
    _ test: BenchTest, _ samples: [BenchMeasurement.Sample], _ program: Program, _ head: HeadReport?
  ) {
    (self.test, tokens, depth) = (test.name, test.count, test.depth)
    func traffic(positions: Int) -> PlanFacts.Traffic {
      let certifies = head?.exact == HeadMode.Exactness.certified.rawValue
      return PlanFacts.Traffic(
        program, positions: positions, usesCandidates: head != nil, certifies: certifies)
    }
    let count = Double(test.count)
    let bytes: Double
    switch test.kind {
    case .prefill:
      let weights = traffic(positions: 0).weights
      bytes = Double(weights * ((test.count + 511) / 512)) / count
    case .decode:
      bytes = Double(traffic(positions: test.depth + test.count / 2).total)
    }
    bytesPerToken = bytes
    tokensPerSecond = Spread(samples.map { count / $0.seconds })
    gbPerSecond = tokensPerSecond.median * bytes / 1e9
    let isCached = traffic(positions: 0).total <= MachineDescription.current.cacheByteCount
    shareOfRoof = isCached ? nil : Spread(samples.map { count / $0.seconds * bytes / $0.roof })
  }
}

// MARK: Text

extension BenchReport {
  /// The report for people.
  var text: String {
    var blocks = resultText
    if !blockCost.isEmpty { blocks += "\n" + blockText }
    blocks += "\n"
    if let head { blocks += "head    \(head.text)\n" }
    blocks += String(format: "load    %.1f ms, again %.1f ms\n", loadMs, loadAgainMs)
    blocks += "memory  \(Quantity.bytes(peakRssBytes)) at most, with what was read of the plan's "
    blocks +=
      "\(Quantity.bytes(planBytes)) and of \(Quantity.bytes(workingBytes)) of caches and temporaries\n"
    return blocks
  }

  private var resultText: String {
    guard let roof else { return "" }
    var rows = [["test", "tokens/s", "min - max", "MB/token", "GB/s", "of the roof", "min - max"]]
    for result in results {
      let rate = result.tokensPerSecond
      rows.append([
        result.test, String(format: "%.1f", rate.median), String(format: "%.1f - %.1f", rate.min, rate.max),
        String(format: "%.1f", result.bytesPerToken / 1e6), String(format: "%.1f", result.gbPerSecond),
        result.shareOfRoof.map { String(format: "%.0f %%", $0.median * 100) } ?? "in cache",
        result.shareOfRoof.map { String(format: "%.0f - %.0f %%", $0.min * 100, $0.max * 100) } ?? "",
      ])
    }
    let table = TextTable(rows: rows, alignments: [.left] + Array(repeating: .right, count: 6))
    let memory = String(format: "%.1f GB/s (%.1f - %.1f)", roof.median, roof.min, roof.max)
    return "\(threads) \(threads == 1 ? "thread" : "threads"), memory reads \(memory); medians of \(rounds)\n"
      + table.text
  }

  private var blockText: String {
    let rows = [
      ["block of"] + blockCost.map { "\($0.tokens)" },
      ["ms"] + blockCost.map { String(format: "%.2f", $0.ms.median) },
      ["over one"] + blockCost.map { String(format: "%.2f", $0.ratio) },
    ]
    return TextTable(rows: rows, alignments: [.left] + blockCost.map { _ in .right }).text
  }
}
