#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A file that gets its name only when it is complete.
final class OutputFile {
  private let path: String
  private let temporaryPath: String
  private var descriptor: Int32 = -1
  private var position = 0

  /// Where each part starts: a multiple of the widest alignment that readers ask for.
  private static let alignment = 4096

  init(_ path: String) {
    self.path = path
    temporaryPath = "\(path).tmp\(getpid())"
  }

  deinit {
    if descriptor >= 0 {
      close(descriptor)
      unlink(temporaryPath)
    }
  }

  func open() throws(ONNXFormatError) {
    descriptor = Self.create(temporaryPath)
    guard descriptor >= 0 else { throw failure("cannot be written") }
  }

  private static func create(_ path: String) -> Int32 {
    #if canImport(Glibc)
      Glibc.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    #else
      Darwin.open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    #endif
  }

  /// - Returns: the offset at which the bytes begin.
  func append(_ bytes: UnsafeRawBufferPointer) throws(ONNXFormatError) -> Int {
    let start = (position + Self.alignment - 1) / Self.alignment * Self.alignment
    guard write(bytes, at: start) else { throw failure("cannot be written") }
    position = start + bytes.count
    return start
  }

  func append(_ bytes: [UInt8]) throws(ONNXFormatError) {
    guard bytes.withUnsafeBytes({ write($0, at: position) }) else { throw failure("cannot be written") }
    position += bytes.count
  }

  private func write(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Bool {
    var rest = bytes
    while !rest.isEmpty {
      let written = pwrite(descriptor, rest.baseAddress, rest.count, off_t(start + bytes.count - rest.count))
      if written < 0, errno == EINTR { continue }
      guard written > 0 else { return false }
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
    }
    return true
  }

  func commit() throws(ONNXFormatError) {
    guard fsync(descriptor) == 0, rename(temporaryPath, path) == 0 else { throw failure("cannot be written") }
    close(descriptor)
    descriptor = -1
  }

  private func failure(_ what: String) -> ONNXFormatError {
    ONNXFormatError(file: path, "\(what): \(String(cString: strerror(errno)).lowercased())")
  }
}
