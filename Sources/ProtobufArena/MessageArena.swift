package import CProtobufC

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Memory for a tree of protobuf-c messages that is built, packed and dropped as a whole.
package final class MessageArena {
  private var blocks: [UnsafeMutableRawPointer] = []

  package init() {}

  deinit { for block in blocks { free(block) } }

  private func allocate<T>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
    guard let block = calloc(max(count, 1), MemoryLayout<T>.stride) else {
      preconditionFailure("out of memory")
    }
    blocks.append(block)
    return block.bindMemory(to: T.self, capacity: max(count, 1))
  }

  /// A message after the C runtime has set its defaults.
  package func make<T>(_ initialize: (UnsafeMutablePointer<T>?) -> Void) -> UnsafeMutablePointer<T> {
    let message = allocate(T.self, 1)
    initialize(message)
    return message
  }

  package func list<T>(_ values: [T]) -> UnsafeMutablePointer<T>? {
    guard !values.isEmpty else { return nil }
    let copy = allocate(T.self, values.count)
    for (index, value) in values.enumerated() { (copy + index).initialize(to: value) }
    return copy
  }

  /// A zero-terminated copy, nil for the empty string: the field is then left out.
  package func text(_ text: String) -> UnsafeMutablePointer<CChar>? {
    text.isEmpty ? nil : string(text)
  }

  /// A zero-terminated copy, of the empty string too.
  package func string(_ text: String) -> UnsafeMutablePointer<CChar>? { list(text.utf8CString.map { $0 }) }

  /// Copies of all, the empty ones too: among names they mark absent operands.
  package func texts(_ texts: [String]) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? {
    list(texts.map(string))
  }

  package func bytes(_ bytes: [UInt8]) -> ProtobufCBinaryData {
    ProtobufCBinaryData(len: bytes.count, data: list(bytes))
  }

  package typealias MessageList<T> = UnsafeMutablePointer<UnsafeMutablePointer<T>?>?

  /// Sets a repeated field to the messages made of `values`.
  package func fill<Value, Message>(
    _ field: inout MessageList<Message>, _ count: inout Int, _ values: [Value],
    _ make: (Value) -> UnsafeMutablePointer<Message>
  ) {
    field = list(values.map { Optional(make($0)) })
    count = values.count
  }
}
