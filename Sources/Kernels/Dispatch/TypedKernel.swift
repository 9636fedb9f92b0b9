import Tensors

/// A kernel that is generic in the element type of its first operand: f32 or f64.
protocol RealKernel: Kernel {
  func run<T: Real>(_ call: KernelCall, as type: T.Type) throws(KernelError)
}

extension RealKernel {
  func run(_ call: KernelCall) throws(KernelError) {
    switch call[0].element {
    case .f32: try run(call, as: Float.self)
    case .f64: try run(call, as: Double.self)
    default: throw .element(call[0].element, of: "operand 0", accepted: "f16, bf16, f32 and f64")
    }
  }
}

/// A kernel that is generic in the element type of its first operand: an integer.
protocol IntegerKernel: Kernel {
  func run<T: Number & FixedWidthInteger>(_ call: KernelCall, as type: T.Type) throws(KernelError)
}

extension IntegerKernel {
  func run(_ call: KernelCall) throws(KernelError) {
    switch call[0].element {
    case .i64: try run(call, as: Int64.self)
    case .i32: try run(call, as: Int32.self)
    case .i16: try run(call, as: Int16.self)
    case .i8: try run(call, as: Int8.self)
    case .u64: try run(call, as: UInt64.self)
    case .u32: try run(call, as: UInt32.self)
    case .u16: try run(call, as: UInt16.self)
    case .u8: try run(call, as: UInt8.self)
    default: throw .element(call[0].element, of: "operand 0", accepted: "integers of 8 bits and more")
    }
  }
}

/// A kernel that is generic in the element type of its first operand: a number of any type.
protocol NumberKernel: Kernel {
  /// Whether `bool` operands are read as 0 and 1 in bytes.
  var acceptsBool: Bool { get }
  func run<T: Number>(_ call: KernelCall, as type: T.Type) throws(KernelError)
}

extension NumberKernel {
  var acceptsBool: Bool { false }

  func run(_ call: KernelCall) throws(KernelError) {
    switch call[0].element {
    case .f32: try run(call, as: Float.self)
    case .f64: try run(call, as: Double.self)
    case .i64: try run(call, as: Int64.self)
    case .i32: try run(call, as: Int32.self)
    case .i16: try run(call, as: Int16.self)
    case .i8: try run(call, as: Int8.self)
    case .u64: try run(call, as: UInt64.self)
    case .u32: try run(call, as: UInt32.self)
    case .u16: try run(call, as: UInt16.self)
    case .u8: try run(call, as: UInt8.self)
    case .bool where acceptsBool: try run(call, as: UInt8.self)
    default:
      throw .element(
        call[0].element, of: "operand 0",
        accepted: "f16, bf16, f32, f64\(acceptsBool ? ", bool" : "") and integers of 8 bits and more")
    }
  }
}

extension KernelCall {
  /// A required operand that must have the element type of another one.
  func operand(_ index: Int, like other: Int) throws(KernelError) -> TensorView {
    let (view, expected) = (self[index], self[other].element)
    guard view.element == expected else {
      throw .invalid("operand \(index) has element type \(view.element), operand \(other) has \(expected)")
    }
    return view
  }

  /// A required vector of so many f32 elements: a scale, a bias.
  func row(_ operand: Int, count: Int) throws(KernelError) -> UnsafePointer<Float> {
    let view = contiguous(operand)
    guard view.element == .f32, view.rank == 1, view.shape[0] == count else {
      throw .invalid("operand \(operand) is \(view.element)\(view.shape.array), accepted is f32[\(count)]")
    }
    return UnsafePointer(view.pointer())
  }

  /// As `row`, nil when absent.
  func optionalRow(_ operand: Int, count: Int) throws(KernelError) -> UnsafePointer<Float>? {
    has(operand) ? try row(operand, count: count) : nil
  }

  /// A required f32 matrix [N, K] in row-major order whose rows are as long as asked.
  func matrix(_ operand: Int, columns: Int) throws(KernelError) -> TensorView {
    let view = contiguous(operand)
    guard view.element == .f32 else {
      throw .element(view.element, of: "operand \(operand)", accepted: "f16, bf16 and f32")
    }
    guard view.rank == 2, view.shape[1] == columns else {
      throw .invalid("operand \(operand) is \(view.shape.array), accepted is a matrix of \(columns) columns")
    }
    return view
  }

  /// An axis as a number in `0..<rank`; negative ones count from the back.
  static func axis(_ axis: Int, rank: Int) throws(KernelError) -> Int {
    guard axis >= -rank, axis < rank || (rank == 0 && axis == 0) else {
      throw .invalid("axis \(axis) is out of range, accepted are \(-rank)..<\(rank)")
    }
    return axis < 0 ? axis + rank : axis
  }
}

extension TensorView {
  @inline(__always)
  func pointer<T: BitwiseCopyable>(_ type: T.Type = T.self) -> UnsafeMutablePointer<T> {
    base.assumingMemoryBound(to: T.self)
  }
}
