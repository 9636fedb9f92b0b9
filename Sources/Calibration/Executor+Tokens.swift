import Execution
import Foundation
public import GraphIR
import Kernels
public import PlanFormat
public import Planning
import Tensors
import Tokenization

extension Module {
  /// A plan of the module in a file that is unlinked at once.
  ///
  /// - Parameter model: what the plan says of the model.
  public func temporaryPlan(folder: String, model: [Entry] = []) throws -> PlanFile {
    let result = try Planner(self).plan()
    var program = result.program
    program.model = model
    return try PlanFile(temporary: program, result.weights, folder: folder)
  }
}

extension PlanFile {
  /// A plan in a file that is unlinked at once.
  public convenience init(temporary program: Program, _ weights: [Planner.LazyWeight], folder: String) throws
  {
    let path = "\(folder)/.trial-\(UUID().uuidString).plan"
    defer { try? FileManager.default.removeItem(atPath: path) }
    var program = program
    let writer = try PlanWriter(path: path)
    try writer.writeWeights(weights, of: &program)
    try writer.finish(program)
    try self.init(path: path)
  }
}

extension Executor {
  /// The sizes of caches for so many sequences.
  func sizes(batch: Int) -> [String: Int] {
    var sizes: [String: Int] = [:]
    for port in freeInputs {
      if let symbol = function.type(of: port.value).shape.first?.symbol { sizes[symbol] = batch }
    }
    return sizes
  }

  /// Runs tokens `[batch, tokens.count / batch]` from a position on.
  func run(_ tokens: [TokenID], batch: Int, at position: Int) throws {
    let count = tokens.count / batch
    for port in freeInputs {
      let values: [Int]
      switch port.name {
      case "input_ids": values = tokens.map { Int($0) }
      case "position_ids": values = (0..<batch).flatMap { _ in Array(position..<(position + count)) }
      case "attention_mask": values = Array(repeating: 1, count: batch * (position + count))
      default: throw Calibrator.Failure(description: "calibration cannot feed the input '\(port.name)'")
      }
      let shape = [batch, values.count / batch]
      let isWide = function.type(of: port.value).element == .i64
      try bind(port.name, isWide ? Tensor(i64: values, shape) : Tensor(i32: values.map { Int32($0) }, shape))
    }
    try run()
  }

  /// The numbers of an output.
  func numbers(_ name: String) throws -> UnsafePointer<Float> {
    guard let view = output(name), view.element == .f32, view.isContiguous else {
      throw Calibrator.Failure(description: "calibration cannot read the output '\(name)'")
    }
    return UnsafePointer(view.base.assumingMemoryBound(to: Float.self))
  }
}
