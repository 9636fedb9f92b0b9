import GraphIR
import Tensors

/// Says why a mixture of experts is left as it is.
///
///     %p = softmax(linear(%x, @router))       %v, %i = top_k(%p, 2)      (or top_k before softmax)
///
/// Which experts run is known only when a token is there, while a feed-forward block reads the same matrices for
/// every token.
struct ReportExperts: Rule {
  let name = "report-experts"
  let anchors = ["top_k"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    var value = view[id].operands[0]
    for _ in 0..<4 {
      guard let node = view.producer(of: value, "softmax", "reshape", "cast", "sigmoid", "add") else { break }
      value = node.operands[0]
    }
    guard let router = view.producer(of: value, "linear"), let weight = router.operands[1],
      let count = view.type(weight).shape[0].constant
    else { return nil }
    throw Miss(
      "a router chooses among \(count) experts for every token; a mixture of experts stays as exported")
  }
}
