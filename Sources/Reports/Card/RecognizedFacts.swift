import PlanFormat
import Tensors

/// How attention is computed.
public struct AttentionFacts: Sendable, Encodable {
  public struct Window: Sendable, Encodable {
    /// Keys that a query sees.
    public let size: Int
    public let layers: Int
  }

  /// Layers whose attention is one step.
  public let recognized: Int
  /// Attention operators, and softmax over scores of heads, that are left to general steps.
  public let unrecognized: Int
  /// Different numbers of query heads, and of heads of keys and values.
  public let heads: [Int]
  public let keyValueHeads: [Int]
  /// Layers by sliding window, smallest first, and those without one.
  public let windows: [Window]
  public let full: Int
  /// Layers with what the name says.
  public let queryKeyNorms: Int
  public let rotary: Int
  public let slopes: Int
  public let softcap: Int
  public let keyMask: Int
  /// Different tables of rotary angles.
  public let rotaryTables: Int

  init(_ function: Function) {
    let steps = function.steps.filter { $0.kernel == "self_attention" }
    func count(operand: Int) -> Int { steps.count { function.has(operand, $0) } }
    recognized = steps.count
    // Softmax over keys has rows of its own for every head; that of a router has not.
    unrecognized = function.steps.count { step in
      step.kernel == "attention"
        || step.kernel == "softmax" && function.type(of: Int(step.results[0])).rank >= 4
    }
    heads = Set(steps.compactMap { $0.attributes.int("num_heads") }).sorted()
    keyValueHeads = Set(steps.compactMap { $0.attributes.int("kv_num_heads") }).sorted()
    let sizes = steps.map { $0.attributes.int("window", default: 0) }
    windows = Dictionary(grouping: sizes.filter { $0 > 0 }, by: { $0 })
      .map { Window(size: $0.key, layers: $0.value.count) }.sorted { $0.size < $1.size }
    full = sizes.count { $0 == 0 }
    queryKeyNorms = steps.count { function.has(3, $0) && function.has(4, $0) }
    rotary = count(operand: 5)
    keyMask = count(operand: 8)
    slopes = count(operand: 9)
    softcap = steps.count { $0.attributes.float("softcap", default: 0) != 0 }
    rotaryTables =
      Set(
        steps.filter { function.has(5, $0) }.map { function.values[Int($0.operands[5])].name }
      ).count
  }
}

/// How the feed-forward blocks are computed.
public struct FeedForwardFacts: Sendable, Encodable {
  public let recognized: Int
  public let gated: Int
  public let plain: Int
  /// Blocks that compute only some groups of neurons.
  public let sparse: Int
  /// Blocks by activation.
  public let activations: [String: Int]

  init(_ function: Function) {
    let steps = function.steps.filter { ["feed_forward", "hire_feed_forward"].contains($0.kernel) }
    recognized = steps.count
    gated = steps.count { function.has(3, $0) }
    plain = recognized - gated
    sparse = steps.count {
      $0.kernel == "hire_feed_forward" || $0.attributes.int("active_groups", default: 0) > 0
    }
    activations = Dictionary(grouping: steps) { $0.attributes.string("activation", default: "none") }
      .mapValues(\.count)
  }
}

/// How rows are normalized.
public struct NormalizationFacts: Sendable, Encodable {
  /// Steps of their own.
  public let rms: Int
  public let layer: Int
  /// Steps that also add the branch before them.
  public let residual: Int
  /// Of these, those that normalize the branch, too.
  public let branch: Int
  /// Means over rows that are left to general steps.
  public let unrecognized: Int

  init(_ function: Function) {
    let residuals = function.steps.filter { $0.kernel == "residual_normalization" }
    rms = function.steps.count {
      ["rms_normalization", "simplified_layer_normalization"].contains($0.kernel)
    }
    layer = function.steps.count { $0.kernel == "layer_normalization" }
    residual = residuals.count
    branch = residuals.count { function.has(4, $0) }
    unrecognized = function.steps.count { $0.kernel == "reduce_mean" }
  }
}

/// How logits are computed.
public struct HeadFacts: Sendable, Encodable {
  public let recognized: Bool
  /// Whether its matrix is the table of the embedding.
  public let tied: Bool
  /// 0 when there is none.
  public let softcap: Float
  /// Whether a prompt computes the logits of its last position only.
  public let lastOnly: Bool
  /// Logits of a token that decoding computes with a predictor; nil without one.
  public let candidates: Int?
  /// The format of the copy of the matrix that proves them right, or of its own first plane; nil without one.
  public let bounds: String?

  init(_ function: Function, prefill: Function?, certify: Function?) {
    bounds = certify?.steps.first { $0.kernel == "certify_rows" }.map { step in
      let plane = BlockFormat(rawValue: step.attributes.string("weight_format", default: ""))?.firstPlane
      return step.attributes.string("bound_format", default: plane?.rawValue ?? "")
    }
    let step = function.steps.first { ["lm_head", "hire_lm_head"].contains($0.kernel) }
    candidates = step.flatMap { step in
      step.kernel == "hire_lm_head" ? function.type(of: Int(step.results[0])).shape.last?.constant : nil
    }
    let table = function.steps.first { $0.kernel == "embedding" }
      .map { function.values[Int($0.operands[1])].place }
    recognized = step != nil
    tied = step.map { function.values[Int($0.operands[1])].place == table } ?? false
    softcap = step?.attributes.float("softcap") ?? 0
    lastOnly =
      prefill?.outputs.contains { port in
        let type = prefill!.type(of: port.value)
        return type.rank == 3 && type.shape[1] == 1 && type.element.isFloatingPoint
      } ?? false
  }
}

/// How tokens become rows.
public struct EmbeddingFacts: Sendable, Encodable {
  public let recognized: Bool
  public let scale: Float
  /// Whether a table of positions is added.
  public let positions: Bool

  init(_ function: Function) {
    let step = function.steps.first { $0.kernel == "embedding" }
    recognized = step != nil
    scale = step?.attributes.float("scale") ?? 1
    positions = step.map { function.has(3, $0) } ?? false
  }
}
