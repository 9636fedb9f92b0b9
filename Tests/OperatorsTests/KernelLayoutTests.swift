import GraphIR
import Kernels
import Operators
import Tensors
import Testing

/// Kernels see operands as strided views; how elements lie in memory must not change results.
@Suite struct KernelLayoutTests {
  /// Samples whose operator has a kernel; a cache that is updated in place must be dense.
  private static let samples = Sample.all.filter { sample in
    KernelTable.entries[sample.operation]?.updates(sample.attributes).allSatisfy { update in
      update.operand >= sample.operands.count || sample.operands[update.operand] == nil
    } ?? false
  }

  @Test(arguments: samples)
  func stridedOperandsGiveTheSameResult(_ sample: Sample) throws {
    let operands = sample.operands.map { $0.map { Spread($0) } }
    let evaluated = try sample.evaluate()
    let run = try KernelRun(
      sample.operation, operands.map { $0?.view }, sample.attributes, results: evaluated.count)
    withExtendedLifetime(operands) {}
    let expected = try #require(evaluated[0])
    let actual = run.tensor(0)
    #expect(actual.type == expected.type)
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
