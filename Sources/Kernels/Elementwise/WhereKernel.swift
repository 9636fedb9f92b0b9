import Tensors

/// `y[i] = condition[i] ? a[i] : b[i]` with broadcasting, for elements of any type.
struct WhereKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    let (condition, a, b) = (call[0], call[1], try call.operand(2, like: 1))
    guard condition.element == .bool else {
      throw .element(condition.element, of: "condition", accepted: "bool")
    }
    let shape = try Broadcasting.shape(try Broadcasting.shape(condition.shape, a.shape), b.shape)
    let y = call.allocate(0, a.element, shape)
    switch a.element.byteCount {
    case 8: select(condition, a, b, y, as: UInt64.self)
    case 4: select(condition, a, b, y, as: UInt32.self)
    case 2: select(condition, a, b, y, as: UInt16.self)
    default: select(condition, a, b, y, as: UInt8.self)
    }
  }

  /// Fills `y` with `b`, then overwrites the elements whose condition holds.
  private func select<T: BitwiseCopyable>(
    _ condition: TensorView, _ a: TensorView, _ b: TensorView, _ y: TensorView, as type: T.Type
  ) {
    var source = b
    source.shape = y.shape
    source.strides = Broadcasting.strides(of: b, as: y.shape)
    StridedCopy.run(from: source, to: y)
    let (flags, from, to) = (condition.pointer(UInt8.self), a.pointer(T.self), y.pointer(T.self))
    let loop = StridedLoop(
      y.shape, y.strides, Broadcasting.strides(of: condition, as: y.shape),
      Broadcasting.strides(of: a, as: y.shape))
    loop.forEachRow { row in
      let (r, c, p) = (to + row.offset0, flags + row.offset1, from + row.offset2)
      for index in 0..<row.count where c[index &* row.stride1] != 0 {
        r[index &* row.stride0] = p[index &* row.stride2]
      }
    }
  }
}
