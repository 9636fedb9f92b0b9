import GraphIR
import Tensors

/// Operators that keep the elements in row-major order.
private let reshaping = ["reshape", "squeeze", "unsqueeze", "flatten"]

/// A reshape to the shape that its operand has is its operand.
struct DropReshape: Rule {
  let name = "drop-reshape"
  let anchors = reshaping

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let x = node.operands[0], let result = node.results[0], view.type(x) == view.type(result) else {
      return nil
    }
    return Patch("\(node.operation) of \(view.type(x)) to itself", replacing: result, with: x)
  }
}

/// Of a chain of reshapes the last is enough, when its shape can be written without the one in between.
///
///     %a = reshape(%x, [-1, 64]) : f32[B*S, 64]
///     %b = reshape(%a, %s) : f32[B, S, 4, 16]         ──►   %b = reshape(%x, %s) : f32[B, S, 4, 16]
///
/// A shape operand of known content without zeros stays. Otherwise the new one is made of the extents that
/// are numbers, 0 where a run-time size stays in its place, and -1 once; not both, as -1 is undefined beside
/// an extent that is 0 at run time.
struct MergeReshapes: Rule {
  let name = "merge-reshapes"
  let anchors = reshaping

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let inner = node.operands[0], let result = node.results[0],
      let producer = view.producer(of: inner, "reshape", "squeeze", "unsqueeze", "flatten"),
      let x = producer.operands[0]
    else { return nil }
    let description = "\(producer.operation) and \(node.operation)"
    if node.operation == "reshape", let shape = node.operands[1], let content = view.graph[shape].content,
      !content.contains(where: { $0.constant == 0 })
    {
      return Patch(description, replacing: result, with: "reshape", [x, shape], ["allowzero": .int(1)])
    }
    guard let target = Self.target(from: view.type(x), to: view.type(result)) else { return nil }
    return Patch(description, replacing: [result]) { builder throws(OperatorError) in
      [try builder("reshape", x, builder.constant(target))]
    }
  }

  /// The shape operand of a reshape from one type to another; nil where there is none that is defined for all
  /// sizes.
  static func target(from: TensorType, to: TensorType) -> [Int]? {
    var target: [Int] = []
    for (axis, dim) in to.shape.enumerated() {
      if let extent = dim.constant {
        guard extent > 0 else { return nil }
        target.append(extent)
      } else {
        target.append(axis < from.rank && from.shape[axis] == dim ? 0 : -1)
      }
    }
    let inferred = target.count { $0 == -1 }
    return inferred == 0 || inferred == 1 && !target.contains(0) ? target : nil
  }
}
