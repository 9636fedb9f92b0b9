import Execution
import GraphIR
import Kernels
import Operators
import PlanFormat
import Tensors
import Testing

@Suite struct ExecutorTests {
  /// A head of a decoder: a cache, a product with a packed matrix, a reduction over the cache.
  static let decoder = """
    const @w: f32[2, 4] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]
    const @last: i64[1] = [2]

    func @main(%x: f32[B, S, 2], %past: f32[B, 2, P, 2]) -> (y: f32[B, 2, 1, 2], present: f32[B, 2, P + S, 2]) {
      %h = matmul(%x, @w) : f32[B, S, 4]
      %shape = shape(%x) {end = 2} : i64[2]
      %tail = shape(%past) {start = 3} : i64[1]
      %heads = shape(%past) {start = 1, end = 2} : i64[1]
      %to = concat(%shape, %heads, %tail) {axis = 0} : i64[4]
      %r = reshape(%h, %to) : f32[B, S, 2, 2]
      %k = transpose(%r) {perm = [0, 2, 1, 3]} : f32[B, 2, S, 2]
      %present = concat(%past, %k) {axis = 2} : f32[B, 2, P + S, 2]
      %y = reduce_sum(%present, @last) : f32[B, 2, 1, 2]
      return %y, %present
    }

    """

  private func input(_ positions: Range<Int>) -> Tensor {
    Tensor(f32: positions.flatMap { [Float($0) + 0.5, Float($0 * $0) - 3] }, [1, positions.count, 2])
  }

  @Test func cachesGrowInPlaceAndEqualTheInterpreter() throws {
    let fixture = try PlanFixture(Self.decoder)
    let executor = try fixture.executor()
    #expect(executor.function.states.count == 1)
    try executor.allocateStates(capacity: 8, sizes: ["B": 1])
    for positions in [0..<3, 3..<4, 4..<8] {
      try executor.bind("x", input(positions))
      try executor.run()
      let expected = try Interpreter(fixture.module).run(
        fixture.module.main,
        inputs: ["x": input(0..<positions.upperBound), "past": Tensor(.f32, [1, 2, 0, 2])])
      #expect(executor.stateLength == positions.upperBound)
      #expect(executor.output("y")?.doubles == expected["y"]?.doubles)
      #expect(executor.output("present")?.doubles == expected["present"]?.doubles)
    }
    executor.truncateStates(to: 3)
    try executor.bind("x", input(3..<4))
    try executor.run(.states)
    #expect(executor.stateLength == 4)
  }

  @Test func aFullCacheIsAnErrorThatNamesTheStep() throws {
    let executor = try PlanFixture(Self.decoder).executor()
    try executor.allocateStates(capacity: 2, sizes: ["B": 1])
    try executor.bind("x", input(0..<3))
    let error = #expect(throws: ExecutionError.self) { try executor.run() }
    #expect(error?.message.contains("holds 2 positions, 3 are needed") == true)
    #expect(executor.stateLength == 0)
  }

  @Test func promptChunksSkipWhatOnlyOutputsNeed() throws {
    let function = try PlanFixture(Self.decoder).executor().function
    let skipped = function.steps.filter { !$0.feedsState }.map(\.kernel)
    #expect(skipped == ["reduce_sum"])
  }

  @Test func temporariesShareSlots() throws {
    let chain = (0..<10).map { "  %v\($0 + 1) = exp(%v\($0)) : f32[S, 8]\n" }.joined()
    let fixture = try PlanFixture(
      "func @main(%v0: f32[S, 8]) -> (y: f32[S, 8]) {\n\(chain)  return y = %v10\n}\n")
    #expect(try fixture.executor().function.slotCount == 2)
  }

