import Testing

/// The ONNX project's own tests of its operators, one small model each.
///
/// `make conformance` makes the data and runs them. Without data (`TANDEM_NODE_TESTS`) they are skipped.
@Suite struct NodeTests {
  @Test(.enabled(if: NodeTestFolder.path != nil, "TANDEM_NODE_TESTS names no folder of node tests"))
  func nodeTestsPass() throws {
    let folder = try NodeTestFolder(path: try #require(NodeTestFolder.path))
    let runner = NodeTestRunner(folder: folder)
    var passed = 0
    var failures: [String] = []
    var skips: [String: [String]] = [:]
    for test in folder.cases {
      switch try runner.run(test) {
      case .passed: passed += 1
      case .failed(let reason): failures.append("\(test.name): \(reason)")
      case .skipped(let reason): skips[reason, default: []].append(test.name)
      }
    }
    for (reason, names) in skips.sorted(by: { $0.key < $1.key }) {
      print("skipped \(names.count) (\(names[0])\(names.count > 1 ? ", ..." : "")): \(reason)")
    }
    let skipped = skips.values.map(\.count).reduce(0, +)
    print("node tests: \(passed) passed, \(failures.count) failed, \(skipped) skipped")
    #expect(failures.isEmpty, "\(failures.joined(separator: "\n"))")
  }
}
