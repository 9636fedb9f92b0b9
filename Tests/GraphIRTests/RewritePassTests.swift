import GraphIR
import Tensors
import Testing

@Suite struct RewritePassTests {
  private func module(_ text: String) throws -> Module { try Module(parsing: text, operators: Toy.operators) }

  private func run(_ pass: RewritePass, on module: inout Module) throws -> PassRecord {
    try PassPipeline([pass]).run(on: &module, operators: Toy.operators)[0]
  }

  private func body(_ module: Module) -> String {
    module.text.split(separator: "\n").filter { $0.hasPrefix("  ") }.joined(separator: "\n")
  }

  @Test func firesAndTakesTheDeadAway() throws {
    var module = try module(
      """
      func @main(%x: f32[S]) -> (d: f32[S]) {
        %a = relu(%x) : f32[S] loc("/first")
        %b = relu(%a) : f32[S] loc("/second")
        %c = relu(%b) : f32[S] loc("/third")
        %d = add(%c, %x) : f32[S] loc("/sum")
        return %d
      }
      """)
    let record = try run(ToyRules.pass(ToyRules.DropDoubleRelu()), on: &module)
    #expect(
      body(module) == """
          %a = relu(%x) : f32[S] loc("/first")
          %d = add(%a, %x) : f32[S] loc("/sum")
          return %d
        """)
    #expect(record.statistics == ["drop-double-relu": 2])
    #expect(record.misses.isEmpty)
    #expect(
      record.patches.map(\.description) == [
        "1 drop-double-relu: a relu of a relu at '/second'",
        "2 drop-double-relu: a relu of a relu at '/third'",
      ])
  }

  @Test func newNodesTakeNameAndLocation() throws {
    var module = try module(
      """
      func @main(%x: f32[S], %y: f32[S]) -> (r: f32[S]) {
        %s = add(%x, %y) : f32[S] loc("/sum")
        %r = relu(%s) : f32[S] loc("/act")
        return %r
      }
      """)
    _ = try run(ToyRules.pass(ToyRules.ReluOfSum()), on: &module)
    #expect(
      body(module) == """
          %add = add(%x, %y) : f32[S] loc("/act")
          %r = clip(%add, @c, _) : f32[S] loc("/act")
          return %r
        """)
  }

  @Test func aSecondUseIsAMissReportedOnce() throws {
    var module = try module(
      """
      func @main(%x: f32[S], %y: f32[S]) -> (r: f32[S], sum: f32[S]) {
        %s = add(%x, %y) : f32[S] loc("/sum")
        %r = relu(%s) : f32[S] loc("/act")
        %t = relu(%r) : f32[S] loc("/again")
        return r = %t, sum = %s
      }
      """)
    let record = try run(ToyRules.pass(ToyRules.DropDoubleRelu(), ToyRules.ReluOfSum()), on: &module)
    #expect(record.misses.map(\.description) == ["node '/act' (relu): the sum has 2 uses, need 1"])
    #expect(record.statistics == ["drop-double-relu": 1])
  }

  /// A node that the patch makes dead does not count as a use for the next.
  @Test func usesAreCountedAsTheyAreNow() throws {
    var module = try module(
      """
      func @main(%x: f32[S], %y: f32[S]) -> (a: f32[S], b: f32[S]) {
        %s = add(%x, %y) : f32[S]
        %dead = relu(%s) : f32[S]
        %r = relu(%s) : f32[S]
        %t = relu(%r) : f32[S]
        return a = %t, b = %y
      }
      """)
    let record = try run(ToyRules.pass(ToyRules.ReluOfSum()), on: &module)
    #expect(record.statistics == ["clip-sum": 1])
  }

  @Test func valuesReadBeforeTheAnchorMoveWithTheirReaders() throws {
    var module = try module(
      """
      const @k: f32[1] = [1.0]
      func @main(%x: f32[1]) -> (early: f32[1], s: f32[1]) {
        %a = relu(%x) : f32[1] loc("/a")
        %early = clip(%a) : f32[1] loc("/early")
        %s = add(%a, @k) : f32[1] loc("/s")
        return early = %early, s = %s
      }
      """)
    _ = try run(ToyRules.pass(ToyRules.JoinPair()), on: &module)
    #expect(
      body(module) == """
          %concat = concat(%x, %x) : f32[2] loc("/s")
          %a, %s = split(%concat) {axis = 0} : f32[1], f32[1] loc("/s")
          %early = clip(%a) : f32[1] loc("/early")
          return %early, %s
        """)
  }

  @Test func aReplacementOfAnotherTypeIsAMiss() throws {
    var module = try module(
      """
      const @k: f32[2] = [1.0, 2.0]
      func @main(%x: f32[2, 3]) -> (s: f32[2, 3]) {
        %a = relu(%x) : f32[2, 3] loc("/a")
        %s = add(%a, @k) : f32[2, 3] loc("/s")
        return %s
      }
      """)
    let before = module.text
    let record = try run(ToyRules.pass(ToyRules.JoinPair()), on: &module)
    #expect(
      record.misses.map(\.description) == [
        "node '/s' (add): the replacement is f32[6], need f32[2, 3]"
      ])
    #expect(record.statistics.isEmpty && record.patches.isEmpty)
    #expect(module.text == before)
  }

  @Test func patchesStopAtTheLimitOverSeveralPasses() throws {
    let text = """
      func @main(%x: f32[S]) -> (d: f32[S]) {
        %a = relu(%x) : f32[S]
        %b = relu(%a) : f32[S]
        %c = relu(%b) : f32[S]
        %d = relu(%c) : f32[S]
        return %d
      }
      """
    let pass = ToyRules.pass(ToyRules.DropDoubleRelu())
    for (limit, left) in [(0, 4), (1, 3), (2, 2), (3, 1), (9, 1)] {
      var module = try module(text)
      var patches = PatchLog(limit: limit)
      let pipeline = PassPipeline([pass, pass])
      let records = try pipeline.run(on: &module, operators: Toy.operators, patches: &patches)
      #expect(module.main.graph.order.count == left)
      #expect(records[0].patches.map(\.number) == Array(1...3).prefix(limit).map { $0 })
      #expect(records[1].patches.isEmpty)
      #expect(patches.entries.count == min(limit, 3))
    }
  }

  @Test func rulesThatNeverSettleAreAnError() throws {
    var module = try module(
      """
      func @main(%x: f32[S], %y: f32[S]) -> (s: f32[S]) {
        %s = add(%x, %y) : f32[S]
        return %s
      }
      """)
    let before = module.text
    let error = #expect(throws: PipelineError.self) {
      _ = try run(ToyRules.pass(ToyRules.SwapSum()), on: &module)
    }
    let message = "pass 'toy': the rules do not settle: 100 patches and still more, the last by 'swap-sum'"
    #expect(error?.description == message)
    guard case .failed(_, _, let reproducer)? = error else { return }
    #expect(reproducer.text == before)
  }

  @Test func aPatchThatCannotBeBuiltNamesItsRule() throws {
    var module = try module(
      """
      func @main(%x: f32[S]) -> (a: f32[S]) {
        %a = relu(%x) : f32[S] loc("/act")
        return %a
      }
      """)
    let error = #expect(throws: PipelineError.self) {
      _ = try run(ToyRules.pass(ToyRules.Break()), on: &module)
    }
    #expect(error?.description == "pass 'toy': rule 'break' at node '/act': operand 1 is missing")
  }

  @Test(.timeLimit(.minutes(1))) func thousandsOfPatchesAreCheap() throws {
    var graph = Graph()
    var value = graph.addInput("x", TensorType(.f32, [Dim("S")]))
    for _ in 0..<6000 {
      value = graph.append("relu", [value], results: [("relu", ValueFact(.f32, [Dim("S")]))])[0]!
    }
    graph.outputs = [("y", value)]
    var module = Module(functions: [Module.Function("main", graph)])
    let record = try run(ToyRules.pass(ToyRules.DropDoubleRelu()), on: &module)
    #expect(record.patches.count == 5999)
    #expect(record.duration < .seconds(20))
  }
}
