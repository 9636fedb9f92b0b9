public import GraphIR
public import PlanFormat

/// What a conversion made of a model, for the one who converted it: in at most 25 lines, or for programs.
public struct ConversionCard: Sendable, Encodable {
  /// Nodes that one pass left alone for one reason.
  public struct Miss: Sendable, Encodable {
    public let pass: String
    public let `operator`: String
    public let reason: String
    /// The exporter's path of the first of them.
    public let location: String
    public let count: Int
  }

  public let nodesBefore: Int
  public let facts: PlanFacts
  /// Most frequent first.
  public let missed: [Miss]
  /// What passes had to say, such as the error of rounded weights.
  public let notes: [String]
  /// Bytes per second at which this machine reads memory.
  public let bandwidth: Double
  public let threads: Int
  /// Bytes of this machine's last-level cache.
  public let cacheByteCount: Int

  /// What the memory's speed allows; nil where everything fits in the cache, so that memory sets no limit.
  public var tokensPerSecond: Double? {
    facts.traffic.total <= cacheByteCount ? nil : bandwidth / Double(max(1, facts.traffic.total))
  }

  /// - Parameters:
  ///   - nodesBefore: nodes of the model as it was imported.
  ///   - misses: what each pass missed.
  ///   - notes: what passes had to say.
  ///   - bandwidth: bytes per second with so many threads.
  ///   - cacheByteCount: bytes of the last-level cache; 0 when that is not known.
  public init(
    _ program: Program, nodesBefore: Int, misses: [(pass: String, miss: PassMiss)], notes: [String],
    bandwidth: Double, threads: Int, cacheByteCount: Int
  ) {
    self.nodesBefore = nodesBefore
    self.notes = notes
    self.bandwidth = bandwidth
    self.threads = threads
    self.cacheByteCount = cacheByteCount
    facts = PlanFacts(program)
    struct Kind: Hashable {
      let pass: String
      let operation: String
      let reason: String
    }
    var places: [Kind: Int] = [:]
    var groups: [(kind: Kind, location: String, count: Int)] = []
    for (pass, miss) in misses {
      let kind = Kind(pass: pass, operation: miss.operation, reason: miss.reason)
      if let place = places[kind] {
        groups[place].count += 1
      } else {
        places[kind] = groups.count
        groups.append((kind, miss.location, 1))
      }
    }
    missed = groups.enumerated().sorted { ($1.element.count, $0.offset) < ($0.element.count, $1.offset) }
      .map { _, group in
        Miss(
          pass: group.kind.pass, operator: group.kind.operation, reason: group.kind.reason,
          location: group.location, count: group.count)
      }
  }

  private enum Key: CodingKey {
    case nodesBefore, missed, notes, tokensPerSecond, bandwidth, threads, cacheByteCount
  }

  public func encode(to encoder: any Encoder) throws {
    try facts.encode(to: encoder)
    var container = encoder.container(keyedBy: Key.self)
    try container.encode(nodesBefore, forKey: .nodesBefore)
    try container.encode(missed, forKey: .missed)
    try container.encode(notes, forKey: .notes)
    try container.encodeIfPresent(tokensPerSecond, forKey: .tokensPerSecond)
    try container.encode(bandwidth, forKey: .bandwidth)
    try container.encode(threads, forKey: .threads)
    try container.encode(cacheByteCount, forKey: .cacheByteCount)
  }
}
