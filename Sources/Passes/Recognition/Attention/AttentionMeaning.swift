import GraphIR
import Tensors

/// What an attention site computes: the operands and attributes of `self_attention`.
struct AttentionMeaning {
  /// Which columns of a product are the heads of queries, keys or values, `[heads * size]`.
  struct Projection {
    let source: ValueID
    let columns: [Int]
  }

  var heads: Int
  var keyHeads: Int
  var size: Int
  var query: Projection
  var key: Projection
  var value: Projection
  var queryNorm: HeadNorm?
  var keyNorm: HeadNorm?
  var rotary: RotaryTables?
  /// Whether rotary positions are what the caller passes; else they follow the past.
  var readsPositions = false
  var scale: Float
  var softcap: Float
  var mask: MaskMeaning
  /// `[batch, rows, heads * size]`
  var result: ValueID
}

extension AttentionMeaning {
  /// The attributes of the `self_attention` node; those with their default are left out.
  var attributes: Attributes {
    var attributes = Attributes([
      "num_heads": .int(heads), "kv_num_heads": .int(keyHeads), "scale": .float(scale),
    ])
    if softcap != 0 { attributes["softcap"] = .float(softcap) }
    if mask.window != 0 { attributes["window"] = .int(mask.window) }
    if !mask.isCausal { attributes["is_causal"] = .int(0) }
    if rotary?.isInterleaved ?? false { attributes["interleaved"] = .int(1) }
    if let epsilon = queryNorm?.epsilon ?? keyNorm?.epsilon { attributes["epsilon"] = .float(epsilon) }
    return attributes
  }
}

/// Readings that layers share, by the values they were read from.
final class AttentionReadings {
  struct MaskKey: Hashable {
    let values: [ValueID]
    let heads: Int
    /// Causality and windows of an `attention` node.
    let limits: [Int]
  }

  var tables: [Set<ValueID>: RotaryTables?] = [:]
  var masks: [MaskKey: MaskMeaning] = [:]
  /// Masks for which an attention was compared over a long past.
  var provenFarOut: Set<[ValueID]> = []
}

/// A root-mean-square normalization of every head.
struct HeadNorm {
  let scale: ValueID
  let epsilon: Float
  /// The normalized rows.
  let result: ValueID
}
