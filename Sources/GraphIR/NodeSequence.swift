/// Nodes in an order, as a doubly linked list: inserting and removing cost the same at every place.
struct NodeSequence: Sendable {
  private struct Link: Sendable {
    var previous: NodeID?
    var next: NodeID?
    var isPresent = false
  }

  /// By the node's number.
  private var links: [Link] = []
  private var first: NodeID?
  private var last: NodeID?

  init() {}

  init(_ nodes: [NodeID]) {
    for node in nodes { insert(node, before: nil) }
  }

  var elements: [NodeID] {
    var elements: [NodeID] = []
    var cursor = first
    while let node = cursor {
      elements.append(node)
      cursor = links[Int(node.index)].next
    }
    return elements
  }

  private func contains(_ node: NodeID) -> Bool {
    Int(node.index) < links.count && links[Int(node.index)].isPresent
  }

  /// Inserts a node that is not in the list; at the end when `position` is nil or not in the list.
  mutating func insert(_ node: NodeID, before position: NodeID?) {
    while links.count <= Int(node.index) { links.append(Link()) }
    var link = Link(previous: last, next: nil, isPresent: true)
    if let position, contains(position) {
      link = Link(previous: links[Int(position.index)].previous, next: position, isPresent: true)
    }
    links[Int(node.index)] = link
    connect(link.previous, to: node)
    connect(node, to: link.next)
  }

  mutating func remove(_ node: NodeID) {
    guard contains(node) else { return }
    let link = links[Int(node.index)]
    links[Int(node.index)] = Link()
    connect(link.previous, to: link.next)
  }

  private mutating func connect(_ a: NodeID?, to b: NodeID?) {
    if let a { links[Int(a.index)].next = b } else { first = b }
    if let b { links[Int(b.index)].previous = a } else { last = a }
  }
}
