import Execution
import Foundation
import GraphIR
import Kernels
import Operators
import Passes
import PlanFormat
import Planning
import Tensors

/// A module from text, converted to a plan file that goes away with the fixture.
final class PlanFixture {
  let module: Module
  let path: String

  init(
    _ text: String, passes: [any Pass] = [KeepCachesInPlace(), RewritePass.formLinear, EliminateDeadCode()]
  ) throws {
    var module = try Module(parsing: text, operators: OperatorSet.standard, blobs: [])
    try PassPipeline(passes).run(on: &module, operators: OperatorSet.standard)
    self.module = module
    path =
      FileManager.default.temporaryDirectory.appending(path: "tandem-test-\(UUID().uuidString).plan").path
    let result = try Planner(module).plan()
    var program = result.program
    let writer = try PlanWriter(path: path)
    try writer.writeWeights(result.weights, of: &program)
    try writer.finish(program)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func executor(threads: Int = 1) throws -> Executor {
    try Executor(try PlanFile(path: path), pool: ThreadPool(threadCount: threads))
  }
}

extension TensorView {
  /// The elements in row-major order, as doubles.
  var doubles: [Double] {
    let copy = Tensor(element, shape.array)
    StridedCopy.run(from: self, to: TensorView(copy))
    return copy.doubles
  }
}
