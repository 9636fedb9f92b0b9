import Foundation

extension ConversionCard {
  /// Misses that the card shows.
  private static let shownMisses = 3
  /// Kernels of a layer, and general steps, that a line has room for.
  private static let shownKernels = 12

  /// Lines of a title and what there is to say; ends with a line end.
  public var text: String {
    var rows = [
      ["layers", layers], ["attention", attention], ["feed forward", feedForward],
      ["normalization", normalization], ["head", head], ["embedding", embedding], ["caches", caches],
      ["decode loop", decodeLoop], ["weights", weights],
    ]
    rows += notes.map { ["", $0] } + [["per token", traffic], ["memory", memory]]
    for (index, miss) in missed.prefix(Self.shownMisses).enumerated() {
      rows.append([index == 0 ? "missed" : "", Self.text(miss)])
    }
    if missed.count > Self.shownMisses {
      rows.append(["", "and \(missed.count - Self.shownMisses) more: --why-not all"])
    }
    return TextTable(rows: rows.flatMap { Self.lines($0[0], $0[1]) }, indent: 2).text
  }

  /// Columns beside the titles.
  private static let width = TextTable.maximumColumns - 17

  /// A title and what there is to say, on as many lines as that needs.
  private static func lines(_ title: String, _ text: String) -> [[String]] {
    TextTable.wrapped(text, to: width).enumerated().map { [$0.offset == 0 ? title : "", $0.element] }
  }

  private static func text(_ miss: Miss) -> String {
    let times = miss.count > 1 ? "\(miss.count) x " : ""
    return "\(times)\(miss.pass): \(miss.operator): \(miss.reason)"
  }

  /// `3 cast, 2 mul and 4 more`.
  private static func list(_ items: [String]) -> String {
    let rest = items.count - shownKernels
    return items.prefix(shownKernels).joined(separator: ", ") + (rest > 0 ? " and \(rest) more" : "")
  }

  /// Parts that have something to say.
  private static func joined(_ parts: String?...) -> String {
    parts.compactMap { $0 }.joined(separator: ", ")
  }

  // MARK: Lines

  private var layers: String {
    guard let layers = facts.layers else { return "no sequence of steps repeats" }
    return "\(layers.count) identical layers of \(layers.steps.count) steps: \(Self.list(layers.steps))"
  }

  private var attention: String {
    let facts = facts.attention
    guard facts.recognized > 0 else {
      return facts.unrecognized > 0 ? "not recognized, \(facts.unrecognized) in general steps" : "none"
    }
    func numbers(_ values: [Int]) -> String { values.map(String.init).joined(separator: "/") }
    let windows = facts.windows.map {
      "\($0.layers) \($0.layers == 1 ? "layer" : "layers") window \($0.size)"
    }
    let rotary =
      "\(facts.rotary) rotary (\(facts.rotaryTables) \(facts.rotaryTables == 1 ? "table" : "tables"))"
    return Self.joined(
      "\(facts.recognized) recognized",
      facts.unrecognized > 0 ? "\(facts.unrecognized) in general steps" : nil,
      "\(numbers(facts.heads)) heads over \(numbers(facts.keyValueHeads))",
      windows.isEmpty ? "no window" : (windows + ["\(facts.full) full"]).joined(separator: ", "),
      facts.queryKeyNorms > 0 ? "\(facts.queryKeyNorms) with q/k norms" : "no q/k norms",
      facts.rotary > 0 ? rotary : "no rotary", facts.slopes > 0 ? "\(facts.slopes) with slopes" : nil,
      facts.softcap > 0 ? "\(facts.softcap) with a softcap" : nil)
  }

  private var feedForward: String {
    let facts = facts.feedForward
    guard facts.recognized > 0 else { return "not recognized" }
    return Self.joined(
      "\(facts.recognized) recognized", facts.gated > 0 ? "\(facts.gated) gated" : nil,
      facts.plain > 0 ? "\(facts.plain) plain" : nil,
      facts.activations.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }.joined(separator: ", "),
      facts.sparse > 0 ? "\(facts.sparse) group-sparse" : nil)
  }

  private var normalization: String {
    let facts = facts.normalization
    let text = Self.joined(
      facts.residual > 0 ? "\(facts.residual) residual" : nil,
      facts.branch > 0 ? "\(facts.branch) of them after a normalized branch" : nil,
      facts.rms > 0 ? "\(facts.rms) RMS" : nil, facts.layer > 0 ? "\(facts.layer) layer" : nil,
      facts.unrecognized > 0 ? "\(facts.unrecognized) means in general steps" : nil)
    return text.isEmpty ? "none" : text
  }

  private var head: String {
    let facts = facts.head
    return Self.joined(
      facts.recognized ? "recognized" : "not recognized",
      facts.candidates.map { "HiRE with \($0) candidates, dense where asked for" },
      facts.bounds.map { "certified by bounds in \($0)" }, facts.tied ? "tied to the embedding" : nil,
      facts.softcap != 0 ? "softcap \(facts.softcap)" : nil,
      facts.lastOnly ? "last position of a prompt only" : "every position of a prompt")
  }

  private var embedding: String {
    let facts = facts.embedding
    guard facts.recognized else { return "not recognized" }
    return Self.joined(
      "recognized", facts.scale != 1 ? "scale \(facts.scale)" : nil,
      facts.positions ? "learned positions" : nil)
  }

  private var caches: String {
    let elements = facts.caches.elements.joined(separator: "/")
    return Self.joined(
      "\(facts.caches.inPlace) in place\(elements.isEmpty ? "" : " in \(elements)")",
      facts.caches.copied > 0 ? "\(facts.caches.copied) passed in and out" : nil)
  }

  private var decodeLoop: String {
    let count = facts.generalSteps.reduce(0) { $0 + $1.count }
    let functions = facts.functions.map { "\($0.name) \($0.steps)" }.joined(separator: ", ")
    if count == 0 { return "no general step; steps: \(functions)" }
    let kernels = Self.list(facts.generalSteps.map { "\($0.count) \($0.name)" })
    return "\(count) general \(count == 1 ? "step" : "steps"): \(kernels)"
  }

  private var weights: String {
    facts.weights.map { "\($0.element) \(Quantity.bytes($0.bytes))" }.joined(separator: ", ")
  }

  private var traffic: String {
    let traffic = facts.traffic
    let rate =
      tokensPerSecond.map { String(format: "up to %.1f tokens/s at %.1f GB/s", $0, bandwidth / 1e9) }
      ?? "fits in the cache of \(Quantity.bytes(cacheByteCount))"
    return "\(Quantity.bytes(traffic.weights)) of weights, \(Quantity.bytes(traffic.caches)) of caches at "
      + "\(traffic.positions) positions: \(rate)"
  }

  private var memory: String {
    let memory = facts.memory
    let caches = "caches \(Quantity.bytes(memory.caches)) at \(memory.context) positions"
    guard let temporaries = memory.temporaries else {
      return "\(Quantity.bytes(memory.total)) and temporaries, whose size depends on the inputs: \(caches)"
    }
    return "\(Quantity.bytes(memory.total)) at most: \(caches), temporaries \(Quantity.bytes(temporaries))"
  }
}
