import GraphIR
import Tensors
import TestSupport
import Testing

@Suite struct TextRoundTripTests {
  /// Prints, parses, prints again, and expects the same text.
  private func expectRoundTrip(_ module: Module, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let printed = module.printed()
    let parsed = try Module(parsing: printed.text, operators: Toy.operators, blobs: printed.blobs)
    #expect(parsed.text == printed.text, sourceLocation: sourceLocation)
    #expect(parsed.violations(operators: Toy.operators).isEmpty, sourceLocation: sourceLocation)
  }

  @Test func decoderStep() throws {
    let module = try ToyModules.step()
    try Golden.expect(module.text, named: "decoder-step.ir")
    try expectRoundTrip(module)
  }

  @Test func everyAttributeKind() throws {
    let module = try ToyModules.annotated()
    try Golden.expect(module.text, named: "attributes.ir")
    try expectRoundTrip(module)
  }

  @Test func namesThatExportersWrite() throws {
    let module = try ToyModules.names()
    try Golden.expect(module.text, named: "names.ir")
    try expectRoundTrip(module)
  }

  @Test func longSignatures() throws {
    let module = ToyModules.wide(count: 12)
    try Golden.expect(module.text, named: "wide.ir")
    try expectRoundTrip(module)
  }

  @Test func emptyModule() throws {
    try expectRoundTrip(Module())
    try expectRoundTrip(Module(functions: [Module.Function("empty", Graph())]))
    try expectRoundTrip(Module(metadata: ["odd key": "a \"b\"\n\u{7}"]))
  }

  /// A constant and a value of one name: the value keeps it in the text.
  @Test func constantsNeverTakeTheNamesOfValues() throws {
    let text = """
      const @x: f32[2] = [1.0, 2.0]

      func @main(%y: f32[2]) -> (x: f32[2], z: f32[2]) {
        %z = add(%y, @x) : f32[2]
        %x = add(%z, @x) : f32[2]
        return %x, %z
      }

      """
    let module = try Module(parsing: text, operators: Toy.operators)
    #expect(module.text == text)
    #expect(module.main.graph.value(named: "x") == module.main.graph.outputs[0].value)
  }

  @Test func contentIsRecomputed() throws {
    let module = try Module(
      parsing: """
        const @one: i64[1] = [1]
        func @main(%x: f32[S, 4], %m: f32[S]) -> (y: f32[S, 4, 1]) {
          %i = nonzero(%m) : i64[1, u5]
          %extent = shape(%i) : i64[2]
          %s = shape(%x) : i64[2]
          %t = concat(%s, @one) : i64[3]
          %y = reshape(%x, %t) : f32[S, 4, 1]
          return %y
        }
        """, operators: Toy.operators)
    let graph = module.main.graph
    #expect(graph[graph.value(named: "t")!].content == [Dim("S"), 4, 1])
    #expect(graph[graph.value(named: "extent")!].content == [1, Dim("u5")])
  }

  @Test(arguments: ElementType.allCases) func everyElementCode(_ element: ElementType) throws {
    let isWide = element.byteCount > 1
    let codes = isWide ? 1 << 16 : 1 << element.packedBitCount
    // Of the wide types every 16th run of codes, which has every exponent.
    for start in stride(from: 0, to: codes, by: isWide ? 64 * 16 : 64) {
      let tensor = ToyModules.codes(element, from: start, count: min(64, codes - start))
      let module = Module(constants: ["c": tensor])
      let parsed = try Module(parsing: module.text, operators: Toy.operators)
      let bytes = try #require(parsed.constants["c"]).bytes
      guard bytes.elementsEqual(tensor.bytes) else {
        Issue.record("\(element) from code \(start): \(module.text)")
        return
      }
    }
  }

  @Test func numbersAreShortest() throws {
    let module = Module(constants: [
      "a": Tensor(f32: [0.1, 1e-5, 1e20, -0.0, .infinity, -.infinity, .nan, .leastNonzeroMagnitude]),
      "b": Tensor(f32: [Float(bitPattern: 0xFFC0_0001)], []),
      "c": Tensor(.u64, [1], values: [UInt64.max]),
      "d": Tensor(i64: [.min, .max]),
      "e": Tensor(bool: [true, false], [2, 1]),
      "f": Tensor(f32: [], [0, 3]),
    ])
    try Golden.expect(module.text, named: "numbers.ir")
    try expectRoundTrip(module)
  }
}
