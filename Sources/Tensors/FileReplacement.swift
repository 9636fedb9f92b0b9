#if canImport(Glibc)
  import Glibc
  private let putBytes = Glibc.write
#else
  import Darwin
  private let putBytes = Darwin.write
#endif

/// A file that takes its place only when it is complete: written under another name, synced, then renamed.
///
/// Unless ``commit()`` is reached, nothing is left behind and an older file of that name stays as it was.
public final class FileReplacement {
  public let path: String
  /// Bytes written so far.
  public private(set) var offset = 0
  private let temporaryPath: String
  private var descriptor: Int32

  /// - Throws: ``FileError`` when the folder cannot be written, or when something stands there that is no regular
  ///   file: a device or a folder is never replaced. A link stays; the file that it leads to is replaced.
  public init(_ given: String) throws(FileError) {
    var status = stat()
    var path = given
    if stat(given, &status) == 0 {
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw FileError(path: given, doing: "replace", message: "it is not a regular file")
      }
      if let resolved = realpath(given, nil) {
        path = String(cString: resolved)
        free(resolved)
      }
    }
    self.path = path
    temporaryPath = "\(path).tmp\(getpid())"
    descriptor = open(temporaryPath, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    if descriptor < 0 { throw FileError(path: path, doing: "create", code: errno) }
  }

  public func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var written = 0
    while written < bytes.count {
      // Linux writes at most 2 GiB at a time.
      let step = putBytes(descriptor, bytes.baseAddress! + written, min(bytes.count - written, 1 << 30))
      if step < 0, errno == EINTR { continue }
      guard step >= 0 else { throw FileError(path: path, doing: "write", code: errno) }
      written += step
    }
    offset += written
  }

  public func write(_ bytes: [UInt8]) throws(FileError) {
    let result: Result<Void, FileError> = bytes.withUnsafeBytes { buffer in
      do throws(FileError) { return .success(try write(buffer)) } catch { return .failure(error) }
    }
    try result.get()
  }

  /// Whether two paths lead to one existing file.
  public static func isSameFile(_ a: String, _ b: String) -> Bool {
    var (first, second) = (stat(), stat())
    guard stat(a, &first) == 0, stat(b, &second) == 0 else { return false }
    return first.st_dev == second.st_dev && first.st_ino == second.st_ino
  }

  /// Writes zeros up to the next multiple of `alignment`.
  public func pad(to alignment: Int) throws(FileError) {
    let count = (alignment - offset % alignment) % alignment
    if count > 0 { try write([UInt8](repeating: 0, count: count)) }
  }

  /// Replaces bytes that were written before: a header whose content is known last.
  public func overwrite(_ bytes: [UInt8], at offset: Int) throws(FileError) {
    precondition(offset + bytes.count <= self.offset, "only what was written can be replaced")
    let count = bytes.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, off_t(offset)) }
    guard count == bytes.count else { throw FileError(path: path, doing: "write", code: errno) }
  }

  /// Whether these bytes were written at `offset`.
  public func holds(_ bytes: UnsafeRawBufferPointer, at offset: Int) throws(FileError) -> Bool {
    precondition(offset + bytes.count <= self.offset, "only what was written can be read")
    let chunk = UnsafeMutableRawBufferPointer.allocate(byteCount: min(bytes.count, 1 << 20), alignment: 64)
    defer { chunk.deallocate() }
    var compared = 0
    while compared < bytes.count {
      let count = pread(
        descriptor, chunk.baseAddress, min(chunk.count, bytes.count - compared), off_t(offset + compared))
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw FileError(path: path, doing: "read", code: errno) }
      guard memcmp(chunk.baseAddress!, bytes.baseAddress! + compared, count) == 0 else { return false }
      compared += count
    }
    return true
  }

  /// Puts the file in its place.
  public func commit() throws(FileError) {
    guard fsync(descriptor) == 0, close(descriptor) == 0 else {
      throw FileError(path: path, doing: "write", code: errno)
    }
    descriptor = -1
    guard rename(temporaryPath, path) == 0 else {
      let code = errno
      unlink(temporaryPath)
      throw FileError(path: path, doing: "write", code: code)
    }
  }

  deinit {
    if descriptor < 0 { return }
    close(descriptor)
    unlink(temporaryPath)
  }
}
