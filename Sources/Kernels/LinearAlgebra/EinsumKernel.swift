import Tensors

/// Einstein summation, evaluated term by term over all labels.
struct EinsumKernel: NumberKernel {
  let equation: String

  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError) {
    var views: [TensorView] = []
    for index in 0..<call.operandCount { views.append(try call.operand(index, like: 0)) }
    let parsed = try EinsumEquation(parsing: equation, ranks: views.map(\.rank))
    let extents = try Self.extents(parsed, views)
    let outer = parsed.result
    let inner = extents.keys.filter { !outer.contains($0) }
    let y = call.allocate(0, views[0].element, Extents(outer.map { extents[$0]! }))
    let strides = zip(parsed.operands, views).map { labels, view in
      Self.strides(of: outer + inner, labels, view)
    }
    let shape = (outer + inner).map { extents[$0]! }
    let terms = inner.reduce(1) { $0 * extents[$1]! }
    let target = y.pointer(T.self)
    if terms == 0 { target.update(repeating: 0, count: y.elementCount) }
    var index = [Int](repeating: 0, count: shape.count)
    var offsets = [Int](repeating: 0, count: views.count)
    for position in 0..<(y.elementCount * terms) {
      var product: T = 1
      for (view, offset) in zip(views, offsets) { product = T.product(product, view.pointer(T.self)[offset]) }
      let result = position / terms
      target[result] = position % terms == 0 ? product : T.sum(target[result], product)
      Self.advance(&index, &offsets, shape, strides)
    }
  }

  /// The extent of each label: that of all its axes, where ellipsis axes of extent 1 broadcast.
  private static func extents(
    _ equation: EinsumEquation, _ views: [TensorView]
  ) throws(KernelError) -> [EinsumEquation.Label: Int] {
    var extents: [EinsumEquation.Label: Int] = [:]
    for (labels, view) in zip(equation.operands, views) {
      for (axis, label) in labels.enumerated() {
        let (known, extent) = (extents[label] ?? 1, view.shape[axis])
        guard known == extent || known == 1 || extent == 1 else {
          throw .invalid("axes with the same label have extents \(known) and \(extent)")
        }
        extents[label] = known == 1 ? extent : known
      }
    }
    return extents
  }

  /// The step in an operand per label; axes with the same label are walked together.
  private static func strides(
    of all: [EinsumEquation.Label], _ labels: [EinsumEquation.Label], _ view: TensorView
  ) -> [Int] {
    all.map { label in
      labels.indices.reduce(0) { sum, axis in
        labels[axis] == label && view.shape[axis] != 1 ? sum + view.strides[axis] : sum
      }
    }
  }

  private static func advance(
    _ index: inout [Int], _ offsets: inout [Int], _ shape: [Int], _ strides: [[Int]]
  ) {
    var axis = shape.count - 1
    while axis >= 0 {
      index[axis] += 1
      for operand in offsets.indices { offsets[operand] += strides[operand][axis] }
      if index[axis] < shape[axis] { return }
      for operand in offsets.indices { offsets[operand] -= strides[operand][axis] * shape[axis] }
      index[axis] = 0
      axis -= 1
    }
  }
}
