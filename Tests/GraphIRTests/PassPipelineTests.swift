import GraphIR
import Synchronization
import Tensors
import Testing

/// Turns `relu(relu(x))` into `relu(x)`.
private struct DropDoubleRelu: Pass {
  let name = "drop-double-relu"
  let summary = "Drops a relu of a relu."
  let fidelity = Fidelity.exact

  func run(on module: inout Module, context: inout PassContext) throws {
    var graph = module.main.graph
    for id in graph.order where graph[id].operation == "relu" {
      let operand = graph[id].operands[0]!
      guard let producer = graph.producer(of: operand), graph[producer].operation == "relu" else {
        context.miss(graph[id], "its operand is no relu")
        continue
      }
      graph.replaceUses(of: graph[id].results[0]!, with: operand)
      graph.remove([id])
      context.count("dropped")
    }
    module.main.graph = graph
  }
}

private struct BreakTypes: Pass {
  let name = "break-types"
  let summary = "Records wrong types."
  let fidelity = Fidelity.statistical

  func run(on module: inout Module, context: inout PassContext) throws {
    let value = module.main.graph.value(named: "a")!
    module.main.graph[value].type.element = .f16
    context.note("nothing good")
  }
}

private struct Fail: Pass {
  let name = "fail"
  let summary = "Fails."
  let fidelity = Fidelity.rounding

  func run(on module: inout Module, context: inout PassContext) throws {
    module.functions = []
    throw OperatorError("no luck")
  }
}

@Suite struct PassPipelineTests {
  private let passes: [any Pass] = [DropDoubleRelu(), BreakTypes(), Fail()]

  private func module() throws -> Module {
    try Module(
      parsing: """
        func @main(%x: f32[S]) -> (c: f32[S]) {
          %a = relu(%x) : f32[S] loc("/first")
          %b = relu(%a) : f32[S] loc("/second")
          return c = %b
        }
        """, operators: Toy.operators)
  }

  @Test func recordsWhatPassesDid() throws {
    var module = try module()
    let records = try PassPipeline([DropDoubleRelu(), DropDoubleRelu()]).run(
      on: &module, operators: Toy.operators)
    #expect(records.map(\.statistics) == [["dropped": 1], [:]])
    #expect(records[0].misses.map(\.description) == ["node '/first' (relu): its operand is no relu"])
    #expect(module.main.graph.order.count == 1)
  }

  @Test func observersSeeEveryStage() throws {
    let seen = Mutex<[String]>([])
    var pipeline = PassPipeline([DropDoubleRelu()])
    pipeline.observer = { index, record, module in
      let line = "\(index) \(record.name) \(record.fidelity) \(module.main.graph.order.count)"
      seen.withLock { $0.append(line) }
    }
    var module = try module()
    try pipeline.run(on: &module, operators: Toy.operators)
    #expect(seen.withLock { $0 } == ["0 drop-double-relu exact 1"])
  }

  @Test func aFailedPassLeavesTheModule() throws {
    var module = try module()
    let before = module.text
    let error = #expect(throws: PipelineError.self) {
      try PassPipeline([DropDoubleRelu(), Fail()]).run(on: &module, operators: Toy.operators)
    }
    #expect(error?.description == "pass 'fail': no luck")
    #expect(module.text == before)
  }

  @Test func brokenModulesNameThePass() throws {
    var module = try module()
    var pipeline = PassPipeline([BreakTypes()])
    let error = #expect(throws: PipelineError.self) {
      try pipeline.run(on: &module, operators: Toy.operators)
    }
    #expect(error?.description.hasPrefix("pass 'break-types' broke the module:\n  @main: type: '%a'") == true)
    pipeline.verifiesEachPass = false
    let records = try pipeline.run(on: &module, operators: Toy.operators)
    #expect(records[0].notes == ["nothing good"])
  }

  @Test func textForm() throws {
    var pipeline = try PassPipeline(parsing: "fail, drop-double-relu,break-types,fail", available: passes)
    #expect(pipeline.text == "fail,drop-double-relu,break-types,fail")
    try pipeline.disable("fail")
    #expect(pipeline.text == "drop-double-relu,break-types")
    pipeline.limit(to: .certified)
    #expect(pipeline.text == "drop-double-relu")
    #expect(throws: PipelineError.self) { try pipeline.disable("fail") }
    let error = #expect(throws: PipelineError.self) { try PassPipeline(parsing: "fuse", available: passes) }
    #expect(error?.description == "there is no pass 'fuse'; accepted are drop-double-relu, break-types, fail")
    #expect(try PassPipeline(parsing: "", available: passes).passes.isEmpty)
    for text in ["fail break-types", "fail,,break-types", "fail,"] {
      #expect(throws: PipelineError.self) { try PassPipeline(parsing: text, available: passes) }
    }
  }

  @Test func fidelitiesAreOrdered() {
    #expect(Fidelity.allCases.sorted() == [.exact, .rounding, .certified, .statistical])
    #expect(Fidelity(rawValue: "certified") == .certified)
  }
}
