import GraphIR
import Operators
import Tensors
import Testing

/// Shape arithmetic in the graph gives symbolic shapes.
@Suite struct SymbolicShapeTests {
  private func builder() -> GraphBuilder {
    GraphBuilder(Graph(), constants: [:], operators: .standard, symbols: SymbolSource())
  }

  @Test func aShapeThatIsTakenApartAndJoinedAgainStaysSymbolic() throws {
    var b = builder()
    let x = b.graph.addInput("x", TensorType(.f32, [Dim("B"), Dim("S"), 64]))
    let shape = try b("shape", x)
    let batch = try b("unsqueeze", b("gather", shape, b.constant(Tensor(i64: [0], []))), b.constant([0]))
    let rows = try b("slice", shape, b.constant([1]), b.constant([2]))
    let target = try b("concat", batch, rows, b.constant([4, -1]), attributes: ["axis": .int(0)])
    let joined = try b("reshape", x, target)
    #expect(b.type(joined).shape == [Dim("B"), Dim("S"), 4, 16])
  }

  @Test func theInferredExtentIsAnExactQuotient() throws {
    var b = builder()
    let total = Dim("P") + Dim("S")
    let x = b.graph.addInput("x", TensorType(.f32, [Dim("B"), 4, total, 16]))
    let merged = try b("reshape", x, b.constant([-1, 16]))
    #expect(b.type(merged).shape == [Dim("B") * 4 * total, 16])
  }

  @Test(
    arguments: [
      (0, Int.max, Dim("S")), (1, Int.max, Dim("S") - 1), (-1, Int.max, 1), (0, -1, Dim("S") - 1), (0, 1, 1),
      (-4, Int.max, Dim.minimum(4, Dim("S"))), (0, 4, Dim.minimum(4, Dim("S"))),
    ] as [(Int, Int, Dim)])
  func constantBoundsOfASymbolicAxisAreClamped(_ start: Int, _ end: Int, _ expected: Dim) throws {
    var b = builder()
    let x = b.graph.addInput("x", TensorType(.f32, [Dim("S")]))
    let part = try b("slice", x, b.constant([start]), b.constant([end]))
    #expect(b.type(part).shape == [expected])
  }

  @Test func symbolicBoundsAreComparedWithTheAxis() throws {
    var b = builder()
    let mask = b.graph.addInput("mask", TensorType(.i64, [1, Dim("P") + Dim("S")]))
    let ids = b.graph.addInput("ids", TensorType(.i64, [1, Dim("S")]))
    let total = try b("shape", mask, attributes: ["start": .int(1), "end": .int(2)])
    let rows = try b("shape", ids, attributes: ["start": .int(1), "end": .int(2)])
    let past = try b("sub", total, rows)
    let new = try b("slice", mask, past, total, b.constant([1]))
    #expect(b.type(new).shape == [1, Dim("S")])
    let table = b.graph.addInput("table", TensorType(.f32, [1024, 8]))
    let rowsOfTable = try b("slice", table, b.constant([0]), total)
    #expect(b.type(rowsOfTable).shape == [Dim.minimum(Dim("P") + Dim("S"), 1024), 8])
  }

  @Test func aRangeOverSymbolsHasTheirDifferenceAsLength() throws {
    var b = builder()
    let past = b.graph.addInput("past", TensorType(.f32, [1, 2, Dim("P"), 8]))
    let ids = b.graph.addInput("ids", TensorType(.i64, [1, Dim("S")]))
    let first = try b("gather", b("shape", past), b.constant(Tensor(i64: [2], [])))
    let rows = try b("gather", b("shape", ids), b.constant(Tensor(i64: [1], [])))
    let positions = try b("range", first, b("add", first, rows), b.constant(Tensor(i64: [1], [])))
    #expect(b.type(positions) == TensorType(.i64, [Dim("S")]))
  }
}
