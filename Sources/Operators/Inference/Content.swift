import GraphIR
import Tensors

/// Arithmetic on the symbolic content of small integer tensors.
///
/// Dims are sizes: symbols stand for numbers from 0 on.
enum Content {
  /// `function` of corresponding elements under broadcasting; nil when an operand's content is unknown or
  /// `function` cannot decide an element.
  static func map(_ call: InferenceCall, _ shape: [Dim], _ function: ([Dim]) -> Dim?) -> [Dim]? {
    guard let extents = TensorType(.i64, shape).constantShape else { return nil }
    let count = extents.reduce(1, *)
    guard count <= ValueFact.maximumContentCount else { return nil }
    var columns: [[Dim]] = []
    for operand in call.operands {
      guard let operand, let content = operand.content, let own = operand.type.constantShape,
        let column = broadcast(content, own, to: extents)
      else { return nil }
      columns.append(column)
    }
    var result: [Dim] = []
    for index in 0..<count {
      guard let value = function(columns.map { $0[index] }) else { return nil }
      result.append(value)
    }
    return result
  }

  /// The elements of a tensor repeated to a larger shape, row-major.
  static func broadcast(_ content: [Dim], _ shape: [Int], to extents: [Int]) -> [Dim]? {
    guard content.count == shape.reduce(1, *), shape.count <= extents.count else { return nil }
    let padded = Array(repeating: 1, count: extents.count - shape.count) + shape
    return (0..<extents.reduce(1, *)).map { position in
      var (rest, offset, step) = (position, 0, 1)
      for axis in stride(from: extents.count - 1, through: 0, by: -1) {
        if padded[axis] != 1 { offset += rest % extents[axis] * step }
        rest /= extents[axis]
        step *= padded[axis]
      }
      return content[offset]
    }
  }

  /// Whether inference tracks content of this type.
  static func isTracked(_ element: ElementType) -> Bool {
    element == .i64 || element == .i32 || element == .bool
  }

  static func boolean(_ value: Bool?) -> Dim? { value.map { Dim($0 ? 1 : 0) } }

  // MARK: Decisions

  /// Whether `a < b` whatever the symbols stand for; nil when that depends on them.
  static func isLess(_ a: Dim, _ b: Dim) -> Bool? {
    if (b - a - 1).isNonNegative { return true }
    return (a - b).isNonNegative ? false : nil
  }

  /// Whether `a == b` whatever the symbols stand for; nil when that depends on them.
  static func isEqual(_ a: Dim, _ b: Dim) -> Bool? {
    if a == b { return true }
    return isLess(a, b) == true || isLess(b, a) == true ? false : nil
  }

  /// The larger one, chosen where that is decidable.
  static func maximum(_ a: Dim, _ b: Dim) -> Dim {
    switch isLess(a, b) {
    case true?: b
    case false?: a
    case nil: isLess(b, a) == false ? b : Dim.maximum(a, b)
    }
  }

  /// The smaller one, chosen where that is decidable.
  static func minimum(_ a: Dim, _ b: Dim) -> Dim {
    switch isLess(a, b) {
    case true?: a
    case false?: b
    case nil: isLess(b, a) == false ? a : Dim.minimum(a, b)
    }
  }

  /// The quotient rounded toward zero, where that is the floor or both are numbers.
  static func quotient(_ a: Dim, _ b: Dim) -> Dim? {
    if let x = a.constant, let y = b.constant { return y == 0 ? nil : Dim(x / y) }
    guard b.constant != 0, a.isNonNegative, b.isNonNegative else { return nil }
    return a / b
  }

  /// `a - b floor(a / b)`, the remainder with the sign of the divisor.
  static func modulus(_ a: Dim, _ b: Dim) -> Dim? {
    guard b.constant != 0, b.constant != nil || a.isNonNegative && b.isNonNegative else { return nil }
    return a - b * (a / b)
  }
}
