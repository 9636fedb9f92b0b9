import GraphIR
import Tensors

/// The product of stacks of matrices, NumPy rules.
///
///     y[..., m, n] = sum over k of a[..., m, k] b[..., k, n]
struct MatMul: Operator {
  let schema = OperatorSchema(
    "matmul",
    "y[..., m, n] = sum over k of a[..., m, k] b[..., k, n]; leading axes broadcast, vectors lose theirs.",
    operands: ["a", "b"])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (a, b) = (try call.type(0), try call.type(1))
    guard a.element == b.element else {
      throw OperatorError("'a' has element type \(a.element), 'b' has \(b.element)")
    }
    return [ValueFact(a.element, try MatrixRules.product(a.shape, b.shape))]
  }

  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    MatrixRules.work(operands, results, depth: operands[0]?.shape.last ?? 1)
  }
}

/// The product of 8-bit integer matrices less their zero points, in i32.
struct MatMulInteger: Operator {
  let schema = OperatorSchema(
    "matmul_integer", "The product of (a - a_zero_point) and (b - b_zero_point) in i32.",
    operands: ["a", "b", "a_zero_point?", "b_zero_point?"])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    [ValueFact(.i32, try MatrixRules.product(try call.type(0).shape, try call.type(1).shape))]
  }

  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    MatrixRules.work(operands, results, depth: operands[0]?.shape.last ?? 1)
  }
}

/// `alpha a' b' + beta c`
struct Gemm: Operator {
  let schema = OperatorSchema(
    "gemm", "alpha a' b' + beta c; a' and b' are transposed when 'transA' and 'transB' say so, c broadcasts.",
    operands: ["a", "b", "c?"], attributes: ["alpha": .float, "beta": .float, "transA": .int, "transB": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (a, b) = (try call.type(0), try call.type(1))
    guard a.rank == 2, b.rank == 2 else { throw OperatorError("found \(a) and \(b), accepted are matrices") }
    let left = call.attributes.bool("transA", default: false) ? a.shape.reversed() : a.shape
    let right = call.attributes.bool("transB", default: false) ? b.shape.reversed() : b.shape
    return [ValueFact(a.element, try MatrixRules.product(left, right))]
  }

  func work(_ operands: [TensorType?], _ results: [TensorType?], _ attributes: Attributes) -> Work {
    let isTransposed = attributes.bool("transA", default: false)
    let depth = isTransposed ? operands[0]?.shape.first : operands[0]?.shape.last
    return MatrixRules.work(operands, results, depth: depth ?? 1)
  }
}

/// The determinants of a stack of square matrices.
struct Determinant: Operator {
  let schema = OperatorSchema("det", "The determinant of each matrix of a stack.", operands: ["x"])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    guard x.rank >= 2 else { throw OperatorError("found \(x), accepted are stacks of square matrices") }
    return [ValueFact(x.element, Array(x.shape.dropLast(2)))]
  }
}

enum LinearAlgebraOperators {
  static let all: [any Operator] = [
    MatMul(), Linear(), FeedForward(), LMHead(), HireLMHead(), CertifyRows(), HireFeedForward(),
    MatMulInteger(),
    Gemm(), Einsum(),
    Determinant(),
  ]
}

/// Rules that matrix products share.
enum MatrixRules {
  /// The shape of a product of stacks of matrices.
  static func product(_ a: [Dim], _ b: [Dim]) throws(OperatorError) -> [Dim] {
    guard !a.isEmpty, !b.isEmpty else { throw OperatorError("a scalar has no matrix product") }
    let (left, right) = (a.count == 1 ? [1] + a : a, b.count == 1 ? b + [1] : b)
    let (inner, other) = (left[left.count - 1], right[right.count - 2])
    if let k = inner.constant, let l = other.constant, k != l {
      throw OperatorError(
        "shapes \(ShapeRules.list(a)) and \(ShapeRules.list(b)) do not multiply: \(k) is not \(l)"
      )
    }
    var shape = try ShapeRules.broadcast(Array(left.dropLast(2)), Array(right.dropLast(2)))
    if a.count > 1 { shape.append(left[left.count - 2]) }
    if b.count > 1 { shape.append(right[right.count - 1]) }
    return shape
  }

  /// Two operations per result element and step of the depth; every operand and result moved once.
  static func work(_ operands: [TensorType?], _ results: [TensorType?], depth: Dim) -> Work {
    let count = results.compactMap { $0?.elementCount }.reduce(Dim(0), +)
    return Work(flops: count * depth * 2, moving: operands + results)
  }

  /// The extent N of a weight [N, K] that takes the rows of operand 0, with its bias [N], which may be
  /// absent. The attribute `format` tells how the weight is stored.
  static func outputs(
    _ call: InferenceCall, weight: Int, format: String, bias: Int
  ) throws(OperatorError) -> Dim {
    let x = try call.type(0)
    guard x.rank >= 1 else { throw OperatorError("x is \(x), accepted is rank 1 or more") }
    let rows = try WeightRules.rows(call, weight, format: format, columns: x.shape[x.rank - 1])
    if call.has(bias) { try call.requireEqualElements(0, bias) }
    try call.require(bias, shape: [rows])
    return rows
  }
}
