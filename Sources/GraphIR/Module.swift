public import Tensors

/// Functions over a common pool of named constants: what an exported model becomes.
public struct Module: Sendable {
  public struct Function: Sendable {
    public var name: String
    public var graph: Graph
    /// The largest value that a symbol in the inputs' dims takes; none for a symbol that any size may take.
    public var bounds: [String: Int]

    public init(_ name: String, _ graph: Graph, bounds: [String: Int] = [:]) {
      self.name = name
      self.graph = graph
      self.bounds = bounds
    }
  }

  public var functions: [Function]
  /// Weights and other constants by name; shared between functions.
  public var constants: [String: Tensor]
  /// Where the module came from: producer, source file, opset.
  public var metadata: [String: String]

  public init(functions: [Function] = [], constants: [String: Tensor] = [:], metadata: [String: String] = [:])
  {
    self.functions = functions
    self.constants = constants
    self.metadata = metadata
  }

  /// The function that runs when none is named: the first.
  public var main: Function {
    get { functions[0] }
    set { functions[0] = newValue }
  }

  /// Drops constants that no function uses.
  public mutating func removeUnusedConstants() {
    var used: Set<String> = []
    for index in functions.indices { used.formUnion(functions[index].graph.removeUnusedConstants()) }
    constants = constants.filter { used.contains($0.key) }
  }
}
