import GraphIR
import Tensors

/// `identity(x)`, and `dropout(x)` whose mask nobody reads, are x.
struct DropIdentity: Rule {
  let name = "drop-identity"
  let anchors = ["identity", "dropout"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let x = node.operands[0], let result = node.results[0] else { return nil }
    if node.operation == "dropout" {
      if node.operands.count > 2, let training = node.operands[2] {
        guard view.scalar(training) == 0 else { throw Miss("it may be used in training") }
      }
      for case let mask? in node.results.dropFirst() where view.useCount(mask) > 0 {
        throw Miss("its mask is used")
      }
    }
    return Patch(node.operation, replacing: result, with: x)
  }
}

/// A movement that leaves the type as it is moves nothing: `expand`, `tile`, `concat` and `split` of one
/// part.
struct DropMovement: Rule {
  let name = "drop-movement"
  let anchors = ["expand", "tile", "concat", "split"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let x = node.operands[0], let result = node.results[0], view.type(x) == view.type(result) else {
      return nil
    }
    if node.operation == "concat", node.operands.count > 1 { return nil }
    if node.operation == "split", node.results.count > 1 { return nil }
    return Patch("\(node.operation) of \(view.type(x)) to itself", replacing: result, with: x)
  }
}

/// A slice forward over all positions is its operand.
struct DropSlice: Rule {
  let name = "drop-slice"
  let anchors = ["slice"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let x = node.operands[0], let result = node.results[0], view.type(x) == view.type(result) else {
      return nil
    }
    if node.operands.count > 4, let steps = node.operands[4] {
      guard let steps = view.integers(steps), steps.allSatisfy({ $0 == 1 }) else { return nil }
    }
    return Patch("slice of all", replacing: result, with: x)
  }
}

/// Operands of `concat` without elements are left out.
struct DropConcatOperands: Rule {
  let name = "drop-empty-operands"
  let anchors = ["concat"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let result = node.results[0], let given = node.attributes.int("axis") else { return nil }
    let axis = given < 0 ? given + view.type(result).rank : given
    var kept: [ValueID] = []
    for case let operand? in node.operands where view.type(operand).shape[axis].constant != 0 {
      kept.append(operand)
    }
    guard !kept.isEmpty, kept.count < node.operands.count else { return nil }
    return Patch(
      "\(node.operands.count - kept.count) empty operands", replacing: result, with: "concat", kept,
      ["axis": .int(axis)])
  }
}
