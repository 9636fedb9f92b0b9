public import GraphIR
import Operators
import Tensors

extension Graph {
  /// The logits of a decoder, `[batch, sequence, vocabulary]`.
  public func decoderLogits() throws(Miss) -> ValueID { try DecoderForm(self).logits }
}

/// The parts of a function that make it a decoder: what its tokens, caches and logits are.
struct DecoderForm {
  /// Tokens per run: the second axis of `input_ids`.
  let sequence: String
  /// Positions in the caches before a run, when all caches name them alike.
  let past: String?
  /// `[batch, sequence, vocabulary]`.
  let logits: ValueID
  /// The inputs beside the ids, by what they say of positions: the caches, and what is fed with the ids.
  private let caches: [TensorType]
  private let fed: [String: TensorType]

  init(_ graph: Graph) throws(Miss) {
    guard
      let ids = graph.inputs.first(where: { id in
        graph[id].name == "input_ids" && [.i64, .i32].contains(graph[id].type.element)
          && graph[id].type.rank == 2
      })
    else { throw Miss("there is no input 'input_ids' of whole numbers, [batch, sequence]") }
    let type = graph[ids].type
    guard let sequence = type.shape[1].symbol else {
      throw Miss("'input_ids' is \(type), need a sequence length that is open")
    }
    self.sequence = sequence
    guard type.shape[0] == 1 || type.shape[0].symbol != nil, type.shape[0] != type.shape[1] else {
      throw Miss("'input_ids' is \(type), need a batch that is open or 1")
    }

    let cacheInputs = Self.caches(graph)
    guard !cacheInputs.isEmpty else { throw Miss("there is no cache that is kept in place") }
    for id in cacheInputs where graph[id].type.shape.contains(where: { $0.symbols.contains(sequence) }) {
      throw Miss(
        "cache '\(graph[id].name)' is \(graph[id].type), as long as the sequence of 'input_ids'")
    }
    caches = cacheInputs.map { graph[$0].type }
    fed = Dictionary(
      uniqueKeysWithValues: graph.inputs.filter { !cacheInputs.contains($0) }.map {
        (graph[$0].name, graph[$0].type)
      })
    let lengths = Set(caches.flatMap { $0.shape.dropFirst().flatMap(\.symbols) })
    past = lengths.count == 1 ? lengths.first : nil

    let presents = Set(graph.order.flatMap { OperatorSet.cacheUpdates(of: graph[$0]).compactMap(\.present) })
    let candidates = graph.outputs.filter { output in
      let type = graph[output.value].type
      return !presents.contains(output.value) && type.element.isFloatingPoint && type.rank == 3
        && type.shape[1].symbol == sequence
    }
    guard
      let output = candidates.first(where: { $0.name == "logits" })
        ?? (candidates.count == 1 ? candidates[0] : nil)
    else { throw Miss("there are no logits [batch, \(sequence), vocabulary]") }
    logits = output.value
  }

  /// Sizes of inputs that grow with the positions in the caches, such as the caches' own.
  func lengths(besides sizes: [String: Dim]) -> Set<String> {
    Set((Array(fed.values) + caches).flatMap { $0.shape.flatMap(\.symbols) }).subtracting(sizes.keys)
      .subtracting([sequence])
  }

  /// What sizes are when one sequence is fed `tokens` at a time: exporters may name one size twice, and give
  /// the length of a mask a name of its own.
  func sizes(tokens: Dim) -> [String: Dim] {
    var sizes: [String: Dim] = [:]
    for type in Array(fed.values) + caches { if let batch = type.shape.first?.symbol { sizes[batch] = 1 } }
    if let dim = extent(of: "position_ids"), let count = dim.symbol { sizes[count] = tokens }
    if let past, let dim = extent(of: "attention_mask") {
      if let added = (dim - Dim(past)).symbol {
        sizes[added] = tokens
      } else if let total = dim.symbol {
        sizes[total] = Dim(past) + tokens
      }
    }
    sizes[sequence] = tokens
    if let past { sizes[past] = nil }
    return sizes
  }

  /// The positions of an input `[batch, positions]`.
  private func extent(of name: String) -> Dim? {
    fed[name].flatMap { $0.rank == 2 ? $0.shape[1] : nil }
  }

  /// Inputs that some node appends to in their own memory, the result being an output.
  private static func caches(_ graph: Graph) -> [ValueID] {
    let (inputs, outputs) = (Set(graph.inputs), Set(graph.outputs.map(\.value)))
    var caches: Set<ValueID> = []
    for id in graph.order {
      for case let (past?, present?) in OperatorSet.cacheUpdates(of: graph[id])
      where inputs.contains(past) && outputs.contains(present) {
        caches.insert(past)
      }
    }
    return graph.inputs.filter(caches.contains)
  }
}
