import GraphIR
import Tensors

/// The root-mean-square norm without its scale.
///
///     %q = mul(%x, %x)
///     %m = reduce_mean(%q, [-1])
///     %a = add(%m, 1e-06)                   ──►   %y = rms_normalization(%x, @ones) {epsilon = 1e-06}
///     %r = reciprocal(sqrt(%a))
///     %y = mul(%x, %r)
///
/// Requires: the last axis, of a known length; epsilon a scalar.
struct RecognizeRMSNorm: Rule {
  let name = "recognize-rms-norm"
  let anchors = ["mul"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let (a, b) = view.pair(node), let result = node.results[0] else { return nil }
    for (x, factor) in [(a, b), (b, a)] {
      guard let root = view.operand(of: factor, "reciprocal"), let sum = view.operand(of: root, "sqrt"),
        let (mean, epsilon) = view.withScalar(sum, "add"), let square = view.lastAxisMean(mean),
        let (left, right) = view.pair(square, "mul"), left == x, right == x
      else { continue }
      guard let width = view.type(x).shape.last?.constant else {
        throw Miss("the last axis of \(view.type(x)) has a run-time length, need a number")
      }
      let element = view.type(x).element
      return Patch("x / root of the mean square", replacing: [result]) { builder throws(OperatorError) in
        let ones = try builder.ones(element, width)
        return [try builder("rms_normalization", x, ones, attributes: Self.attributes(epsilon))]
      }
    }
    return nil
  }

  private static func attributes(_ epsilon: Double) -> [String: AttributeValue] {
    ["axis": .int(-1), "epsilon": .float(Float(epsilon))]
  }
}

/// The scale of a norm that has none: `mul(rms_normalization(x, @ones), w)` is `rms_normalization(x, w)`.
///
/// Requires: w depends on constants alone and has one entry per position of the last axis; nobody else reads
/// the norm.
struct ScaleNorm: Rule {
  let name = "scale-norm"
  let anchors = ["mul"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let (a, b) = view.pair(node), let result = node.results[0] else { return nil }
    for (norm, scale) in [(a, b), (b, a)] {
      guard let producer = view.producer(of: norm, "rms_normalization", "layer_normalization"),
        view.uniform(producer.operands[1]) == 1, producer.operands.count == 2,
        view.isConstantExpression(scale), view.type(norm) == view.type(result)
      else { continue }
      try view.requireLastAxis(producer)
      try view.requireVector(scale, "the scale", like: norm)
      try view.requireSingleUse(norm, "the normalized value")
      return Patch("scale of \(producer.operation)", replacing: [result]) { builder throws(OperatorError) in
        let vector = try builder.vector(scale)
        return [try builder.add(producer.operation, [producer.operands[0], vector], producer.attributes)[0]!]
      }
    }
    return nil
  }
}

/// The bias of a norm: `add(layer_normalization(x, w), b)` is `layer_normalization(x, w, b)`.
///
/// Requires what ``ScaleNorm`` does.
struct BiasNorm: Rule {
  let name = "bias-norm"
  let anchors = ["add"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let (a, b) = view.pair(node), let result = node.results[0] else { return nil }
    for (norm, bias) in [(a, b), (b, a)] {
      guard let producer = view.producer(of: norm, "layer_normalization"), producer.operands.count == 2,
        view.isConstantExpression(bias), view.type(norm) == view.type(result)
      else { continue }
      try view.requireLastAxis(producer)
      try view.requireVector(bias, "the bias", like: norm)
      try view.requireSingleUse(norm, "the normalized value")
      return Patch("bias", replacing: [result]) { builder throws(OperatorError) in
        let vector = try builder.vector(bias)
        return [try builder.add(producer.operation, producer.operands + [vector], producer.attributes)[0]!]
      }
    }
    return nil
  }
}

