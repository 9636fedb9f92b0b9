import Execution
import GraphIR
import Operators
import PlanFormat
import Planning
import Tensors
import Testing

@Suite struct ConstantExpressionTests {
  /// A product with two matrices joined, each stored the other way round.
  private static func joined(_ name: String) -> String {
    """
    func @\(name)(%x: f32[S, 2]) -> (y: f32[S, 5]) {
      %ta = transpose(@a) {perm = [1, 0]} : f32[3, 2]
      %tb = transpose(@b) : f32[2, 2]
      %w = concat(%ta, %tb) {axis = 0} : f32[5, 2]
      %y = linear(%x, %w) : f32[S, 5]
      return %y
    }

    """
  }
  private static let constants = """
    const @a: f32[2, 3] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    const @b: f32[2, 2] = [7.0, 8.0, 9.0, 10.0]

    """

  @Test func theInterpreterAndThePlanAgree() throws {
    let fixture = try PlanFixture(Self.constants + Self.joined("main"), passes: [])
    let x = Tensor(f32: [1, 2, -1, 0.5], [2, 2])
    let executor = try fixture.executor()
    #expect(executor.function.steps.map(\.kernel) == ["linear"])
    try executor.bind("x", x)
    try executor.run()
    let expected = try Interpreter(fixture.module).run(fixture.module.main, inputs: ["x": x])
    #expect(executor.output("y")?.doubles == expected["y"]?.doubles)
  }

  @Test func equalExpressionsAreStoredOnceAndTheirPartsNotAtAll() throws {
    let fixture = try PlanFixture(
      Self.constants + Self.joined("main") + "\n" + Self.joined("again"), passes: [])
    let program = try PlanFile(path: fixture.path).program
    #expect(program.functions.count == 2)
    #expect(program.weights.map(\.name) == ["w"])
    #expect(program.weights.map(\.shape) == [[5, 2]])
  }

  @Test func aConstantThatIsAlsoReadAsItIsStaysBesideItsExpression() throws {
    let text = """
      const @a: f32[2, 2] = [1.0, 2.0, 3.0, 4.0]

      func @main(%x: f32[S, 2]) -> (y: f32[S, 2], a: f32[2, 2]) {
        %t = transpose(@a) : f32[2, 2]
        %y = linear(%x, %t) : f32[S, 2]
        return y = %y, a = @a
      }

      """
    let fixture = try PlanFixture(text, passes: [])
    #expect(Set(try PlanFile(path: fixture.path).program.weights.map(\.name)) == ["a", "a.T"])
    let executor = try fixture.executor()
    try executor.bind("x", Tensor(f32: [1, 1], [1, 2]))
    try executor.run()
    #expect(executor.output("y")?.doubles == [4, 6])
    #expect(executor.output("a")?.doubles == [1, 2, 3, 4])
  }

  /// As exporters write an embedding and the head tied to it. What differs in one element, in type or in shape,
  /// is not equal.
  @Test func weightsThatTurnOutEqualAreStoredOnce() throws {
    let text = """
      const @table: f32[3, 2] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
      const @head: f32[2, 3] = [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]
      const @other: f32[2, 3] = [1.0, 3.0, 5.0, 2.0, 4.0, 7.0]
      const @flat: f32[6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]

      func @main(%ids: i64[S]) -> (y: f32[S, 3], z: f32[S, 3], flat: f32[6]) {
        %x = gather(@table, %ids) {axis = 0} : f32[S, 2]
        %y = matmul(%x, @head) : f32[S, 3]
        %z = matmul(%x, @other) : f32[S, 3]
        return y = %y, z = %z, flat = @flat
      }

      """
    let fixture = try PlanFixture(text)
    let program = try PlanFile(path: fixture.path).program
    #expect(program.weights.map(\.name) == ["table", "other.T", "flat"])
    let executor = try fixture.executor()
    let ids = Tensor(i64: [2, 0], [2])
    try executor.bind("ids", ids)
    try executor.run()
    let expected = try Interpreter(fixture.module).run(fixture.module.main, inputs: ["ids": ids])
    for name in ["y", "z", "flat"] {
      #expect(executor.output(name)?.doubles == expected[name]?.doubles, "\(name)")
    }
  }

  /// What is read is small; the tensor on the way is not stored.
  @Test func aResultMuchLargerThanItsConstantsStaysAStep() throws {
    let text = """
      const @c: f32[1, 1] = [2.0]
      const @shape: i64[2] = [1024, 1024]

      func @main(%x: f32[1024, 1024]) -> (y: f32[1024, 1024], z: f32[1, 1]) {
        %e = expand(@c, @shape) : f32[1024, 1024]
        %y = add(%x, %e) : f32[1024, 1024]
        %s = sqrt(@c) : f32[1, 1]
        %z = neg(%s) : f32[1, 1]
        return %y, %z
      }

      """
    let fixture = try PlanFixture(text, passes: [])
    let program = try PlanFile(path: fixture.path).program
    #expect(program.functions[0].steps.map(\.kernel) == ["expand", "add"])
    #expect(Set(program.weights.map(\.name)) == ["c", "shape", "z"])
  }

  @Test func anExpressionThatCannotBeEvaluatedFailsWithItsNode() throws {
    let text = """
      const @c: f32[2] = [1.0, 2.0]
      const @i: i64[1] = [7]

      func @main(%x: f32[1]) -> (y: f32[1]) {
        %g = gather(@c, @i) {axis = 0} : f32[1] loc("layer/gather")
        %y = add(%x, %g) : f32[1]
        return %y
      }

      """
    let error = #expect(throws: Planner.Failure.self) { _ = try PlanFixture(text, passes: []) }
    #expect(error?.message.contains("node 'layer/gather' (gather)") == true)
  }
}
