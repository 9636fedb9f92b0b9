import Execution
import PlanFormat
import Tensors

/// Which inputs and outputs of a function play which part in generation.
struct DecoderPorts: Sendable {
  /// An input of whole numbers that generation fills.
  struct Input: Sendable {
    let name: String
    let element: ElementType
  }

  /// `[batch, sequence]`.
  let ids: Input
  /// `[batch, positions so far]`, all ones.
  let mask: Input?
  /// `[batch, sequence]`, counted from 0.
  let positions: Input?
  /// `[batch, sequence, vocabulary]`, or without the sequence for the last position alone; of a function for
  /// candidates `[batch, sequence, candidates]`.
  let logits: String
  /// Extents that a single sequence gives to the dims in caches.
  let sizes: [String: Int]
  /// Tokens per run when the graph has that fixed.
  let fixedCount: Int?
  /// The name of the number of tokens per run, when it is open.
  let sequence: String?
  /// Whether the logits are those of the last position alone, however many tokens are fed.
  let hasLastLogitsOnly: Bool
  /// Size of the vocabulary, when the type tells.
  let vocabularyCount: Int?

  /// - Throws: ``GenerationError`` naming what generation cannot feed or find.
  init(_ executor: Executor) throws(GenerationError) {
    let function = executor.function
    func fail(_ reason: String) -> GenerationError { .notADecoder(executor.plan.path, function.name, reason) }
    var rest: [Function.Port] = []
    var inputs: [String: (Input, TensorType)] = [:]
    for port in executor.freeInputs {
      let type = function.type(of: port.value)
      if Self.names.contains(port.name), type.rank == 2, type.element == .i64 || type.element == .i32 {
        inputs[port.name] = (Input(name: port.name, element: type.element), type)
      } else {
        rest.append(port)
      }
    }
    guard rest.isEmpty else {
      let list = rest.map { "'\($0.name)' \(function.type(of: $0.value))" }.joined(separator: ", ")
      throw fail("generation cannot feed \(list)")
    }
    guard let (ids, idsType) = inputs["input_ids"] else { throw fail("it has no input 'input_ids'") }
    self.ids = ids
    mask = inputs["attention_mask"]?.0
    positions = inputs["position_ids"]?.0
    var sizes: [String: Int] = [:]
    for (_, type) in inputs.values {
      guard type.shape[0].constant ?? 1 == 1 else {
        throw fail("its batch is \(type.shape[0]), accepted is 1")
      }
      if let batch = type.shape[0].symbol { sizes[batch] = 1 }
    }
    self.sizes = sizes
    fixedCount = idsType.shape[1].constant
    sequence = idsType.shape[1].symbol
    if let fixedCount, fixedCount != 1 {
      throw fail("its sequence length is \(fixedCount), accepted are 1 and a free one")
    }

    let stateOutputs = Set(function.states.map(\.output))
    let candidates = function.outputs.filter { port in
      let type = function.type(of: port.value)
      return !stateOutputs.contains(port.value) && type.element.isFloatingPoint && (2...3).contains(type.rank)
    }
    guard
      let output = candidates.first(where: { $0.name == "logits" || $0.name == HirePorts.logits })
        ?? (candidates.count == 1 ? candidates[0] : nil)
    else { throw fail("it has no output 'logits'") }
    let logitsType = function.type(of: output.value)
    // Of `[sequence, vocabulary]` the first row would be taken for the last.
    if logitsType.rank == 2, logitsType.shape[0].evaluated(sizes) != 1 {
      throw fail(
        "its output '\(output.name)' is \(logitsType), accepted is [batch, vocabulary] with a batch of 1")
    }
    logits = output.name
    hasLastLogitsOnly = logitsType.rank == 2 || logitsType.shape[1] == 1
    vocabularyCount = logitsType.shape.last?.constant
  }

  private static let names: Set<String> = ["input_ids", "attention_mask", "position_ids"]
}