/// The root-mean-square norm of `x - mean(x)` is layer normalization.
struct CenterNorm: Rule {
  let name = "center-norm"
  let anchors = ["rms_normalization"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let result = node.results[0], let (x, mean) = view.pair(node.operands[0], "sub"),
      view.lastAxisMean(mean) == x, node.attributes.int("axis", default: -1) == -1
    else { return nil }
    return Patch(
      "of x - mean(x)", replacing: result, with: "layer_normalization", [x, node.operands[1]],
      node.attributes.values)
  }
}

/// A norm between casts to f32 and back computes in f32 anyway: `cast(rms_normalization(cast(x), @ones))` is
/// `rms_normalization(x, @ones)` for x of 16 bits.
struct NarrowNorm: Rule {
  let name = "narrow-norm"
  let anchors = ["cast"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let result = node.results[0],
      let norm = view.producer(of: node.operands[0], "rms_normalization", "layer_normalization"),
      norm.operands.count == 2, view.uniform(norm.operands[1]) == 1,
      let x = view.operand(of: norm.operands[0], "cast")
    else { return nil }
    let element = view.type(result).element
    guard view.type(x).element == element, element == .f16 || element == .bf16,
      let width = view.type(x).shape.last?.constant
    else { return nil }
    return Patch("in \(element)", replacing: [result]) { builder throws(OperatorError) in
      let ones = try builder.ones(element, width)
      return [try builder.add(norm.operation, [x, ones], norm.attributes)[0]!]
    }
  }
}

extension GraphView {
  /// What is averaged over the last axis, the axis being kept with extent 1.
  func lastAxisMean(_ value: ValueID?) -> ValueID? {
    guard let node = producer(of: value, "reduce_mean"), let x = node.operands[0],
      node.operands.count > 1, let axes = integers(node.operands[1]), axes.count == 1,
      axes[0] == -1 || axes[0] == type(x).rank - 1, node.attributes.bool("keepdims", default: true)
    else { return nil }
    return x
  }

  /// - Throws: that a normalization is over more than the last axis.
  func requireLastAxis(_ norm: Node) throws(Miss) {
    let axis = norm.attributes.int("axis", default: -1)
    guard let x = norm.operands[0], axis == -1 || axis == type(x).rank - 1 else {
      throw Miss("the norm is over the axes from \(axis) on, need the last axis")
    }
  }

  /// - Throws: that a value is no vector as long as the last axis of `x`, with or without leading axes of
  ///   extent 1.
  func requireVector(_ value: ValueID, _ name: String, like x: ValueID) throws(Miss) {
    let (found, needed) = (type(value), type(x))
    guard found.element == needed.element, found.shape.last == needed.shape.last,
      found.shape.dropLast().allSatisfy({ $0 == 1 })
    else {
      let width = needed.shape.last.map { "\($0)" } ?? ""
      throw Miss("\(name) is \(found), need \(needed.element)[\(width)]")
    }
  }
}

extension GraphBuilder {
  /// A constant vector of ones.
  mutating func ones(_ element: ElementType, _ count: Int) throws(OperatorError) -> ValueID {
    let values = [Float](repeating: 1, count: count)
    let name = "ones.\(element).\(count)"
    switch element {
    case .f32: return constant(Tensor(f32: values), name: name)
    case .f64: return constant(Tensor(.f64, [count], values: values.map { Double($0) }), name: name)
    case .f16: return constant(Tensor(.f16, [count], values: values.map { Float16($0) }), name: name)
    case .bf16:
      return constant(Tensor(.bf16, [count], values: values.map { NumberCoding.bf16($0) }), name: name)
    default: throw OperatorError("normalization of \(element), accepted are f16, bf16, f32 and f64")
    }
  }

  /// A value without its leading axes of extent 1.
  mutating func vector(_ value: ValueID) throws(OperatorError) -> ValueID {
    type(value).rank == 1 ? value : try self("reshape", value, constant([-1]))
  }
}
