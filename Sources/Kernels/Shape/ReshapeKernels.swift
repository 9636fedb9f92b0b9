import Tensors

enum ReshapeKernels {
  static let entries: [KernelEntry] = [
    KernelEntry("reshape", sharing: .views(of: 0)) {
      ReshapeKernel(allowsZero: $0.bool("allowzero", default: false))
    },
    KernelEntry("flatten", sharing: .views(of: 0)) { FlattenKernel(axis: $0.int("axis", default: 1)) },
    KernelEntry("squeeze", sharing: .views(of: 0)) { _ in SqueezeKernel() },
    KernelEntry("unsqueeze", sharing: .views(of: 0)) { _ in UnsqueezeKernel() },
    KernelEntry("expand", sharing: .views(of: 0)) { _ in ExpandKernel() },
  ]
}

extension KernelCall {
  /// Gives operand 0 another shape: a view where strides can express it, else a copy.
  fileprivate func reshape(_ x: TensorView, to shape: Extents) {
    if let view = x.viewed(as: shape) { return alias(0, view) }
    let y = allocate(0, x.element, shape)
    StridedCopy.run(from: x, to: TensorView(y.base, x.element, x.shape))
  }
}

/// The same elements in row-major order under the shape in operand 1.
///
/// `-1` stands for what the count leaves, `0` for the operand's extent at that place unless zeros are
/// allowed.
struct ReshapeKernel: Kernel {
  let allowsZero: Bool

  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    let target = try call.integerBuffer(1)
    guard target.count <= Extents.maximumRank else {
      throw .unsupported("the shape has rank \(target.count), accepted is up to \(Extents.maximumRank)")
    }
    var shape = Extents()
    var (inferred, known) = (-1, 1)
    for (axis, extent) in target.enumerated() {
      guard extent >= -1 else { throw .invalid("shape entry \(axis) is \(extent), accepted are -1 and up") }
      var value = extent
      if extent == 0, !allowsZero {
        guard axis < x.rank else {
          throw .invalid("shape entry \(axis) is 0, the operand has rank \(x.rank)")
        }
        value = x.shape[axis]
      }
      if extent == -1 {
        guard inferred < 0 else { throw .invalid("the shape \(Array(target)) has more than one -1") }
        inferred = axis
        value = 1
      }
      known &*= value
      shape.append(value)
    }
    if inferred >= 0 { shape[inferred] = known == 0 ? 0 : x.elementCount / known }
    guard shape.byteCount(of: x.element) == x.byteCount else {
      throw .invalid(
        "shape \(x.shape.array) of \(x.elementCount) elements does not reshape to \(Array(target))")
    }
    call.reshape(x, to: shape)
  }
}

/// A matrix: axes before `axis` become rows, the others columns.
struct FlattenKernel: Kernel {
  let axis: Int

  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    let split = axis < 0 ? axis + x.rank : axis
    guard (0...x.rank).contains(split) else {
      throw .invalid("axis \(axis) is out of range, accepted are \(-x.rank)...\(x.rank)")
    }
    call.reshape(x, to: Extents(x.shape.product(0..<split), x.shape.product(split..<x.rank)))
  }
}

/// Drops axes of extent 1: those in operand 1, or all.
struct SqueezeKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    var drops = Extents(repeating: 0, count: x.rank)
    if call.has(1) {
      for axis in try call.integerBuffer(1) {
        let axis = try x.shape.axis(axis)
        guard x.shape[axis] == 1 else {
          throw .invalid(
            "axis \(axis) of \(x.shape.array) has extent \(x.shape[axis]), only 1 can be squeezed")
        }
        drops[axis] = 1
      }
    } else {
      for axis in 0..<x.rank where x.shape[axis] == 1 { drops[axis] = 1 }
    }
    var y = TensorView(x.base, x.element, Extents(), strides: Extents())
    for axis in 0..<x.rank where drops[axis] == 0 {
      y.shape.append(x.shape[axis])
      y.strides.append(x.strides[axis])
    }
    call.alias(0, y)
  }
}

/// Inserts axes of extent 1 at the places of the result named by operand 1.
struct UnsqueezeKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    let axes = try call.integerBuffer(1)
    guard x.rank + axes.count <= Extents.maximumRank else {
      throw .unsupported(
        "the result has rank \(x.rank + axes.count), accepted is up to \(Extents.maximumRank)")
    }
    var inserted = Extents(repeating: 0, count: x.rank + axes.count)
    for axis in axes {
      let axis = try inserted.axis(axis)
      guard inserted[axis] == 0 else { throw .invalid("axes \(Array(axes)) name axis \(axis) twice") }
      inserted[axis] = 1
    }
    var y = TensorView(x.base, x.element, inserted, strides: inserted)
    var source = 0
    for axis in 0..<inserted.count where inserted[axis] == 0 {
      y.shape[axis] = x.shape[source]
      y.strides[axis] = x.strides[source]
      source += 1
    }
    call.alias(0, y)
  }
}

/// Repeats axes of extent 1 so that the operand gets the shape in operand 1, broadcast both ways.
struct ExpandKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    let target = try call.integerBuffer(1)
    guard target.count <= Extents.maximumRank else {
      throw .unsupported("the shape has rank \(target.count), accepted is up to \(Extents.maximumRank)")
    }
    for (axis, extent) in target.enumerated() where extent < 0 {
      throw .invalid("shape entry \(axis) is \(extent), accepted are 0 and up")
    }
    let shape = try Broadcasting.shape(x.shape, Extents(target))
    try shape.checkSize(of: x.element)
    call.alias(0, TensorView(x.base, x.element, shape, strides: Broadcasting.strides(of: x, as: shape)))
  }
}
