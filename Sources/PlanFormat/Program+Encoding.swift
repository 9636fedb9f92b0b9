import CPlan
import CProtobufC
import ProtobufArena
import Tensors

extension Program {
  /// The program as a protobuf message.
  func encoded() -> [UInt8] {
    let writer = ProgramWriter()
    let message = writer.program(self)
    return withExtendedLifetime(writer) {
      Array(unsafeUninitializedCapacity: tandem__plan__program__get_packed_size(message)) { buffer, count in
        count = tandem__plan__program__pack(message, buffer.baseAddress)
      }
    }
  }
}

/// Turns a program into C messages.
private struct ProgramWriter {
  let arena = MessageArena()

  func program(_ program: Program) -> UnsafeMutablePointer<Tandem__Plan__Program> {
    let message = arena.make(tandem__plan__program__init)
    arena.fill(&message.pointee.functions, &message.pointee.n_functions, program.functions, function)
    arena.fill(&message.pointee.weights, &message.pointee.n_weights, program.weights, weight)
    arena.fill(&message.pointee.ledger, &message.pointee.n_ledger, program.ledger, ledgerEntry)
    arena.fill(&message.pointee.provenance, &message.pointee.n_provenance, program.provenance, entry)
    arena.fill(&message.pointee.model, &message.pointee.n_model, program.model, entry)
    return message
  }

  private func entry(_ entry: Entry) -> UnsafeMutablePointer<Tandem__Plan__Entry> {
    let message = arena.make(tandem__plan__entry__init)
    message.pointee.key = arena.string(entry.key)
    message.pointee.value = arena.string(entry.value)
    return message
  }

  private func ledgerEntry(_ entry: LedgerEntry) -> UnsafeMutablePointer<Tandem__Plan__LedgerEntry> {
    let message = arena.make(tandem__plan__ledger_entry__init)
    message.pointee.pass = arena.string(entry.pass)
    message.pointee.fidelity = arena.string(entry.fidelity)
    message.pointee.budget = arena.string(entry.budget)
    message.pointee.measured = arena.string(entry.measured)
    return message
  }

  private func weight(_ weight: Weight) -> UnsafeMutablePointer<Tandem__Plan__Weight> {
    let message = arena.make(tandem__plan__weight__init)
    message.pointee.name = arena.string(weight.name)
    message.pointee.element = arena.string(weight.element.rawValue)
    message.pointee.shape = arena.list(weight.shape.map { UInt64($0) })
    message.pointee.n_shape = weight.shape.count
    message.pointee.offset = UInt64(weight.offset)
    message.pointee.length = UInt64(weight.byteCount)
    return message
  }

  private func function(_ function: Function) -> UnsafeMutablePointer<Tandem__Plan__Function> {
    let message = arena.make(tandem__plan__function__init)
    message.pointee.name = arena.string(function.name)
    arena.fill(&message.pointee.types, &message.pointee.n_types, function.types, type)
    arena.fill(&message.pointee.values, &message.pointee.n_values, function.values, value)
    arena.fill(&message.pointee.steps, &message.pointee.n_steps, function.steps, step)
    arena.fill(&message.pointee.inputs, &message.pointee.n_inputs, function.inputs, port)
    arena.fill(&message.pointee.outputs, &message.pointee.n_outputs, function.outputs, port)
    arena.fill(&message.pointee.states, &message.pointee.n_states, function.states, state)
    message.pointee.slot_count = UInt32(function.slotCount)
    let bounds = function.bounds.sorted { $0.key < $1.key }
    arena.fill(&message.pointee.bounds, &message.pointee.n_bounds, bounds, bound)
    return message
  }

  private func bound(_ bound: (key: String, value: Int)) -> UnsafeMutablePointer<Tandem__Plan__Bound> {
    let message = arena.make(tandem__plan__bound__init)
    message.pointee.symbol = arena.string(bound.key)
    message.pointee.largest = UInt64(bound.value)
    return message
  }

  private func type(_ type: TensorType) -> UnsafeMutablePointer<Tandem__Plan__TensorType> {
    let message = arena.make(tandem__plan__tensor_type__init)
    message.pointee.element = arena.string(type.element.rawValue)
    message.pointee.dims = arena.texts(type.shape.map(\.description))
    message.pointee.n_dims = type.shape.count
    return message
  }

  private func value(_ value: Function.Value) -> UnsafeMutablePointer<Tandem__Plan__Value> {
    let message = arena.make(tandem__plan__value__init)
    message.pointee.name = arena.string(value.name)
    message.pointee.type = UInt32(value.type)
    message.pointee.slot = -1
    message.pointee.weight = -1
    switch value.place {
    case .external: break
    case .slot(let index): message.pointee.slot = Int32(index)
    case .weight(let index): message.pointee.weight = Int32(index)
    }
    return message
  }

  private func port(_ port: Function.Port) -> UnsafeMutablePointer<Tandem__Plan__Port> {
    let message = arena.make(tandem__plan__port__init)
    message.pointee.name = arena.string(port.name)
    message.pointee.value = UInt32(port.value)
    return message
  }

  private func state(_ state: Function.State) -> UnsafeMutablePointer<Tandem__Plan__State> {
    let message = arena.make(tandem__plan__state__init)
    message.pointee.input = UInt32(state.input)
    message.pointee.output = UInt32(state.output)
    message.pointee.axis = UInt32(state.axis)
    return message
  }

  private func step(_ step: Function.Step) -> UnsafeMutablePointer<Tandem__Plan__Step> {
    let message = arena.make(tandem__plan__step__init)
    message.pointee.kernel = arena.string(step.kernel)
    message.pointee.operands = arena.list(step.operands)
    message.pointee.n_operands = step.operands.count
    message.pointee.results = arena.list(step.results)
    message.pointee.n_results = step.results.count
    let attributes = step.attributes.values.sorted { $0.key < $1.key }
    arena.fill(&message.pointee.attributes, &message.pointee.n_attributes, attributes) {
      attribute($0.key, $0.value)
    }
    message.pointee.location = arena.string(step.location)
    message.pointee.feeds_state = step.feedsState ? 1 : 0
    return message
  }

  private func attribute(_ name: String, _ value: AttributeValue) -> UnsafeMutablePointer<
    Tandem__Plan__Attribute
  > {
    let message = arena.make(tandem__plan__attribute__init)
    message.pointee.name = arena.string(name)
    func set(_ kind: String, ints: [Int] = [], floats: [Float] = [], strings: [[UInt8]] = []) {
      message.pointee.kind = arena.string(kind)
      message.pointee.ints = arena.list(ints.map { Int64($0) })
      message.pointee.n_ints = ints.count
      message.pointee.floats = arena.list(floats)
      message.pointee.n_floats = floats.count
      message.pointee.strings = arena.list(strings.map(arena.bytes))
      message.pointee.n_strings = strings.count
    }
    switch value {
    case .int(let value): set("int", ints: [value])
    case .ints(let values): set("ints", ints: values)
    case .float(let value): set("float", floats: [value])
    case .floats(let values): set("floats", floats: values)
    case .string(let value): set("string", strings: [Array(value.utf8)])
    case .strings(let values): set("strings", strings: values.map { Array($0.utf8) })
    case .element(let element):
      set("element")
      message.pointee.element = arena.string(element.rawValue)
    case .tensor(let tensor):
      set("tensor", strings: [Array(tensor.bytes)])
      message.pointee.element = arena.string(tensor.element.rawValue)
      message.pointee.shape = arena.list(tensor.shape.map { UInt64($0) })
      message.pointee.n_shape = tensor.shape.count
    }
    return message
  }
}
