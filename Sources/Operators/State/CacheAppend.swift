import GraphIR
import Tensors

/// Appends `update` to `cache` along an axis, in the cache's own memory: `concat(cache, update)` without the copy.
struct CacheAppend: Operator {
  let schema = OperatorSchema(
    "cache_append", "The cache, longer by the update along 'axis', in the cache's own memory.",
    operands: ["cache", "update"], attributes: ["axis!": .int])

  func infer(_ call: InferenceCall) throws(OperatorError) -> [ValueFact] {
    let (cache, update) = (try call.type(0), try call.type(1))
    let axis = try ShapeRules.axis(call.attributes.int("axis", default: 0), rank: cache.rank)
    guard cache.element == update.element, cache.rank == update.rank else {
      throw OperatorError("cannot append \(update) to a cache of \(cache)")
    }
    // As in a join, an extent that one side leaves open is what the other side says.
    var shape = zip(cache.shape, update.shape).map { $0.constant == nil && $1.constant != nil ? $1 : $0 }
    shape[axis] = cache.shape[axis] + update.shape[axis]
    return [ValueFact(cache.element, shape)]
  }

  func decompose(_ node: Node, into builder: inout GraphBuilder) throws(OperatorError) -> [ValueID?]? {
    let axis = node.attributes.int("axis", default: 0)
    return try builder.add("concat", node.operands, Attributes(["axis": .int(axis)]))
  }
}
