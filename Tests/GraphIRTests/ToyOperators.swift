import GraphIR
import Tensors

/// Operators for tests: GraphIR itself knows none.
enum Toy {
  static let operators = OperatorTable([
    Elementwise("relu", operands: ["x"]), Elementwise("add", operands: ["a", "b"]),
    Elementwise("clip", operands: ["x", "low?", "high?"]), MatMul(), Split(), Concat(), ShapeOf(), Reshape(),
    NonZero(), Annotated(),
  ])

  /// The result has the type of the first operand.
  struct Elementwise: Operator {
    let schema: OperatorSchema

    init(_ name: String, operands: [String]) {
      schema = OperatorSchema(name, "Elementwise.", operands: operands)
    }

    func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] { [ValueFact(try call.type(0))] }
  }

  struct MatMul: Operator {
    let schema = OperatorSchema("matmul", "y = a b.", operands: ["a", "b"])

    func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
      let (a, b) = (try call.type(0), try call.type(1))
      guard a.rank >= 1, b.rank == 2, a.shape.last == b.shape[0] else {
        throw OperatorError("\(a) and \(b) do not multiply")
      }
      return [ValueFact(a.element, a.shape.dropLast() + [b.shape[1]])]
    }
  }

  /// Halves the last axis.
  struct Split: Operator {
    let schema = OperatorSchema(
      "split", "Halves.", operands: ["x"], results: 1...2, attributes: ["axis!": .int])

    func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
      var type = try call.type(0)
      guard let last = type.shape.last else { throw OperatorError("a scalar cannot be split") }
      type.shape[type.rank - 1] = last / Dim(2)
      return [ValueFact(type), ValueFact(type)]
    }
  }

  struct Concat: Operator {
    let schema = OperatorSchema("concat", "Joins vectors.", operands: ["x..."])

    func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
      var count = Dim(0)
      for index in call.operands.indices { count = count + (try call.type(index)).elementCount }
      let contents = call.operands.indices.compactMap { call.content($0) }
      let content = contents.count == call.operands.count ? contents.flatMap { $0 } : nil
      return [ValueFact(TensorType(try call.type(0).element, [count]), content: content)]
    }
  }

  struct ShapeOf: Operator {
    let schema = OperatorSchema("shape", "The extents.", operands: ["x"])

    func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
      let shape = try call.type(0).shape
      return [ValueFact(TensorType(.i64, [Dim(shape.count)]), content: shape)]
    }
  }

  /// The new shape must be known.
  struct Reshape: Operator {
    let schema = OperatorSchema("reshape", "Another shape.", operands: ["x", "shape"])

    func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
      guard let shape = call.content(1) else { throw OperatorError("the shape is not known") }
      return [ValueFact(try call.type(0).element, shape)]
    }
  }

  struct NonZero: Operator {
    let schema = OperatorSchema("nonzero", "Positions.", operands: ["x"])

    func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
      [ValueFact(.i64, [Dim(try call.type(0).rank), call.unknownDim()])]
    }
  }

  /// Carries attributes of every kind.
  struct Annotated: Operator {
    let schema = OperatorSchema(
      "annotated", "The operand.", operands: ["x"],
      attributes: [
        "int": .int, "float": .float, "string": .string, "ints": .ints, "floats": .floats,
        "strings": .strings,
        "element": .element, "tensor": .tensor,
      ])

    func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] { [ValueFact(try call.type(0))] }
  }
}
