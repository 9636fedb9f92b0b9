import Tensors

enum GeneratorKernels {
  static let entries: [KernelEntry] = [
    KernelEntry("size") { _ in SizeKernel() },
    KernelEntry("constant_of_shape") { ConstantOfShapeKernel(value: $0.tensor("value")) },
    KernelEntry("range", widensNarrowFloats: true) { _ in RangeKernel() },
    KernelEntry("eye_like") { EyeLikeKernel(element: $0.element("dtype"), k: $0.int("k", default: 0)) },
  ]
}

/// The number of elements as an i64 scalar.
struct SizeKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    call.allocate(0, .i64, Extents()).base.storeBytes(of: call[0].elementCount, as: Int.self)
  }
}

/// The shape in operand 0 filled with one value; f32 zero when absent.
struct ConstantOfShapeKernel: Kernel {
  let value: Tensor?

  func run(_ call: KernelCall) throws(KernelError) {
    let shape = try call.integerBuffer(0)
    guard shape.count <= Extents.maximumRank, shape.allSatisfy({ $0 >= 0 }) else {
      throw .invalid("\(Array(shape)) is no shape of rank up to \(Extents.maximumRank)")
    }
    let element = value?.element ?? .f32
    let y = try call.allocateBounded(0, element, Extents(shape))
    guard let value else {
      y.base.initializeMemory(as: UInt8.self, repeating: 0, count: y.byteCount)
      return
    }
    let one = TensorView(
      value.base, element, y.shape, strides: Extents(repeating: 0, count: y.rank))
    StridedCopy.run(from: one, to: y)
  }
}

/// `start + i * delta` for `i` in `0..<max(0, ceil((limit - start) / delta))`.
struct RangeKernel: Kernel {
  func run(_ call: KernelCall) throws(KernelError) {
    let (start, limit, delta) = (call[0], call[1], call[2])
    guard start.elementCount == 1, limit.elementCount == 1, delta.elementCount == 1,
      limit.element == start.element, delta.element == start.element
    else { throw .invalid("start, limit and delta must be scalars of one element type") }
    switch start.element {
    case .f32: try floats(call, as: Float.self)
    case .f64: try floats(call, as: Double.self)
    case .i64: try integers(call, as: Int64.self)
    case .i32: try integers(call, as: Int32.self)
    case .i16: try integers(call, as: Int16.self)
    default: throw .element(start.element, of: "start", accepted: "f16, bf16, f32, f64, i16, i32 and i64")
    }
  }

  private func floats<T: BinaryFloatingPoint & BitwiseCopyable>(_ call: KernelCall, as type: T.Type)
    throws(KernelError)
  {
    let (start, limit, delta) = (
      call[0].base.load(as: T.self), call[1].base.load(as: T.self), call[2].base.load(as: T.self)
    )
    let count = ((limit - start) / delta).rounded(.up)
    guard count.isFinite, count < 1e15 else {
      throw .invalid("start, limit and delta give \(count) elements")
    }
    let y = try call.allocateBounded(0, call[0].element, Extents(Int(max(0, count))))
    let to = y.base.assumingMemoryBound(to: T.self)
    for index in 0..<y.shape[0] { to[index] = start + T(index) * delta }
  }

  private func integers<T: FixedWidthInteger & SignedInteger & BitwiseCopyable>(
    _ call: KernelCall, as type: T.Type
  )
    throws(KernelError)
  {
    let (start, limit) = (Int(call[0].base.load(as: T.self)), Int(call[1].base.load(as: T.self)))
    let delta = Int(call[2].base.load(as: T.self))
    guard delta != 0 else { throw .invalid("delta is 0") }
    let (span, overflows) =
      delta > 0 ? limit.subtractingReportingOverflow(start) : start.subtractingReportingOverflow(limit)
    guard !overflows else { throw .invalid("\(start) and \(limit) are too far apart") }
    let step = Int(clamping: delta.magnitude)
    let count = span <= 0 ? 0 : (span - 1) / step + 1
    let y = try call.allocateBounded(0, call[0].element, Extents(count))
    let to = y.base.assumingMemoryBound(to: T.self)
    for index in 0..<count { to[index] = T(truncatingIfNeeded: start &+ index &* delta) }
  }
}

/// Ones on diagonal `k` of a matrix with the operand's shape, zeros elsewhere.
struct EyeLikeKernel: Kernel {
  let element: ElementType?
  let k: Int

  func run(_ call: KernelCall) throws(KernelError) {
    let x = call[0]
    guard x.rank == 2 else { throw .invalid("the operand has rank \(x.rank), accepted is 2") }
    let y = try call.allocateBounded(0, element ?? x.element, x.shape)
    y.base.initializeMemory(as: UInt8.self, repeating: 0, count: y.byteCount)
    for row in 0..<y.shape[0] where (0..<y.shape[1]).contains(row &+ k) {
      NumberCoding.store(1, y.base, y.element, row * y.shape[1] + row + k)
    }
  }
}
