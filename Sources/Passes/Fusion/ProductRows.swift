import GraphIR
import Tensors

/// The result of a product, or a run of its columns that a `split` or `slice` cuts out: a product with some
/// rows of the weight.
///
///     %p = linear(%x, @w) : f32[S, 8]
///     %a, %b = split(%p) {axis = -1, num_outputs = 2}       %b is the product with rows 4 to 8 of @w
struct ProductRows {
  let x: ValueID
  private let product: ValueID
  private let weight: ValueID
  private let bias: ValueID?
  /// Rows of the weight; nil for all.
  private let rows: Range<Int>?

  init?(_ value: ValueID, _ view: borrowing GraphView) {
    let part = Part(value, view)
    guard let linear = view.producer(of: part?.whole ?? value, "linear"), let x = linear.operands[0],
      let weight = linear.operands[1], view.isConstantExpression(weight)
    else { return nil }
    let bias = linear.operands.count > 2 ? linear.operands[2] : nil
    if let bias, !view.isConstantExpression(bias) { return nil }
    (self.x, self.weight, self.bias, rows) = (x, weight, bias, part?.range)
    product = part?.whole ?? value
  }

  /// - Throws: that the product is read by others than the cuts `values`.
  func requireReaders(_ values: [ValueID], _ view: borrowing GraphView) throws(Miss) {
    guard rows != nil else { return }
    var cuts: Set<NodeID> = []
    for value in values { if let cut = view.graph.producer(of: value) { cuts.insert(cut) } }
    guard view.graph.users(of: product).allSatisfy({ cuts.contains($0) }), !view.graph.isOutput(product)
    else {
      throw Miss("the product of gate and up has further uses")
    }
  }

  /// Weight and bias of these rows.
  func operands(
    _ builder: inout GraphBuilder
  ) throws(OperatorError) -> (weight: ValueID, bias: ValueID?) {
    guard let rows else { return (weight, bias) }
    func cut(_ value: ValueID) throws(OperatorError) -> ValueID {
      try builder(
        "slice", value, builder.constant([rows.lowerBound]), builder.constant([rows.upperBound]),
        builder.constant([0]))
    }
    let matrix = try cut(weight)
    guard let bias else { return (matrix, nil) }
    return (matrix, try cut(bias))
  }
}

/// A run of columns of another value.
private struct Part {
  let whole: ValueID
  let range: Range<Int>

  init?(_ value: ValueID, _ view: borrowing GraphView) {
    guard case .result(let id, let index) = view.graph[value].definition, let x = view[id].operands[0],
      let width = view.type(value).shape.last?.constant, let total = view.type(x).shape.last?.constant
    else { return nil }
    let node = view[id]
    let last = view.type(x).rank - 1
    var start: Int
    switch node.operation {
    case "split":
      let axis = node.attributes.int("axis", default: 0)
      guard axis == -1 || axis == last else { return nil }
      if node.operands.count > 1, let operand = node.operands[1] {
        guard let sizes = view.integers(operand) else { return nil }
        start = sizes[..<index].reduce(0, +)
      } else {
        let count = node.attributes.int("num_outputs", default: node.results.count)
        start = index * ((total + count - 1) / count)
      }
    case "slice":
      let steps = node.operands.count > 4 ? node.operands[4] : nil
      guard let starts = view.integers(node.operands[1]), starts.count == 1, node.operands.count > 3,
        let axes = view.integers(node.operands[3]), axes == [-1] || axes == [last],
        steps.map({ view.integers($0) == [1] }) ?? true
      else { return nil }
      start = starts[0] < 0 ? max(0, starts[0] + total) : starts[0]
    default: return nil
    }
    guard start + width <= total else { return nil }
    whole = x
    range = start..<(start + width)
  }
}
