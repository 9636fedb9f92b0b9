import Execution
import PlanFormat
import Tensors

/// The inputs of one run: those that were given, and those that follow from them.
struct TensorFeed {
  private let executor: Executor
  private var given: [String: Tensor] = [:]

  init(_ executor: Executor) { self.executor = executor }

  mutating func add(_ name: String, _ tensor: Tensor) throws {
    guard executor.function.inputs.contains(where: { $0.name == name }) else {
      let names = executor.function.inputs.map { "'\($0.name)'" }.joined(separator: ", ")
      throw CommandError("there is no input '\(name)', accepted are \(names)")
    }
    guard given.updateValue(tensor, forKey: name) == nil else {
      throw CommandError(.wrongUsage, "input '\(name)' is given twice")
    }
  }

  /// Binds all inputs and fills the caches.
  ///
  /// 1. Caches are loaded when given, else they are empty.
  /// 2. A missing `attention_mask` is all ones over past and new positions.
  /// 3. Missing `position_ids` count on from the past.
  func bind() throws {
    let function = executor.function
    let ids = given["input_ids"].flatMap { $0.rank == 2 ? $0 : nil }
    let batch = ids?.shape[0] ?? 1
    let added = ids?.shape[1] ?? given.values.flatMap(\.shape).max() ?? 1
    // Room for whatever the graph may append: no input is longer.
    let past = try bindStates(extra: max(added, given.values.flatMap(\.shape).max() ?? 1))
    for port in executor.freeInputs {
      let type = function.type(of: port.value)
      if let tensor = given[port.name] {
        try executor.bind(port.name, tensor)
      } else if ids != nil, port.name == "attention_mask", type.rank == 2 {
        let ones = [Int](repeating: 1, count: batch * (past + added))
        try executor.bind(port.name, try integers(ones, [batch, past + added], type.element, port.name))
      } else if ids != nil, port.name == "position_ids", type.rank == 2 {
        let positions = (0..<batch).flatMap { _ in past..<past + added }
        try executor.bind(port.name, try integers(positions, [batch, added], type.element, port.name))
      } else {
        throw CommandError("input '\(port.name)' has no tensor, accepted is \(type)")
      }
    }
    try executor.checkSizes()
  }

  /// - Returns: positions in the caches.
  private func bindStates(extra: Int) throws -> Int {
    let function = executor.function
    let names = function.states.map { function.values[$0.input].name }
    if names.contains(where: { given[$0] != nil }) {
      try executor.loadStates(given, extra: extra)
      return executor.stateLength
    }
    var sizes: [String: Int] = [:]
    for port in executor.freeInputs {
      guard let tensor = given[port.name] else { continue }
      for (dim, extent) in zip(function.type(of: port.value).shape, tensor.shape) {
        if let symbol = dim.symbol { sizes[symbol] = extent }
      }
    }
    try executor.allocateStates(capacity: max(1, extra), sizes: sizes)
    return 0
  }

  private func integers(_ values: [Int], _ shape: [Int], _ element: ElementType, _ name: String) throws
    -> Tensor
  {
    switch element {
    case .i64: return Tensor(i64: values, shape)
    case .i32: return Tensor(i32: values.map { Int32($0) }, shape)
    default: throw CommandError("input '\(name)' has no tensor, accepted is one of element type \(element)")
    }
  }

  /// The last position of a decoder's logits; any other output as it is.
  func lastPosition(of port: Function.Port, _ view: TensorView) -> TensorView {
    guard given["input_ids"] != nil, port.name == "logits", view.rank == 3, view.shape[1] > 1 else {
      return view
    }
    var last = view
    last.base += (view.shape[1] - 1) * view.strides[1] * view.element.byteCount
    last.shape[1] = 1
    return last
  }
}
