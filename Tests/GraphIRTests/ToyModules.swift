import GraphIR
import Tensors

/// Modules over the toy operators.
enum ToyModules {
  private static func builder(_ graph: Graph = Graph()) -> GraphBuilder {
    GraphBuilder(graph, constants: [:], operators: Toy.operators, symbols: SymbolSource())
  }

  /// Blobs, left-out results, absent operands, outputs of other names.
  static func step() throws -> Module {
    var builder = builder()
    let ids = builder.graph.addInput("x", TensorType(.f32, [Dim("batch"), Dim("P") + Dim("S"), 64]))
    let weight = builder.constant(Tensor(.f32, [64, 32]), name: "proj.weight")
    builder.location = "/model/proj/MatMul"
    let projected = try builder("matmul", ids, weight)
    builder.location = "/model/clip"
    let clipped = try builder("clip", projected, nil, builder.constant(6))
    builder.location = ""
    let halves = try builder.add(
      "split", [clipped], Attributes(["axis": .int(-1)]), names: ["left", "right"])
    let upper = try builder.add("split", [clipped], Attributes(["axis": .int(-1)]), names: [nil, "upper"])[1]!
    let sum = try builder("add", halves[0], upper)
    builder.graph.outputs = [("logits", sum), ("right", halves[1]!), ("proj.weight", weight)]
    return Module(
      functions: [Module.Function("main", builder.graph, bounds: ["S": 16, "past length": 1024])],
      constants: builder.constants,
      metadata: ["producer": "toy 1.0", "opset": "21"])
  }

  static func annotated() throws -> Module {
    var builder = builder()
    var value = builder.graph.addInput("x", TensorType(.bf16, []))
    let sets: [[String: AttributeValue]] = [
      [
        "int": .int(-7), "float": .float(1e-5), "string": .string("tab\t\"quote\" \\ é\n\u{1b}"),
        "element": .element(.f8e4m3fn),
      ],
      [
        "ints": .ints([1, -2]), "floats": .floats([1, 0.5, -.infinity, .nan]),
        "strings": .strings(["a,b", ""]),
      ],
      ["ints": .ints([]), "floats": .floats([]), "strings": .strings([])],
      ["tensor": .tensor(Tensor(bool: [true, false]))], ["tensor": .tensor(Tensor(.f16, [5, 20]))],
      ["float": .float(3), "tensor": .tensor(Tensor(i64: [3], []))],
    ]
    for attributes in sets { value = try builder("annotated", value, attributes: attributes) }
    builder.graph.outputs = [("y", value)]
    return Module(functions: [Module.Function("main", builder.graph)], constants: builder.constants)
  }

  static let exporterNames = [
    "/model/layers.0/attn/MatMul_output_0", "a b/c", "x:0", "wei\"rd\\", "größe", "//", "a//b", "tail/", "1",
    "_",
    "return", "%x", "日本", "-", "a\nb",
  ]

  static func names() throws -> Module {
    var builder = builder()
    var value = builder.graph.addInput("in put", TensorType(.f32, [Dim("batch size"), Dim("a.b")]))
    for name in exporterNames {
      let constant = builder.constant(Tensor(f32: [Float(name.count)], []), name: name)
      builder.location = name
      value = try builder.add("add", [value, constant], names: [name])[0]!
      builder.graph.outputs.append((name + "!", value))
    }
    builder.graph.outputs.append(("return", value))
    return Module(functions: [Module.Function("main func", builder.graph)], constants: builder.constants)
  }

  /// A function with many inputs and outputs.
  static func wide(count: Int) -> Module {
    var graph = Graph()
    for index in 0..<count {
      let input = graph.addInput("past.\(index).key", TensorType(.f32, [Dim("batch"), 4, Dim("P"), 64]))
      graph.outputs.append(("present.\(index).key", input))
    }
    return Module(functions: [Module.Function("main", graph)])
  }

  /// A vector of the bit patterns `start..<start + count`.
  static func codes(_ element: ElementType, from start: Int, count: Int) -> Tensor {
    let tensor = Tensor(element, [count])
    for index in 0..<count {
      var code = start + index
      if element.isSignedInteger, element.packedBitCount < 8, code >= 1 << (element.packedBitCount - 1) {
        code -= 1 << element.packedBitCount
      }
      if element == .bool { code &= 1 }
      // Wide types: the pattern in the upper bytes, where the exponent is.
      let size = element.byteCount
      for byte in 0..<min(size, 2) {
        let place = size == 1 ? 0 : size - 2 + byte
        let part = UInt8(truncatingIfNeeded: code >> (8 * byte))
        tensor.base.storeBytes(of: part, toByteOffset: index * size + place, as: UInt8.self)
      }
    }
    return tensor
  }
}