  /// A view keeps the memory of what it views: `%t` is still read after `%b` is made.
  @Test func viewsKeepTheirMemory() throws {
    let text = """
      func @main(%x: f32[2, 2]) -> (y: f32[2, 2]) {
        %a = exp(%x) : f32[2, 2]
        %t = transpose(%a) : f32[2, 2]
        %b = sqrt(%x) : f32[2, 2]
        %c = tanh(%b) : f32[2, 2]
        %y = add(%t, %c) : f32[2, 2]
        return %y
      }

      """
    let fixture = try PlanFixture(text)
    let x = Tensor(f32: [1, 2, 3, 4], [2, 2])
    let executor = try fixture.executor()
    try executor.bind("x", x)
    try executor.run()
    let expected = try Interpreter(fixture.module).run(fixture.module.main, inputs: ["x": x])
    #expect(executor.output("y")?.doubles == expected["y"]?.doubles)
  }

  @Test func inputsThatDoNotFitAreRefused() throws {
    let executor = try PlanFixture(Self.decoder).executor()
    #expect(throws: ExecutionError.self) { try executor.run() }
    #expect(throws: ExecutionError.self) { try executor.bind("z", Tensor(f32: [1])) }
    #expect(throws: ExecutionError.self) { try executor.bind("x", Tensor(i64: [1, 2], [1, 1, 2])) }
    #expect(throws: ExecutionError.self) { try executor.bind("x", Tensor(f32: [1, 2, 3], [1, 1, 3])) }
    #expect(throws: ExecutionError.self) { try executor.allocateStates(capacity: 4, sizes: [:]) }
  }

  @Test func sizesOfOneNameMustAgree() throws {
    let text = """
      func @main(%x: f32[B, S], %y: f32[B, T]) -> (z: f32[B, T + S]) {
        %z = concat(%x, %y) {axis = 1} : f32[B, T + S]
        return %z
      }

      """
    let executor = try PlanFixture(text).executor()
    try executor.bind("x", Tensor(.f32, [2, 3]))
    try executor.bind("y", Tensor(.f32, [3, 3]))
    let error = #expect(throws: ExecutionError.self) { try executor.checkSizes() }
    #expect(error?.message == "input 'y': axis 0 is 3, but 'B' is 2 in another input")

    let decoder = try PlanFixture(Self.decoder).executor()
    try decoder.allocateStates(capacity: 4, sizes: ["B": 1])
    try decoder.bind("x", input(0..<1))
    try decoder.checkSizes()
  }

  @Test func equalWeightsAreStoredOnce() throws {
    let text = """
      const @e: f32[3, 2] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]

      func @main(%ids: i64[S]) -> (y: f32[S, 3]) {
        %x = gather(@e, %ids) {axis = 0} : f32[S, 2]
        %t = transpose(@e) {perm = [1, 0]} : f32[2, 3]
        %y = matmul(%x, %t) : f32[S, 3]
        return %y
      }

      """
    let fixture = try PlanFixture(text)
    #expect(try PlanFile(path: fixture.path).program.weights.count == 1)
    let executor = try fixture.executor()
    try executor.bind("ids", Tensor(i64: [2, 0]))
    try executor.run()
    #expect(executor.output("y")?.doubles == [17, 39, 61, 5, 11, 17])
  }

  /// A matrix [K, N] that two products read is stored once, transposed, and costs no step.
  @Test func aTransposedWeightIsStoredOnce() throws {
    let text = """
      const @w: f32[2, 3] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]

      func @main(%a: f32[S, 2], %b: f32[T, 2]) -> (x: f32[S, 3], y: f32[T, 3]) {
        %x = matmul(%a, @w) : f32[S, 3]
        %y = matmul(%b, @w) : f32[T, 3]
        return %x, %y
      }

      """
    let fixture = try PlanFixture(text)
    let program = try PlanFile(path: fixture.path).program
    #expect(program.weights.map(\.shape) == [[3, 2]])
    #expect(program.functions[0].steps.map(\.kernel) == ["linear", "linear"])
    let executor = try fixture.executor()
    try executor.bind("a", Tensor(f32: [1, 1], [1, 2]))
    try executor.bind("b", Tensor(f32: [1, 0, 0, 2], [2, 2]))
    try executor.run()
    #expect(executor.output("x")?.doubles == [5, 7, 9])
    #expect(executor.output("y")?.doubles == [1, 2, 3, 8, 10, 12])
  }
}
