import ArgumentParser

/// `512` or `128,512`: counts of an option that makes a test for each.
struct CountList: ExpressibleByArgument {
  let counts: [Int]

  init(_ counts: [Int]) { self.counts = counts }

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) }
    guard !parts.isEmpty, !parts.contains(nil) else { return nil }
    counts = parts.compactMap { $0 }
  }

  /// Each count once, in order.
  var unique: [Int] { counts.enumerated().filter { !counts[..<$0].contains($1) }.map(\.element) }

  var text: String { counts.map(String.init).joined(separator: ",") }
}

/// `0.6,0.8`: shares of an option that makes a test for each.
struct ShareList: ExpressibleByArgument {
  let shares: [Double]

  init?(argument: String) {
    let parts = argument.split(separator: ",", omittingEmptySubsequences: false).map { Double($0) }
    guard !parts.isEmpty, parts.allSatisfy({ $0.map { (0...1).contains($0) } ?? false }) else { return nil }
    shares = parts.compactMap { $0 }
  }
}
