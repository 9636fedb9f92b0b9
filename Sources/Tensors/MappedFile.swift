#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A file mapped read-only into memory; its pages are read when they are touched.
public final class MappedFile: @unchecked Sendable {  // immutable after init
  public let path: String
  public let bytes: UnsafeRawBufferPointer

  /// Maps a whole regular file.
  ///
  /// - Throws: ``FileError`` when it cannot be opened or is no regular file.
  public init(_ path: String) throws(FileError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileError(path: path, doing: "open", code: errno) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileError(path: path, doing: "read", code: errno) }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw FileError(path: path, doing: "map", message: "it is not a regular file")
    }
    self.path = path
    let count = Int(status.st_size)
    guard count > 0 else {
      bytes = UnsafeRawBufferPointer(start: nil, count: 0)
      return
    }
    guard let base = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0), base != MAP_FAILED else {
      throw FileError(path: path, doing: "map", code: errno)
    }
    bytes = UnsafeRawBufferPointer(start: base, count: count)
  }

  deinit {
    if let base = bytes.baseAddress { munmap(UnsafeMutableRawPointer(mutating: base), bytes.count) }
  }

  /// `byteCount` bytes at `offset` as storage that keeps the mapping alive, or nil when they exceed the file.
  public func storage(offset: Int, byteCount: Int) -> TensorStorage? {
    guard offset >= 0, byteCount >= 0, offset <= bytes.count, byteCount <= bytes.count - offset else {
      return nil
    }
    guard let base = bytes.baseAddress else { return TensorStorage(byteCount: 0) }
    return TensorStorage(viewing: base + offset, byteCount: byteCount, owner: self)
  }

  /// Asks the system to drop pages that are no longer needed; they are read again when touched.
  public func discard(offset: Int, byteCount: Int) {
    guard let base = bytes.baseAddress, byteCount > 0 else { return }
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let first = (offset + page - 1) / page * page
    let end = (offset + byteCount) / page * page
    if end > first { madvise(UnsafeMutableRawPointer(mutating: base + first), end - first, MADV_DONTNEED) }
  }
}

/// A file system operation failed.
public struct FileError: Error, CustomStringConvertible, Sendable {
  public let path: String
  public let message: String

  public init(path: String, doing action: String, code: Int32) {
    self.init(path: path, doing: action, message: String(cString: strerror(code)).lowercased())
  }

  public init(path: String, doing action: String, message: String) {
    self.path = path
    self.message = "cannot \(action): \(message)"
  }

  public var description: String { "'\(path)': \(message)" }
}
