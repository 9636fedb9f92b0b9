import CPlan
import CProtobufC
import Tensors

/// The message does not describe a program that can run; the text names the part.
struct DecodingError: Error {
  let part: String
  init(_ part: String) { self.part = part }
}

extension Program {
  /// Reads a program and checks every index in it, so that the executor need not.
  init(decoding bytes: UnsafeRawBufferPointer) throws(DecodingError) {
    let base = bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    guard let message = tandem__plan__program__unpack(nil, bytes.count, base) else {
      throw DecodingError("the program section")
    }
    defer { tandem__plan__program__free_unpacked(message, nil) }
    let m = message.pointee
    for item in items(m.weights, m.n_weights) {
      weights.append(
        Weight(
          name: text(item.name), element: try element(item.element),
          shape: try shape(item.shape, item.n_shape),
          offset: try natural(item.offset), byteCount: try natural(item.length)))
    }
    for item in items(m.functions, m.n_functions) {
      functions.append(try Function(item, weights: weights.count))
    }
    guard !functions.isEmpty else { throw DecodingError("the list of functions") }
    ledger = items(m.ledger, m.n_ledger).map {
      LedgerEntry(
        pass: text($0.pass), fidelity: text($0.fidelity), budget: text($0.budget), measured: text($0.measured)
      )
    }
    provenance = items(m.provenance, m.n_provenance).map { Entry(text($0.key), text($0.value)) }
    model = items(m.model, m.n_model).map { Entry(text($0.key), text($0.value)) }
  }
}

private func text(_ pointer: UnsafePointer<CChar>?) -> String { pointer.map { String(cString: $0) } ?? "" }

private func items<T>(_ pointer: UnsafeMutablePointer<UnsafeMutablePointer<T>?>?, _ count: Int) -> [T] {
  (0..<count).compactMap { pointer?[$0]?.pointee }
}

private func values<T>(_ pointer: UnsafeMutablePointer<T>?, _ count: Int) -> [T] {
  Array(UnsafeBufferPointer(start: pointer, count: count))
}

private func natural(_ value: UInt64) throws(DecodingError) -> Int {
  guard let number = Int(exactly: value) else { throw DecodingError("a size or offset") }
  return number
}

private func shape(_ pointer: UnsafeMutablePointer<UInt64>?, _ count: Int) throws(DecodingError) -> [Int] {
  var extents: [Int] = []
  var product = 1
  for value in values(pointer, count) {
    let extent = try natural(value)
    let (next, overflows) = product.multipliedReportingOverflow(by: max(extent, 1))
    // Bytes must fit as well, whatever the element.
    guard !overflows, next <= Int.max / 16 else { throw DecodingError("a shape") }
    product = next
    extents.append(extent)
  }
  guard extents.count <= Extents.maximumRank else { throw DecodingError("a shape") }
  return extents
}

private func element(_ pointer: UnsafePointer<CChar>?) throws(DecodingError) -> ElementType {
  guard let type = ElementType(rawValue: text(pointer)) else { throw DecodingError("an element type") }
  return type
}

extension Function {
  fileprivate init(_ m: Tandem__Plan__Function, weights: Int) throws(DecodingError) {
    self.init(name: text(m.name))
    for item in items(m.types, m.n_types) {
      var dims: [Dim] = []
      for dim in PlanFormat.values(item.dims, item.n_dims) {
        guard let parsed = Dim(parsing: text(dim)) else { throw DecodingError("dim '\(text(dim))'") }
        dims.append(parsed)
      }
      types.append(TensorType(try element(item.element), dims))
    }
    slotCount = Int(m.slot_count)
    for item in items(m.bounds, m.n_bounds) { bounds[text(item.symbol)] = try natural(item.largest) }
    for item in items(m.values, m.n_values) { values.append(try value(item, weights: weights)) }
    guard slotCount <= values.count else { throw DecodingError("the number of slots") }
    for item in items(m.steps, m.n_steps) { steps.append(try step(item)) }
    inputs = try ports(items(m.inputs, m.n_inputs))
    outputs = try ports(items(m.outputs, m.n_outputs))
    for item in items(m.states, m.n_states) {
      states.append(State(input: Int(item.input), output: Int(item.output), axis: Int(item.axis)))
    }
    try checkPlaces()
    for state in states { try check(state) }
  }

