public import GraphIR
import Kernels

/// The operator set: one list per family, one line per operator.
///
/// Mnemonics are ONNX names in snake case with the meaning of the newest opset; older opsets are brought to it at
/// import. `com.microsoft` operators keep their own names and decompose into these.
public enum OperatorSet {
  public static let standard = OperatorTable(families.flatMap { $0 })

  private static let families: [[any Operator]] = [
    UnaryOperators.all,
    UnaryOperators.activations,
    BinaryOperators.arithmetic,
    BinaryOperators.logic,
    ReductionOperators.all,
    LinearAlgebraOperators.all,
    NormalizationOperators.all,
    ShapeOperators.all,
    IndexingOperators.all,
    CastingOperators.all,
    QuantizationOperators.all,
    AttentionOperators.all,
    [CacheAppend()],
  ]

  /// The caches that a node makes longer in place: before and after, nil where the node leaves one out.
  public static func cacheUpdates(of node: Node) -> [(past: ValueID?, present: ValueID?)] {
    (KernelTable.entries[node.operation]?.updates(node.attributes) ?? []).map { update in
      (
        update.operand < node.operands.count ? node.operands[update.operand] : nil,
        update.result < node.results.count ? node.results[update.result] : nil
      )
    }
  }

  /// Operands that are matrices of weights, a row per output or entry, and the attribute that names the
  /// ``BlockFormat`` of each.
  public static func weightFormats(of mnemonic: String) -> [(operand: Int, attribute: String)] {
    switch mnemonic {
    case "linear", "lm_head": [(1, "weight_format")]
    case "hire_lm_head": [(1, "weight_format"), (5, "rows_format")]
    case "hire_feed_forward": [(1, "up_format"), (3, "gate_format")]
    case "embedding": [(1, "table_format")]
    case "feed_forward": [(1, "up_format"), (2, "down_format"), (3, "gate_format")]
    default: []
    }
  }

  /// Whether a node should be rewritten as simpler operators before planning: it has no kernel, or it is an attention
  /// that joins its own cache, which only a separate `concat` lets become state.
  public static func isComposite(_ node: Node) -> Bool {
    KernelTable.entries[node.operation] == nil
      || (node.operation == "attention" && node.operands.count > 5 && node.operands[4] != nil)
  }
}
