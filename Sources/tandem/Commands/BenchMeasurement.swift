import Generation

/// One test of `tandem bench`.
struct BenchTest {
  enum Kind { case prefill, decode }
  let kind: Kind
  let count: Int
  let depth: Int

  init(_ kind: Kind, _ count: Int, depth: Int) { (self.kind, self.count, self.depth) = (kind, count, depth) }

  /// As llama-bench says it.
  var name: String { (kind == .prefill ? "pp" : "tg") + "\(count)" + (depth > 0 ? " @ d\(depth)" : "") }
}

/// What the rounds of `tandem bench` find: tests in turns, the speed of memory around each.
struct BenchMeasurement {
  struct Sample {
    let seconds: Double
    /// Bytes per second that memory gave around it.
    let roof: Double
  }

  let tests: [BenchTest]
  let blockSizes: [Int]
  let blockDepth: Int
  /// Per test one sample per round.
  private(set) var samples: [[Sample]]
  /// Per block size several times per round.
  private(set) var blockSeconds: [[Double]]

  private static let blockTurns = 4

  init(tests: [BenchTest], blockSizes: [Int], blockDepth: Int) {
    (self.tests, self.blockSizes, self.blockDepth) = (tests, blockSizes, blockDepth)
    samples = tests.map { _ in [] }
    blockSeconds = blockSizes.map { _ in [] }
  }

  /// Runs every test once.
  ///
  /// - Parameter probe: the speed of memory at this moment, in bytes per second.
  mutating func run(_ timer: DecoderTimer, probe: () -> Double) throws {
    var before = probe()
    for (index, test) in tests.enumerated() {
      let seconds =
        switch test.kind {
        case .prefill: try timer.prefill(test.count, depth: test.depth)
        case .decode: try timer.decode(test.count, depth: test.depth)
        }
      let after = probe()
      samples[index].append(Sample(seconds: seconds, roof: (before + after) / 2))
      before = after
    }
    for _ in 0..<Self.blockTurns {
      for (index, size) in blockSizes.enumerated() {
        blockSeconds[index].append(try timer.block(size, depth: blockDepth))
      }
    }
  }

  /// Forgets what was found.
  mutating func reset() { self = Self(tests: tests, blockSizes: blockSizes, blockDepth: blockDepth) }
}
