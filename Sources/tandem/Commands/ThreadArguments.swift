import ArgumentParser
import Kernels

/// The option that says how many threads compute.
struct ThreadArguments: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Threads to compute with; by default one per core.", valueName: "n"))
  var threads: Int?

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("the number of threads is \(threads), accepted are 1...1024")
    }
  }

  func pool() throws -> ThreadPool {
    let count = threads ?? ThreadPool.processorCount
    let pool = ThreadPool(threadCount: count)
    guard pool.threadCount == count else {
      throw CommandError("\(count) threads cannot be started, the system allows \(pool.threadCount)")
    }
    return pool
  }
}
