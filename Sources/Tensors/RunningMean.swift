/// Mean and standard error of numbers that come one by one (Welford 1962).
public struct RunningMean: Sendable {
  public private(set) var count = 0
  public private(set) var mean = 0.0
  private var squares = 0.0

  public init() {}

  public mutating func add(_ value: Double) {
    count += 1
    let difference = value - mean
    mean += difference / Double(count)
    squares += difference * (value - mean)
  }

  /// The standard deviation of the numbers; 0 for fewer than two.
  public var standardDeviation: Double { count > 1 ? (squares / Double(count - 1)).squareRoot() : 0 }

  /// The standard deviation of the mean; 0 for fewer than two numbers.
  public var standardError: Double {
    count > 0 ? standardDeviation / Double(count).squareRoot() : 0
  }

  /// An interval that holds the mean of a share, a number in 0...1, with 95 % confidence, also where all numbers
  /// were the same (Wilson 1927). Shares of several trials each make it wider than need be.
  public var shareInterval: ClosedRange<Double> {
    guard count > 0 else { return 0...1 }
    let (z, n) = (1.96, Double(count))
    let center = (mean + z * z / (2 * n)) / (1 + z * z / n)
    let reach = z / (1 + z * z / n) * (mean * (1 - mean) / n + z * z / (4 * n * n)).squareRoot()
    return max(0, center - reach)...min(1, center + reach)
  }

  /// An interval that holds the mean with 95 % confidence, of many numbers.
  public var interval: ClosedRange<Double> { mean - 1.96 * standardError...mean + 1.96 * standardError }
}
