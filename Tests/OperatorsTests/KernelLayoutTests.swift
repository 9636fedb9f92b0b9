import GraphIR
import Kernels
import Operators
import Tensors
import Testing

/// Kernels see operands as strided views; how elements lie in memory must not change results.
@Suite struct KernelLayoutTests {
  @Test(arguments: Sample.all.filter { KernelTable.entries[$0.operation] != nil })
  func stridedOperandsGiveTheSameResult(_ sample: Sample) throws {
    let kernel = try #require(KernelTable.entries[sample.operation]).prepare(sample.attributes)
    let operands = sample.operands.map { $0.map { Spread($0) } }
    let empty = TensorView(UnsafeMutableRawPointer(bitPattern: 64)!, .u8, Extents())
    let memory = Memory()
    let resources = Resources(pool: ThreadPool(threadCount: 1))
    let evaluated = try sample.evaluate()
    var table = operands.map { $0?.view ?? empty } + evaluated.map { _ in empty }
    let operandIDs = operands.indices.map { operands[$0] == nil ? Int32(-1) : Int32($0) }
    try table.withUnsafeMutableBufferPointer { table in
      try operandIDs.withUnsafeBufferPointer { operandIDs in
        try evaluated.indices.map { Int32(operands.count + $0) }.withUnsafeBufferPointer { resultIDs in
          let call = KernelCall(
            table: table.baseAddress!, operandIDs: operandIDs, resultIDs: resultIDs, memory: memory,
            resources: resources)
          try kernel.run(call)
        }
      }
    }
    let expected = try #require(evaluated[0])
    let actual = Tensor(expected.element, expected.shape)
    let result = table[operands.count]
    #expect(result.shape.array == expected.shape)
    StridedCopy.run(from: result, to: TensorView(actual))
    withExtendedLifetime((memory, operands, resources)) {}
    for (a, b) in zip(actual.doubles, expected.doubles) {
      #expect(a == b || a.isNaN && b.isNaN || abs(a - b) < 1e-5)
    }
  }
}

/// A tensor's elements with axes in reversed order in memory and a gap after each element.
private final class Spread {
  let view: TensorView
  private let storage: TensorStorage

  init(_ tensor: Tensor) {
    let size = tensor.element.byteCount
    storage = TensorStorage(byteCount: max(1, tensor.elementCount) * 2 * size)
    var strides = Extents(repeating: 0, count: tensor.rank)
    var step = 2
    for (axis, extent) in tensor.shape.enumerated() {
      strides[axis] = step
      step *= extent
    }
    view = TensorView(storage.base, tensor.element, Extents(tensor.shape), strides: strides)
    StridedCopy.run(from: TensorView(tensor), to: view)
  }
}

private final class Memory: ResultMemory {
  private var blocks: [TensorStorage] = []

  func allocate(value: Int, byteCount: Int) -> UnsafeMutableRawPointer {
    blocks.append(TensorStorage(byteCount: byteCount))
    return blocks[blocks.count - 1].base
  }
}