  /// Inputs come from outside, results go to slots but for those in the memory of a state, ranks are what views can
  /// hold.
  private func checkPlaces() throws(DecodingError) {
    guard types.allSatisfy({ $0.rank <= Extents.maximumRank }) else { throw DecodingError("a type") }
    for port in inputs where values[port.value].place != .external {
      throw DecodingError("input '\(port.name)'")
    }
    let states = Set(states.map(\.output))
    for step in steps {
      for result in step.results where result >= 0 && !states.contains(Int(result)) {
        guard case .slot = values[Int(result)].place else { throw DecodingError("step '\(step.location)'") }
      }
    }
  }

  /// A state is an input that one step reads and gives the output of.
  private func check(_ state: State) throws(DecodingError) {
    let updates = steps.filter { $0.results.contains(Int32(clamping: state.output)) }
    guard updates.count == 1, updates[0].operands.contains(Int32(clamping: state.input)),
      inputs.contains(where: { $0.value == state.input }), values[state.output].place == .external,
      state.axis >= 1, state.axis < type(of: state.input).rank
    else { throw DecodingError("a state of function '\(name)'") }
  }

  private func value(_ m: Tandem__Plan__Value, weights: Int) throws(DecodingError) -> Value {
    var value = Value(name: text(m.name), type: Int(m.type), place: .external)
    if m.slot >= 0 { value.place = .slot(Int(m.slot)) }
    if m.weight >= 0 { value.place = .weight(Int(m.weight)) }
    guard value.type < types.count, m.slot < slotCount, m.weight < weights else {
      throw DecodingError("value '\(value.name)'")
    }
    return value
  }

  private func ports(_ messages: [Tandem__Plan__Port]) throws(DecodingError) -> [Port] {
    var ports: [Port] = []
    for item in messages {
      guard Int(item.value) < values.count else { throw DecodingError("port '\(text(item.name))'") }
      ports.append(Port(name: text(item.name), value: Int(item.value)))
    }
    return ports
  }

  private func step(_ m: Tandem__Plan__Step) throws(DecodingError) -> Step {
    let step = Step(
      kernel: text(m.kernel), operands: PlanFormat.values(m.operands, m.n_operands),
      results: PlanFormat.values(m.results, m.n_results),
      attributes: try attributes(items(m.attributes, m.n_attributes)),
      location: text(m.location), feedsState: m.feeds_state != 0)
    guard (step.operands + step.results).allSatisfy({ $0 >= -1 && Int($0) < values.count }) else {
      throw DecodingError("step '\(step.location)'")
    }
    return step
  }

  private func attributes(_ messages: [Tandem__Plan__Attribute]) throws(DecodingError) -> Attributes {
    var attributes = Attributes()
    for m in messages {
      let name = text(m.name)
      let ints = PlanFormat.values(m.ints, m.n_ints).map { Int($0) }
      let floats = PlanFormat.values(m.floats, m.n_floats)
      let strings = PlanFormat.values(m.strings, m.n_strings).map {
        UnsafeBufferPointer(start: $0.data, count: $0.len)
      }
      switch (text(m.kind), ints.first, floats.first, strings.first) {
      case ("int", let value?, _, _): attributes[name] = .int(value)
      case ("ints", _, _, _): attributes[name] = .ints(ints)
      case ("float", _, let value?, _): attributes[name] = .float(value)
      case ("floats", _, _, _): attributes[name] = .floats(floats)
      case ("string", _, _, let value?): attributes[name] = .string(String(decoding: value, as: UTF8.self))
      case ("strings", _, _, _):
        attributes[name] = .strings(strings.map { String(decoding: $0, as: UTF8.self) })
      case ("element", _, _, _): attributes[name] = .element(try element(m.element))
      case ("tensor", _, _, let bytes?):
        let (type, extents) = (try element(m.element), try shape(m.shape, m.n_shape))
        guard extents.reduce(1, *) * type.byteCount == bytes.count else {
          throw DecodingError("attribute '\(name)'")
        }
        attributes[name] = .tensor(Tensor(type, extents, bytes: UnsafeRawBufferPointer(bytes)))
      default: throw DecodingError("attribute '\(name)'")
      }
    }
    return attributes
  }
}
