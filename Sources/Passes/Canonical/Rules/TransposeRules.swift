import GraphIR
import Tensors

/// A transpose that leaves every axis in its place is its operand.
struct DropTranspose: Rule {
  let name = "drop-transpose"
  let anchors = ["transpose"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let x = node.operands[0], let result = node.results[0],
      view.permutation(node) == Array(0..<view.type(x).rank)
    else { return nil }
    return Patch("no axis moves", replacing: result, with: x)
  }
}

/// Two transposes are one.
struct MergeTransposes: Rule {
  let name = "merge-transposes"
  let anchors = ["transpose"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let inner = view.producer(of: node.operands[0], "transpose"), let x = inner.operands[0],
      let result = node.results[0]
    else { return nil }
    let first = view.permutation(inner)
    let merged = view.permutation(node).map { first[$0] }
    return Patch("two transposes", replacing: result, with: "transpose", [x], ["perm": .ints(merged)])
  }
}

extension GraphView {
  /// Which axis of the operand of a `transpose` becomes each axis of the result.
  func permutation(_ node: Node) -> [Int] {
    if let given = node.attributes.ints("perm") { return given }
    return node.operands[0].map { (0..<type($0).rank).reversed() } ?? []
  }
}
