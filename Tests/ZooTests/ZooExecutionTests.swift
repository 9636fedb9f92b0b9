import Compiler
import Execution
import Foundation
import GraphIR
import Kernels
import ONNXImport
import Operators
import PlanFormat
import Planning
import Tensors
import Testing
import Tokenization

/// Every export, compiled by the standard pipeline and run by the executor, gives the recorded logits.
@Suite struct ZooExecutionTests {
  /// Largest error that is accepted, over the standard deviation of the logits.
  private static let tolerance = 1e-4

  @Test(arguments: Zoo.runnable)
  func promptAndDecodingGiveTheRecordedLogits(_ entry: Zoo.Entry) throws {
    let plan = try CompiledPlan(entry.path)
    let ids = try NPY.read(entry.idsPath).integers
    let recorded = try NPY.read(entry.logitsPath)
    let executor = try Executor(plan.file, pool: ThreadPool(threadCount: 2))
    #expect(!executor.function.states.isEmpty, "the caches were not recognized")

    try executor.allocateStates(capacity: 64, sizes: Self.sizes(executor))
    let whole = try Self.logits(of: executor, ids, from: 0)
    #expect(Zoo.error(whole, recorded) <= Self.tolerance)

    executor.truncateStates(to: 0)
    var rows = try Self.logits(of: executor, Array(ids[..<20]), from: 0)
    for position in 20..<ids.count {
      rows += try Self.logits(of: executor, [ids[position]], from: position)
    }
    #expect(Zoo.error(rows, recorded) <= Self.tolerance)
  }

  /// One export of each family in blocks of 8 bits: the largest error is a small share of the logits' spread.
  /// Not of mixtral, whose router then sends a token to another expert.
  @Test(arguments: Zoo.runnable.filter { $0.exporter == "dynamo23" && $0.family != "mixtral" })
  func blocksOfWeightsGiveNearlyTheRecordedLogits(_ entry: Zoo.Entry) throws {
    let plan = try CompiledPlan(entry.path, weights: .q8)
    let ids = try NPY.read(entry.idsPath).integers
    let executor = try Executor(plan.file, pool: ThreadPool(threadCount: 2))
    try executor.allocateStates(capacity: 64, sizes: Self.sizes(executor))
    let logits = try Self.logits(of: executor, ids, from: 0)
    let error = Zoo.error(logits, try NPY.read(entry.logitsPath))
    #expect(error <= 0.2 && error > Self.tolerance, "\(error)")
  }

  @Test(arguments: Zoo.runnable.filter { $0.exporter == "optimum" })
  func resultsDoNotDependOnTheThreadCount(_ entry: Zoo.Entry) throws {
    let plan = try CompiledPlan(entry.path)
    let ids = try NPY.read(entry.idsPath).integers
    var results: [[Double]] = []
    for threads in [1, 2, 3] {
      let executor = try Executor(plan.file, pool: ThreadPool(threadCount: threads))
      try executor.allocateStates(capacity: 64, sizes: Self.sizes(executor))
      results.append(try Self.logits(of: executor, ids, from: 0))
    }
    #expect(results[0] == results[1] && results[0] == results[2])
  }

  /// Every symbol is 1 but the lengths, which states do not ask for.
  private static func sizes(_ executor: Executor) -> [String: Int] {
    var sizes: [String: Int] = [:]
    for port in executor.function.inputs {
      if let symbol = executor.function.type(of: port.value).shape.first?.symbol { sizes[symbol] = 1 }
    }
    return sizes
  }

  private static func logits(of executor: Executor, _ ids: [Int], from position: Int) throws -> [Double] {
    let total = position + ids.count
    for port in executor.freeInputs {
      switch port.name {
      case "input_ids": try executor.bind(port.name, Tensor(i64: ids, [1, ids.count]))
      case "attention_mask":
        try executor.bind(port.name, Tensor(i64: Array(repeating: 1, count: total), [1, total]))
      case "position_ids": try executor.bind(port.name, Tensor(i64: Array(position..<total), [1, ids.count]))
      default: Issue.record("unknown input '\(port.name)'")
      }
    }
    try executor.run()
    let view = try #require(executor.output("logits"))
    let copy = Tensor(view.element, view.shape.array)
    StridedCopy.run(from: view, to: TensorView(copy))
    return copy.doubles
  }
}

/// A model compiled to a plan file that goes away with the object.
final class CompiledPlan {
  let file: PlanFile

  /// - Parameters:
  ///   - weights: f32, as the caches, unless it is the format of weights that is tested.
  ///   - small: a model that drafts for this one.
  init(
    _ model: String, disabling passes: [String] = [], weights: ConversionOptions.WeightFormat = .f32,
    kvCache: ConversionOptions.CacheFormat = .f32, small: String? = nil
  ) throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "tandem-zoo-\(UUID().uuidString).plan")
      .path
    var options = ConversionOptions(model: model)
    options.output = path
    options.disable = passes
    options.weights = weights
    options.kvCache = kvCache
    options.tandem = small
    _ = try Conversion(options).run()
    // The mapping stays.
    defer { try? FileManager.default.removeItem(atPath: path) }
    file = try PlanFile(path: path)
  }

  /// - Parameter entries: what the plan says of the model.
  init(_ module: Module, _ entries: [Entry], tokenizer: Tokenizer? = nil) throws {
    let path = FileManager.default.temporaryDirectory.appending(path: "tandem-\(UUID().uuidString).plan").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let result = try Planner(module).plan()
    var program = result.program
    program.model = entries
    let writer = try PlanWriter(path: path)
    try writer.writeWeights(result.weights, of: &program)
    if let tokenizer { try writer.writeTokenizer(tokenizer.serialized()) }
    try writer.finish(program)
    file = try PlanFile(path: path)
  }
}
