#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// Standard output or standard error, written without a buffer of our own: every piece is out when `write` returns.
struct StandardStream: Sendable {
  /// The reader went away, as with `| head`.
  struct BrokenPipe: Error {}

  static let output = StandardStream(descriptor: 1)
  static let error = StandardStream(descriptor: 2)

  private let descriptor: Int32

  /// Makes writing to a closed pipe an error instead of a signal that ends the process.
  static func ignoreBrokenPipes() { signal(SIGPIPE, SIG_IGN) }

  /// Opens the null device where a standard stream is closed, or the next file opened would be that stream.
  static func openClosed() {
    while true {
      let descriptor = open("/dev/null", O_RDWR)
      if descriptor > 2 || descriptor < 0 {
        close(descriptor)
        return
      }
    }
  }

  /// Prints an error as every command does.
  static func report(_ message: String) { try? error.write("tandem: error: \(message)\n") }

  /// Prints something that is worth knowing but stops nothing.
  static func warn(_ message: String) { try? error.write("tandem: warning: \(message)\n") }

  var isTerminal: Bool { isatty(descriptor) == 1 }

  /// - Throws: ``BrokenPipe``, or ``CommandError`` when the disk is full and the like.
  func write(_ text: String) throws {
    var text = text
    try text.withUTF8 { try write(UnsafeRawBufferPointer($0)) }
  }

  private func write(_ bytes: UnsafeRawBufferPointer) throws {
    var done = 0
    while done < bytes.count {
      #if canImport(Glibc)
        let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      #else
        let count = Darwin.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      #endif
      if count >= 0 {
        done += count
      } else if errno == EPIPE {
        throw BrokenPipe()
      } else if errno == EAGAIN {
        var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&entry, 1, -1)
      } else if errno != EINTR {
        throw CommandError("cannot write output: \(String(cString: strerror(errno)).lowercased())")
      }
    }
  }
}
