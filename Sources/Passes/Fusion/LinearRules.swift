import GraphIR
import Tensors

/// A product with a matrix that depends on constants alone.
///
///     %y = matmul(%x, @w)                        %t = transpose(@w) {perm = [1, 0]}
///                                         ──►    %y = linear(%x, %t)
///     %u = transpose(@e) {perm = [1, 0]}
///     %z = matmul(%x, %u)                 ──►    %z = linear(%x, @e)
///
/// Requires: f32; a matrix, with or without leading axes of extent 1 that x has, too.
struct LinearFromMatMul: Rule {
  let name = "linear-from-matmul"
  let anchors = ["matmul"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let (x, right) = view.pair(node), let result = node.results[0], view.isConstantExpression(right),
      !view.isConstantExpression(x)
    else { return nil }
    let type = view.type(right)
    guard type.element == .f32, type.rank >= 2, type.rank <= max(view.type(x).rank, 2),
      type.shape.dropLast(2).allSatisfy({ $0 == 1 })
    else { throw Miss("the constant is \(type), need f32 of rank 2") }
    let weight = MatrixSource(right, view)
    let matrix = type.shape.suffix(2).compactMap(\.constant)
    return Patch("matmul", replacing: [result]) { builder throws(OperatorError) in
      [try builder("linear", x, try weight.rows(&builder, columns: true, matrix))]
    }
  }
}

/// `gemm(x, w, b)` with a matrix that depends on constants alone.
///
///     %g = gemm(%x, @v, @b) {transB = 1}  ──►    %g = linear(%x, @v, @b)
///
/// Requires: f32, unit factors, a left side as it is, a bias as long as the result's last axis.
struct LinearFromGemm: Rule {
  let name = "linear-from-gemm"
  let anchors = ["gemm"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let x = node.operands[0], let right = node.operands[1], let result = node.results[0],
      view.isConstantExpression(right), !view.isConstantExpression(x)
    else { return nil }
    guard view.type(right).element == .f32 else {
      throw Miss("the constant is \(view.type(right)), need f32 of rank 2")
    }
    guard node.attributes.float("alpha", default: 1) == 1, node.attributes.float("beta", default: 1) == 1,
      !node.attributes.bool("transA", default: false)
    else { throw Miss("factors or a transposed left side, need plain 'x w + b'") }
    let bias = node.operands.count > 2 ? node.operands[2] : nil
    if let bias, view.type(bias).shape != [view.type(result).shape[1]] {
      throw Miss("the bias is \(view.type(bias)), need a vector as long as a row of the result")
    }
    let hasColumns = !node.attributes.bool("transB", default: false)
    let weight = MatrixSource(right, view)
    return Patch("gemm", replacing: [result]) { builder throws(OperatorError) in
      let rows = try weight.rows(&builder, columns: hasColumns)
      return [try builder.add("linear", [x, rows] + (bias.map { [$0] } ?? []))[0]!]
    }
  }
}

/// A matrix, and what it is the transpose of, if it is one.
private struct MatrixSource {
  let value: ValueID
  let transposed: ValueID?

  init(_ value: ValueID, _ view: borrowing GraphView) {
    self.value = value
    if let node = view.producer(of: value, "transpose"), view.permutation(node) == [1, 0] {
      transposed = node.operands[0]
    } else {
      transposed = nil
    }
  }

  /// The matrix with one row per output.
  ///
  /// - Parameters:
  ///   - columns: whether the value has one column per output.
  ///   - extents: rows and columns, where the value may have leading axes.
  func rows(
    _ builder: inout GraphBuilder, columns: Bool, _ extents: [Int] = []
  ) throws(OperatorError) -> ValueID {
    if !columns { return value }
    if let transposed { return transposed }
    let type = builder.type(value)
    let matrix = type.rank == 2 ? value : try builder("reshape", value, builder.constant(extents))
    let name = "\(builder.graph[value].name).T"
    return try builder.add(
      "transpose", [matrix], Attributes(["perm": .ints([1, 0])]), names: [name])[0]!
  }
}

/// A sum with what depends on constants alone, behind a product that nobody else reads, is the product's
/// bias.
///
///     %y = linear(%x, @w)
///     %z = add(%y, @b)                           ──►    %z = linear(%x, @w, @b)
struct AbsorbBias: Rule {
  let name = "absorb-bias"
  let anchors = ["add"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let (a, b) = view.pair(node), let result = node.results[0] else { return nil }
    for (product, bias) in [(a, b), (b, a)] {
      guard let linear = view.producer(of: product, "linear"), linear.operands.count == 2,
        view.isConstantExpression(bias), view.type(product) == view.type(result)
      else { continue }
      try view.requireVector(bias, "the bias", like: product)
      try view.requireSingleUse(product, "the product's result")
      return Patch("bias", replacing: [result]) { builder throws(OperatorError) in
        [try builder.add("linear", linear.operands + [try builder.vector(bias)])[0]!]
      }
    }
    return nil
  }
}

/// Rows that are folded into one axis for a product and unfolded behind it need neither.
///
///     %r = reshape(%x, @s) : f32[B*S, K]
///     %y = linear(%r, @w) : f32[B*S, N]          ──►    %z = linear(%x, @w) : f32[B, S, N]
///     %z = reshape(%y, %t) : f32[B, S, N]
///
/// Where x has other axes than z, such as heads, it is reshaped to those of z.
struct UnfoldRows: Rule {
  let name = "unfold-rows"
  let anchors = ["reshape"]

  func match(_ id: NodeID, in view: borrowing GraphView) throws(Miss) -> Patch? {
    let node = view[id]
    guard let product = node.operands[0], let linear = view.producer(of: product, "linear"),
      let folded = linear.operands[0], let x = view.operand(of: folded, "reshape"),
      let result = node.results[0], let depth = view.type(folded).shape.last,
      view.type(result).shape.last == view.type(product).shape.last
    else { return nil }
    let needed = TensorType(view.type(x).element, view.type(result).shape.dropLast() + [depth])
    let target = view.type(x) == needed ? [] : MergeReshapes.target(from: view.type(x), to: needed)
    guard let target, view.type(x).elementCount == needed.elementCount else { return nil }
    try view.requireSingleUse(product, "the product's result")
    return Patch("linear", replacing: [result]) { builder throws(OperatorError) in
      let unfolded = target.isEmpty ? x : try builder("reshape", x, builder.constant(target))
      return [try builder.add("linear", [unfolded] + linear.operands.dropFirst())[0]!]
    }
  }
}
