import GraphIR
import ONNXImport
import Operators
import Tensors

/// Runs an imported decoder with the interpreter, keeping its cache.
struct Decoder {
  let module: Module
  private var cache: [String: Tensor] = [:]
  /// Positions that the cache holds.
  private var length = 0

  init(_ path: String) throws { self.init(try Module(importing: path)) }

  init(_ module: Module) { self.module = module }

  /// Feeds tokens behind those fed before.
  ///
  /// - Returns: logits `[1, tokens, vocabulary]`.
  mutating func feed(_ ids: [Int]) throws -> Tensor {
    let graph = module.main.graph
    var inputs: [String: Tensor] = [:]
    for id in graph.inputs {
      let value = graph[id]
      switch value.name {
      case "input_ids": inputs[value.name] = integers(ids, value.type)
      case "attention_mask":
        inputs[value.name] = integers([Int](repeating: 1, count: length + ids.count), value.type)
      case "position_ids": inputs[value.name] = integers(Array(length..<length + ids.count), value.type)
      default: inputs[value.name] = cache[value.name] ?? emptyCache(value.type)
      }
    }
    let outputs = try Interpreter(module).run(module.main, inputs: inputs)
    length += ids.count
    for (name, tensor) in outputs where name.hasPrefix("present") {
      cache[name.replacing(/^present(_key_values)?/, with: "past_key_values")] = tensor
    }
    guard let logits = outputs["logits"] else { throw MissingOutput() }
    return logits
  }

  struct MissingOutput: Error {}

  private func integers(_ values: [Int], _ type: TensorType) -> Tensor {
    type.element == .i32
      ? Tensor(.i32, [1, values.count], values: values.map { Int32($0) })
      : Tensor(i64: values, [1, values.count])
  }

  /// Symbolic extents are the batch, which is 1, and the positions, none yet.
  private func emptyCache(_ type: TensorType) -> Tensor {
    Tensor(type.element, type.shape.enumerated().map { axis, dim in dim.constant ?? (axis == 0 ? 1 : 0) })
  }
}
