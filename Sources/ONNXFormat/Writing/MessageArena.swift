import CONNX
import CProtobufC

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Memory for C messages that live until the arena goes.
final class MessageArena {
  private var blocks: [UnsafeMutableRawPointer] = []

  deinit { for block in blocks { free(block) } }

  private func allocate<T>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
    guard let block = calloc(max(count, 1), MemoryLayout<T>.stride) else { preconditionFailure("out of memory") }
    blocks.append(block)
    return block.bindMemory(to: T.self, capacity: max(count, 1))
  }

  /// A message after the C runtime has set its defaults.
  func make<T>(_ initialize: (UnsafeMutablePointer<T>?) -> Void) -> UnsafeMutablePointer<T> {
    let message = allocate(T.self, 1)
    initialize(message)
    return message
  }

  func list<T>(_ values: [T]) -> UnsafeMutablePointer<T>? {
    guard !values.isEmpty else { return nil }
    let copy = allocate(T.self, values.count)
    for (index, value) in values.enumerated() { (copy + index).initialize(to: value) }
    return copy
  }

  /// A zero-terminated copy, nil for the empty string: the field is then left out.
  func text(_ text: String) -> UnsafeMutablePointer<CChar>? {
    text.isEmpty ? nil : list(text.utf8CString.map { $0 })
  }

  /// Names, the empty ones too: they mark absent operands.
  func texts(_ texts: [String]) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? {
    list(texts.map { list($0.utf8CString.map { $0 }) })
  }

  func bytes(_ text: String) -> ProtobufCBinaryData {
    ProtobufCBinaryData(len: text.utf8.count, data: list(Array(text.utf8)))
  }
}
