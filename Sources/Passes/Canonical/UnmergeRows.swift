public import GraphIR
import Tensors

extension RewritePass {
  /// Undoes the merging of batch and sequence that exporters put around products and norms.
  ///
  ///     %m = reshape(%x, [-1, 64])  : [B*S, 64]
  ///     %n = linear(%m, @w)         : [B*S, 128]     ──►    %y = linear(%x, @w) : [B, S, 128]
  ///     %y = reshape(%n, [0, 0, 128])                       (the reshapes meet and cancel)
  public static let unmergeRows = RewritePass(
    "unmerge-rows", "Computes row by row on [batch, sequence, ...], not on merged rows.", fidelity: .exact,
    rules: [SinkMerge(), SinkMergePair()])
}

/// A view that merges the leading axes of rows and keeps the last one.
private struct MergedRows {
  let source: ValueID

  init?(_ value: ValueID?, in view: borrowing GraphView) {
    guard let value, let node = view.producer(of: value, "reshape"), let source = node.operands[0],
      view.type(value).rank == 2, view.type(source).rank == 3,
      let width = view.type(source).shape[2].constant, view.type(value).shape[1] == Dim(width)
    else { return nil }
    self.source = source
  }

  /// Merges the rows of what a node computes on `source`.
  static func merge(_ value: ValueID, into builder: inout GraphBuilder) throws(OperatorError) -> ValueID {
    guard let width = builder.type(value).shape.last?.constant else {
      throw OperatorError("rows are of unknown width: \(builder.type(value))")
    }
    return try builder("reshape", value, builder.constant([-1, width]))
  }
}

/// `f(merge(x))` becomes `merge(f(x))` where `f` treats every row alike.
private struct SinkMerge: Rule {
  let name = "sink-merge"
  let anchors = [
    "linear", "rms_normalization", "layer_normalization", "simplified_layer_normalization", "cast", "relu",
    "gelu",
    "sigmoid", "tanh", "erf", "sqrt", "neg", "identity", "swish",
  ]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let rows = MergedRows(node.operands[0], in: view), let result = node.results[0],
      node.results.dropFirst().allSatisfy({ $0 == nil }), keepsRows(node)
    else { return nil }
    let name = view.graph[result].name
    return Patch("\(node.operation) before the merge of its rows", replacing: [result]) {
      builder throws(OperatorError) in
      let operands = [rows.source] + node.operands.dropFirst()
      let value = try builder.add(node.operation, operands, node.attributes, names: [name])[0]!
      return [try MergedRows.merge(value, into: &builder)]
    }
  }

  /// Whether a normalization is over the last axis alone.
  private func keepsRows(_ node: Node) -> Bool {
    guard node.operation.hasSuffix("normalization") else { return true }
    return [-1, 1].contains(node.attributes.int("axis", default: -1))
  }
}

/// `f(merge(a), merge(b))` or `f(merge(a), constant)` becomes the merge of `f` on the rows.
private struct SinkMergePair: Rule {
  let name = "sink-merge-pair"
  let anchors = ["add", "sub", "mul", "div"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let (a, b) = view.pair(node), let result = node.results[0] else { return nil }
    let (left, right) = (MergedRows(a, in: view), MergedRows(b, in: view))
    var operands: [ValueID?]
    if let left, let right {
      guard view.type(left.source).shape == view.type(right.source).shape else { return nil }
      operands = [left.source, right.source]
    } else if let left, view.type(b).rank <= 1 {
      operands = [left.source, b]
    } else if let right, view.type(a).rank <= 1 {
      operands = [a, right.source]
    } else {
      return nil
    }
    let name = view.graph[result].name
    return Patch("\(node.operation) before the merge of its rows", replacing: [result]) {
      builder throws(OperatorError) in
      let value = try builder.add(node.operation, operands, node.attributes, names: [name])[0]!
      return [try MergedRows.merge(value, into: &builder)]
    }
  }
}
