public import GraphIR
import Operators
import Tensors

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// How a small model reads hidden states of a large one (Tandem Transformers; papers.md 2.2).
///
///     large: tokens, caches -> logits, caches, taps [B, S, K]
///     small: tokens, caches, taps [B, R, K], positions [B, R]? -> logits, caches
///
/// An input of the small model that is named as an output of the large one, and is no cache, is a tap. R is the
/// number of tokens that the large model has just processed: their keys and values are made of taps, and stand in the
/// caches before those that the small model makes of tokens of its own.
public struct TandemPair: Sendable {
  /// Names of the taps, in the order of the small model's inputs.
  public let taps: [String]
  /// R, as the small graph has it.
  public let rows: String
  /// Tokens of its own, as the small graph has it.
  public let sequence: String

  /// Names of functions: the large model, the small one as exported, and the two that it is split into.
  public static let large = "large", joined = "tandem", small = "small", refresh = "refresh"
  /// The small function's output with the probability that the large model draws what it proposes.
  public static let router = "router"

  /// - Throws: what of the two graphs does not fit.
  public init(large: Graph, small: Graph) throws(Miss) {
    let (largeForm, smallForm) = (try Self.form(large, "large"), try Self.form(small, "small"))
    let outputs = Dictionary(large.outputs.map { ($0.name, large[$0.value].type) }) { first, _ in first }
    let inputs = small.inputs.filter { input in
      small[input].type.rank == 3 && small[input].type.element.isFloatingPoint
    }
    let unknown = inputs.filter { outputs[small[$0].name] == nil }
    guard unknown.isEmpty, !inputs.isEmpty else {
      let wanted = unknown.map { "'\(small[$0].name)' \(small[$0].type)" }.joined(separator: ", ")
      let given = large.outputs.filter { large[$0.value].type.rank == 3 }.map { "'\($0.name)'" }
      throw Miss(
        "the small model reads \(wanted.isEmpty ? "no hidden states" : wanted), the large one gives "
          + given.joined(separator: ", ") + "; accepted are inputs [batch, rows, width] named as these")
    }
    var symbols: Set<String> = []
    for input in inputs {
      let (name, type) = (small[input].name, small[input].type)
      let given = outputs[name]!
      guard type.element == given.element, given.rank == 3, type.shape[2] == given.shape[2],
        given.shape[1] == Dim(largeForm.sequence)
      else { throw Miss("input '\(name)' of the small model is \(type), the large one gives \(given)") }
      guard let rows = type.shape[1].symbol, rows != smallForm.sequence else {
        throw Miss(
          "input '\(name)' of the small model is \(type); accepted is a number of rows that is open, and not that of"
            + " 'input_ids'")
      }
      symbols.insert(rows)
    }
    guard symbols.count == 1, let rows = symbols.first else {
      throw Miss("the hidden states that the small model reads have \(symbols.count) numbers of rows, need 1")
    }
    let (a, b) = (large[largeForm.logits].type.shape[2], small[smallForm.logits].type.shape[2])
    guard a == b else { throw Miss("the large model has a vocabulary of \(a), the small one of \(b)") }
    taps = inputs.map { small[$0].name }
    (self.rows, sequence) = (rows, smallForm.sequence)
  }

  /// Ids and logits, whatever the caches are like yet.
  private static func form(_ graph: Graph, _ which: String) throws(Miss)
    -> (sequence: String, logits: ValueID)
  {
    guard
      let ids = graph.inputs.first(where: { graph[$0].name == "input_ids" && graph[$0].type.rank == 2 }),
      let sequence = graph[ids].type.shape[1].symbol
    else { throw Miss("the \(which) model has no input 'input_ids' [batch, sequence] of open length") }
    guard let logits = graph.outputs.first(where: { $0.name == "logits" })?.value,
      graph[logits].type.rank == 3, graph[logits].type.shape[2].constant != nil
    else { throw Miss("the \(which) model has no output 'logits' [batch, sequence, vocabulary]") }
    return (sequence, logits)
  }

  /// Whether a module holds a pair that is split.
  static func isSplit(_ module: Module) -> Bool {
    let names = module.functions.map(\.name)
    return names.contains(small) && names.contains(refresh)
  }
}

extension Module {
  /// Takes a small model in beside this one, of one function, in a function ``TandemPair/joined``.
  ///
  /// Constants of the same content are one; where names are taken by others, those of the small model begin with
  /// `small.`
  ///
  /// - Throws: what of the two does not fit.
  public mutating func join(small: Module) throws(Miss) {
    _ = try TandemPair(large: main.graph, small: small.main.graph)
    main.name = TandemPair.large
    var graph = small.main.graph
    var names: [String: String] = [:]
    var byType: [TensorType: [String]] = [:]
    for (name, tensor) in constants.sorted(by: { $0.key < $1.key }) {
      byType[tensor.type, default: []].append(name)
    }
    for (name, tensor) in small.constants.sorted(by: { $0.key < $1.key }) {
      let equal = byType[tensor.type]?.first { constants[$0]!.holdsTheSame(as: tensor) }
      var new = equal ?? name
      if equal == nil {
        while constants[new] != nil || (new != name && small.constants[new] != nil) { new = "small.\(new)" }
        constants[new] = tensor
        byType[tensor.type, default: []].append(new)
      }
      if new != name { names[name] = new }
    }
    graph.renameConstants(names)
    functions.append(Function(TandemPair.joined, graph))
  }
}

extension Tensor {
  /// Whether the bytes of another of the same type are the same.
  fileprivate func holdsTheSame(as other: Tensor) -> Bool {
    withExtendedLifetime((self, other)) { byteCount == 0 || memcmp(base, other.base, byteCount) == 0 }
  }
}
