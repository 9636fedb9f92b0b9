import CPlan
import CProtobufC
import Tensors

extension Program {
  /// The program as a protobuf message.
  func encoded() -> [UInt8] {
    var arena = MessageArena()
    var message = Tandem__Plan__Program()
    tandem__plan__program__init(&message)
    (message.functions, message.n_functions) = arena.messages(functions) { $1.function($0) }
    (message.weights, message.n_weights) = arena.messages(weights) { $1.weight($0) }
    (message.ledger, message.n_ledger) = arena.messages(ledger) { $1.ledgerEntry($0) }
    (message.provenance, message.n_provenance) = arena.messages(provenance) { $1.entry($0) }
    (message.model, message.n_model) = arena.messages(model) { $1.entry($0) }
    return Array(unsafeUninitializedCapacity: tandem__plan__program__get_packed_size(&message)) { buffer, count in
      count = tandem__plan__program__pack(&message, buffer.baseAddress)
    }
  }
}

extension MessageArena {
  fileprivate typealias Pointers<T> = UnsafeMutablePointer<UnsafeMutablePointer<T>?>

  fileprivate mutating func messages<S, T>(
    _ values: [S], _ make: (S, inout MessageArena) -> T
  ) -> (Pointers<T>, Int) {
    var pointers: [UnsafeMutablePointer<T>?] = []
    for value in values {
      let built = make(value, &self)
      pointers.append(message(built))
    }
    return (array(pointers), pointers.count)
  }

  fileprivate mutating func entry(_ entry: Entry) -> Tandem__Plan__Entry {
    var message = Tandem__Plan__Entry()
    tandem__plan__entry__init(&message)
    message.key = string(entry.key)
    message.value = string(entry.value)
    return message
  }

  fileprivate mutating func ledgerEntry(_ entry: LedgerEntry) -> Tandem__Plan__LedgerEntry {
    var message = Tandem__Plan__LedgerEntry()
    tandem__plan__ledger_entry__init(&message)
    message.pass = string(entry.pass)
    message.fidelity = string(entry.fidelity)
    message.budget = string(entry.budget)
    message.measured = string(entry.measured)
    return message
  }

  fileprivate mutating func weight(_ weight: Weight) -> Tandem__Plan__Weight {
    var message = Tandem__Plan__Weight()
    tandem__plan__weight__init(&message)
    message.name = string(weight.name)
    message.element = string(weight.element.rawValue)
    message.shape = array(weight.shape.map { UInt64($0) })
    message.n_shape = weight.shape.count
    message.offset = UInt64(weight.offset)
    message.length = UInt64(weight.byteCount)
    return message
  }

  fileprivate mutating func tensorType(_ type: TensorType) -> Tandem__Plan__TensorType {
    var message = Tandem__Plan__TensorType()
    tandem__plan__tensor_type__init(&message)
    message.element = string(type.element.rawValue)
    message.dims = strings(type.shape.map(\.description))
    message.n_dims = type.shape.count
    return message
  }

  fileprivate mutating func value(_ value: Function.Value) -> Tandem__Plan__Value {
    var message = Tandem__Plan__Value()
    tandem__plan__value__init(&message)
    message.name = string(value.name)
    message.type = UInt32(value.type)
    message.slot = -1
    message.weight = -1
    switch value.place {
    case .external: break
    case .slot(let index): message.slot = Int32(index)
    case .weight(let index): message.weight = Int32(index)
    }
    return message
  }

  fileprivate mutating func port(_ port: Function.Port) -> Tandem__Plan__Port {
    var message = Tandem__Plan__Port()
    tandem__plan__port__init(&message)
    message.name = string(port.name)
    message.value = UInt32(port.value)
    return message
  }

  fileprivate mutating func state(_ state: Function.State) -> Tandem__Plan__State {
    var message = Tandem__Plan__State()
    tandem__plan__state__init(&message)
    message.input = UInt32(state.input)
    message.output = UInt32(state.output)
    message.axis = UInt32(state.axis)
    return message
  }

  fileprivate mutating func function(_ function: Function) -> Tandem__Plan__Function {
    var message = Tandem__Plan__Function()
    tandem__plan__function__init(&message)
    message.name = string(function.name)
    (message.types, message.n_types) = messages(function.types) { $1.tensorType($0) }
    (message.values, message.n_values) = messages(function.values) { $1.value($0) }
    (message.steps, message.n_steps) = messages(function.steps) { $1.step($0) }
    (message.inputs, message.n_inputs) = messages(function.inputs) { $1.port($0) }
    (message.outputs, message.n_outputs) = messages(function.outputs) { $1.port($0) }
    (message.states, message.n_states) = messages(function.states) { $1.state($0) }
    message.slot_count = UInt32(function.slotCount)
    return message
  }

  fileprivate mutating func step(_ step: Function.Step) -> Tandem__Plan__Step {
    var message = Tandem__Plan__Step()
    tandem__plan__step__init(&message)
    message.kernel = string(step.kernel)
    message.operands = array(step.operands)
    message.n_operands = step.operands.count
    message.results = array(step.results)
    message.n_results = step.results.count
    let attributes = step.attributes.values.sorted { $0.key < $1.key }
    (message.attributes, message.n_attributes) = messages(attributes) { $1.attribute($0.key, $0.value) }
    message.location = string(step.location)
    message.feeds_state = step.feedsState ? 1 : 0
    return message
  }

  fileprivate mutating func attribute(_ name: String, _ value: AttributeValue) -> Tandem__Plan__Attribute {
    var message = Tandem__Plan__Attribute()
    tandem__plan__attribute__init(&message)
    message.name = string(name)
    func ints(_ values: [Int], _ arena: inout MessageArena) {
      message.ints = arena.array(values.map { Int64($0) })
      message.n_ints = values.count
    }
    func floats(_ values: [Float], _ arena: inout MessageArena) {
      message.floats = arena.array(values)
      message.n_floats = values.count
    }
    func texts(_ values: [[UInt8]], _ arena: inout MessageArena) {
      var items: [ProtobufCBinaryData] = []
      for bytes in values { items.append(ProtobufCBinaryData(len: bytes.count, data: arena.array(bytes))) }
      message.strings = arena.array(items)
      message.n_strings = items.count
    }
    switch value {
    case .int(let value):
      message.kind = string("int")
      ints([value], &self)
    case .ints(let values):
      message.kind = string("ints")
      ints(values, &self)
    case .float(let value):
      message.kind = string("float")
      floats([value], &self)
    case .floats(let values):
      message.kind = string("floats")
      floats(values, &self)
    case .string(let value):
      message.kind = string("string")
      texts([Array(value.utf8)], &self)
    case .strings(let values):
      message.kind = string("strings")
      texts(values.map { Array($0.utf8) }, &self)
    case .element(let element):
      message.kind = string("element")
      message.element = string(element.rawValue)
    case .tensor(let tensor):
      message.kind = string("tensor")
      message.element = string(tensor.element.rawValue)
      message.shape = array(tensor.shape.map { UInt64($0) })
      message.n_shape = tensor.shape.count
      texts([Array(tensor.bytes)], &self)
    }
    return message
  }
}
