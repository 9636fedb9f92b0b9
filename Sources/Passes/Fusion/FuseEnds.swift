public import GraphIR
import Tensors

extension RewritePass {
  /// The ends of a decoder: token embedding and logits.
  public static let fuseEnds = RewritePass(
    "fuse-ends", "Makes the token embedding and the projection to logits operators of their own.",
    fidelity: .rounding, rules: [FuseHead(), FuseEmbedding()])
}

/// The projection to logits.
///
///     %p = linear(%x, @w)
///     %c = mul(tanh(div(%p, 30)), 30)      ──►      %c = lm_head(%x, @w) {softcap = 30}
///
/// Requires: an output of the function, f32 of rank 3; no product of the function has more columns; weights
/// that depend on constants alone; for a softcap, a product that nobody else reads.
struct FuseHead: Rule {
  let name = "fuse-head"
  let anchors = ["linear", "mul"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let result = node.results[0], view.graph.isOutput(result) else { return nil }
    var (linear, cap) = (node, 0.0)
    if node.operation == "mul" {
      guard let (capped, factor) = view.withScalar(result, "mul"),
        let quotient = view.operand(of: capped, "tanh"),
        let (product, divisor) = view.quotient(quotient),
        abs(divisor - factor) <= 1e-5 * abs(factor), let inner = view.producer(of: product, "linear")
      else { return nil }
      try view.requireSingleUse(product, "the product in front of the softcap")
      (linear, cap) = (inner, factor)
    }
    guard let x = linear.operands[0], let weight = linear.operands[1], let rows = view.rows(of: weight) else {
      return nil
    }
    guard view.type(result).element == .f32, view.type(x).rank == 3 else {
      throw Miss("the output is \(view.type(result)), need f32 of rank 3")
    }
    let widest = view.widestProduct
    guard rows == widest.rows else {
      throw Miss("the output has \(rows) columns, another product of the function \(widest.rows)")
    }
    guard linear.operands.dropFirst().allSatisfy({ $0.map { view.isConstantExpression($0) } ?? true }) else {
      throw Miss("its weights are computed at run time, need constants")
    }
    return Patch(
      cap == 0 ? "logits" : "logits with softcap", replacing: result, with: "lm_head", linear.operands,
      cap == 0 ? [:] : ["softcap": .float(Float(cap))])
  }
}

/// The rows of a table for token ids.
///
///     %e = gather(@table, %ids)
///     %x = mul(%e, 25.3)                   ──►      %x = embedding(%ids, @table) {scale = 25.3}
///
/// Requires: a table of f32 that depends on constants alone, as wide as the operand of the function's widest
/// product (so that tables of rotary positions stay what they are); ids of rank 2 that are i64 or i32 and
/// known at run time only; for a scale, rows that nobody else reads.
struct FuseEmbedding: Rule {
  let name = "fuse-embedding"
  let anchors = ["gather", "mul"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let result = node.results[0] else { return nil }
    if node.operation == "mul" {
      guard let (rows, scale) = view.withScalar(result, "mul"),
        let inner = view.producer(of: rows, "embedding"),
        inner.operands.count == 2
      else { return nil }
      try view.requireSingleUse(rows, "the embedding")
      let factor = Float(scale) * inner.attributes.float("scale", default: 1)
      return Patch("scale", replacing: result, with: "embedding", inner.operands, ["scale": .float(factor)])
    }
    guard let table = node.operands[0], let ids = node.operands[1], view.isConstantExpression(table),
      !view.isConstantExpression(ids), view.type(table).rank == 2, view.type(table).element == .f32,
      view.type(ids).rank == 2, [0, -2].contains(node.attributes.int("axis", default: 0)),
      [.i64, .i32].contains(view.type(ids).element), let width = view.type(table).shape[1].constant,
      width == view.widestProduct.width
    else { return nil }
    return Patch("rows of a table", replacing: result, with: "embedding", [ids, table])
  }
}

extension GraphView {
  /// Dividend and divisor, a scalar, of a quotient that may be spelled as a product.
  fileprivate func quotient(_ value: ValueID) -> (dividend: ValueID, divisor: Double)? {
    if let (dividend, divisor) = pair(value, "div"), let scalar = scalar(divisor) {
      return (dividend, scalar)
    }
    guard let (dividend, factor) = withScalar(value, "mul"), factor != 0 else { return nil }
    return (dividend, 1 / factor)
  }

  fileprivate func rows(of weight: ValueID) -> Int? { type(weight).shape.first?.constant }

  /// Columns of the result and of the operand of the product with the most columns.
  fileprivate var widestProduct: (rows: Int, width: Int) {
    var widest = (rows: 0, width: 0)
    for case let node? in graph.nodes where node.operation == "linear" || node.operation == "lm_head" {
      guard let weight = node.operands[1], let extents = type(weight).constantShape, extents.count == 2,
        extents[0] > widest.rows
      else { continue }
      widest = (extents[0], extents[1])
    }
    return widest
  }
}
