import Kernels
import Tensors
import TestSupport

/// One run of a kernel on views that the caller keeps alive.
final class KernelRun {
  let results: [TensorView]
  private let memory = Memory()
  private let resources: Resources

  init(
    _ operation: String, _ operands: [TensorView?], _ attributes: Attributes, results count: Int,
    threads: Int = 1, tally: NeuronTally? = nil
  ) throws {
    let kernel = try KernelTable.entries[operation]!.prepare(attributes)
    let empty = TensorView(UnsafeMutableRawPointer(bitPattern: 64)!, .u8, Extents())
    var table = operands.map { $0 ?? empty } + (0..<count).map { _ in empty }
    let operandIDs = operands.indices.map { operands[$0] == nil ? Int32(-1) : Int32($0) }
    let resultIDs = (0..<count).map { Int32(operands.count + $0) }
    let (memory, resources) = (memory, Resources(pool: ThreadPool(threadCount: threads)))
    resources.tally = tally
    try table.withUnsafeMutableBufferPointer { table in
      try operandIDs.withUnsafeBufferPointer { operandIDs in
        try resultIDs.withUnsafeBufferPointer { resultIDs in
          try kernel.run(
            KernelCall(
              table: table.baseAddress!, operandIDs: operandIDs, resultIDs: resultIDs, memory: memory,
              resources: resources))
        }
      }
    }
    self.resources = resources
    results = Array(table[operands.count...])
  }

  /// A run on dense tensors; its results may not be views of them.
  convenience init(
    _ operation: String, tensors: [Tensor?], _ attributes: Attributes, results count: Int, threads: Int = 1,
    tally: NeuronTally? = nil
  ) throws {
    let views = tensors.map { $0.map { TensorView($0) } }
    try self.init(operation, views, attributes, results: count, threads: threads, tally: tally)
    withExtendedLifetime(tensors) {}
  }

  /// A result as a dense tensor.
  func tensor(_ result: Int) -> Tensor {
    let tensor = Tensor(results[result].element, results[result].shape.array)
    StridedCopy.run(from: results[result], to: TensorView(tensor))
    return tensor
  }
}

private final class Memory: ResultMemory {
  private var blocks: [TensorStorage] = []

  func allocate(value: Int, byteCount: Int) -> UnsafeMutableRawPointer {
    blocks.append(TensorStorage(byteCount: byteCount))
    return blocks[blocks.count - 1].base
  }
}

/// The memory of a cache with room behind its end, where all numbers are NaN.
final class CacheBuffer {
  private let storage: Tensor
  private(set) var view: TensorView

  /// - Parameter past: `[B, heads, P, d]`
  init(_ past: Tensor, capacity: Int) {
    var shape = past.shape
    shape[2] = capacity
    let nothing = Tensor(f32: [Float](repeating: .nan, count: shape.reduce(1, *)), shape)
    storage = Tensor(past.element, shape)
    StridedCopy.convert(from: TensorView(nothing), to: TensorView(storage))
    view = TensorView(storage)
    view.shape[2] = past.shape[2]
    StridedCopy.run(from: TensorView(past), to: view)
  }

  /// Takes a result as the cache's next value.
  func become(_ result: TensorView) {
    precondition(result.base == view.base && result.strides == view.strides)
    view = result
  }

  /// How many numbers are not NaN any more.
  var filledCount: Int { storage.doubles.count { !$0.isNaN } }
}

/// Numbers between -1 and 1 that follow no axis.
func noise(_ shape: [Int], seed: UInt64) -> Tensor {
  var generator = SeededGenerator(seed: seed)
  let values = (0..<shape.reduce(1, *)).map { _ in Float.random(in: -1...1, using: &generator) }
  return Tensor(f32: values, shape)
}

extension Tensor {
  /// The same numbers in another floating-point type.
  func converted(to element: ElementType) -> Tensor {
    let tensor = Tensor(element, shape)
    StridedCopy.convert(from: TensorView(self), to: TensorView(tensor))
    return tensor
  }

  var bits: [UInt32] { array(of: Float.self).map(\.bitPattern) }

  /// Positions of an f32 tensor along an axis.
  func positions(_ range: Range<Int>, axis: Int) -> Tensor {
    let inner = shape[(axis + 1)...].reduce(1, *)
    let values = array(of: Float.self)
    var kept: [Float] = []
    for start in stride(from: 0, to: values.count, by: shape[axis] * inner) {
      kept += values[(start + range.lowerBound * inner)..<(start + range.upperBound * inner)]
    }
    var extents = shape
    extents[axis] = range.count
    return Tensor(f32: kept, extents)
  }
}
