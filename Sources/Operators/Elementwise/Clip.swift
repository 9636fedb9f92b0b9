import GraphIR
import Tensors

/// `min(max(x, min), max)` with scalar bounds, each of which may be absent.
struct Clip: Operator {
  let schema = OperatorSchema(
    "clip", "min(max(x, min), max) with scalar bounds; an absent bound does not bind.",
    operands: ["x", "min?", "max?"])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let type = try call.type(0)
    var content = call.content(0)
    if call.has(1) {
      content = call.content(1)?.first.flatMap { low in content?.map { Content.maximum($0, low) } }
    }
    if call.has(2) {
      content = call.content(2)?.first.flatMap { high in content?.map { Content.minimum($0, high) } }
    }
    return [ValueFact(type, content: content)]
  }
}

/// The operand itself, and a mask of ones: inference. Random dropout in training is refused at run time.
struct Dropout: Operator {
  let schema = OperatorSchema(
    "dropout", "The operand itself and a mask of ones; training with a ratio above 0 is not supported.",
    operands: ["data", "ratio?", "training_mode?"], results: 1...2, attributes: ["seed": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let type = try call.type(0)
    return [ValueFact(type), ValueFact(.bool, type.shape)]
  }
}
