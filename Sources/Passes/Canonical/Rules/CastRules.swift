import GraphIR
import Tensors

/// A cast to the type that its operand has is its operand.
struct DropCast: Rule {
  let name = "drop-cast"
  let anchors = ["cast", "cast_like"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let x = node.operands[0], let result = node.results[0],
      view.type(x).element == view.type(result).element
    else { return nil }
    return Patch("cast of \(view.type(x).element) to itself", replacing: result, with: x)
  }
}

/// Of two casts the first goes where it loses nothing: `cast(cast(x, f32), f64)` is `cast(x, f64)` for x of
/// f16.
struct MergeCasts: Rule {
  let name = "merge-casts"
  let anchors = ["cast"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let inner = node.operands[0], let x = view.operand(of: inner, "cast"), let result = node.results[0],
      view.type(x).element.isContained(in: view.type(inner).element)
    else { return nil }
    let elements = [x, inner, result].map { view.type($0).element.rawValue }.joined(separator: " to ")
    return Patch(
      elements, replacing: result, with: "cast", [x], ["to": .element(view.type(result).element)])
  }
}

extension ElementType {
  /// Whether every number of this type is one of the other type.
  fileprivate func isContained(in other: ElementType) -> Bool {
    if self == other || self == .bool { return true }
    guard let own = significantBits, let others = other.significantBits else { return false }
    switch (isFloatingPoint, other.isFloatingPoint) {
    case (true, true):
      return own <= others && (exponentBits ?? 0) <= (other.exponentBits ?? 0)
    case (false, true): return own <= others
    case (false, false): return own <= others && (!isSignedInteger || other.isSignedInteger)
    case (true, false): return false
    }
  }

  /// Bits of the magnitude of an integer, or of the significand of a float of 16 bits or more.
  private var significantBits: Int? {
    switch self {
    case .f64: 53
    case .f32: 24
    case .f16: 11
    case .bf16: 8
    default: isInteger ? packedBitCount - (isSignedInteger ? 1 : 0) : nil
    }
  }

  private var exponentBits: Int? {
    switch self {
    case .f64: 11
    case .f32, .bf16: 8
    case .f16: 5
    default: nil
    }
  }
}
