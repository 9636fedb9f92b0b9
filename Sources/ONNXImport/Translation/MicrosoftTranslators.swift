import GraphIR
import Tensors

/// `com.microsoft` operators that share a name with a standard one and differ from it.
enum MicrosoftTranslators {
  static let all: [String: Translator] = ["RotaryEmbedding": rotary]

  /// Operands are `x, position_ids, cos_cache, sin_cache`; the standard has the positions last.
  private static let rotary: Translator = { (node, builder) throws(ImportError) in
    if let scale = try node.takeFloat("scale"), scale != 1 {
      throw .unsupported("attribute 'scale' is \(scale), accepted is 1")
    }
    if let packed = try node.takeInt("is_packed_batching"), packed != 0 {
      throw .unsupported("attribute 'is_packed_batching' is \(packed), accepted is 0")
    }
    let positions = try node.operand(1)
    guard builder.type(positions).rank == 2 else {
      throw .unsupported("'position_ids' is \(builder.type(positions)), accepted is one position per token (rank 2)")
    }
    node.operands = [try node.operand(0), try node.operand(2), try node.operand(3), positions]
    return nil
  }
}
