#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Memory for a tree of protobuf-c messages that is built, packed and dropped as a whole.
struct MessageArena: ~Copyable {
  private var blocks: [UnsafeMutableRawPointer] = []

  deinit { for block in blocks { free(block) } }

  private mutating func allocate<T>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
    let block = malloc(max(1, count * MemoryLayout<T>.stride))!
    blocks.append(block)
    return block.bindMemory(to: T.self, capacity: count)
  }

  mutating func string(_ text: String) -> UnsafeMutablePointer<CChar> {
    let bytes = Array(text.utf8CString)
    let copy = allocate(CChar.self, bytes.count)
    copy.initialize(from: bytes, count: bytes.count)
    return copy
  }

  mutating func array<T>(_ values: [T]) -> UnsafeMutablePointer<T> {
    let copy = allocate(T.self, values.count)
    copy.initialize(from: values, count: values.count)
    return copy
  }

  mutating func strings(_ texts: [String]) -> UnsafeMutablePointer<UnsafeMutablePointer<CChar>?> {
    var pointers: [UnsafeMutablePointer<CChar>?] = []
    for text in texts { pointers.append(string(text)) }
    return array(pointers)
  }

  mutating func message<T>(_ value: T) -> UnsafeMutablePointer<T> { array([value]) }
}
