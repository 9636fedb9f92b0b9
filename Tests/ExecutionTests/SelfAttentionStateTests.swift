import Execution
import GraphIR
import Kernels
import Operators
import PlanFormat
import Planning
import Tensors
import Testing

/// A step that makes two caches longer and has a result of its own beside them.
@Suite struct SelfAttentionStateTests {
  static let layer = """
    func @main(
      %x: f32[B, S, 16], %cos: f32[12, 2], %pk: f32[C, 1, P, 4], %pv: f32[C, 1, P, 4], %mask: i64[B, P + S]
    ) -> (y: f32[B, S, 8], k: f32[B, 1, P + S, 4], v: f32[B, 1, P + S, 4]) {
      %n = tanh(%x) : f32[B, S, 16]
      %a, %k, %v = self_attention(%n, %pk, %pv, _, _, %cos, %cos, _, %mask) {kv_num_heads = 1, num_heads = 2} : f32[B, S, 8], f32[B, 1, P + S, 4], f32[B, 1, P + S, 4]
      %y = exp(%a) : f32[B, S, 8]
      return %y, %k, %v
    }

    """

  private let angles = Tensor(f32: (0..<24).map { 1 - Float($0) / 20 }, [12, 2])

  private func input(_ positions: Range<Int>) -> Tensor {
    let values = positions.flatMap { position in (0..<16).map { Float((position * 5 + $0 * 3) % 11) - 4 } }
    return Tensor(f32: values, [1, positions.count, 16])
  }

  private func executor(_ fixture: PlanFixture, capacity: Int) throws -> Executor {
    let executor = try fixture.executor()
    try executor.bind("cos", angles)
    try executor.allocateStates(capacity: capacity, sizes: ["B": 1])
    return executor
  }

  private func feed(_ executor: Executor, _ positions: Range<Int>, _ scope: Executor.Scope = .everything)
    throws
  {
    try executor.bind("x", input(positions))
    try executor.bind("mask", mask(positions.upperBound))
    try executor.run(scope)
  }

  private func mask(_ count: Int) -> Tensor {
    Tensor(i64: (0..<count).map { $0 == 1 ? 0 : 1 }, [1, count])
  }

  @Test func bothCachesAreStates() throws {
    let function = try PlanFixture(Self.layer).executor().function
    let names = function.states.map { (function.values[$0.input].name, function.values[$0.output].name) }
    #expect(names.map(\.0) == ["pk", "pv"] && names.map(\.1) == ["k", "v"])
    #expect(function.states.allSatisfy { $0.axis == 2 && function.values[$0.output].place == .external })
    #expect(function.slotCount == 2)
    #expect(function.steps.filter { !$0.feedsState }.map(\.kernel) == ["exp"])
  }

  @Test func runsInPartsEqualTheInterpreter() throws {
    let fixture = try PlanFixture(Self.layer)
    let executor = try executor(fixture, capacity: 9)
    for positions in [0..<3, 3..<4, 4..<9] {
      try feed(executor, positions)
      let expected = try Interpreter(fixture.module).run(
        fixture.module.main,
        inputs: [
          "x": input(0..<positions.upperBound), "mask": mask(positions.upperBound), "cos": angles,
          "pk": Tensor(.f32, [1, 1, 0, 4]), "pv": Tensor(.f32, [1, 1, 0, 4]),
        ])
      #expect(executor.stateLength == positions.upperBound)
      for name in ["k", "v"] {
        let (found, expected) = (executor.output(name)!.doubles, expected[name]!.doubles)
        #expect(found.count == expected.count)
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-5 })
      }
      let rows = try #require(executor.output("y")?.doubles)
      let last = try #require(expected["y"]?.doubles).suffix(rows.count)
      #expect(zip(rows, last).allSatisfy { abs($0 - $1) < 1e-5 })
    }
    let whole = try #require(executor.output("y")?.doubles)
    executor.truncateStates(to: 4)
    try feed(executor, 4..<9, .states)
    #expect(executor.stateLength == 9)
    executor.truncateStates(to: 4)
    try feed(executor, 4..<9)
    #expect(executor.output("y")?.doubles == whole)
  }

  @Test func aFullCacheIsAnErrorThatKeepsTheLength() throws {
    let executor = try executor(try PlanFixture(Self.layer), capacity: 4)
    try feed(executor, 0..<3)
    let error = #expect(throws: ExecutionError.self) { try feed(executor, 3..<5) }
    #expect(error?.message.contains("holds 4 positions, 5 are needed") == true)
    #expect(executor.stateLength == 3)
    try feed(executor, 3..<4)
  }

  /// A plan whose caches no kernel updates in place is refused before it could read beyond them.
  @Test func statesThatNoStepUpdatesAreRefused() throws {
    let fixture = try PlanFixture(
      """
      func @main(%p: f32[B, 1, P, 2]) -> (q: f32[B, 1, P, 2]) {
        %q = identity(%p) : f32[B, 1, P, 2]
        return %q
      }

      """)
    let result = try Planner(fixture.module).plan()
    var program = result.program
    let function = program.functions[0]
    program.functions[0].states = [
      .init(input: function.inputs[0].value, output: function.outputs[0].value, axis: 2)
    ]
    program.functions[0].values[function.outputs[0].value].place = .external
    let writer = try PlanWriter(path: fixture.path)
    try writer.writeWeights(result.weights, of: &program)
    try writer.finish(program)
    let error = #expect(throws: ExecutionError.self) { _ = try fixture.executor() }
    #expect(error?.message.contains("updates cache 'p' in place") == true)
  }
}
