/// Names a value of a graph.
public struct ValueID: Hashable, Sendable, Comparable {
  public let index: UInt32
  public init(_ index: Int) { self.index = UInt32(index) }
  public static func < (a: ValueID, b: ValueID) -> Bool { a.index < b.index }
}

/// Names a node of a graph.
public struct NodeID: Hashable, Sendable, Comparable {
  public let index: UInt32
  public init(_ index: Int) { self.index = UInt32(index) }
  public static func < (a: NodeID, b: NodeID) -> Bool { a.index < b.index }
}
