#if canImport(Glibc)
  import Glibc
  private let putBytes = Glibc.write
#else
  import Darwin
  private let putBytes = Darwin.write
#endif

/// A file that takes its place only when it is complete: written without a name, or under another one where the file
/// system has no files without, synced, then renamed.
///
/// Unless ``commit()`` is reached, an older file of that name stays as it was, and nothing is left behind: of a file
/// without a name not even when the process is killed.
public final class FileReplacement {
  public let path: String
  /// Bytes written so far.
  public private(set) var offset = 0
  private let temporaryPath: String
  /// Whether something stands at ``temporaryPath``.
  private var isNamed: Bool
  private var descriptor: Int32

  /// Makes writing beyond a limit on the size of files an error instead of a signal that ends the process.
  public static func reportFullFiles() { signal(SIGXFSZ, SIG_IGN) }

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
    descriptor = Self.openWithoutName(inFolderOf: path)
    isNamed = descriptor < 0
    if isNamed { descriptor = open(temporaryPath, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644) }
    if descriptor < 0 { throw FileError(path: path, doing: "create", code: errno) }
  }

  /// Negative where the system or the file system cannot.
  private static func openWithoutName(inFolderOf path: String) -> Int32 {
    #if os(Linux)
      let folder = path.lastIndex(of: "/").map { path[...$0] } ?? "."
      // O_TMPFILE, which the C headers spell in a way that Swift does not read.
      return open(String(folder), 0o20000000 | O_DIRECTORY | O_RDWR | O_CLOEXEC, 0o644)
    #else
      return -1
    #endif
  }

  /// Gives a file without a name that of the temporary one, from where it can be renamed onto another.
  private func name() -> Bool {
    #if os(Linux)
      unlink(temporaryPath)
      isNamed =
        linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, temporaryPath, AT_SYMLINK_FOLLOW) == 0
    #endif
    return isNamed
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
    guard fsync(descriptor) == 0, isNamed || name(), close(descriptor) == 0 else {
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
    if isNamed { unlink(temporaryPath) }
  }
}
