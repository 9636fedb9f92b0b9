import GraphIR
import Tensors

/// The extents of axes `start..<end` as an i64 vector; its content is tracked symbolically.
struct ShapeOf: Operator {
  let schema = OperatorSchema(
    "shape", "The extents of axes start..<end; negative bounds count from the back, both are clamped.",
    operands: ["x"], attributes: ["start": .int, "end": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let x = try call.type(0)
    func clamp(_ bound: Int) -> Int { min(max(bound < 0 ? bound + x.rank : bound, 0), x.rank) }
    let start = clamp(call.attributes.int("start", default: 0))
    let extents = x.shape[start..<max(start, clamp(call.attributes.int("end", default: x.rank)))]
    return [ValueFact(TensorType(.i64, [Dim(extents.count)]), content: Array(extents))]
  }
}
