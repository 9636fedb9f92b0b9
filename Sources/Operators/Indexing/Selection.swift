import GraphIR
import Tensors

/// `values[1]` where the new axis equals the index, `values[0]` elsewhere.
struct OneHot: Operator {
  let schema = OperatorSchema(
    "one_hot",
    "values[1] where the position on the new 'axis' of extent depth is the index, values[0] elsewhere.",
    operands: ["indices", "depth", "values"], attributes: ["axis": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let indices = try call.type(0)
    let axis = try ShapeRules.axis(call.attributes.int("axis", default: -1), rank: indices.rank + 1)
    var shape = indices.shape
    shape.insert(call.content(1)?.first ?? call.unknownDim(), at: axis)
    return [ValueFact(try call.type(2).element, shape)]
  }
}

/// The k largest or smallest elements along an axis and their positions, in order; equal ones by position.
struct TopK: Operator {
  let schema = OperatorSchema(
    "top_k", "The k largest (or smallest) elements along 'axis' and their positions.", operands: ["x", "k"],
    results: 2...2, attributes: ["axis": .int, "largest": .int, "sorted": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let axis = try ShapeRules.axis(call.attributes.int("axis", default: -1), rank: x.rank)
    var shape = x.shape
    shape[axis] = call.content(1)?.first ?? call.unknownDim()
    if let k = shape[axis].constant, let extent = x.shape[axis].constant, !(0...extent).contains(k) {
      throw OperatorError("k is \(k), axis \(axis) of \(x) has \(extent) elements")
    }
    return [ValueFact(x.element, shape), ValueFact(.i64, shape)]
  }
}

/// The positions of elements other than zero, one column each, in row-major order.
struct NonZero: Operator {
  let schema = OperatorSchema(
    "non_zero", "The positions of elements other than zero as columns: i64[rank, count].", operands: ["x"])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    guard let known = KnownContent(call.operands[0]) else {
      return [ValueFact(.i64, [Dim(x.rank), call.unknownDim()])]
    }
    let places = known.elements.indices.filter { known.elements[$0].constant != 0 }
    guard known.elements.allSatisfy({ $0.constant != nil }),
      places.count * x.rank <= ValueFact.maximumContentCount
    else {
      return [ValueFact(.i64, [Dim(x.rank), call.unknownDim()])]
    }
    var content: [Dim] = []
    var step = known.elements.count
    for extent in known.shape {
      step /= max(1, extent)
      content += places.map { Dim($0 / max(1, step) % extent) }
    }
    return [ValueFact(TensorType(.i64, [Dim(x.rank), Dim(places.count)]), content: content)]
  }
}

/// The slices of an axis (or the elements in row-major order, without one) whose condition is true.
struct Compress: Operator {
  let schema = OperatorSchema(
    "compress", "The slices of 'axis' (of all elements in order, without one) whose condition is true.",
    operands: ["x", "condition"], attributes: ["axis": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let count = call.integers(1).map { Dim($0.count { $0 != 0 }) } ?? call.unknownDim()
    guard let axis = call.attributes.int("axis") else { return [ValueFact(x.element, [count])] }
    var shape = x.shape
    shape[try ShapeRules.axis(axis, rank: x.rank)] = count
    return [ValueFact(x.element, shape)]
  }
}

/// The distinct slices of an axis (or elements, without one), with first positions, inverse positions and
/// counts.
struct Unique: Operator {
  let schema = OperatorSchema(
    "unique",
    "The distinct slices of 'axis' (or elements), their first positions, each slice's place, and counts.",
    operands: ["x"], results: 1...4, attributes: ["axis": .int, "sorted": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let count = call.unknownDim()
    guard let axis = call.attributes.int("axis") else {
      return [
        ValueFact(x.element, [count]), ValueFact(.i64, [count]), ValueFact(.i64, [x.elementCount]),
        ValueFact(.i64, [count]),
      ]
    }
    var shape = x.shape
    let resolved = try ShapeRules.axis(axis, rank: x.rank)
    shape[resolved] = count
    return [
      ValueFact(x.element, shape), ValueFact(.i64, [count]), ValueFact(.i64, [x.shape[resolved]]),
      ValueFact(.i64, [count]),
    ]
  }
}
