public import Tensors

/// What a plan computes: functions lowered to steps, over weights that lie in the plan's weights section.
public struct Program: Sendable {
  public var functions: [Function] = []
  public var weights: [Weight] = []
  public var ledger: [LedgerEntry] = []
  /// Where the plan came from: source file and hash, producer, pipeline, options.
  public var provenance: [Entry] = []
  /// What generation needs to know, such as the context length.
  public var model: [Entry] = []

  public init() {}

  public func model(_ key: String) -> String? { model.first { $0.key == key }?.value }

  /// Makes values that read weight `i` read weight `places[i]`.
  mutating func moveWeights(to places: [Int]) {
    for function in functions.indices {
      for value in functions[function].values.indices {
        if case .weight(let index) = functions[function].values[value].place {
          functions[function].values[value].place = .weight(places[index])
        }
      }
    }
  }
}

public struct Entry: Sendable, Equatable {
  public var key: String
  public var value: String

  public init(_ key: String, _ value: String) {
    self.key = key
    self.value = value
  }
}

/// One pass that may change results: what it promised and what was measured.
public struct LedgerEntry: Sendable, Equatable {
  public var pass: String
  public var fidelity: String
  public var budget: String
  public var measured: String

  public init(pass: String, fidelity: String, budget: String = "", measured: String = "") {
    self.pass = pass
    self.fidelity = fidelity
    self.budget = budget
    self.measured = measured
  }
}

/// A dense row-major constant, `offset` bytes into the weights section.
public struct Weight: Sendable, Equatable {
  public var name: String
  public var element: ElementType
  public var shape: [Int]
  public var offset: Int
  public var byteCount: Int

  public init(name: String, element: ElementType, shape: [Int], offset: Int, byteCount: Int) {
    self.name = name
    self.element = element
    self.shape = shape
    self.offset = offset
    self.byteCount = byteCount
  }
}

/// One function of a program: steps over a table of values.
public struct Function: Sendable {
  /// Where a value lives.
  public enum Place: Sendable, Equatable {
    /// Bound by the caller, or in the memory of a state.
    case external
    /// Index into ``Program/weights``.
    case weight(Int)
    /// A temporary: index of a slot, memory that several values use one after the other.
    case slot(Int)
  }

  public struct Value: Sendable {
    public var name: String
    /// Index into ``Function/types``.
    public var type: Int
    public var place: Place

    public init(name: String, type: Int, place: Place) {
      self.name = name
      self.type = type
      self.place = place
    }
  }

  public struct Step: Sendable {
    /// Name in the kernel table.
    public var kernel: String
    /// Indices into ``Function/values``; -1 marks an absent operand or an unused result.
    public var operands: [Int32]
    public var results: [Int32]
    public var attributes: Attributes
    /// The exporter's path of the node.
    public var location: String
    /// Whether some state depends on this step.
    public var feedsState: Bool

    public init(
      kernel: String, operands: [Int32], results: [Int32], attributes: Attributes, location: String,
      feedsState: Bool
    ) {
      self.kernel = kernel
      self.operands = operands
      self.results = results
      self.attributes = attributes
      self.location = location
      self.feedsState = feedsState
    }
  }

  /// A cache: an input that the executor keeps between runs, and the output that becomes its next value.
  public struct State: Sendable, Equatable {
    public var input: Int
    public var output: Int
    /// The axis along which every run appends.
    public var axis: Int

    public init(input: Int, output: Int, axis: Int) {
      self.input = input
      self.output = output
      self.axis = axis
    }
  }

  public struct Port: Sendable, Equatable {
    public var name: String
    public var value: Int

    public init(name: String, value: Int) {
      self.name = name
      self.value = value
    }
  }

  public var name: String
  public var types: [TensorType] = []
  public var values: [Value] = []
  public var steps: [Step] = []
  public var inputs: [Port] = []
  public var outputs: [Port] = []
  public var states: [State] = []
  public var slotCount = 0
  /// The largest value of a size that is bound at run time, by its symbol; none for a size without limit.
  public var bounds: [String: Int] = [:]

  public init(name: String) { self.name = name }

  public func type(of value: Int) -> TensorType { types[values[value].type] }
}
