public import Tensors

/// Where a kernel's results go.
public protocol ResultMemory: AnyObject {
  /// Memory for a value, aligned to 64 bytes, valid until the value is dead. Its content is undefined.
  func allocate(value: Int, byteCount: Int) -> UnsafeMutableRawPointer
}

/// One run of a kernel: its operands, the place for its results, and the machine's resources.
///
/// Values live in a table that the caller owns; operands and results are indices into it.
public struct KernelCall {
  let table: UnsafeMutablePointer<TensorView>
  let operandIDs: UnsafeBufferPointer<Int32>
  let resultIDs: UnsafeBufferPointer<Int32>
  unowned(unsafe) let memory: any ResultMemory
  public unowned(unsafe) let resources: Resources

  /// - Parameters:
  ///   - operandIDs: table indices; -1 marks an optional operand that is absent.
  ///   - resultIDs: table indices; -1 marks a result that nobody reads.
  public init(
    table: UnsafeMutablePointer<TensorView>, operandIDs: UnsafeBufferPointer<Int32>,
    resultIDs: UnsafeBufferPointer<Int32>, memory: any ResultMemory, resources: Resources
  ) {
    self.table = table
    self.operandIDs = operandIDs
    self.resultIDs = resultIDs
    self.memory = memory
    self.resources = resources
  }

  public var operandCount: Int { operandIDs.count }
  public var resultCount: Int { resultIDs.count }

  public func has(_ operand: Int) -> Bool { operand < operandIDs.count && operandIDs[operand] >= 0 }

  /// A required operand; the graph verifier has checked that it is there.
  public subscript(operand: Int) -> TensorView {
    precondition(has(operand), "kernel reads an absent operand")
    return table[Int(operandIDs[operand])]
  }

  public func optional(_ operand: Int) -> TensorView? { has(operand) ? self[operand] : nil }

  public func isUsed(result: Int) -> Bool { result < resultIDs.count && resultIDs[result] >= 0 }

  /// Dense memory for a result. A result that nobody reads gets scratch memory.
  @discardableResult
  public func allocate(_ result: Int, _ element: ElementType, _ shape: Extents) -> TensorView {
    guard let byteCount = shape.byteCount(of: element) else { fatalError("out of memory: \(shape.array)") }
    guard isUsed(result: result) else {
      return TensorView(resources.scratch(byteCount: byteCount), element, shape)
    }
    let id = Int(resultIDs[result])
    let view = TensorView(memory.allocate(value: id, byteCount: byteCount), element, shape)
    table[id] = view
    return view
  }

  /// As `allocate`, for a shape that run-time values decide: refuses what no memory holds.
  func allocateBounded(_ result: Int, _ element: ElementType, _ shape: Extents)
    throws(KernelError) -> TensorView
  {
    try shape.checkSize(of: element)
    return allocate(result, element, shape)
  }

  /// Makes a result a view of its aliased operand's memory.
  public func alias(_ result: Int, _ view: TensorView) {
    if isUsed(result: result) { table[Int(resultIDs[result])] = view }
  }

  /// A required operand in row-major order; strided ones are copied to scratch memory.
  public func contiguous(_ operand: Int) -> TensorView { contiguous(self[operand]) }

  /// As for operands.
  func contiguous(_ view: TensorView) -> TensorView {
    if view.isContiguous { return view }
    let copy = TensorView(resources.scratch(byteCount: view.byteCount), view.element, view.shape)
    StridedCopy.run(from: view, to: copy)
    return copy
  }

  /// The integers of a small i64 or i32 operand: axes, a shape, bounds.
  public func integers(_ operand: Int) throws(KernelError) -> [Int] {
    let view = contiguous(operand)
    let count = view.elementCount
    switch view.element {
    case .i64:
      return Array(UnsafeBufferPointer(start: view.base.assumingMemoryBound(to: Int.self), count: count))
    case .i32:
      return UnsafeBufferPointer(start: view.base.assumingMemoryBound(to: Int32.self), count: count).map {
        Int($0)
      }
    default: throw .element(view.element, of: "operand \(operand)", accepted: "i64 and i32")
    }
  }
}
