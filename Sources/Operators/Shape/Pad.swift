import GraphIR
import Tensors

/// Extends or crops axes: `y.shape[a] = begin[a] + x.shape[a] + end[a]`.
struct Pad: Operator {
  let schema = OperatorSchema(
    "pad",
    "Extends axes (or crops them, where negative) with a constant, the border, its mirror or the other side.",
    operands: ["x", "pads", "constant?", "axes?"], attributes: ["mode": .string])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let axes = call.has(3) ? try call.axes(3, rank: x.rank)! : Array(0..<x.rank)
    guard try call.vectorCount(1) == 2 * axes.count else {
      throw OperatorError(
        "'pads' is \(try call.type(1)), accepted is a begin and an end for each of \(axes.count) axes")
    }
    let pads = call.content(1)
    var shape = x.shape
    for (index, axis) in axes.enumerated() {
      shape[axis] = pads.map { $0[index] + x.shape[axis] + $0[index + axes.count] } ?? call.unknownDim()
    }
    return [ValueFact(x.element, shape)]
  }
}

/// Crops or pads axes at both sides, the odd position at the end, to the extents in operand 1.
struct CenterCropPad: Operator {
  let schema = OperatorSchema(
    "center_crop_pad", "Crops or zero-pads axes evenly at both sides to the extents in operand 1.",
    operands: ["x", "shape"], attributes: ["axes": .ints])

  private func axes(_ attributes: Attributes, rank: Int) throws(OperatorError) -> [Int] {
    var axes: [Int] = []
    for axis in attributes.ints("axes") ?? Array(0..<rank) {
      axes.append(try ShapeRules.axis(axis, rank: rank))
    }
    return axes
  }

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    let (axes, extents) = (try axes(call.attributes, rank: x.rank), try call.shapeOperand(1))
    guard axes.count == extents.count else {
      throw OperatorError("the shape has \(extents.count) entries for \(axes.count) axes")
    }
    var shape = x.shape
    for (axis, extent) in zip(axes, extents) { shape[axis] = extent }
    return [ValueFact(x.element, shape)]
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    guard let operand = node.operands[0], let wanted = node.operands[1] else { return nil }
    let x = builder.type(operand)
    let axes = try axes(node.attributes, rank: x.rank)
    guard let target = builder.fact(wanted).content?.compactMap(\.constant), target.count == axes.count,
      let shape = x.constantShape
    else { return nil }
    let begins = zip(axes, target).map { floorHalf($1 - shape[$0]) }
    let ends = zip(axes, target).enumerated().map { $1.1 - shape[$1.0] - begins[$0] }
    return [
      try builder("pad", operand, builder.constant(begins + ends), nil, builder.constant(axes))
    ]
  }

  /// Half of the positions added or cropped, rounded toward zero.
  private func floorHalf(_ count: Int) -> Int { count / 2 }
}
