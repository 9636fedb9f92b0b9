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

  /// The standard deviation of the mean; 0 for fewer than two numbers.
  public var standardError: Double {
    count > 1 ? (squares / Double(count - 1) / Double(count)).squareRoot() : 0
  }
}
