public import Kernels
public import Tensors

/// Runs one prepared kernel on tensors, with fresh memory for its results.
public struct KernelRunner {
  private let kernel: any Kernel
  private let pool: ThreadPool

  /// - Parameter pool: threads for the kernel; one when nil.
  public init(_ kernel: any Kernel, pool: ThreadPool? = nil) {
    self.kernel = kernel
    self.pool = pool ?? ThreadPool(threadCount: 1)
  }

  /// - Parameter results: per declared result, whether it is wanted.
  /// - Returns: dense tensors, nil where not wanted.
  public func run(_ operands: [Tensor?], results: [Bool]) throws(KernelError) -> [Tensor?] {
    let count = operands.count
    let empty = TensorView(UnsafeMutableRawPointer(bitPattern: 64)!, .u8, Extents())
    var table = operands.map { $0.map { TensorView($0) } ?? empty } + results.map { _ in empty }
    let operandIDs = operands.indices.map { operands[$0] == nil ? Int32(-1) : Int32($0) }
    let resultIDs = results.indices.map { results[$0] ? Int32(count + $0) : Int32(-1) }
    let memory = FreshMemory()
    let resources = Resources(pool: pool)
    let outcome: Result<Void, KernelError> = table.withUnsafeMutableBufferPointer { table in
      operandIDs.withUnsafeBufferPointer { operandIDs in
        resultIDs.withUnsafeBufferPointer { resultIDs in
          let call = KernelCall(
            table: table.baseAddress!, operandIDs: operandIDs, resultIDs: resultIDs, memory: memory,
            resources: resources)
          do throws(KernelError) {
            try withExtendedLifetime((memory, resources)) { () throws(KernelError) in try kernel.run(call) }
            return .success(())
          } catch {
            return .failure(error)
          }
        }
      }
    }
    try outcome.get()
    return withExtendedLifetime((operands, memory)) {
      results.indices.map { index in
        results[index] ? memory.tensor(table[count + index], value: count + index) : nil
      }
    }
  }
}

/// Result memory that becomes tensors.
private final class FreshMemory: ResultMemory {
  private var blocks: [Int: TensorStorage] = [:]

  func allocate(value: Int, byteCount: Int) -> UnsafeMutableRawPointer {
    let block = TensorStorage(byteCount: byteCount)
    blocks[value] = block
    return block.base
  }

  /// The result as a dense tensor; a view of an operand is copied.
  func tensor(_ view: TensorView, value: Int) -> Tensor {
    if let block = blocks[value], block.base == view.base, view.isContiguous {
      return Tensor(view.element, view.shape.array, storage: block)
    }
    let copy = Tensor(view.element, view.shape.array)
    StridedCopy.run(from: view, to: TensorView(copy))
    return copy
  }
}
